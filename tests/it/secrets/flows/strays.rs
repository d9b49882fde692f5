//! Secrets where none belong.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};

use super::{Driver, MARK_AGENT, MARK_TRACE, made};
use crate::support::prelude::*;

impl Driver<'_> {
    /// Secrets where none belong.
    pub(super) async fn odd_places(&mut self, client: &Client) {
        let secret = made("odd");
        self.hunt.keep("secret in an odd place", &secret);
        let signet = self.signet;
        let http = signet.http();
        let url = |path: &str| signet.url(path);
        let mut requests = Vec::new();
        for path in ["/signin", "/", "/register", "/healthz", "/readyz", "/metrics", "/oauth/jwks", "/nowhere", "/docs"]
        {
            requests.push(http.get(url(&format!("{path}?password={secret}&access_token={secret}"))));
        }
        requests.push(http.get(url(&format!("/{secret}/deeper"))));
        requests.push(http.get(url(&format!("/api/v1/admin/clients/{secret}"))).bearer_auth(&secret));
        requests.push(http.post(url("/api/v1/admin/clients")).bearer_auth(&secret).body(secret.clone()));
        requests.push(http.get(url(&format!("/playground/callback?code={secret}&state={secret}"))));
        let authorize = AuthRequest::new(client).with("state", &secret).with("client_secret", &secret);
        for request in [
            authorize.clone().with("redirect_uri", &format!("https://evil.example/{secret}")),
            authorize.clone().with("client_id", &secret),
            authorize.with("request", &secret).with("id_token_hint", &secret),
        ] {
            requests.push(http.get(request.url(self.signet)));
        }
        for value in [
            format!("Bearrer {secret}"),
            format!("Basic {secret}"),
            format!("Basic {}", STANDARD.encode(format!("{}:{secret}", client.id))),
            format!("Digest username=\"{secret}\""),
            secret.clone(),
        ] {
            for path in ["/oauth/token", "/oauth/userinfo", "/api/v1/admin/users", "/signin"] {
                let form = [("grant_type", &*secret), ("code", &secret), ("client_assertion", &secret)];
                requests.push(http.post(url(path)).header(AUTHORIZATION, &value).form(&form));
                requests.push(http.get(url(path)).header(AUTHORIZATION, &value));
            }
        }
        for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
            for path in ["/oauth/token", "/signin", "/api/v1/admin/users"] {
                let body = format!("{{\"password\": \"{secret}\", \"client_secret\": \"{secret}\"");
                requests.push(http.post(url(path)).header(CONTENT_TYPE, kind).body(body));
            }
        }
        for name in ["traceparent", "x-request-id", "x-forwarded-for", "forwarded", "x-api-key", "referer", "origin"] {
            requests.push(http.get(url("/signin")).header(name, &secret));
        }
        requests.push(http.post(url("/oauth/logout")).form(&[("id_token_hint", &secret), ("state", &secret)]));
        for request in requests {
            let answer = request.send().await.expect("an answer");
            // A redirect gives a state back to whoever sent it.
            self.answered(answer).await;
        }
        let marked = format!("00-{MARK_TRACE}-00f067aa0ba902b7-01");
        let mut browser = Browser::new(self.signet);
        let page = browser.get("/signin").await.page();
        let form = page.form(&["username", "password"]).expect("the form");
        let form = form.with(&[("username", "admin"), ("password", &secret)]);
        let request = browser.request(reqwest::Method::POST, &form.action).header("origin", self.signet.issuer());
        let request = request.header(USER_AGENT, MARK_AGENT).header("traceparent", marked).form(&form.fields);
        self.refused(request).await;
    }

    /// Heads that are no HTTP.
    pub(super) async fn raw(&mut self) {
        let secret = made("raw");
        self.hunt.keep("secret in a broken request", &secret);
        for head in [
            format!("GET /?password={secret} HTTP/9.9\r\nHost: localhost\r\n\r\n"),
            format!("{secret}\r\n\r\n"),
            format!("GET /signin HTTP/1.1\r\nHost: {secret}\r\nConnection: close\r\n\r\n"),
            format!("GET /signin HTTP/1.1\r\nHost: localhost\r\n{secret}\r\n\r\n"),
            format!("POST /signin HTTP/1.1\r\nHost: localhost\r\nContent-Length: {secret}\r\n\r\n{secret}"),
            format!("POST /signin HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {secret}\r\n\r\n"),
            format!(
                "POST /signin HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\nzz{secret}\r\n\r\n"
            ),
            format!("GET /signin HTTP/1.1\r\nHost: localhost\r\nAuthorization: {secret}\u{1}\r\n\r\n"),
        ] {
            let port = self.signet.port();
            let exchange = tokio::task::spawn_blocking(move || {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
                stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer);
                String::from_utf8_lossy(&answer).into_owned()
            });
            let answer = exchange.await.expect("an exchange");
            self.hunt.search_page("the answer to a broken request", &answer);
        }
    }
}
