//! `POST /oauth/register`, and `GET`, `PUT` and `DELETE` at the address it answers (RFC 7591, RFC 7592).

mod change;
mod registrar;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Data, Payload},
};
use serde_json::{Map, Value};
use signet_oidc::{
    ErrorCode, OAuthError, Turn,
    change::EventKind,
    client::{ClientSource, ResponseType},
    id::{ClientId, ClientKey},
    policy::PkceRule,
    realm::Realm,
    registration::{Information, Wanted, json, refusal},
    secret::{Digest, Secret},
};
use signet_storage::{
    Actor, Origin, Tx, audit::Entry, clients::ClientRecord, registrations::InitialAccessToken, store::Abort,
};

use super::EndpointError;
use crate::{
    admin::{
        AdminError, Desk,
        clients::{NewClient, Settings, make_secret},
        keys, registration_tokens,
    },
    app::App,
    call,
    config::settings::Clients,
    entropy,
    guard::rate_limits::Limit,
};

pub use change::{delete, get, put};
pub use registrar::Registrar;

/// RFC 7591 §3.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    match create(&app, &http, payload).await {
        Ok(information) => answer(StatusCode::CREATED, &information),
        Err(error) => refuse(&app, &http, &error, None),
    }
}

async fn create(app: &App, http: &HttpRequest, payload: Payload) -> Result<Map<String, Value>, EndpointError> {
    app.limit(Limit::ClientRegistration, http).await?;
    let live = app.live();
    let token = admitted(app, http, live.config.registration.clients).await?;
    let wanted = Wanted::read(json::object(&call::json(http, payload).await?)?)?;
    let settings = settings(wanted, &live.realm)?;
    let desk = Desk::of(app, call::origin(http), None);
    let sectors = app.registrar.look(&desk, &settings, None).await?;
    sectors.confirm(&settings, None).map_err(refused)?;
    let _turn = app.registrar.enter().await?;
    keys::provide(&desk, &settings.signing_algs()).await.map_err(refused)?;
    let mut turn = entropy::turn()?;
    let most = i64::from(live.config.registration.max_clients);
    let secret = settings.wants_secret().then(|| make_secret(settings.auth_method(), &mut turn));
    let access = turn.secret();
    let id = ClientId::parse(&turn.uuid().simple().to_string()).ok_or(entropy::NoEntropy)?;
    let client = settings.into_client(id, &ClientSource::Dynamic, secret.as_ref()).map_err(refused)?;
    let (digest, origin) = (access.digest(), call::origin(http));
    let registered = app.store.attempt(move |tx| {
        // What is refused below takes this back: a refusal costs no use of the token.
        let spent = match token {
            Some(token) => Some(tx.spend_initial_access_token(&token, turn.now())?.ok_or_else(unknown_token)?),
            None => None,
        };
        tx.take_turn_to_register()?;
        if tx.count_registered_clients()? >= most && !tx.make_room_for_client(&mut turn)? {
            return Err(Abort::Refused(full()));
        }
        let record = tx.register_client(&client, &digest, &mut turn)?.ok_or_else(|| Abort::Refused(full()))?;
        note_registered(tx, &record, spent.as_ref(), (&mut turn, &origin))?;
        Ok(record)
    });
    let record = registered.await.map_err(taken_back)?;
    let information =
        Information { client: &record.client, issued_at: record.created_at, secret: secret.as_ref(), token: &access };
    Ok(information.to_json(&live.realm))
}

/// Whether this request may register, as the settings say: the token that it must spend, where it must.
async fn admitted(app: &App, http: &HttpRequest, clients: Clients) -> Result<Option<Digest>, EndpointError> {
    match clients {
        Clients::Open => Ok(None),
        Clients::Off => Err(OAuthError::new(
            ErrorCode::AccessDenied,
            "clients do not register themselves here; an administrator registers them",
        )
        .into()),
        Clients::Token => {
            let token = bearer(http)?.ok_or(EndpointError::NoToken)?.digest();
            let now = entropy::now();
            // Nothing is read, fetched or made for who has none.
            let known = app.store.read(move |tx| tx.knows_initial_access_token(&token, now)).await?;
            if known { Ok(Some(token)) } else { Err(invalid_token().into()) }
        }
    }
}

fn unknown_token() -> Abort<OAuthError> {
    Abort::Refused(invalid_token())
}

fn invalid_token() -> OAuthError {
    OAuthError::new(ErrorCode::InvalidToken, "the token is unknown, used up or over")
}

fn full() -> OAuthError {
    OAuthError::new(
        ErrorCode::TemporarilyUnavailable,
        "this provider takes no further clients that register themselves; ask its administrators",
    )
}

