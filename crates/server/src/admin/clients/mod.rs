//! Clients: applications that sign people in, and services.

mod members;
pub(crate) mod sectors;
mod settings;
mod view;

use signet_oidc::{
    Turn,
    change::EventKind,
    client::{Client, ClientAuth, ClientSecret, ClientSource},
    id::ClientId,
    secret::Secret,
};
use signet_rbac::{Holder, Permission, PermissionSet};
use signet_storage::clients::{ClientFilter, ClientRecord};

use super::{Act, AdminError, Condition, Desk, Page, Paging, keys};
use crate::startup::PLAYGROUND_CLIENT;

pub(crate) use members::signing_algs;
pub(crate) use sectors::Sectors;
pub use settings::Settings;
pub use view::{ClientChange, ClientIssued, ClientView, NewClient, RotateSecret};

/// Registers a client. Its secret, where it has one, is in the answer and nowhere else.
pub async fn create(desk: &Desk, new: NewClient) -> Result<ClientIssued, AdminError> {
    let sectors = match Settings::of_new(new.clone()).and_then(|new| new.check(&desk.realm, &ClientSource::Admin)) {
        Ok(wanted) => Sectors::find(&desk.outbound, &wanted, None).await?,
        // What is wrong is told below.
        Err(_) => Sectors::default(),
    };
    keys::provide(desk, &members::signing_algs(&new.members)).await?;
    desk.act(move |act| create_in(act, new, None, &sectors)).await
}

/// One client.
pub async fn show(desk: &Desk, client_id: &str) -> Result<ClientView, AdminError> {
    let id = parse(client_id)?;
    let found = desk.store.read(move |tx| tx.client_record(&id)).await?;
    found.map(|record| ClientView::of(&record)).ok_or_else(missing)
}

/// Clients by identifier.
pub async fn list(desk: &Desk, paging: Paging) -> Result<Page<ClientView>, AdminError> {
    let filter = ClientFilter { after: paging.after()?, limit: paging.rows()?, search: paging.search()? };
    let found = desk.store.read(move |tx| tx.clients(&filter)).await?;
    let views = found.iter().map(ClientView::of).collect();
    Ok(Page::of(views, &paging, |view: &ClientView| view.client_id.clone()))
}

/// Changes what the change names. A client that comes to authenticate with a secret is given one.
pub async fn update(
    desk: &Desk,
    client_id: &str,
    change: ClientChange,
    condition: Condition,
) -> Result<ClientIssued, AdminError> {
    let id = parse(client_id)?;
    let sectors = sectors::of_change(desk, client_id, &change).await?;
    keys::provide(desk, &members::signing_algs(&change.members)).await?;
    desk.act(move |act| update_in(act, &id, change, (&condition, &sectors))).await
}

/// Removes a client. What it was given ends at once.
pub async fn delete(desk: &Desk, client_id: &str, condition: Condition) -> Result<ClientView, AdminError> {
    let id = parse(client_id)?;
    desk.act(move |act| delete_in(act, &id, &condition)).await
}

/// Gives a client a new secret; the old one stops. Tokens stay unless `end_tokens` is set.
pub async fn rotate_secret(
    desk: &Desk,
    client_id: &str,
    how: RotateSecret,
    condition: Condition,
) -> Result<ClientIssued, AdminError> {
    let id = parse(client_id)?;
    desk.act(move |act| {
        let record = locked_as(act, &id, &condition)?;
        let secret = make_secret(record.client.auth.method(), act.turn);
        let Some(auth) = with_secret(&record.client.auth, &secret) else {
            return Err(AdminError::conflict(
                "public_client",
                "A client with this token_endpoint_auth_method has no secret. Change the method to give it one.",
            ));
        };
        let at = act.turn.now();
        if how.end_tokens {
            act.tx.end_client_tokens(&record.client, at)?;
        }
        let written = act.tx.update_client(&Client { auth, ..record.client }, act.turn)?;
        let detail = how.end_tokens.then(|| "tokens_ended".to_owned());
        act.record(EventKind::ClientSecretRotated, object(&id), Some(&written.client), detail)?;
        Ok(ClientIssued { client: ClientView::of(&written), client_secret: Some(secret) })
    })
    .await
}

/// Switches a client off. What it was given ends at once. Doing it twice changes nothing.
pub async fn disable(desk: &Desk, client_id: &str, condition: Condition) -> Result<ClientView, AdminError> {
    let id = parse(client_id)?;
    desk.act(move |act| {
        let record = locked_as(act, &id, &condition)?;
        if record.client.disabled {
            return Ok(ClientView::of(&record));
        }
        let at = act.turn.now();
        act.tx.end_client_tokens(&record.client, at)?;
        let written = act.tx.update_client(&Client { disabled: true, ..record.client }, act.turn)?;
        act.record(EventKind::ClientDisabled, object(&id), Some(&written.client), None)?;
        Ok(ClientView::of(&written))
    })
    .await
}

