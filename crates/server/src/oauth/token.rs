//! `POST /oauth/token`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Payload},
};
use signet_oidc::{
    Call, OAuthError, Outcome,
    token::{
        self, GrantRequest, Issue, TokenResponse, authorization_code,
        client_auth::{self, Credentials},
        client_credentials, refresh_token,
    },
};
use signet_storage::Apply;

use super::EndpointError;
use crate::{app::App, call, entropy, telemetry::metrics};

/// RFC 6749 §3.2.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    match issue(&app, &http, payload).await {
        Ok(tokens) => HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::PRAGMA, "no-cache"))
            .json(tokens),
        Err(error) => {
            metrics::refused(error.code().as_str());
            error.json(&http)
        }
    }
}

async fn issue(app: &Data<App>, http: &HttpRequest, payload: Payload) -> Result<TokenResponse, EndpointError> {
    let call = call::read(http, payload).await?;
    let read = client_auth::read(call.header("authorization"), &call.params);
    let named = read.as_ref().map(|(id, _)| id.clone()).unwrap_or_default();
    app.may_try(http, &named).await?;
    let result = match read {
        Ok(read) => decide(app, http, &call, read).await,
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
) -> Result<TokenResponse, EndpointError> {
    let client = app.client(&id).await?;
    client_auth::verify(client.as_deref(), &credentials)?;
    let client = client.ok_or_else(|| OAuthError::invalid_client("client authentication failed"))?;
    let request = token::read(&call.params, &client)?;

    let grant_type = match &request {
        GrantRequest::Code(_) => "authorization_code",
        GrantRequest::Refresh(_) => "refresh_token",
        GrantRequest::Client(_) => "client_credentials",
    };

    let mut turn = entropy::turn()?;
    let origin = call::origin(http);
    let shared = app.clone();
    let verdict: Result<Issue, OAuthError> = app
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
                GrantRequest::Client(request) => client_credentials::decide(request, &client, realm, &mut turn),
            };
            Ok(tx.apply(changes, &mut turn, &origin)?.and(verdict))
        })
        .await?;
    // Signing follows the commit.
    let tokens = verdict?.sign(&app.published().keyring)?;
    metrics::issued(grant_type);
    Ok(tokens)
}
