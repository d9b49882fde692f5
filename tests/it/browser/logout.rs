//! Signing out, as applications learn of it in a browser: in frames, and by the frame that they ask.

use serde_json::json;
use url::Url;

use super::visitor::Visitor;
use crate::support::hosted::Hosted;
use crate::support::prelude::*;

/// What an application shows in its frame of session management: it asks once a moment and says what it heard.
const ASKS: &str = r#"<!doctype html><title>Application</title><p id="heard">nothing</p>
<iframe id="op" src="FRAME"></iframe>
<script>
const said = new URLSearchParams(location.hash.slice(1)), heard = document.getElementById('heard');
window.addEventListener('message', (event) => { if (event.origin === 'ISSUER') heard.textContent = event.data; });
setInterval(() => document.getElementById('op').contentWindow.postMessage(said.get('ask'), 'ISSUER'), 100);
</script>"#;

/// A page that says that it was loaded.
const OUT: &str = "<!doctype html><title>Out</title><p>Signed out here.</p>";

fn html(body: &str) -> String {
    format!("200 OK\r\nContent-Type: text/html; charset=utf-8\r\nX: {}", body.len())
}

/// One application of somebody: where people come back to, and how it is told.
async fn application(visitor: &Visitor, hosted: &Hosted, name: &str, metadata: serde_json::Value) -> Client {
    let spec = ClientSpec {
        name: name.to_owned(),
        redirect_uris: vec![hosted.same_site("/callback")],
        first_party: true,
        ..ClientSpec::confidential().with_metadata(&metadata)
    };
    visitor.signet.client(spec).await
}

/// Goes through sign-in to the application, and gives the address it came back to.
async fn arrive(visitor: &Visitor, request: &AuthRequest) -> Url {
    visitor.visit(&request.url(&visitor.signet)).await;
    eventually(PATIENCE, "back at the application", async || {
        let url = visitor.url().await;
        (url.path() == "/callback").then_some(url)
    })
    .await
}

/// The page of an application that asks its frame of session management this.
fn ask(place: &str, message: &str) -> Url {
    let mut url = Url::parse(place).expect("a URL");
    url.set_query(Some(&flow::random()));
    let message: String = url::form_urlencoded::byte_serialize(message.as_bytes()).collect();
    url.set_fragment(Some(&format!("ask={message}")));
    url
}

/// Waits until the page heard this.
async fn heard(visitor: &Visitor, expected: &str) {
    let mut last = None;
    let wait = eventually(PATIENCE, expected, async || {
        last = visitor.text("#heard").await;
        (last.as_deref() == Some(expected)).then_some(())
    });
    // The shorter limit tells what was heard instead.
    let waited = tokio::time::timeout(PATIENCE / 2, wait).await;
    assert!(waited.is_ok(), "{last:?} where {expected} was expected: {:?}", visitor.chrome.console().await);
}

/// Puts the page that asks at the application.
fn put_asks(visitor: &Visitor, hosted: &Hosted) {
    let frame = visitor.signet.url("/oauth/check-session");
    let asks = ASKS.replace("FRAME", &frame).replace("ISSUER", visitor.signet.issuer());
    hosted.answer("/asks", &html(&asks), &asks);
}

/// A certificate of nobody that the browser knows.
const UNKNOWN: &str = "--ignore-certificate-errors";

