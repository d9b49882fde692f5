//! A registration read, changed and removed by its client (RFC 7592).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Data, Path, Payload},
};
use serde_json::{Map, Value};
use signet_oidc::{
    ErrorCode, OAuthError, Turn,
    change::EventKind,
    client::{Client, ClientAuth, ClientSecret},
    id::{ClientId, ClientKey},
    registration::{Identity, Information, Wanted, json, refusal},
    secret::{Digest, Secret},
};
use signet_storage::{
    Actor, Origin, StoreError, Tx, audit::Entry, clients::ClientRecord, registrations::Registered, store::Abort,
};

use super::{EndpointError, answer, bearer, entry, invalid_token, refuse, refused, settings, taken_back};
use crate::{
    admin::{
        AdminError, Desk,
        clients::{Sectors, Settings, make_secret},
        keys,
    },
    app::App,
    call, entropy,
    guard::rate_limits::Limit,
};

/// Members that people saw when they agreed, and the one by which the start page leads to what they agreed to.
const SEEN: [&str; 7] =
    ["client_name", "redirect_uris", "logo_uri", "policy_uri", "tos_uri", "localized", "initiate_login_uri"];

/// Who asks: the client of the address, and the token that shows it.
struct Holder {
    id: ClientId,
    token: Secret,
    registered: Registered,
}

/// RFC 7592 §2.1.
pub async fn get(app: Data<App>, http: HttpRequest, path: Path<String>) -> HttpResponse {
    let mut known = None;
    let shown = async {
        let holder = authenticate(&app, &http, &path, &mut known).await?;
        Ok(told(&app, &holder.registered.record, None, &holder.token))
    };
    let shown: Result<_, EndpointError> = shown.await;
    match shown {
        Ok(information) => answer(StatusCode::OK, &information),
        Err(error) => refuse(&app, &http, &error, known),
    }
}

/// RFC 7592 §2.2: what is sent replaces the whole registration.
pub async fn put(app: Data<App>, http: HttpRequest, path: Path<String>, payload: Payload) -> HttpResponse {
    let mut known = None;
    let changed = async {
        let holder = authenticate(&app, &http, &path, &mut known).await?;
        app.limit(Limit::ClientRegistration, &http).await?;
        let members = json::object(&call::json(&http, payload).await?)?;
        replace(&app, &http, holder, members).await
    };
    match changed.await {
        Ok(information) => answer(StatusCode::OK, &information),
        Err(error) => refuse(&app, &http, &error, known),
    }
}

/// RFC 7592 §2.3: the client goes, and everything it was given ends.
pub async fn delete(app: Data<App>, http: HttpRequest, path: Path<String>) -> HttpResponse {
    let mut known = None;
    let gone = async {
        let Holder { id, token, .. } = authenticate(&app, &http, &path, &mut known).await?;
        let (digest, mut turn, origin) = (token.digest(), entropy::turn()?, call::origin(&http));
        let removed = app.store.attempt(move |tx| {
            let ClientRecord { client, .. } = locked(tx, &id, &digest)?;
            tx.delete_client(&client, turn.now())?;
            note(tx, EventKind::ClientRegistrationDeleted, (&client, None), (&mut turn, &origin))?;
            Ok(())
        });
        removed.await.map_err(taken_back)
    };
    match gone.await {
        Ok(()) => HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish(),
        Err(error) => refuse(&app, &http, &error, known),
    }
}

/// RFC 7592 §2: the token is the client's. A wrong one, an unknown client, and one that did not register itself are all
/// answered alike; failures are limited (protocol O3).
async fn authenticate(
    app: &App,
    http: &HttpRequest,
    path: &str,
    known: &mut Option<ClientKey>,
) -> Result<Holder, EndpointError> {
    // Tries at no client that is there count together, whatever they name.
    const NOBODY: &str = "registration";
    let Some(token) = bearer(http)? else {
        app.may_try(http, NOBODY).await?;
        app.failed(http, NOBODY).await;
        return Err(EndpointError::NoToken);
    };
    let presented = token.digest();
    let named = format!("{NOBODY} {path}");
    app.may_try(http, &named).await?;
    let id = ClientId::parse(path);
    let wanted = id.clone();
    let found = match wanted {
        Some(wanted) => app.store.read(move |tx| tx.registered_client(&wanted)).await?,
        None => None,
    };
    *known = found.as_ref().map(|registered| registered.record.client.key);
    match (id, found.filter(|registered| registered.token == presented)) {
        (Some(_), Some(registered)) if registered.record.client.disabled => Err(switched_off().into()),
        // A look at the registration is no use of the client: else one who never signs anybody in held the place of others.
        (Some(id), Some(registered)) => Ok(Holder { id, token, registered }),
        _ => {
            if known.is_some() {
                app.failed(http, &named).await;
            } else {
                app.may_try(http, NOBODY).await?;
                app.failed(http, NOBODY).await;
            }
            Err(invalid_token().into())
        }
    }
}

