//! Signing keys: seen, rotated, sealed anew.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use signet_oidc::{
    Turn,
    change::{EventKind, EventResult},
    jose::{
        Alg, KeyMaterial, KeyState, KeyringError, generate,
        rotation::{self, Ageing, KeyInfo},
    },
};
use signet_storage::{Origin, Store, StoreError, Tx, audit::Entry};
use utoipa::ToSchema;

use super::{AdminError, Desk};
use crate::entropy;

/// A signing key, never its private part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// RFC 7638 thumbprint, as `kid` in tokens and in the published set.
    pub kid: String,
    /// What it signs with.
    #[schema(example = "ES256")]
    pub alg: String,
    /// `next` is published and does not sign yet; `active` signs; `retiring` is published until the last token it signed
    /// has ended; `retired` is kept for a year, unpublished.
    #[schema(example = "active")]
    pub state: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: DateTime<Utc>,
    /// Since when it is in this state.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: DateTime<Utc>,
}

/// Which keys to rotate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateKeys {
    /// The algorithm whose keys are rotated; RS256 when absent.
    #[schema(example = "ES256")]
    pub alg: Option<String>,
    /// Whether those of every algorithm are.
    #[serde(default)]
    pub all: bool,
}

/// What sealing anew did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resealed {
    /// How many stored keys were sealed under an older secret key before.
    pub resealed: usize,
}

impl From<KeyInfo> for KeyView {
    fn from(key: KeyInfo) -> Self {
        Self {
            kid: key.kid,
            alg: key.alg.as_str().to_owned(),
            state: key.state.as_str().to_owned(),
            created_at: key.created,
            changed_at: key.changed,
        }
    }
}

/// Every signing key, the oldest first.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
pub async fn list(desk: &Desk) -> Result<Vec<KeyView>, AdminError> {
    let keys = desk.store.read(|tx| tx.key_infos()).await?;
    Ok(keys.into_iter().map(KeyView::from).collect())
}

/// Rotates (protocol D4): the keys that were published ahead sign from now on, fresh ones are published, those that signed stay
/// published until their last token has ended. Every node signs with the new keys within a second. Answers every key.
pub async fn rotate(desk: &Desk, rotate: RotateKeys) -> Result<Vec<KeyView>, AdminError> {
    let algs = match (rotate.alg.as_deref(), rotate.all) {
        (None, false) => vec![Alg::Rs256],
        (None, true) => in_use(&desk.store).await?,
        (Some(name), false) => vec![Alg::parse(name).filter(|alg| alg.is_signing()).ok_or_else(|| unknown(name))?],
        (Some(_), true) => return Err(AdminError::invalid("invalid_request", "all", "Give alg or all, not both.")),
    };
    // Where there were none, those that were made just now are all there is to do: nothing signs that was not published.
    let made = provide(desk, &algs).await?;
    let algs: Vec<Alg> = algs.into_iter().filter(|alg| !made.contains(alg)).collect();
    if algs.is_empty() {
        return list(desk).await;
    }
    let fresh = make(algs).await?;
    let (mut turn, origin) = (entropy::turn()?, desk.origin.clone());
    let keys = desk
        .store
        .transaction(move |tx| {
            tx.lock_keys()?;
            let moved = move_keys(tx, &fresh, &mut turn)?;
            record(tx, EventKind::KeyRotated, format!("key:{}", moved.join(",")), (&mut turn, &origin))?;
            tx.key_infos()
        })
        .await?;
    Ok(keys.into_iter().map(KeyView::from).collect())
}

/// The algorithms there are keys for.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
async fn in_use(store: &Store) -> Result<Vec<Alg>, AdminError> {
    let keys = store.read(|tx| tx.key_infos()).await?;
    let signs = |alg: &Alg| keys.iter().any(|key| key.alg == *alg && key.state == KeyState::Active);
    Ok(Alg::SIGNING.into_iter().filter(signs).collect())
}

/// Makes keys for algorithms that have none yet: one that signs and one that is published ahead. Every node knows them
/// within a second. Answers for which.
pub(crate) async fn provide(desk: &Desk, algs: &[Alg]) -> Result<Vec<Alg>, AdminError> {
    let known = in_use(&desk.store).await?;
    let wanted: BTreeSet<Alg> = algs.iter().copied().filter(|alg| alg.is_signing()).collect();
    let missing: Vec<Alg> = wanted.into_iter().filter(|alg| !known.contains(alg)).collect();
    if missing.is_empty() {
        return Ok(missing);
    }
    let (mut active, next) = (make(missing.clone()).await?, make(missing.clone()).await?);
    for key in &mut active {
        key.state = KeyState::Active;
    }
    let (mut turn, origin) = (entropy::turn()?, desk.origin.clone());
    desk.store
        .transaction(move |tx| {
            tx.lock_keys()?;
            let made = tx.add_keys(active.into_iter().chain(next), &mut turn)?;
            if made.is_empty() {
                return Ok(());
            }
            record(tx, EventKind::KeyCreated, format!("key:{}", made.join(",")), (&mut turn, &origin))
        })
        .await?;
    Ok(missing)
}