/// Switches a client on again. What had ended stays ended. Doing it twice changes nothing.
pub async fn enable(desk: &Desk, client_id: &str, condition: Condition) -> Result<ClientView, AdminError> {
    let id = parse(client_id)?;
    desk.act(move |act| {
        let record = locked_as(act, &id, &condition)?;
        if !record.client.disabled {
            return Ok(ClientView::of(&record));
        }
        let written = act.tx.update_client(&Client { disabled: false, ..record.client }, act.turn)?;
        within_reach(act, &written.client)?;
        act.record(EventKind::ClientEnabled, object(&id), Some(&written.client), None)?;
        Ok(ClientView::of(&written))
    })
    .await
}

/// [`create`] within a greater act. A secret that was `given` is not in the answer.
pub(crate) fn create_in(
    act: &mut Act<'_, '_>,
    new: NewClient,
    given: Option<&Secret>,
    sectors: &Sectors,
) -> Result<ClientIssued, AdminError> {
    let made = act.turn.uuid().simple().to_string();
    let id = ClientId::parse(new.client_id.as_deref().unwrap_or(&made)).filter(ClientId::may_be_given);
    let id = id.ok_or_else(|| {
        AdminError::invalid(
            "invalid_client_metadata",
            "client_id",
            "Use 1 to 2048 bytes, only characters that can be seen, and neither \".\" nor \"..\".",
        )
    })?;
    if id.as_str() == PLAYGROUND_CLIENT {
        return Err(AdminError::invalid(
            "invalid_client_metadata",
            "client_id",
            "\"playground\" belongs to Signet itself. Choose another.",
        ));
    }
    // The audience of its tokens, where no other is set, is its identifier.
    if [&act.desk.realm.issuer, &act.desk.realm.api_audience()].iter().any(|own| own.as_str() == id.as_str()) {
        return Err(AdminError::invalid(
            "invalid_client_metadata",
            "client_id",
            "This address is Signet's own. Choose another.",
        ));
    }
    // RFC 9700 §4.15: who reads `sub` alone would take its tokens for that person's.
    if act.tx.user_of_subject(id.as_str())?.is_some() {
        return Err(AdminError::invalid(
            "invalid_client_metadata",
            "client_id",
            "This is the subject of an account. Choose another.",
        ));
    }
    let settings = Settings::of_new(new)?.check(&act.desk.realm, &ClientSource::Admin)?;
    sectors.confirm(&settings, None)?;
    let secret = settings.wants_secret().then(|| make_secret(settings.auth_method(), act.turn));
    let client = settings.into_client(id, &ClientSource::Admin, given.or(secret.as_ref()))?;
    within_reach(act, &client)?;
    access_roles_exist(act, &client)?;
    let Some(written) = act.tx.create_client(&client, act.turn)? else {
        return Err(AdminError::conflict("client_exists", "There is a client with this identifier. Choose another."));
    };
    act.record(EventKind::ClientCreated, object(&client.id), Some(&written.client), None)?;
    Ok(ClientIssued { client: ClientView::of(&written), client_secret: secret.filter(|_| given.is_none()) })
}

/// [`update`] within a greater act.
pub(crate) fn update_in(
    act: &mut Act<'_, '_>,
    id: &ClientId,
    change: ClientChange,
    (condition, sectors): (&Condition, &Sectors),
) -> Result<ClientIssued, AdminError> {
    let record = locked_as(act, id, condition)?;
    let expected = change.revision.clone();
    if expected.is_some_and(|expected| expected != ClientView::of(&record).revision) {
        return Err(AdminError::conflict(
            "changed_meanwhile",
            "Somebody else changed the client meanwhile. Read it again and repeat the change.",
        ));
    }
    let settings = Settings::of(&record.client).with(change)?;
    write_settings(act, record, settings, (None, sectors))
}

/// Writes settings over those of a client that is locked. What is the same already is not written. Where it comes to
/// need a secret it is the one `given`, or one that is made and answered.
pub(crate) fn write_settings(
    act: &mut Act<'_, '_>,
    record: ClientRecord,
    settings: Settings,
    (given, sectors): (Option<Secret>, &Sectors),
) -> Result<ClientIssued, AdminError> {
    let settings = settings.check(&act.desk.realm, &record.client.source)?;
    let stored = Settings::of(&record.client);
    sectors.confirm(&settings, Some(&stored))?;
    let changed = settings.differences(&stored);
    if changed.is_empty() {
        return Ok(ClientIssued { client: ClientView::of(&record), client_secret: None });
    }
    let shown = given.is_none();
    let made = given.unwrap_or_else(|| make_secret(settings.auth_method(), act.turn));
    let (client, secret) = settings.over(record.client, made)?;
    let secret = secret.filter(|_| shown);
    within_reach(act, &client)?;
    if changed.iter().any(|name| name == "access_roles") {
        access_roles_exist(act, &client)?;
    }
    let at = act.turn.now();
    // What people agreed to was another audience: nothing given for that one counts for this one.
    if changed.iter().any(|name| name == "default_audience") {
        act.tx.end_client_tokens(&client, at)?;
        act.tx.forget_consents_for(client.key)?;
    }
    let written = act.tx.update_client(&client, act.turn)?;
    act.record(EventKind::ClientUpdated, object(&client.id), Some(&written.client), Some(changed.join(",")))?;
    Ok(ClientIssued { client: ClientView::of(&written), client_secret: secret })
}

