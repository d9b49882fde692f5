//! What a person allowed, seen and withdrawn; and an application that shows its picture.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::visitor::Visitor;
use crate::support::prelude::*;

const PICTURE: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64' width='64' height='64'>\
                       <rect width='64' height='64' rx='14' fill='#0b7a5b'/><path d='M18 44V20l14 14 14-14v24' \
                       fill='none' stroke='#fff' stroke-width='6'/></svg>";

/// An application that answers everything with its picture. Gives its address.
async fn application() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://localhost:{}", listener.local_addr().expect("an address").port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let length = PICTURE.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: image/svg+xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(format!("{head}{PICTURE}").as_bytes()).await;
            });
        }
    });
    address
}

/// Presses Allow and waits for the application.
async fn allow(visitor: &Visitor, application: &str) {
    visitor.press("Allow").await;
    let there = async || visitor.url().await.as_str().starts_with(application).then_some(());
    eventually(PATIENCE, "the application", there).await;
}

/// A16, R-68: the picture of an application is shown beside its name; what the person allowed is listed, withdrawn with
/// one press, and gone.
#[tokio::test]
async fn what_was_allowed_is_seen_and_withdrawn() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = visitor.signet.user("ada").await;
    let address = application().await;
    let mut clients = Vec::new();
    for name in ["Meadow", "A reader of very long reports in several volumes, for departments and their archives"] {
        let spec = ClientSpec {
            name: name.to_owned(),
            redirect_uris: vec![format!("{address}/callback")],
            ..ClientSpec::confidential()
        };
        clients.push(visitor.signet.client(spec).await);
    }
    let metadata = format!(
        "{{\"logo_uri\":\"{address}/logo.svg\",\"policy_uri\":\"{address}/privacy\",\"tos_uri\":\"{address}/terms\"}}"
    );
    visitor.signet.cli_json(&["client", "update", &clients[0].id, "--metadata", &metadata, "--json"], "").await;

    let request = AuthRequest::new(&clients[0]).with("scope", "openid profile email offline_access");
    visitor.visit(&request.url(&visitor.signet)).await;
    visitor.sign_in(&user.username).await;
    visitor.heading("Meadow asks for access to your account").await;
    let loaded = "const logo = document.querySelector('img.logo'); return logo && logo.complete && logo.naturalWidth";
    eventually(PATIENCE, "the picture", async || (visitor.script(loaded).await == 64).then_some(())).await;
    visitor.chrome.screenshot("consent-logo", &[(1280, "light"), (1280, "dark"), (390, "light")]).await;
    for entry in visitor.chrome.console().await {
        assert!(!entry.message.contains("Content Security Policy"), "{entry:?}");
    }
    allow(&visitor, &address).await;
    let more = AuthRequest::new(&clients[1]).with("scope", "openid email phone reports:read");
    visitor.visit(&more.url(&visitor.signet)).await;
    allow(&visitor, &address).await;

    let _ = (visitor.chrome.console().await, visitor.chrome.requests().await);
    visitor.open("/").await;
    visitor.heading("Hello, ada").await;
    visitor.inspect("home-applications").await;
    visitor.press("Applications you allowed").await;
    visitor.heading("Applications you allowed").await;
    visitor.inspect_closely("applications").await;
    let names = "return Array.from(document.querySelectorAll('main form button'), (button) => button \
                 .getAttribute('aria-labelledby').split(' ').map((id) => document.getElementById(id).textContent).join(' '))";
    let names: Value = visitor.script(names).await;
    assert_eq!(names[1], "Withdraw access Meadow", "{names}");

    visitor.find(&format!("form:has([value='{}']) button", clients[0].id)).await.click().await.expect("a press");
    let notice = visitor.find("[role=status]").await.text().await.expect("its text");
    assert!(notice.contains("Access was withdrawn"), "{notice}");
    visitor.heading("Applications you allowed").await;
    assert!(!visitor.body().await.contains("Meadow"));
    visitor.inspect("applications-withdrawn").await;
}
