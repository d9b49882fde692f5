//! What most protocol tests begin with: a server, an application, and somebody who can sign in.

use diesel::RunQueryDsl as _;
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tokio::task::JoinSet;
use url::Url;

use crate::support::prelude::*;
use crate::support::signet::{ADMIN_EMAIL, ADMIN_PASSWORD};

/// A server of its own with one client; the first administrator signs in.
pub struct Scene {
    pub signet: Signet,
    pub client: Client,
    pub user: User,
}

/// The account every instance starts with.
pub fn admin() -> User {
    User { username: "admin".to_owned(), email: ADMIN_EMAIL.to_owned(), password: ADMIN_PASSWORD.to_owned() }
}

impl Scene {
    /// On PostgreSQL, with a confidential client.
    pub async fn start() -> Self {
        Self::with(ClientSpec::confidential()).await
    }

    /// On PostgreSQL, with this client.
    pub async fn with(spec: ClientSpec) -> Self {
        Self::on(Database::Postgres, spec).await
    }

    /// On this database, with this client.
    pub async fn on(database: Database, spec: ClientSpec) -> Self {
        let signet = Signet::start(database).await;
        let client = signet.client(spec).await;
        Self { signet, client, user: admin() }
    }

    /// On PostgreSQL and over https, with this client.
    pub async fn tls(spec: ClientSpec) -> Self {
        let signet = Signet::start_tls(Database::Postgres, &[]).await;
        let client = signet.client(spec).await;
        Self { signet, client, user: admin() }
    }

    /// A browser without cookies.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.signet)
    }

    /// A request of the client for `openid profile email`.
    pub fn request(&self) -> AuthRequest {
        AuthRequest::new(&self.client)
    }

    /// A code for a request; signs in and consents where asked.
    pub async fn code(&self, browser: &mut Browser, request: &AuthRequest) -> String {
        flow::code(&self.signet, browser, request, &self.user).await
    }

    /// The tokens for a request; signs in and consents where asked.
    pub async fn grant(&self, browser: &mut Browser, request: &AuthRequest) -> Value {
        let code = self.code(browser, request).await;
        flow::granted(self.exchange(&code, &request.verifier).await).await
    }

    /// The tokens of a fresh browser, without offline access.
    pub async fn tokens(&self) -> Value {
        self.grant(&mut self.browser(), &self.request()).await
    }

    /// Redeems a code as the client.
    pub async fn exchange(&self, code: &str, verifier: &str) -> Response {
        flow::exchange(&self.signet, &self.client, code, verifier).await
    }

    /// Uses a refresh token as the client.
    pub async fn refresh(&self, tokens: &Value) -> Response {
        flow::refresh(&self.signet, &self.client, flow::member(tokens, "refresh_token")).await
    }

    /// Opens a URL without cookies and without following anything.
    pub async fn open(&self, url: impl AsRef<str>) -> Response {
        self.signet.http().get(url.as_ref()).send().await.expect("an answer")
    }

    /// Whether userinfo accepts an access token; it answers 200 or the 401 of RFC 6750.
    pub async fn accepts(&self, tokens: &Value) -> bool {
        let answer = flow::userinfo(&self.signet, flow::member(tokens, "access_token")).await;
        match answer.status() {
            StatusCode::OK => true,
            StatusCode::UNAUTHORIZED => {
                assert!(header(&answer, "www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
                false
            }
            other => panic!("userinfo answers {other}"),
        }
    }

    /// Changes what only time, or an administrator, changes. Gives the number of rows.
    pub fn change(&self, statement: &str) -> usize {
        diesel::sql_query(statement).execute(&mut self.signet.database()).expect("a statement")
    }

    /// A request to the token endpoint with raw form fields and no authentication of its own.
    pub fn token_request(&self, fields: &[(&str, &str)]) -> RequestBuilder {
        self.signet.http().post(self.signet.url("/oauth/token")).form(fields)
    }
}

/// A header as text; empty when it is absent.
pub fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("an ASCII header"))
}

/// The error page of a request that must not be sent on: 400, no redirect.
pub async fn error_page(answer: Response) -> String {
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.headers().get("location").is_none(), "{answer:?}");
    assert!(header(&answer, CONTENT_TYPE.as_str()).starts_with("text/html"), "{answer:?}");
    answer.text().await.expect("a page")
}

/// A3: the error at the redirect URI, with `state` and `iss`, and a description of plain ASCII.
pub fn refusal(scene: &Scene, request: &AuthRequest, callback: &Url) -> String {
    let sent = request.get("redirect_uri");
    assert!(callback.as_str().starts_with(sent), "{callback}");
    let state = request.parameters.iter().find(|(name, _)| name == "state").map(|(_, value)| value.clone());
    assert_eq!(flow::parameter(callback, "state"), state, "{callback}");
    assert_eq!(flow::parameter(callback, "iss").as_deref(), Some(scene.signet.issuer()), "{callback}");
    assert_eq!(flow::parameter(callback, "code"), None, "{callback}");
    let description = flow::parameter(callback, "error_description").expect("a description");
    let plain = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    assert!(!description.is_empty() && description.chars().all(plain), "{description}");
    flow::parameter(callback, "error").expect("an error")
}

/// Sends requests at once and gives the answers in the order they came.
pub async fn at_once(requests: Vec<RequestBuilder>) -> Vec<Response> {
    let mut set = JoinSet::new();
    for request in requests {
        set.spawn(request.send());
    }
    set.join_all().await.into_iter().map(|answer| answer.expect("an answer")).collect()
}
