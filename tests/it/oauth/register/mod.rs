//! `/oauth/register` and the addresses it answers.

mod abuse;
mod changes;
mod expiry;
mod metadata;
mod sector;
mod shape;
mod who;

pub use changes::sent_back;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::scene::{admin, header};
use crate::support::prelude::*;

/// Everybody may register.
pub const OPEN: (&str, &str) = ("SIGNET_REGISTRATION__CLIENTS", "open");

/// An instance where everybody may register.
pub async fn open() -> Signet {
    Signet::start_with(Database::Postgres, &[OPEN]).await
}

/// What an ordinary application says of itself.
pub fn application() -> Value {
    json!({
        "client_name": "Reports",
        "redirect_uris": ["https://reports.example/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    })
}

/// The same with further members; `null` takes one away.
pub fn application_with(members: &Value) -> Value {
    let mut all = application();
    for (name, value) in members.as_object().expect("members") {
        if value.is_null() {
            all.as_object_mut().expect("an object").remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    all
}

/// Sends a registration.
pub async fn register(signet: &Signet, body: &Value) -> Response {
    signet.http().post(signet.url("/oauth/register")).json(body).send().await.expect("an answer")
}

/// What a registration is answered with, which is 201.
pub async fn registered(signet: &Signet, body: &Value) -> Value {
    let answer = register(signet, body).await;
    let (status, text) = (answer.status(), answer.text().await.expect("a body"));
    assert_eq!(status, StatusCode::CREATED, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// A request to the address of a registration, with the token given.
pub async fn manage(signet: &Signet, method: &str, id: &str, token: &str, body: Option<&Value>) -> Response {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = signet.http().request(method, signet.url(&format!("/oauth/register/{id}"))).bearer_auth(token);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    request.send().await.expect("an answer")
}

/// The same with the token of the registration itself.
pub async fn manage_own(signet: &Signet, method: &str, own: &Value, body: Option<&Value>) -> Response {
    let (id, token) = (flow::member(own, "client_id"), flow::member(own, "registration_access_token"));
    manage(signet, method, id, token, body).await
}

/// The application behind a registration.
pub fn client_of(own: &Value) -> Client {
    Client {
        id: flow::member(own, "client_id").to_owned(),
        secret: own["client_secret"].as_str().map(str::to_owned),
        redirect_uri: own["redirect_uris"][0].as_str().unwrap_or_default().to_owned(),
    }
}

/// Tokens of the administrator for an application, by the code flow.
pub async fn tokens(signet: &Signet, client: &Client, scope: &str) -> Value {
    let request = AuthRequest::new(client).with("scope", scope);
    let code = flow::code(signet, &mut Browser::new(signet), &request, &admin()).await;
    flow::granted(flow::exchange(signet, client, &code, &request.verifier).await).await
}

/// Status and error of a refusal, and that its headers are those of RFC 7591 §3.2.2.
pub async fn refused(answer: Response) -> (u16, String) {
    assert_eq!(header(&answer, "cache-control"), "no-store", "{answer:?}");
    flow::refused(answer).await
}

/// How many rows there are.
pub fn count(signet: &Signet, from: &str) -> i64 {
    use diesel::RunQueryDsl as _;
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::Int8)]
        count: i64,
    }
    let counted = diesel::sql_query(format!("SELECT count(*) AS count FROM {from}"));
    counted.get_result::<Count>(&mut signet.database()).expect("a count").count
}
