//! The change channel: what one node did reaches the caches of all.
//!
//! A notice is a row, written in the transaction of what it tells. After the commit this process tells its own caches
//! and, where Redis is configured, publishes it there. Other nodes hear it from Redis at once, and from the table in any
//! case: four times a second without Redis, twice a second with it. Nothing is true only in Redis: losing it costs time.

mod message;
mod redis;

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::{rt, web::Data};
use chrono::{DateTime, Utc};
use serde::Serialize;
use signet_oidc::jose::rotation;
use signet_storage::{Store, feed::Heard, notices::Notice, pool::Engine, store::FEED_MAX_AGE};
use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    admin::keys::{self, Schedule},
    app::App,
    entropy,
};
pub use redis::Publisher;
use redis::Queue;

/// The table is read this often where nothing else brings notices.
const POLL: Duration = Duration::from_millis(250);
/// The table is read this often where Redis brings notices: what Redis lost, or holds back, arrives within a second.
const SAFETY_POLL: Duration = Duration::from_millis(500);
/// Between two readings of the table, however much there is to hear.
const LEAST_PAUSE: Duration = Duration::from_millis(20);
/// A node that was cut off for longer may have missed notices that have expired: it forgets what it had cached.
const RESYNC_AFTER: Duration = Duration::from_hours(1);
/// Between two looks at the age of the signing keys.
const KEEP_KEYS: Duration = Duration::from_mins(5);
/// Between two tries to read the signing keys; it grows.
const KEYS_AGAIN: Duration = Duration::from_secs(1);

/// How Redis stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RedisState {
    /// Not configured.
    Off,
    /// Notices come from it.
    Connected,
    /// It does not answer; the table is polled instead.
    Away {
        /// Since when.
        since: DateTime<Utc>,
    },
}

/// How the channel stands, for readiness and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelState {
    /// Milliseconds since the table was last read; none on the embedded engine, which has no other node to hear of.
    pub last_read_ms: Option<u64>,
    /// The table was not read for so long that token checks ask the database themselves. Together with a database that
    /// does not answer the node is not ready.
    pub silent: bool,
    /// Entries of the revocation set.
    pub revocations: usize,
    /// Redis. Its absence does not make a node unready.
    pub redis: RedisState,
    /// Notices published to Redis.
    pub sent: u64,
    /// Notices that Redis brought, whether or not this node knew them.
    pub received: u64,
    /// Those of them that were new here: Redis was before the table.
    pub carried: u64,
    /// Notices that were not published, because Redis was away or too slow; other nodes read them in the table.
    pub dropped: u64,
}

/// The channel of this process.
#[derive(Debug)]
pub struct Channel {
    wake: Notify,
    keys: Notify,
    schedule: Notify,
    redis: Mutex<RedisState>,
    queue: OnceLock<Queue>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
    carried: AtomicU64,
    dropped: AtomicU64,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            wake: Notify::new(),
            keys: Notify::new(),
            schedule: Notify::new(),
            redis: Mutex::new(RedisState::Off),
            queue: OnceLock::new(),
            counts: Counts::default(),
        }
    }
}

impl Channel {
    /// Has the schedule of the signing keys looked at now, not when its next look is due.
    pub fn look_after_keys(&self) {
        self.schedule.notify_one();
    }

    /// How it stands.
    pub fn state(&self, store: &Store) -> ChannelState {
        let shared = store.engine() == Engine::Server;
        let age = store.feed_age().filter(|_| shared);
        ChannelState {
            last_read_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            silent: shared && age.is_none_or(|age| age > FEED_MAX_AGE),
            revocations: store.revocations(),
            redis: self.redis(),
            sent: self.counts.sent.load(Ordering::Relaxed),
            received: self.counts.received.load(Ordering::Acquire),
            carried: self.counts.carried.load(Ordering::Relaxed),
            dropped: self.counts.dropped.load(Ordering::Relaxed),
        }
    }

    /// Has keys and published documents rendered anew, with the realm as it is then.
    pub fn renew_published(&self) {
        self.keys.notify_one();
    }

