//! The one door to the database.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use diesel::{Connection, PgConnection};
use signet_oidc::id::RealmId;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    error::{Doubt, StoreError},
    feed::{Feed, Heard, Listener},
    load::{Load, Meter},
    notices::Notice,
    pool::{self, Engine, Era, Limits, Manager},
    seal::Sealer,
};

/// How old the revocation set may be where other nodes exist.
pub const FEED_MAX_AGE: Duration = Duration::from_secs(5);

/// The embedded engine has no time limits of its own, and its one connection serves everybody in turn.
const EMBEDDED_WORK: Duration = Duration::from_secs(20);

/// The database, shared by all requests of a process.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pool: r2d2::Pool<Manager>,
    /// What goes with the store, so that its pool knows.
    #[expect(dead_code, reason = "that it is held says that there is a store")]
    owner: Arc<()>,
    era: Era,
    turns: Semaphore,
    engine: Engine,
    limits: Limits,
    meter: Meter,
    realm: RealmId,
    sealer: Sealer,
    feed: Feed,
}

/// Statements of the transactions of one request; tests assert budgets with it.
#[derive(Debug, Clone, Default)]
pub struct StatementCount(Arc<AtomicU32>);

impl StatementCount {
    /// Statements so far, BEGIN and COMMIT left out.
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

tokio::task_local! {
    /// The count of the request that runs in this task.
    pub static STATEMENT_COUNT: StatementCount;
}

/// A transaction: the connection, and what nodes are told once it commits.
pub struct Tx<'a> {
    pub(crate) conn: &'a mut PgConnection,
    pub(crate) realm: RealmId,
    pub(crate) sealer: &'a Sealer,
    pub(crate) notices: Vec<Notice>,
}

/// Why a transaction was taken back.
#[derive(Debug)]
pub enum Abort<E> {
    /// The database.
    Store(StoreError),
    /// Its own work refused.
    Refused(E),
}

impl<E> From<StoreError> for Abort<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Tx<'_> {
    /// The realm of this request.
    pub fn realm(&self) -> RealmId {
        self.realm
    }
}

impl Store {
    /// A store over `url`. Connects at the first use.
    pub fn new(url: &str, engine: Engine, limits: Limits, realm: RealmId, sealer: Sealer) -> Self {
        let limits = match engine {
            Engine::Embedded => Limits { connections: 1, work: EMBEDDED_WORK, ..limits },
            Engine::Server => Limits { connections: limits.connections.max(1), ..limits },
        };
        let era = Era::default();
        let owner = Arc::new(());
        let inner = Inner {
            pool: pool::build(url, engine, limits, (&era, &owner)),
            owner,
            era,
            turns: Semaphore::new(usize::try_from(limits.connections).unwrap_or(1)),
            engine,
            limits,
            meter: Meter::default(),
            realm,
            sealer,
            feed: Feed::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes the first connection, which at a start may take longer than a request would wait. It stays for the first use.
    pub fn connect(&self, patience: Duration) -> Result<(), StoreError> {
        let first = self.inner.pool.get_timeout(patience);
        first.map(drop).map_err(|_| StoreError::Unavailable("no connection could be made".to_owned()))
    }

    /// Which engine is behind it.
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// Seals and opens what leaves the process.
    pub fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    /// How busy the connections are.
    pub fn load(&self) -> Load {
        self.inner.meter.load(&self.inner.pool.state())
    }

    /// Runs `work` in one transaction, on a thread that may block. It commits when `work` answers `Ok`, even if the
    /// caller is gone by then; what it told other nodes is applied here before the answer.
    pub async fn transaction<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.hop(move |inner, conn| {
            let mut notices = Vec::new();
            let answer = conn.transaction(|conn| {
                let mut tx = Tx { conn, realm: inner.realm, sealer: &inner.sealer, notices: Vec::new() };
                let answer = work(&mut tx)?;
                notices = tx.notices;
                Ok::<T, StoreError>(answer)
            })?;
            inner.feed.take(&notices, Heard::Here);
            Ok(answer)
        })
        .await
    }

    /// Runs `work` in one transaction like [`Store::transaction`]; a refusal takes back everything that was written.
    pub async fn attempt<T, E, W>(&self, work: W) -> Result<T, Abort<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        W: FnOnce(&mut Tx<'_>) -> Result<T, Abort<E>> + Send + 'static,
    {
        let refusal = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&refusal);
        let done = self.transaction(move |tx| match work(tx) {
            Ok(answer) => Ok(answer),
            Err(Abort::Store(error)) => Err(error),
            Err(Abort::Refused(error)) => {
                if let Ok(mut kept) = kept.lock() {
                    *kept = Some(error);
                }
                Err(StoreError::TakenBack)
            }
        });
        match done.await {
            Ok(answer) => Ok(answer),
            Err(StoreError::TakenBack) => {
                let refused = refusal.lock().ok().and_then(|mut kept| kept.take());
                Err(refused.map_or(Abort::Store(StoreError::TakenBack), Abort::Refused))
            }
            Err(error) => Err(Abort::Store(error)),
        }
    }

    /// Runs `work` without a transaction: for a single reading statement.
    pub async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.hop(move |inner, conn| {
            let mut tx = Tx { conn, realm: inner.realm, sealer: &inner.sealer, notices: Vec::new() };
            work(&mut tx)
        })
        .await
    }

