//! Clients' key sets by `jwks_uri`, kept for as long as they say, within bounds.
//!
//! However many ask, one fetch is under way for each address. It runs beside the request that began it: a caller that
//! goes away neither stops it for the others nor makes it begin anew.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use moka::{policy::EvictionPolicy, sync::Cache};
use signet_oidc::{
    ErrorCode, OAuthError,
    client::{Client, ClientSource},
    jose::{
        Encryption, Recipient,
        jwks::{ClientKeys, JwksError},
    },
};
use tokio::sync::{Semaphore, watch};
use url::Url;

use super::{FetchError, Fetched, Outbound};

/// So many addresses are remembered; the one not asked for the longest gives way.
const ADDRESSES: u64 = 1_000;
/// An address that nobody asked for is forgotten after this.
const FORGOTTEN: Duration = Duration::from_hours(24);
/// The least and the most that a set is kept before it is read again, and what holds where the answer says nothing.
const FRESH: (Duration, Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1), Duration::from_mins(5));
/// Protocol T2: a key that is not in the set, and a fetch that failed, lead to one more fetch in this time.
const REST: Duration = Duration::from_secs(30);
/// Where it cannot be read again, a set serves on until it is this old.
const KEPT: Duration = Duration::from_hours(24);

/// Fetches at once for clients that registered themselves; the outbound fetches of a node are four times as many.
const STRANGERS: usize = 16;
/// One of them waits so long for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// No set is there; why is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client's key set cannot be read")]
pub struct Unavailable;

/// Why an answer gave no set.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Content(#[from] JwksError),
}

/// What a caller looks for in a set.
#[derive(Clone, Copy)]
enum Need<'a> {
    /// Whatever is there.
    Any,
    /// This key.
    Key(&'a str),
    /// A set that is not this one, whose keys did not do.
    Another(&'a Arc<ClientKeys>),
}

impl Need<'_> {
    fn is_met(self, keys: &Arc<ClientKeys>) -> bool {
        match self {
            Self::Any => true,
            Self::Key(kid) => keys.knows(kid),
            Self::Another(seen) => !Arc::ptr_eq(seen, keys),
        }
    }
}

/// The sets.
pub struct KeySets {
    outbound: Arc<Outbound>,
    entries: Cache<String, Arc<Entry>>,
    /// Turns for clients that registered themselves: what they name leaves room for the others.
    strangers: Arc<Semaphore>,
}

/// What is known of one address.
#[derive(Default)]
struct Entry {
    held: ArcSwapOption<Held>,
    flight: Mutex<Flight>,
}

/// A set that was read.
struct Held {
    keys: Arc<ClientKeys>,
    since: Instant,
    fresh: Duration,
}

/// What is under way, and what was not long ago.
#[derive(Default)]
struct Flight {
    /// Ends when the fetch does.
    landing: Option<watch::Receiver<()>>,
    /// When a fetch was last begun for a key that was not there.
    asked: Option<Instant>,
    /// When a fetch last failed.
    failed: Option<Instant>,
}

/// What to do for a caller.
enum Step {
    /// The set that is held is good, or as good as it gets for now; there may be none.
    Serve,
    /// A fetch that will end then.
    Await(watch::Receiver<()>),
    /// Read it, because there is none or it is old.
    Read,
    /// Read it, because the key is not there.
    ReadForKey,
}

impl KeySets {
    /// None yet.
    pub fn new(outbound: Arc<Outbound>) -> Self {
        let entries = Cache::builder()
            .max_capacity(ADDRESSES)
            .time_to_idle(FORGOTTEN)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { outbound, entries, strangers: Arc::new(Semaphore::new(STRANGERS)) }
    }

    /// The set of a client: as registered, or at its address, read again where it is old or does not have the key named. It
    /// may lack that key still. `now` is the moment by this machine's monotonic clock.
    pub async fn of(&self, client: &Client, kid: Option<&str>, now: Instant) -> Result<Arc<ClientKeys>, Unavailable> {
        match (&client.metadata.jwks, &client.metadata.jwks_uri) {
            (Some(set), _) => ClientKeys::from_value(set).map(Arc::new).map_err(|_| Unavailable),
            (None, Some(uri)) => {
                let need = kid.map_or(Need::Any, Need::Key);
                self.ask(uri, need, now, client.source == ClientSource::Dynamic).await
            }
            (None, None) => Err(Unavailable),
        }
    }

    /// Another set than `seen` at the client's address, where there is one by now: a key may have been replaced without
    /// a new name. Read at most as often as for a key that is not there.
    pub async fn another(&self, client: &Client, seen: &Arc<ClientKeys>, now: Instant) -> Option<Arc<ClientKeys>> {
        let uri = client.metadata.jwks_uri.as_ref().filter(|_| client.metadata.jwks.is_none())?;
        let keys = self.ask(uri, Need::Another(seen), now, client.source == ClientSource::Dynamic).await.ok()?;
        (!Arc::ptr_eq(seen, &keys)).then_some(keys)
    }

