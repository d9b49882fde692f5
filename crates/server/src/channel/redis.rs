//! Redis as the fast way between nodes. What it does not carry arrives through the table.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use actix_web::{rt, web::Data};
use deadpool_redis::{
    Pool, Runtime,
    redis::{Client, RedisError, cmd},
};
use futures_util::StreamExt as _;
use signet_oidc::secret::Digest;
use signet_storage::{Store, feed::Heard, notices::Notice, pool::Engine};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{Channel, message};
use crate::{app::App, config::Config, entropy};

/// How many notices may wait for publication. More are dropped: the table has them.
const QUEUE: usize = 1024;
/// After a failure nothing is published for this long.
const BREAK: Duration = Duration::from_secs(1);
/// A subscription that is silent for this long is asked whether it lives.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// Waiting before a new connection grows up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// A Redis, and the channel of this installation in it.
#[derive(Clone)]
pub(super) struct Link {
    client: Client,
    pool: Pool,
    name: Arc<str>,
    /// The longest that Redis may take for anything.
    patience: Duration,
}

/// The address is not one of a Redis. It is not told: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("not the URL of a Redis")]
pub struct BadAddress;

impl Link {
    /// The Redis of the configuration, if there is one. Connects to nothing yet.
    pub(super) fn new(config: &Config) -> Result<Option<Self>, BadAddress> {
        let Some(url) = config.redis_url.as_ref().map(|url| url.as_str()) else { return Ok(None) };
        let patience = config.redis.timeout.0;
        let client = Client::open(url).map_err(|_| BadAddress)?;
        let pool = deadpool_redis::Config::from_url(url)
            .builder()
            .map_err(|_| BadAddress)?
            .max_size(2)
            .wait_timeout(Some(patience))
            .create_timeout(Some(patience))
            .recycle_timeout(Some(patience))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| BadAddress)?;
        // Installations may share a Redis.
        let installation = Digest::of(config.issuer.as_bytes()).to_text();
        let name = format!("{}notices:{installation}", config.redis.prefix).into();
        Ok(Some(Self { client, pool, name, patience }))
    }
}

/// What waits for publication.
#[derive(Debug)]
enum Job {
    Publish(Notice),
    Flush(oneshot::Sender<()>),
}

/// Where notices are put that are to be published. Never waits.
#[derive(Debug, Clone)]
pub(super) struct Queue(mpsc::Sender<Job>);

impl Queue {
    /// False when the queue is full.
    pub(super) fn put(&self, notice: Notice) -> bool {
        self.0.try_send(Job::Publish(notice)).is_ok()
    }
}

/// Publishes what is put into the queue.
pub(super) fn publisher(link: Link, store: Store, channel: Arc<Channel>) -> (Queue, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Queue(sender), rt::spawn(publish(link, store, channel, receiver)))
}

async fn publish(link: Link, store: Store, channel: Arc<Channel>, mut jobs: mpsc::Receiver<Job>) {
    let mut broken: Option<Instant> = None;
    while let Some(job) = jobs.recv().await {
        let notice = match job {
            Job::Publish(notice) => notice,
            Job::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        let open = broken.is_some_and(|at| at.elapsed() < BREAK);
        let sent = !open && tokio::time::timeout(link.patience, send(&link, &store, notice)).await == Ok(true);
        if sent {
            broken = None;
            channel.counts.sent.fetch_add(1, Ordering::Relaxed);
        } else {
            if !open {
                broken = Some(Instant::now());
            }
            channel.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether Redis took a notice.
async fn send(link: &Link, store: &Store, notice: Notice) -> bool {
    let sealed =
        entropy::turn().ok().and_then(|mut turn| message::write(store.sealer(), &link.name, notice, turn.bytes()).ok());
    let (Some(sealed), Ok(mut redis)) = (sealed, link.pool.get().await) else { return false };
    let taken: Result<(), RedisError> = cmd("PUBLISH").arg(&*link.name).arg(sealed).query_async(&mut redis).await;
    taken.is_ok()
}

/// Hears what other nodes publish, for ever. At each new connection the table is read: what was published before it was
/// lost.
pub(super) async fn subscribe(link: Link, app: Data<App>) {
    let mut pause = Duration::from_millis(100);
    loop {
        if let Ok(heard) = hear(&link, &app).await
            && heard
        {
            pause = Duration::from_millis(100);
        }
        app.channel.set_redis(false);
        app.channel.wake.notify_one();
        // Nothing is awaited but the time.
        let _ = tokio::time::timeout(pause, std::future::pending::<()>()).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Hears until the connection is lost. Answers whether there was one.
async fn hear(link: &Link, app: &App) -> Result<bool, tokio::time::error::Elapsed> {
    let Ok(connection) = tokio::time::timeout(link.patience, link.client.get_async_pubsub()).await? else {
        return Ok(false);
    };
    let (mut sink, mut stream) = connection.split();
    if tokio::time::timeout(link.patience, sink.subscribe(&*link.name)).await?.is_err() {
        return Ok(false);
    }
    app.channel.set_redis(true);
    app.channel.wake.notify_one();
    let mut last = 0_i64;
    loop {
        let Ok(message) = tokio::time::timeout(HEARTBEAT, stream.next()).await else {
            let pong = tokio::time::timeout(link.patience, sink.ping::<deadpool_redis::redis::Value>()).await;
            if !matches!(pong, Ok(Ok(_))) {
                return Ok(true);
            }
            continue;
        };
        let Some(message) = message else { return Ok(true) };
        let notice = message::read(app.store.sealer(), &link.name, message.get_payload_bytes());
        match notice {
            Some(notice) => {
                // A place is missing: it was lost, or its transaction was rolled back. The table knows.
                if notice.seq != last.saturating_add(1) {
                    app.channel.wake.notify_one();
                }
                last = last.max(notice.seq);
                if app.store.hear(notice) {
                    app.channel.counts.carried.fetch_add(1, Ordering::Relaxed);
                }
                // Counted last: whoever sees it counted here sees whether it was new.
                app.channel.counts.received.fetch_add(1, Ordering::Release);
            }
            // Of another version, or not ours: whatever it was to say stands in the table.
            None => app.channel.wake.notify_one(),
        }
    }
}

/// Publishes the notices of a command that runs beside the servers.
pub struct Publisher {
    queue: Queue,
    patience: Duration,
    task: JoinHandle<()>,
}

impl Publisher {
    /// From here on what `store` commits is published, where Redis is configured.
    pub fn start(config: &Config, store: &Store) -> Option<Self> {
        let link = Link::new(config).ok().flatten().filter(|_| store.engine() == Engine::Server)?;
        let patience = link.patience;
        let (queue, task) = publisher(link, store.clone(), Arc::default());
        let told = queue.clone();
        store.on_notices(Box::new(move |notices, heard| {
            for notice in notices.iter().filter(|_| heard == Heard::Here) {
                told.put(notice.clone());
            }
        }));
        Some(Self { queue, patience, task })
    }

    /// Waits until everything was published or given up, at most twice as long as one answer may take.
    pub async fn finish(self) {
        let (done, finished) = oneshot::channel();
        if self.queue.0.send(Job::Flush(done)).await.is_ok() {
            let _ = tokio::time::timeout(2 * self.patience, finished).await;
        }
        self.task.abort();
        let _ = self.task.await;
    }
}