/// RFC 7592 §2.1: 403 for a client that may not.
fn switched_off() -> OAuthError {
    OAuthError::new(ErrorCode::AccessDenied, "an administrator has switched this client off")
}

/// The client, locked, with its token checked once more.
fn locked(tx: &mut Tx<'_>, id: &ClientId, token: &Digest) -> Result<ClientRecord, Abort<OAuthError>> {
    let found = tx.lock_registered_client(id)?.filter(|registered| registered.token == *token);
    let Registered { record, .. } = found.ok_or_else(|| Abort::Refused(invalid_token()))?;
    if record.client.disabled { Err(Abort::Refused(switched_off())) } else { Ok(record) }
}

fn told(app: &App, record: &ClientRecord, secret: Option<&Secret>, token: &Secret) -> Map<String, Value> {
    Information { client: &record.client, issued_at: record.created_at, secret, token }.to_json(&app.realm())
}

async fn replace(
    app: &App,
    http: &HttpRequest,
    holder: Holder,
    mut members: Map<String, Value>,
) -> Result<Map<String, Value>, EndpointError> {
    let Holder { id, token, registered } = holder;
    let identity = Identity::take(&mut members)?;
    if identity.client_id != id.as_str() {
        return Err(refusal("client_id", "client_id: it is not the client of this address").into());
    }
    if identity.client_secret.is_some_and(|sent| !is_secret_of(&registered.record.client, &sent)) {
        return Err(refusal("client_secret", "client_secret: it is not the client's; leave it out").into());
    }
    let settings = settings(Wanted::read(members)?, &app.realm())?;
    let actor = Some(Actor::Client(registered.record.client.key.0));
    let desk = Desk::of(app, Origin { actor, ..call::origin(http) }, None);
    let sectors = app.registrar.look(&desk, &settings, Some(&Settings::of(&registered.record.client))).await?;
    let _turn = app.registrar.enter().await?;
    keys::provide(&desk, &settings.signing_algs()).await.map_err(refused)?;
    let (digest, mut turn, origin) = (token.digest(), entropy::turn()?, call::origin(http));
    let written = app.store.attempt(move |tx| {
        let record = locked(tx, &id, &digest).map_err(|abort| match abort {
            Abort::Store(error) => Abort::Store(error),
            Abort::Refused(error) => Abort::Refused(EndpointError::from(error)),
        })?;
        write(tx, record, (settings, &sectors), (&mut turn, &origin))
    });
    let (record, secret) = written.await.map_err(|abort| match abort {
        Abort::Store(error) => error.into(),
        Abort::Refused(error) => error,
    })?;
    Ok(told(app, &record, secret.as_ref(), &token))
}

/// Writes the settings over those of a client that is locked; what is the same already is not written.
fn write(
    tx: &mut Tx<'_>,
    record: ClientRecord,
    (settings, sectors): (Settings, &Sectors),
    (turn, origin): (&mut Turn, &Origin),
) -> Result<(ClientRecord, Option<Secret>), Abort<EndpointError>> {
    let refuse = |error: AdminError| Abort::Refused(refused(error));
    let stored = Settings::of(&record.client);
    let settings = settings.with_policy_of(&stored);
    sectors.confirm(&settings, Some(&stored)).map_err(refuse)?;
    let changed = settings.differences(&stored);
    if changed.is_empty() {
        return Ok((record, None));
    }
    let made = make_secret(settings.auth_method(), turn);
    let (client, secret) = settings.over(record.client, made).map_err(refuse)?;
    // People agreed to what they saw.
    if changed.iter().any(|name| SEEN.contains(&name.as_str())) {
        tx.forget_consents_for(client.key)?;
    }
    let written = tx.update_client(&client, turn)?;
    let detail = Some(changed.join(","));
    note(tx, EventKind::ClientRegistrationUpdated, (&written.client, detail), (turn, origin))?;
    Ok((written, secret))
}

fn is_secret_of(client: &Client, sent: &Secret) -> bool {
    match &client.auth {
        ClientAuth::SecretBasic(ClientSecret::Hashed(known)) | ClientAuth::SecretPost(ClientSecret::Hashed(known)) => {
            *known == sent.digest()
        }
        ClientAuth::SecretJwt(known) => known.digest() == sent.digest(),
        ClientAuth::None | ClientAuth::PrivateKeyJwt => false,
    }
}

fn note(
    tx: &mut Tx<'_>,
    event: EventKind,
    (client, detail): (&Client, Option<String>),
    (turn, origin): (&mut Turn, &Origin),
) -> Result<(), StoreError> {
    let about = entry(event, Some(client.key), Some(format!("client:{}", client.id)), turn);
    tx.audit(Entry { detail, ..about }, origin)
}