    /// What encrypts to a client, where something is to be encrypted: asked for before anything is spent, and with no
    /// connection in hand. `now` as in [`Self::of`].
    pub async fn recipient(
        &self,
        client: &Client,
        encryption: Option<Encryption>,
        now: Instant,
    ) -> Result<Option<Recipient>, OAuthError> {
        let Some(encryption) = encryption else { return Ok(None) };
        let unavailable = |description| OAuthError::new(ErrorCode::TemporarilyUnavailable, description);
        let keys = self.of(client, None, now).await;
        let keys = keys.map_err(|Unavailable| {
            unavailable("the key set of this client, which its answers are encrypted by, cannot be read")
        })?;
        let recipient = Recipient::new(&keys, encryption);
        recipient
            .map(Some)
            .ok_or_else(|| unavailable("the key set of this client holds no key for the encryption it registered"))
    }

    #[cfg(test)]
    async fn keys(&self, uri: &str, kid: Option<&str>, now: Instant) -> Result<Arc<ClientKeys>, Unavailable> {
        self.ask(uri, kid.map_or(Need::Any, Need::Key), now, false).await
    }

    async fn ask(
        &self,
        uri: &str,
        need: Need<'_>,
        now: Instant,
        stranger: bool,
    ) -> Result<Arc<ClientKeys>, Unavailable> {
        let entry = self.entries.get_with_by_ref(uri, Arc::default);
        if let Some(mut landing) = self.board(&entry, (uri, stranger), need, now) {
            // An error is the end as well: what did not land is not there.
            let _ = landing.changed().await;
        }
        let held = entry.held.load_full().filter(|held| held.age(now) <= KEPT);
        held.map(|held| Arc::clone(&held.keys)).ok_or(Unavailable)
    }

    /// The end of the fetch to wait for, if there is one to wait for; begun where needed.
    fn board(
        &self,
        entry: &Arc<Entry>,
        (uri, stranger): (&str, bool),
        need: Need<'_>,
        now: Instant,
    ) -> Option<watch::Receiver<()>> {
        let mut flight = entry.flight();
        match flight.step(entry.held.load().as_ref(), need, now) {
            Step::Serve => return None,
            Step::Await(landing) => return Some(landing),
            Step::Read => {}
            Step::ReadForKey => flight.asked = Some(now),
        }
        let (landed, landing) = watch::channel(());
        flight.landing = Some(landing.clone());
        let (outbound, entry, uri) = (Arc::clone(&self.outbound), Arc::clone(entry), uri.to_owned());
        let strangers = stranger.then(|| Arc::clone(&self.strangers));
        tokio::spawn(async move {
            let result = match strangers {
                None => read(&outbound, &uri).await,
                Some(turns) => match tokio::time::timeout(PATIENCE, turns.acquire()).await {
                    Ok(_turn) => read(&outbound, &uri).await,
                    Err(_) => Err(FetchError::Busy.into()),
                },
            };
            entry.land(&uri, result, now);
            drop(landed);
        });
        Some(landing)
    }
}

async fn read(outbound: &Outbound, uri: &str) -> Result<(ClientKeys, Duration), Failure> {
    let Fetched { body, max_age } = outbound.get(uri, "application/jwk-set+json, application/json").await?;
    let (least, most, usual) = FRESH;
    Ok((ClientKeys::parse(&body)?, max_age.unwrap_or(usual).clamp(least, most)))
}

impl Entry {
    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn land(&self, uri: &str, result: Result<(ClientKeys, Duration), Failure>, begun: Instant) {
        let mut flight = self.flight();
        flight.landing = None;
        match result {
            Ok((keys, fresh)) => {
                flight.failed = None;
                self.held.store(Some(Arc::new(Held { keys: Arc::new(keys), since: begun, fresh })));
            }
            Err(error) => {
                // What had to wait for a turn of ours was not tried.
                if !matches!(error, Failure::Fetch(FetchError::Busy)) {
                    flight.failed = Some(begun);
                }
                let host = Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
                tracing::warn!(host, %error, "a client's key set was not read");
            }
        }
    }
}

impl Held {
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

impl Flight {
    /// The fetch that is under way; one that was cut off is not.
    fn under_way(&self) -> Option<watch::Receiver<()>> {
        self.landing.clone().filter(|landing| landing.has_changed().is_ok())
    }

    fn step(&self, held: Option<&Arc<Held>>, need: Need<'_>, now: Instant) -> Step {
        let recently = |at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < REST);
        let held = held.filter(|held| held.age(now) <= KEPT);
        let old = held.is_none_or(|held| held.age(now) >= held.fresh);
        let lacking = held.is_some_and(|held| !need.is_met(&held.keys));
        if !old && !lacking {
            Step::Serve
        } else if let Some(landing) = self.under_way() {
            Step::Await(landing)
        } else if recently(self.failed) || (!old && recently(self.asked)) {
            Step::Serve
        } else if old {
            Step::Read
        } else {
            Step::ReadForKey
        }
    }
}

#[cfg(test)]
mod tests;