/// Seals every stored key under the newest secret key. What the keys produce does not change; doing it twice changes
/// nothing the second time.
pub async fn reseal(desk: &Desk) -> Result<Resealed, AdminError> {
    let (mut turn, origin) = (entropy::turn()?, desk.origin.clone());
    let resealed = desk
        .store
        .transaction(move |tx| {
            tx.lock_keys()?;
            let resealed = tx.reseal(&mut turn)?;
            if resealed > 0 {
                record(tx, EventKind::KeysResealed, "key:*".to_owned(), (&mut turn, &origin))?;
            }
            Ok(resealed)
        })
        .await?;
    Ok(Resealed { resealed })
}

/// When keys move by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// After how long the next key signs; only by hand when none.
    pub every: Option<Duration>,
    /// How long a key that signs no more stays published.
    pub retiring: Duration,
}

/// What the schedule and time ask for, done by one node: rotates what has signed for long enough, retires and deletes what
/// has had its time. Answers how many keys moved.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
pub async fn keep(store: &Store, Schedule { every, retiring }: Schedule) -> Result<usize, AdminError> {
    let now = entropy::now();
    let keys = store.read(|tx| tx.key_infos()).await?;
    let wanted = due(&keys, every, now);
    if wanted.is_empty() && !keys.iter().any(|key| rotation::ageing(key, retiring, now).is_some()) {
        return Ok(0);
    }
    let fresh = make(wanted).await?;
    let mut turn = entropy::turn()?;
    let moved = store
        .transaction(move |tx| {
            if !tx.try_lock_keys()? {
                return Ok(0);
            }
            let keys = tx.key_infos()?;
            let origin = Origin::system();
            let mut moved = 0;
            for key in &keys {
                let Some(ageing) = rotation::ageing(key, retiring, turn.now()) else { continue };
                tx.age_key(key, ageing, &mut turn)?;
                let event = match ageing {
                    Ageing::Retire => EventKind::KeyRetired,
                    Ageing::Delete => EventKind::KeyDeleted,
                };
                record(tx, event, format!("key:{}", key.kid), (&mut turn, &origin))?;
                moved += 1;
            }
            // Another node may have been first.
            let due = due(&keys, every, turn.now());
            for key in fresh.into_iter().filter(|key| due.contains(&key.alg)) {
                let kids = move_keys(tx, &[key], &mut turn)?;
                record(tx, EventKind::KeyRotated, format!("key:{}", kids.join(",")), (&mut turn, &origin))?;
                moved += kids.len();
            }
            Ok(moved)
        })
        .await?;
    Ok(moved)
}

/// The algorithms whose keys the schedule wants rotated.
fn due(keys: &[KeyInfo], every: Option<Duration>, now: DateTime<Utc>) -> Vec<Alg> {
    let Some(every) = every else { return Vec::new() };
    Alg::SIGNING.into_iter().filter(|alg| rotation::is_due(keys, *alg, every, now)).collect()
}

/// Makes the keys before the transaction: an RSA key takes a while, and a connection is not held for it.
async fn make(algs: Vec<Alg>) -> Result<Vec<KeyMaterial>, AdminError> {
    let made = tokio::task::spawn_blocking(move || {
        algs.into_iter().map(|alg| generate(alg, KeyState::Next)).collect::<Result<Vec<_>, KeyringError>>()
    });
    let made = made.await.map_err(|_| StoreError::Unavailable("the work was cut off".to_owned()))?;
    Ok(made.map_err(StoreError::from)?)
}

/// Rotates; answers the keys that sign from now on.
fn move_keys(tx: &mut Tx<'_>, fresh: &[KeyMaterial], turn: &mut Turn) -> Result<Vec<String>, StoreError> {
    let mut moved = BTreeSet::new();
    for key in fresh {
        if let Some(rotation) = tx.rotate_keys(key, turn)? {
            moved.insert(rotation.activate);
        }
    }
    Ok(moved.into_iter().collect())
}

/// The audit row of an act on keys.
fn record(
    tx: &mut Tx<'_>,
    event: EventKind,
    object: String,
    (turn, origin): (&mut Turn, &Origin),
) -> Result<(), StoreError> {
    let entry = Entry {
        id: turn.uuid(),
        at: turn.now(),
        event: event.as_str(),
        result: EventResult::Success.as_str(),
        object: Some(object),
        salt: turn.bytes(),
        ..Entry::default()
    };
    tx.audit(entry, origin)
}

fn unknown(name: &str) -> AdminError {
    let known = Alg::SIGNING.map(Alg::as_str).join(", ");
    AdminError::invalid("unknown_algorithm", "alg", format!("There are no keys for {name:?}: use one of {known}."))
}