/// L4: over https an application on another site hears in its frame that the session is as it was, and that it ended: by a
/// sign-out, or because an administrator locked the account. Where the browser gives frames of other sites no cookies it
/// hears that this cannot be told, and no false alarm.
#[tokio::test]
async fn an_application_on_another_site_hears_of_it() {
    let signet = Signet::start_tls(Database::Postgres, &[]).await;
    let visitor = Visitor { signet, chrome: Chrome::start_with(&[UNKNOWN], true).await };
    let hosted = Hosted::start();
    let user = visitor.signet.user("ada").await;
    hosted.answer("/callback", &html(OUT), OUT);
    put_asks(&visitor, &hosted);
    let spec =
        ClientSpec { redirect_uris: vec![hosted.url("/callback")], first_party: true, ..ClientSpec::confidential() };
    let client = visitor.signet.client(spec).await;
    for ends in ["sign-out", "lock"] {
        visitor.open("/signin").await;
        visitor.sign_in(&user.username).await;
        visitor.heading("Hello, ada").await;
        let back = arrive(&visitor, &AuthRequest::new(&client)).await;
        assert_eq!(back.host_str(), Some("127.0.0.1"), "another site than localhost");
        let state = flow::parameter(&back, "session_state").expect("session_state");
        let asks = ask(&hosted.url("/asks"), &format!("{} {state}", client.id));
        visitor.visit(&asks).await;
        heard(&visitor, "unchanged").await;
        // What another site's page makes the browser ask Signet for comes without the session, and says nothing of it.
        let image = format!(
            "return new Promise((done) => {{ const one = new Image(); one.onload = one.onerror = () => done(1); \
             one.src = '{}' }})",
            visitor.signet.url("/")
        );
        visitor.script(&image).await;
        visitor.visit(&ask(&hosted.url("/asks"), &format!("{} {state}", client.id))).await;
        heard(&visitor, "unchanged").await;
        if ends == "lock" {
            visitor.signet.cli_json(&["user", "lock", "ada", "--json"], "").await;
            visitor.open("/account/activity").await;
            visitor.heading("Sign in").await;
        } else {
            visitor.open("/").await;
            visitor.press("Sign out").await;
            visitor.heading("You are signed out").await;
        }
        visitor.visit(&ask(&hosted.url("/asks"), &format!("{} {state}", client.id))).await;
        heard(&visitor, "changed").await;
    }
    let Visitor { signet, .. } = visitor;
    let visitor = Visitor { signet, chrome: Chrome::start_with(&[UNKNOWN], false).await };
    visitor.visit(&ask(&hosted.url("/asks"), &format!("{} hash.salt", client.id))).await;
    heard(&visitor, "error").await;
}

/// L1, L2, L3, L4: one person is signed in at three applications and signs out at one: that one's frame of session management
/// tells `changed`, the second is told in a frame, the third in the back channel although it was down; and nobody waits
/// for longer than three seconds.
#[tokio::test]
async fn three_applications_learn_of_one_sign_out() {
    let environment = [("SIGNET_OUTBOUND__ALLOW_PRIVATE", "true")];
    let signet = Signet::start_with(Database::Postgres, &environment).await;
    let visitor = Visitor { signet, chrome: Chrome::start().await };
    let hosted = Hosted::start();
    let user = visitor.signet.user("ada").await;
    hosted.answer("/callback", &html(OUT), OUT);
    hosted.answer("/out", &html(OUT), OUT);
    hosted.answer("/bye", &html(OUT), OUT);
    hosted.answer("/backchannel", "503 Service Unavailable", "");
    put_asks(&visitor, &hosted);

    let arguments = ["client", "create", "--json", "--name", "First", "--first-party", "--redirect-uri"];
    let (callback, bye) = (hosted.same_site("/callback"), hosted.same_site("/bye"));
    let arguments = [&arguments[..], &[&*callback, "--post-logout-redirect-uri", &*bye]].concat();
    let made = visitor.signet.cli_json(&arguments, "").await;
    let first = Client {
        id: flow::member(&made, "client_id").to_owned(),
        secret: Some(flow::member(&made, "client_secret").to_owned()),
        redirect_uri: callback.clone(),
    };
    let framed =
        json!({ "frontchannel_logout_uri": hosted.same_site("/out"), "frontchannel_logout_session_required": true });
    let second = application(&visitor, &hosted, "Second", framed).await;
    let told = json!({ "backchannel_logout_uri": hosted.url("/backchannel") });
    let third = application(&visitor, &hosted, "Third", told).await;

    visitor.open("/signin").await;
    visitor.sign_in(&user.username).await;
    visitor.heading("Hello, ada").await;
    let request = AuthRequest::new(&first);
    let back = arrive(&visitor, &request).await;
    let state = flow::parameter(&back, "session_state").expect("session_state");
    let code = flow::parameter(&back, "code").expect("a code");
    let tokens = flow::granted(flow::exchange(&visitor.signet, &first, &code, &request.verifier).await).await;
    for client in [&second, &third] {
        arrive(&visitor, &AuthRequest::new(client)).await;
    }

    let place = hosted.same_site("/asks");
    let question = format!("{} {state}", first.id);
    for (message, expected) in [
        (&*question, "unchanged"),
        (&format!("another {state}"), "changed"),
        ("nonsense", "error"),
        (&format!("{} nosalt", first.id), "error"),
    ] {
        visitor.visit(&ask(&place, message)).await;
        heard(&visitor, expected).await;
    }

    let mut logout = Url::parse(&visitor.signet.url("/oauth/logout")).expect("a URL");
    logout
        .query_pairs_mut()
        .append_pair("id_token_hint", flow::member(&tokens, "id_token"))
        .append_pair("post_logout_redirect_uri", &bye)
        .append_pair("state", "s");
    visitor.visit(&logout).await;
    let there = eventually(PATIENCE, "back at the first", async || {
        let url = visitor.url().await;
        (url.path() == "/bye").then_some(url)
    })
    .await;
    assert_eq!(flow::parameter(&there, "state").as_deref(), Some("s"));
    assert_eq!(hosted.hits("/out"), 1, "the second was told in a frame");
    visitor.visit(&ask(&place, &question)).await;
    heard(&visitor, "changed").await;
    assert!(visitor.chrome.console().await.iter().all(|entry| !entry.message.contains("Content Security Policy")));

    hosted.put("/backchannel", "");
    eventually(PATIENCE, "the third is told", async || {
        let delivered = visitor.signet.cli_json(&["delivery", "list", "--state", "delivered", "--json"], "").await;
        (delivered.as_array().expect("a list").len() == 1).then_some(())
    })
    .await;
    let forms = hosted.forms("/backchannel");
    let claims = flow::jwt_payload(&forms.last().expect("a token")["logout_token"]);
    assert_eq!(claims["aud"], third.id);
}