/// What the client wants, checked as what an administrator sets is.
fn settings(wanted: Wanted, realm: &Realm) -> Result<Settings, EndpointError> {
    let names = |types: &[ResponseType]| types.iter().map(ToString::to_string).collect();
    let new = NewClient {
        client_name: wanted.client_name,
        redirect_uris: wanted.redirect_uris,
        post_logout_redirect_uris: wanted.post_logout_redirect_uris,
        grant_types: Some(wanted.grant_types),
        response_types: Some(names(&wanted.response_types)),
        scope: Some(wanted.scopes.to_string()),
        token_endpoint_auth_method: Some(wanted.token_endpoint_auth_method),
        application_type: wanted.application_type,
        // Public clients must use it all the same.
        pkce: Some(PkceRule::Optional),
        members: wanted.members,
        ..NewClient::default()
    };
    Settings::of_new(new).and_then(|settings| settings.check(realm, &ClientSource::Dynamic)).map_err(refused)
}

/// A refusal of administration in the words of RFC 7591 §3.2.2.
fn refused(error: AdminError) -> EndpointError {
    match error {
        AdminError::Invalid(wrong) => {
            let field = wrong.field.unwrap_or("metadata");
            refusal(field, &format!("{field}: {}", wrong.message.trim_end_matches('.'))).into()
        }
        AdminError::Store(error) => error.into(),
        AdminError::Entropy(error) => error.into(),
        AdminError::NotFound(_)
        | AdminError::Forbidden(_)
        | AdminError::Conflict(_)
        | AdminError::Outdated(_)
        | AdminError::Busy(_) => {
            let description = "the registration was changed by somebody else at this moment; try again";
            OAuthError::new(ErrorCode::TemporarilyUnavailable, description).into()
        }
    }
}

fn taken_back(abort: Abort<OAuthError>) -> EndpointError {
    match abort {
        Abort::Store(error) => error.into(),
        Abort::Refused(error) => error.into(),
    }
}

/// RFC 6750 §2.1: the token of the header, where there is one.
fn bearer(http: &HttpRequest) -> Result<Option<Secret>, OAuthError> {
    let mut sent = http.headers().get_all(header::AUTHORIZATION);
    let (first, more) = (sent.next(), sent.next());
    if more.is_some() {
        return Err(OAuthError::invalid_request("the Authorization header comes more than once"));
    }
    let words = first.and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
    Ok(words.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| Secret::new(token.trim())))
}

/// RFC 7591 §3.2.1: JSON that no cache keeps.
fn answer(status: StatusCode, information: &Map<String, Value>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .json(information)
}

/// A refusal, with its row in the audit log: through the queue, which is bounded.
fn refuse(app: &App, http: &HttpRequest, error: &EndpointError, client: Option<ClientKey>) -> HttpResponse {
    if let EndpointError::OAuth(_) | EndpointError::NoToken = error
        && let Ok(mut turn) = entropy::turn()
    {
        let (event, code) = (EventKind::ClientRegistrationRefused, error.code().as_str());
        let about = entry(event, client, None, &mut turn);
        let entry = Entry { result: "refused", detail: Some(code.to_owned()), ..about };
        // Who shows no token that is right is nobody known.
        let actor = (error.code() == ErrorCode::InvalidToken).then_some(Actor::Anonymous);
        app.audit.push(entry, Origin { actor, ..call::origin(http) });
    }
    match error {
        EndpointError::OAuth(oauth) if oauth.code == ErrorCode::InvalidToken => {
            EndpointError::bearer(Some(error), http)
        }
        _ => error.json(http),
    }
}

fn entry(event: EventKind, client: Option<ClientKey>, object: Option<String>, turn: &mut Turn) -> Entry {
    Entry {
        id: turn.uuid(),
        at: turn.now(),
        event: event.as_str(),
        result: "success",
        client: client.map(|client| client.0),
        object,
        salt: turn.bytes(),
        ..Entry::default()
    }
}

fn note_registered(
    tx: &mut Tx<'_>,
    record: &ClientRecord,
    spent: Option<&InitialAccessToken>,
    (turn, origin): (&mut Turn, &Origin),
) -> Result<(), signet_storage::StoreError> {
    let client = &record.client;
    let token = spent.map(|spent| registration_tokens::object(spent.id));
    let about = entry(EventKind::ClientRegistered, Some(client.key), Some(format!("client:{}", client.id)), turn);
    tx.audit(Entry { detail: token.clone(), ..about }, origin)?;
    if spent.is_some_and(|spent| spent.uses_left == 0) {
        let about = entry(EventKind::RegistrationTokenUsedUp, Some(client.key), token, turn);
        tx.audit(about, origin)?;
    }
    Ok(())
}
