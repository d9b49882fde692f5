//! `POST /oauth/token`.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{
    Call, Change, OAuthError, Outcome,
    client::Client,
    token::{self, GrantRequest, Issue, TokenResponse, authorization_code, client_credentials, refresh_token},
};
use signet_storage::{Apply, audit::Entry};

use super::{
    EndpointError,
    client::{self, Asked},
    private,
};
use crate::{app::App, call, entropy, telemetry::metrics};

/// RFC 6749 §3.2.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let issued = client::serve(&app, &http, payload, async |call, client, asked: &mut Asked| {
        issue(&app, &http, &call, client, asked).await
    });
    match issued.await {
        Ok(tokens) => private(&tokens),
        Err(refusal) => refusal,
    }
}

async fn issue(
    app: &Data<App>,
    http: &HttpRequest,
    call: &Call,
    client: Arc<Client>,
    asked: &mut Asked,
) -> Result<TokenResponse, EndpointError> {
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
    asked.recorded(recorded);
    // Signing follows the commit.
    let tokens = verdict?.sign(&app.published().keyring)?;
    metrics::issued(grant_type);
    Ok(tokens)
}