/// L3: an application whose frame never loads holds nobody up: after three seconds the person is where the one that asked
/// wanted.
#[tokio::test]
async fn a_frame_that_never_loads_holds_nobody_up() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = visitor.signet.user("ada").await;
    let hosted = Hosted::start();
    for path in ["/callback", "/bye"] {
        hosted.answer(path, &html(OUT), OUT);
    }
    hosted.hold("/out");
    let framed = json!({ "frontchannel_logout_uri": hosted.same_site("/out") });
    let client = application(&visitor, &hosted, "Silent", framed).await;
    let bye = hosted.same_site("/bye");
    let update = ["client", "update", &client.id, "--post-logout-redirect-uri", &bye, "--json"];
    visitor.signet.cli_json(&update, "").await;
    let request = AuthRequest::new(&client);
    visitor.visit(&request.url(&visitor.signet)).await;
    visitor.sign_in(&user.username).await;
    let code = eventually(PATIENCE, "a code", async || flow::parameter(&visitor.url().await, "code")).await;
    let tokens = flow::granted(flow::exchange(&visitor.signet, &client, &code, &request.verifier).await).await;
    let mut logout = Url::parse(&visitor.signet.url("/oauth/logout")).expect("a URL");
    logout
        .query_pairs_mut()
        .append_pair("id_token_hint", flow::member(&tokens, "id_token"))
        .append_pair("post_logout_redirect_uri", &bye);
    let begun = std::time::Instant::now();
    visitor.visit(&logout).await;
    eventually(PATIENCE, "back", async || (visitor.url().await.path() == "/bye").then_some(())).await;
    println!("  with a frame that never loads, the way to the application took {} ms", begun.elapsed().as_millis());
}

/// L3, R-68: without anywhere to go back to the page says that it is done.
#[tokio::test]
async fn the_page_says_that_it_is_done() {
    let visitor = Visitor::start(Database::Postgres).await;
    let user = visitor.signet.user("ada").await;
    let hosted = Hosted::start();
    for path in ["/callback", "/out"] {
        hosted.answer(path, &html(OUT), OUT);
    }
    let framed = json!({ "frontchannel_logout_uri": hosted.same_site("/out") });
    let client = application(&visitor, &hosted, "Framed", framed).await;
    visitor.open("/signin").await;
    visitor.sign_in(&user.username).await;
    visitor.heading("Hello, ada").await;
    arrive(&visitor, &AuthRequest::new(&client)).await;
    visitor.open("/").await;
    visitor.press("Sign out").await;
    visitor.heading("You are signed out").await;
    assert!(visitor.body().await.contains("The applications you used are told."));
    eventually(PATIENCE, "it is told", async || (hosted.hits("/out") == 1).then_some(())).await;
    visitor.chrome.screenshot("signed-out", &[(1280, "light"), (390, "dark")]).await;
}
