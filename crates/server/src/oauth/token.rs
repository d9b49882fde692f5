//! `POST /oauth/token`.

use std::{sync::Arc, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{
    Call, OAuthError, Outcome, Params, Turn,
    client::{Client, GRANT_CLIENT, GRANT_CODE, GRANT_PASSWORD, GRANT_REFRESH},
    policy::Policy,
    resource,
    token::{
        self, GrantRequest, Issue, Target, TokenResponse,
        authorization_code::{self, CodeRequest},
        client_credentials::{self, ClientRequest},
        refresh_token::{self, RefreshRequest},
    },
};
use signet_storage::{StoreError, Tx, audit::Entry};

use super::{
    EndpointError,
    client::{self, Asked, Verdict},
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

/// Each kind of grant decides for itself; signing, the answer and what is counted are the same for all.
async fn issue(
    app: &Data<App>,
    http: &HttpRequest,
    call: &Call,
    client: Arc<Client>,
    asked: &mut Asked,
) -> Result<TokenResponse, EndpointError> {
    let request = token::read(&call.params, &client)?;
    let grant_type = match &request {
        GrantRequest::Code(_) => GRANT_CODE,
        GrantRequest::Refresh(_) => GRANT_REFRESH,
        GrantRequest::Client(_) => GRANT_CLIENT,
        GrantRequest::Password(_) => GRANT_PASSWORD,
    };
    let recipient = match &request {
        // It says nothing of a person: there is no ID token.
        GrantRequest::Client(_) => None,
        // Without a key for what is to be encrypted nothing is spent.
        _ => app.key_sets.recipient(&client, client.metadata.id_token_encryption(), Instant::now()).await?,
    };
    let (turn, sender) = (entropy::turn()?, (&call.params, &client));
    let verdict = match request {
        GrantRequest::Code(request) => of_code(app, http, sender, (request, turn), asked).await,
        GrantRequest::Refresh(request) => of_refresh(app, http, sender, (request, turn), asked).await,
        GrantRequest::Client(request) => of_client(app, http, sender, (request, turn), asked).await,
        GrantRequest::Password(request) => password::issue(app, http, sender, (request, turn), asked).await,
    };
    // Signing follows the commit.
    let issue = verdict??;
    let tokens = app.signed(|keys| issue.sign(keys, recipient.as_ref())).await?;
    metrics::issued(grant_type);
    Ok(tokens)
}

async fn of_code(
    app: &Data<App>,
    http: &HttpRequest,
    (params, client): (&Params, &Arc<Client>),
    (request, turn): (CodeRequest, Turn),
    asked: &mut Asked,
) -> Result<Verdict<Issue>, EndpointError> {
    let (shared, params, client) = (app.clone(), params.clone(), Arc::clone(client));
    let decide = move |tx: &mut Tx<'_>, turn: &mut Turn| {
        let (now, realm) = (turn.now(), &shared.realm());
        let until = (now + Policy::LONGEST_ACCESS_TOKEN, now + realm.policy.refresh_token_lifetime);
        let mut loaded = tx.load_code(&request.code.digest(), client.key, now, until)?;
        if let authorization_code::Loaded::First { account, person, .. } = &mut loaded {
            person.roles = shared.roles_for(tx, &client, account.id)?;
        }
        let granted = match &loaded {
            authorization_code::Loaded::First { grant, .. } => Some(&*grant.resources),
            _ => None,
        };
        Ok(match target(&shared, tx, &client, (&params, granted))? {
            Ok(target) => authorization_code::decide(&request, &client, (loaded, &target), realm, turn),
            Err(error) => Outcome::refuse(error),
        })
    };
    asked.decided(app, http, turn, decide).await
}

async fn of_refresh(
    app: &Data<App>,
    http: &HttpRequest,
    (params, client): (&Params, &Arc<Client>),
    (request, turn): (RefreshRequest, Turn),
    asked: &mut Asked,
) -> Result<Verdict<Issue>, EndpointError> {
    let (shared, params, client) = (app.clone(), params.clone(), Arc::clone(client));
    let decide = move |tx: &mut Tx<'_>, turn: &mut Turn| {
        let realm = &shared.realm();
        let mut loaded = tx.load_refresh(&request.token.digest(), client.key, turn.now())?;
        if let Some(loaded) = &mut loaded {
            loaded.person.roles = shared.roles_for(tx, &client, loaded.account.id)?;
        }
        let granted = loaded.as_ref().map(|loaded| &*loaded.grant.resources);
        Ok(match target(&shared, tx, &client, (&params, granted))? {
            Ok(target) => {
                let loaded = (loaded, &target);
                refresh_token::decide(&request, &client, loaded, &shared.successor_key, (realm, turn))
            }
            Err(error) => Outcome::refuse(error),
        })
    };
    asked.decided(app, http, turn, decide).await
}

/// It changes nothing but the client's assertion, so its row needs no transaction.
async fn of_client(
    app: &Data<App>,
    http: &HttpRequest,
    (params, client): (&Params, &Arc<Client>),
    (request, mut turn): (ClientRequest, Turn),
    asked: &mut Asked,
) -> Result<Verdict<Issue>, EndpointError> {
    asked.prove(app, http).await?;
    let target = own_target(app, client, params).await?;
    let Outcome { changes, verdict } = client_credentials::decide(&request, client, &target, (&app.realm(), &mut turn));
    for event in changes {
        app.audit.push(Entry::of(event, &mut turn), call::origin(http));
    }
    Ok(verdict)
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
