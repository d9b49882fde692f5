//! The playground's client: Signet registers it for itself, and records that like any other change.

use signet_oidc::{Turn, change::EventKind, client::Client, id::ClientId, realm::Realm};
use signet_storage::{Origin, Store, StoreError, Tx, audit::Entry};

use crate::{
    admin::clients::Settings,
    entropy,
    startup::{self, PLAYGROUND_CLIENT, StartError},
};

/// Registers the playground's client, switches it on, and keeps it as the issuer and this version want it.
pub async fn register(store: &Store, realm: &Realm) -> Result<(), StartError> {
    let wanted = startup::playground(realm)?;
    let mut turn = entropy::turn()?;
    store
        .transaction(move |tx| {
            let Some(record) = tx.lock_client(&wanted.id)? else {
                // Another node that starts at this moment may be first.
                if let Some(made) = tx.create_client(&wanted, &mut turn)? {
                    note(tx, EventKind::ClientCreated, &made.client, (&mut turn, None))?;
                }
                return Ok(());
            };
            let known = record.client;
            let changed = Settings::of(&wanted).differences(&Settings::of(&known));
            if changed.is_empty() && !known.disabled {
                return Ok(());
            }
            let written = tx.update_client(&Client { key: known.key, ..wanted }, &mut turn)?;
            if known.disabled {
                note(tx, EventKind::ClientEnabled, &written.client, (&mut turn, None))?;
            }
            if !changed.is_empty() {
                note(tx, EventKind::ClientUpdated, &written.client, (&mut turn, Some(changed.join(","))))?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

/// Outside development the client that an earlier start left is switched off, and what it was given ends.
pub async fn retire(store: &Store) -> Result<(), StartError> {
    let id = ClientId::parse(PLAYGROUND_CLIENT).ok_or(StoreError::Row("client identifier"))?;
    let mut turn = entropy::turn()?;
    store
        .transaction(move |tx| {
            let Some(record) = tx.lock_client(&id)?.filter(|record| !record.client.disabled) else { return Ok(()) };
            tx.end_client_tokens(&record.client, turn.now())?;
            let written = tx.update_client(&Client { disabled: true, ..record.client }, &mut turn)?;
            note(tx, EventKind::ClientDisabled, &written.client, (&mut turn, None))
        })
        .await?;
    Ok(())
}

/// The audit row of it.
fn note(
    tx: &mut Tx<'_>,
    event: EventKind,
    client: &Client,
    (turn, detail): (&mut Turn, Option<String>),
) -> Result<(), StoreError> {
    let entry = Entry {
        id: turn.uuid(),
        at: turn.now(),
        event: event.as_str(),
        result: event.outcome(),
        client: Some(client.key.0),
        object: Some(format!("client:{}", client.id)),
        detail,
        salt: turn.bytes(),
        ..Entry::default()
    };
    tx.audit(entry, &Origin::system())
}