    fn redis(&self) -> RedisState {
        *self.redis.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how Redis stands and says so once for each change.
    fn set_redis(&self, connected: bool) {
        let mut state = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        match (*state, connected) {
            (RedisState::Connected, true) | (RedisState::Away { .. }, false) => {}
            (_, true) => {
                tracing::info!("Redis carries notices between nodes");
                *state = RedisState::Connected;
            }
            (_, false) => {
                tracing::warn!("Redis does not answer; nodes hear of each other through the database until it does");
                *state = RedisState::Away { since: entropy::now() };
            }
        }
    }
}

/// Puts the channel to work: from here on each committed notice reaches the caches of `app`, and other nodes. Answers
/// the tasks that keep it going. A Redis that is away does not hold up anything.
pub fn start(app: &Data<App>) -> Vec<JoinHandle<()>> {
    let mut jobs = Vec::new();
    let redis = redis::Link::new(&app.config()).unwrap_or_else(|_| {
        tracing::error!("redis.url is not understood; nodes hear of each other through the database");
        None
    });
    if let Some(link) = redis.filter(|_| app.store.engine() == Engine::Server) {
        let (queue, publishing) = redis::publisher(link.clone(), app.store.clone(), Arc::clone(&app.channel));
        let _ = app.channel.queue.set(queue);
        jobs.push(publishing);
        jobs.push(rt::spawn(redis::subscribe(link, app.clone())));
    }
    let told = Arc::downgrade(&Data::clone(app).into_inner());
    app.store.on_notices(Box::new(move |notices, heard| {
        if let Some(app) = told.upgrade() {
            tell(&app, notices, heard);
        }
    }));
    jobs.push(rt::spawn(reload_keys(app.clone())));
    jobs.push(rt::spawn(keep_keys(app.clone())));
    if app.store.engine() == Engine::Server {
        jobs.push(rt::spawn(poll(app.clone())));
    }
    jobs
}

/// What a notice means for this node. It runs where a transaction has just committed: nothing here waits.
fn tell(app: &App, notices: &[Notice], heard: Heard) {
    for notice in notices {
        if notice.is_keys() {
            app.channel.renew_published();
        }
        if let Some(client) = notice.client() {
            app.forget_client(client);
        }
        if let Some(identifier) = notice.resource() {
            app.forget_api(identifier);
        }
        app.forget_roles(notice);
        if heard == Heard::Here
            && let Some(queue) = app.channel.queue.get()
            && !queue.put(notice.clone())
        {
            app.channel.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reads the table of notices, for ever.
async fn poll(app: Data<App>) {
    loop {
        let pause = if app.channel.redis() == RedisState::Connected { SAFETY_POLL } else { POLL };
        let _ = tokio::time::timeout(pause, app.channel.wake.notified()).await;
        // However often it is woken: a flood of messages is no flood of statements.
        let _ = tokio::time::timeout(LEAST_PAUSE, std::future::pending::<()>()).await;
        let age = app.store.feed_age();
        match app.store.catch_up(entropy::now()).await {
            Ok(_) if age.is_some_and(|age| age > RESYNC_AFTER) => {
                app.forget_everything();
                app.channel.keys.notify_one();
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the change channel was not read"),
        }
    }
}

/// Reads the signing keys when they changed, until that succeeds.
async fn reload_keys(app: Data<App>) {
    loop {
        app.channel.keys.notified().await;
        let mut pause = KEYS_AGAIN;
        while let Err(error) = app.reload_keys().await {
            tracing::warn!(%error, "the signing keys changed and could not be read; this node signs with those it has");
            let _ = tokio::time::timeout(pause, app.channel.keys.notified()).await;
            pause = (pause * 2).min(KEEP_KEYS);
        }
    }
}

/// Rotates and retires keys when it is time.
async fn keep_keys(app: Data<App>) {
    loop {
        let days = app.config().keys.rotation_days;
        let schedule = Schedule {
            every: (days > 0).then(|| chrono::Duration::days(days.into())),
            retiring: rotation::retiring_for(&app.realm().policy),
        };
        if let Err(error) = keys::keep(&app.store, schedule).await {
            tracing::warn!(%error, "signing keys were not looked after");
        }
        let _ = tokio::time::timeout(KEEP_KEYS, app.channel.schedule.notified()).await;
    }
}
