//! `POST /oauth/token`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Payload},
};
use signet_oidc::{
    Call, Change, Event, OAuthError, Outcome,
    change::{EventKind, EventResult},
    id::ClientKey,
    token::{
        self, GrantRequest, Issue, TokenResponse, authorization_code,
        client_auth::{self, Credentials},
        client_credentials, refresh_token,
    },
};
use signet_storage::{Actor, Apply, Origin, audit::Entry};

use super::EndpointError;
use crate::{app::App, call, entropy, telemetry::metrics};

/// RFC 6749 §3.2.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let mut asked = Asked::default();
    match issue(&app, &http, payload, &mut asked).await {
        Ok(tokens) => HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::PRAGMA, "no-cache"))
            .json(tokens),
        Err(error) => {
            metrics::refused(error.code().as_str());
            asked.refused(&app, &http, &error);
            error.json(&http)
        }
    }
}

/// Whether it has the form of the secrets that are made here.
fn looks_like_a_secret(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// What is known of a request by the time it is refused.
#[derive(Default)]
struct Asked {
    /// The client it names, if that exists.
    client: Option<ClientKey>,
    /// The client it names, if that does not exist.
    typed: Option<String>,
    /// Whether it showed that it is that client.
    authenticated: bool,
    /// Whether the decision left its own row.
    recorded: bool,
}

impl Asked {
    /// Leaves a row in the audit log, without a transaction: nothing else is written.
    fn refused(self, app: &App, http: &HttpRequest, error: &EndpointError) {
        let EndpointError::OAuth(error) = error else { return };
        let Ok(mut turn) = entropy::turn() else { return };
        if self.recorded {
            return;
        }
        let event = Event {
            kind: EventKind::TokenRefused,
            result: EventResult::Refused,
            account: None,
            client: self.client,
            session: None,
            grant: None,
            detail: Some(error.code.as_str()),
        };
        let entry = Entry { typed: self.typed, ..Entry::of(event, &mut turn) };
        // Who failed to show who it is, is nobody known.
        let actor = (!self.authenticated).then_some(Actor::Anonymous);
        app.audit.push(entry, Origin { actor, ..call::origin(http) });
    }
}

async fn issue(
    app: &Data<App>,
    http: &HttpRequest,
    payload: Payload,
    asked: &mut Asked,
) -> Result<TokenResponse, EndpointError> {
    let call = call::read(http, payload).await?;
    let read = client_auth::read(call.header("authorization"), &call.params);
    let named = read.as_ref().map(|(id, _)| id.clone()).unwrap_or_default();
    app.may_try(http, &named).await?;
    let result = match read {
        Ok(read) => decide(app, http, &call, read, asked).await,
        Err(error) => Err(error.into()),
    };
    if let Err(EndpointError::OAuth(_)) = &result {
        app.failed(http, &named).await;
    }
    result
}

async fn decide(
    app: &Data<App>,
    http: &HttpRequest,
    call: &Call,
    (id, credentials): (String, Credentials),
    asked: &mut Asked,
) -> Result<TokenResponse, EndpointError> {
    let client = app.client(&id).await?;
    match &client {
        Some(client) => asked.client = Some(client.key),
        // A secret in the wrong field is not kept.
        None => asked.typed = (!looks_like_a_secret(&id)).then_some(id),
    }
    client_auth::verify(client.as_deref(), &credentials)?;
    let client = client.ok_or_else(|| OAuthError::invalid_client("client authentication failed"))?;
    asked.authenticated = true;
    let request = token::read(&call.params, &client)?;

    let grant_type = match &request {
        GrantRequest::Code(_) => "authorization_code",
        GrantRequest::Refresh(_) => "refresh_token",
        GrantRequest::Client(_) => "client_credentials",
    };

    let mut turn = entropy::turn()?;
    let origin = call::origin(http);
    let request = match request {
        GrantRequest::Client(request) => {
            // It changes nothing, so its row needs no transaction.
            let realm = app.realm();
            let Outcome { changes, verdict } = client_credentials::decide(&request, &client, &realm, &mut turn);
            for event in changes {
                app.audit.push(Entry::of(event, &mut turn), origin.clone());
            }
            let tokens = verdict?.sign(&app.published().keyring)?;
            metrics::issued(grant_type);
            return Ok(tokens);
        }
        request => request,
    };
    let shared = app.clone();
    let (verdict, recorded): (Result<Issue, OAuthError>, bool) = app
        .store
        .transaction(move |tx| {
            let now = turn.now();
            let realm = &shared.realm();
            let Outcome { changes, verdict } = match &request {
                GrantRequest::Code(request) => {
                    let until = (now + realm.policy.access_token_lifetime, now + realm.policy.refresh_token_lifetime);
                    let loaded = tx.load_code(&request.code.digest(), client.key, now, until)?;
                    authorization_code::decide(request, &client, loaded, realm, &mut turn)
                }
                GrantRequest::Refresh(request) => {
                    let loaded = tx.load_refresh(&request.token.digest(), client.key, now)?;
                    refresh_token::decide(request, &client, loaded, &shared.successor_key, (realm, &mut turn))
                }
                GrantRequest::Client(_) => {
                    Outcome::refuse(OAuthError::invalid_request("grant_type is not served here"))
                }
            };
            let recorded = changes.iter().any(|change| matches!(change, Change::Audit(_)));
            Ok((tx.apply(changes, &mut turn, &origin)?.and(verdict), recorded))
        })
        .await?;
    asked.recorded = recorded;
    // Signing follows the commit.
    let tokens = verdict?.sign(&app.published().keyring)?;
    metrics::issued(grant_type);
    Ok(tokens)
}