    /// Runs `work` with the bare connection: for the upkeep of the embedded engine.
    pub async fn upkeep<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut PgConnection) -> Result<T, StoreError> + Send + 'static,
    {
        self.detach(move |_, conn| work(conn)).await.map_err(cut_off)?
    }

    /// One blocking piece of work, for at most [`Limits::work`]. What takes longer goes on and may yet commit.
    async fn hop<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Inner, &mut PgConnection) -> Result<T, StoreError> + Send + 'static,
    {
        match tokio::time::timeout(self.inner.limits.work, self.detach(work)).await {
            Ok(done) => done.map_err(cut_off)?,
            Err(_) => Err(StoreError::Unavailable("the database does not answer".to_owned())),
        }
    }

    /// The task is detached: dropping the caller, say because its client hung up, does not stop it.
    fn detach<T, W>(&self, work: W) -> JoinHandle<Result<T, StoreError>>
    where
        T: Send + 'static,
        W: FnOnce(&Inner, &mut PgConnection) -> Result<T, StoreError> + Send + 'static,
    {
        let store = self.clone();
        let count = STATEMENT_COUNT.try_with(Clone::clone).ok();
        // What is logged on the other thread is logged under the request.
        let span = tracing::Span::current();
        tokio::spawn(async move {
            let inner = Arc::clone(&store.inner);
            let waiting = inner.meter.wait();
            let turn = tokio::time::timeout(inner.limits.checkout, inner.turns.acquire()).await;
            drop(waiting);
            let Ok(Ok(_turn)) = turn else {
                inner.meter.timed_out();
                return Err(StoreError::Unavailable("every connection is busy".to_owned()));
            };
            let blocking = Arc::clone(&inner);
            let answer = tokio::task::spawn_blocking(move || span.in_scope(|| blocking.run(count.as_ref(), work)));
            let answer = answer.await.map_err(cut_off).flatten();
            inner.meter.note(&answer);
            answer
        })
    }

    /// Gives the store up: waits, at most `limit`, until no request holds it any more, so that its connections are
    /// closed when this returns.
    pub async fn drain(self, limit: Duration) {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let _ = tokio::time::timeout(limit, async {
            while Arc::strong_count(&self.inner) > 1 {
                tick.tick().await;
            }
        })
        .await;
    }

    /// Looks into the revocation set.
    pub fn is_revoked(&self, claims: &signet_oidc::jose::AccessClaims) -> bool {
        self.inner.feed.is_revoked(claims)
    }

    /// Whether caches may be believed: what other nodes changed was heard of in the last five seconds. The embedded
    /// engine has no other node to hear of.
    pub fn hears(&self) -> bool {
        self.inner.engine == Engine::Embedded || self.inner.feed.age().is_some_and(|age| age <= FEED_MAX_AGE)
    }

    /// Sets who is told of every notice, once: of those that this process commits, right after the commit and before
    /// the answer, and of those that come from other nodes. The first one set stays.
    pub fn on_notices(&self, listener: Box<Listener>) {
        self.inner.feed.listen(listener);
    }

    /// Takes in a notice that a message brought, and answers whether it was new here. Only the table is complete: this
    /// does not make the feed younger.
    pub fn hear(&self, notice: Notice) -> bool {
        self.inner.feed.take(&[notice], Heard::Message) > 0
    }

    /// Reads in the table what this node has not heard yet. Answers how many notices were new. One statement.
    pub async fn catch_up(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let (mark, from) = (self.inner.feed.mark(), self.inner.feed.horizon());
        self.hop(move |inner, conn| {
            let mut tx = Tx { conn, realm: inner.realm, sealer: &inner.sealer, notices: Vec::new() };
            let (horizon, notices) = tx.notices_from(from, now)?;
            let news = inner.feed.take(&notices, Heard::Table);
            inner.feed.caught_up(horizon, mark);
            Ok(news)
        })
        .await
    }

    /// How long ago the table of notices was last read; none before the first time.
    pub fn feed_age(&self) -> Option<Duration> {
        self.inner.feed.age()
    }

    /// How many entries the revocation set has.
    pub fn revocations(&self) -> usize {
        self.inner.feed.revocations()
    }

    /// Makes sure that the revocation set is not older than five seconds. Where the change channel was silent it is read
    /// here; a token is never passed unchecked.
    pub async fn be_current(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        if self.hears() { Ok(()) } else { self.catch_up(now).await.map(drop) }
    }

    /// Forgets revocations that no living token can meet.
    pub fn sweep_revocations(&self, now: DateTime<Utc>) {
        self.inner.feed.sweep(now);
    }
}

/// Also where the process is ending.
fn cut_off(_: tokio::task::JoinError) -> StoreError {
    StoreError::Unavailable("the work was cut off".to_owned())
}

impl Inner {
    fn run<T>(
        &self,
        count: Option<&StatementCount>,
        work: impl FnOnce(&Self, &mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut link = self.link()?;
        pool::take_count();
        let begun = Instant::now();
        let answer = work(self, &mut link.conn);
        if let Some(count) = count {
            count.0.fetch_add(pool::take_count(), Ordering::Relaxed);
        }
        let Err(error) = answer else { return answer };
        let doubt = error.doubt();
        if doubt != Doubt::None {
            link.lost = !pool::is_alive(&mut link.conn);
            if link.lost {
                self.era.end();
            }
        }
        // A time limit told in words this program does not know is recognised by the time it took.
        let limit = self.limits.lock.min(self.limits.statement);
        let timed_out = self.engine == Engine::Server && begun.elapsed() >= limit;
        if doubt == Doubt::Unclear && (link.lost || timed_out) {
            return Err(StoreError::Unavailable(error.to_string()));
        }
        Err(error)
    }

    /// A connection that is of use, as far as is known. Those that are not go.
    fn link(&self) -> Result<r2d2::PooledConnection<Manager>, StoreError> {
        loop {
            let link = self.pool.get();
            let mut link = link.map_err(|_| StoreError::Unavailable("no connection could be made".to_owned()))?;
            if link.is_good(&self.era) {
                return Ok(link);
            }
        }
    }
}
