//! An application for administration, and people with and without roles who use it.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::scene::{admin, header};
use crate::support::prelude::*;

/// A server with an application whose tokens are for the API.
pub struct Office {
    /// The server.
    pub signet: Signet,
    /// The application: its tokens have the API's audience and may carry every permission.
    pub console: Client,
}

impl Office {
    /// On PostgreSQL.
    pub async fn open() -> Self {
        let signet = Signet::start(Database::Postgres).await;
        let console = console(&signet, &["*:*", "client:read", "user:*"]).await;
        Self { signet, console }
    }

    /// Somebody with a role beside `user`.
    pub async fn person(&self, name: &str, role: Option<&str>) -> User {
        let user = self.signet.user(name).await;
        if let Some(role) = role {
            let statement = format!(
                "INSERT INTO user_roles (user_id, role_id, created_at) SELECT users.id, roles.id, now() \
                 FROM users, roles WHERE users.username = '{name}' AND roles.name = '{role}'"
            );
            assert_eq!(self.change(&statement), 1);
        }
        user
    }

    /// An access token of somebody with these scopes.
    pub async fn token(&self, user: &User, scope: &str) -> String {
        self.token_by(&self.console, user, scope).await
    }

    /// The same by another application.
    pub async fn token_by(&self, client: &Client, user: &User, scope: &str) -> String {
        let mut browser = Browser::new(&self.signet);
        let request = AuthRequest::new(client).with("scope", scope);
        let code = flow::code(&self.signet, &mut browser, &request, user).await;
        let tokens = flow::granted(flow::exchange(&self.signet, client, &code, &request.verifier).await).await;
        flow::member(&tokens, "access_token").to_owned()
    }

    /// The administrator's token, for everything.
    pub async fn administrator(&self) -> String {
        self.token(&admin(), "openid *:*").await
    }

    /// A call of the API.
    pub fn call(&self, method: &str, path: &str, token: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.signet.http().request(method, self.signet.url(path)).bearer_auth(token)
    }

    /// Changes what no program changes. Gives the number of rows.
    pub fn change(&self, statement: &str) -> usize {
        use diesel::RunQueryDsl as _;
        diesel::sql_query(statement).execute(&mut self.signet.database()).expect("a statement")
    }
}

/// An application whose tokens are for the API, with `openid` and these scopes.
pub async fn console(signet: &Signet, scopes: &[&str]) -> Client {
    let audience = format!("{}/api", signet.issuer());
    let redirect_uri = "https://console.example/callback";
    let mut arguments = vec!["client", "create", "--json", "--name", "Console", "--first-party"];
    arguments.extend(["--redirect-uri", redirect_uri, "--audience", &audience, "--scope", "openid"]);
    for scope in scopes {
        arguments.extend(["--scope", scope]);
    }
    let made = signet.cli_json(&arguments, "").await;
    Client {
        id: flow::member(&made, "client_id").to_owned(),
        secret: Some(flow::member(&made, "client_secret").to_owned()),
        redirect_uri: redirect_uri.to_owned(),
    }
}

/// Status and code of a refusal, which is problem JSON with the request's id (RFC 9457).
pub async fn problem(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    assert_eq!(header(&answer, "content-type"), "application/problem+json", "{answer:?}");
    let id = header(&answer, "x-request-id").to_owned();
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!((body["status"].as_u64(), body["request_id"].as_str()), (Some(u64::from(status)), Some(&*id)), "{body}");
    assert!(!flow::member(&body, "title").is_empty() && !flow::member(&body, "detail").is_empty(), "{body}");
    assert_eq!(flow::member(&body, "type"), "about:blank");
    (status, flow::member(&body, "code").to_owned())
}

/// The JSON of an answer with this status.
pub async fn json(answer: Response, status: u16) -> Value {
    let (seen, body) = (answer.status().as_u16(), answer.text().await.expect("a body"));
    assert_eq!(seen, status, "{body}");
    serde_json::from_str(&body).expect("JSON")
}