/// Makes `given` the secret of a client that has one, if it is another. Answers whether it was.
pub(crate) fn set_secret(act: &mut Act<'_, '_>, id: &ClientId, given: &Secret) -> Result<bool, AdminError> {
    let record = locked(act, id)?;
    let Some(auth) = with_secret(&record.client.auth, given) else { return Ok(false) };
    if auth == record.client.auth {
        return Ok(false);
    }
    let written = act.tx.update_client(&Client { auth, ..record.client }, act.turn)?;
    act.record(EventKind::ClientSecretRotated, object(id), Some(&written.client), None)?;
    Ok(true)
}

/// Whether further members of a registration are known and have the right types.
pub(crate) fn check_members(given: &serde_json::Map<String, serde_json::Value>) -> Result<(), AdminError> {
    members::read(&signet_oidc::client::ClientMetadata::default(), given.clone()).map(|_| ())
}

/// A secret for a method: what signs assertions is as long as the longest hash.
pub(crate) fn make_secret(method: &str, turn: &mut Turn) -> Secret {
    if method == "client_secret_jwt" { turn.mac_secret() } else { turn.secret() }
}

/// The same method with another secret; none where the method has none.
fn with_secret(auth: &ClientAuth, secret: &Secret) -> Option<ClientAuth> {
    let hashed = ClientSecret::Hashed(secret.digest());
    match auth {
        ClientAuth::None | ClientAuth::PrivateKeyJwt => None,
        ClientAuth::SecretBasic(_) => Some(ClientAuth::SecretBasic(hashed)),
        ClientAuth::SecretPost(_) => Some(ClientAuth::SecretPost(hashed)),
        ClientAuth::SecretJwt(_) => Some(ClientAuth::SecretJwt(secret.clone())),
    }
}

/// [`delete`] within a greater act.
pub(crate) fn delete_in(act: &mut Act<'_, '_>, id: &ClientId, condition: &Condition) -> Result<ClientView, AdminError> {
    let record = locked_as(act, id, condition)?;
    act.tx.delete_client(&record.client, act.turn.now())?;
    act.record(EventKind::ClientDeleted, object(id), Some(&record.client), None)?;
    Ok(ClientView::of(&record))
}

/// A client to be changed: locked, not Signet's own, and within the actor's reach.
pub(crate) fn locked(act: &mut Act<'_, '_>, id: &ClientId) -> Result<ClientRecord, AdminError> {
    let record = act.tx.lock_client(id)?.ok_or_else(missing)?;
    if id.as_str() == PLAYGROUND_CLIENT {
        return Err(AdminError::conflict("built_in", "The playground belongs to Signet itself and cannot be changed."));
    }
    within_reach(act, &record.client)?;
    Ok(record)
}

/// [`locked`], refused where the client is not as the caller said it is.
fn locked_as(act: &mut Act<'_, '_>, id: &ClientId, condition: &Condition) -> Result<ClientRecord, AdminError> {
    let record = locked(act, id)?;
    condition.check(&ClientView::of(&record).revision)?;
    Ok(record)
}

/// Who can change a client, or knows its secret, can do what it may do: nobody reaches above what the actor holds.
fn within_reach(act: &mut Act<'_, '_>, client: &Client) -> Result<(), AdminError> {
    let Some(held) = act.desk.held.clone() else { return Ok(()) };
    // By what it was given: a client that is switched off holds nothing now, and all of that when it is switched on.
    let given = act.tx.roles_of(Holder::Client(client.key.0))?;
    let mut wanted: PermissionSet = act.tx.hierarchy()?.permissions(given);
    // What it may be given on behalf of people who hold more than the actor.
    if client.audience() == act.desk.realm.api_audience() {
        wanted.extend(client.scopes.iter().filter_map(|scope| scope.parse::<Permission>().ok()));
    }
    if held.covers(&wanted) {
        return Ok(());
    }
    Err(AdminError::forbidden(
        "above_own_permissions",
        "This client may do, or be allowed, more than you may. Ask somebody who holds those permissions.",
    ))
}

/// the roles a client is limited to are there, and stay until this is written.
fn access_roles_exist(act: &mut Act<'_, '_>, client: &Client) -> Result<(), AdminError> {
    let wanted = &client.metadata.access_roles;
    if wanted.is_empty() {
        return Ok(());
    }
    let all = act.tx.hold_roles()?;
    match wanted.iter().find(|name| all.named(name).is_none()) {
        None => Ok(()),
        Some(unknown) => {
            let message = format!("There is no role {unknown:?}. Make it first, or name one that is there.");
            Err(AdminError::invalid("role_unknown", "access_roles", message))
        }
    }
}

/// How the audit log names a client.
fn object(id: &ClientId) -> String {
    format!("client:{id}")
}

fn parse(client_id: &str) -> Result<ClientId, AdminError> {
    ClientId::parse(client_id).ok_or_else(missing)
}

fn missing() -> AdminError {
    AdminError::not_found("client_not_found", "There is no client with this identifier.")
}
