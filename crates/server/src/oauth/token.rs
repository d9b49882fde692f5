//! `POST /oauth/token`.

use std::{sync::Arc, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{
    Call, Change, OAuthError, Outcome, Params,
    client::Client,
    policy::Policy,
    resource,
    token::{self, GrantRequest, Issue, Target, TokenResponse, authorization_code, client_credentials, refresh_token},
};
use signet_storage::{Apply, StoreError, Tx, audit::Entry};

use super::{
    EndpointError,
    client::{self, Asked},
    password, private,
};
use crate::{
    app::{App, own_audience},
    call, entropy,
    telemetry::metrics,
};

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
        GrantRequest::Password(_) => "password",
    };

    let mut turn = entropy::turn()?;
    let origin = call::origin(http);
    let request = match request {
        GrantRequest::Client(request) => {
            // It changes nothing else, so its row needs no transaction.
            asked.prove(app, http).await?;
            let realm = app.realm();
            let target = own_target(app, &client, &call.params).await?;
            let Outcome { changes, verdict } =
                client_credentials::decide(&request, &client, &target, (&realm, &mut turn));
            for event in changes {
                app.audit.push(Entry::of(event, &mut turn), origin.clone());
            }
            let issue = verdict?;
            let tokens = app.signed(|keys| issue.sign(keys, None)).await?;
            metrics::issued(grant_type);
            return Ok(tokens);
        }
        request => request,
    };
    // Without a key for what is to be encrypted nothing is spent.
    let recipient = app.key_sets.recipient(&client, client.metadata.id_token_encryption(), Instant::now()).await?;
    let request = match request {
        GrantRequest::Password(request) => {
            let issue = password::issue(app, http, (&call.params, &client), request, asked).await?;
            let tokens = app.signed(|keys| issue.sign(keys, recipient.as_ref())).await?;
            metrics::issued(grant_type);
            return Ok(tokens);
        }
        request => request,
    };
    let (shared, proof) = (app.clone(), asked.proof());
    let params = call.params.clone();
    let (verdict, recorded): (Result<Issue, OAuthError>, bool) = app
        .store
        .transaction(move |tx| {
            if let Err(replayed) = tx.apply(proof, &mut turn, &origin)? {
                return Ok((Err(replayed), false));
            }
            let now = turn.now();
            let realm = &shared.realm();
            let Outcome { changes, verdict } = match &request {
                GrantRequest::Code(request) => {
                    let until = (now + Policy::LONGEST_ACCESS_TOKEN, now + realm.policy.refresh_token_lifetime);
                    let mut loaded = tx.load_code(&request.code.digest(), client.key, now, until)?;
                    if let authorization_code::Loaded::First { account, person, .. } = &mut loaded {
                        person.roles = shared.roles_for(tx, &client, account.id)?;
                    }
                    let granted = match &loaded {
                        authorization_code::Loaded::First { grant, .. } => Some(&*grant.resources),
                        _ => None,
                    };
                    match target(&shared, tx, &client, (&params, granted))? {
                        Ok(target) => authorization_code::decide(request, &client, (loaded, &target), realm, &mut turn),
                        Err(error) => Outcome::refuse(error),
                    }
                }
                GrantRequest::Refresh(request) => {
                    let mut loaded = tx.load_refresh(&request.token.digest(), client.key, now)?;
                    if let Some(loaded) = &mut loaded {
                        loaded.person.roles = shared.roles_for(tx, &client, loaded.account.id)?;
                    }
                    let granted = loaded.as_ref().map(|loaded| &*loaded.grant.resources);
                    match target(&shared, tx, &client, (&params, granted))? {
                        Ok(target) => {
                            let loaded = (loaded, &target);
                            refresh_token::decide(request, &client, loaded, &shared.successor_key, (realm, &mut turn))
                        }
                        Err(error) => Outcome::refuse(error),
                    }
                }
                GrantRequest::Client(_) | GrantRequest::Password(_) => {
                    Outcome::refuse(OAuthError::invalid_request("grant_type is not served here"))
                }
            };
            let recorded = changes.iter().any(|change| matches!(change, Change::Audit(_)));
            Ok((tx.apply(changes, &mut turn, &origin)?.and(verdict), recorded))
        })
        .await?;
    asked.recorded(recorded);
    // Signing follows the commit.
    let issue = verdict?;
    let tokens = app.signed(|keys| issue.sign(keys, recipient.as_ref())).await?;
    metrics::issued(grant_type);
    Ok(tokens)
}

/// For which APIs the token is to be (RFC 8707 §2.2). Where nothing was granted nothing is asked for.
fn target(
    app: &App,
    tx: &mut Tx<'_>,
    client: &Client,
    (params, granted): (&Params, Option<&[String]>),
) -> Result<Result<Target, OAuthError>, StoreError> {
    let Some(granted) = granted else { return Ok(Ok(Target::default())) };
    match resource::asked(params, client, Some(granted)) {
        Ok(asked) => app.target(tx, client, (asked, granted)).map(Ok),
        Err(error) => Ok(Err(error)),
    }
}

/// For which APIs a client's own token is to be. No statement where they are cached.
async fn own_target(app: &Data<App>, client: &Arc<Client>, params: &Params) -> Result<Target, EndpointError> {
    let asked = resource::asked(params, client, None)?;
    let audience = if asked.is_empty() { own_audience(client) } else { asked.clone() };
    if let Some(apis) = app.known_apis(&audience) {
        return Ok(Target { resources: asked, apis });
    }
    let shared = app.clone();
    let apis = app.store.read(move |tx| shared.apis(tx, &audience)).await?;
    Ok(Target { resources: asked, apis })
}
