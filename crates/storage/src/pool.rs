//! Connections: how they are made, counted and given up.

use std::{
    cell::Cell,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::{
    Connection, PgConnection,
    connection::{AnsiTransactionManager, Instrumentation, InstrumentationEvent, SimpleConnection, TransactionManager},
};

/// How long the embedded engine may take to come back before a failure to connect is told.
const ENGINE_RETURNS_WITHIN: Duration = Duration::from_millis(1500);

/// What a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A PostgreSQL server: statements have a time limit.
    Server,
    /// The engine inside this process: one connection for ever.
    Embedded,
}

/// How many connections there are, and how long anything may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections to a PostgreSQL server at most; the embedded engine has one.
    pub connections: u32,
    /// A statement on a PostgreSQL server.
    pub statement: Duration,
    /// The wait for a lock on a PostgreSQL server; never longer than a statement.
    pub lock: Duration,
    /// The wait for a free connection, after which a request answers 503.
    pub checkout: Duration,
    /// The work of one request altogether. What takes longer goes on, while the request answers 503: so a server that
    /// is frozen in the middle of a statement holds up nobody.
    pub work: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self::with_statement(Duration::from_secs(5))
    }
}

impl Limits {
    /// The defaults around a limit for statements.
    pub fn with_statement(statement: Duration) -> Self {
        Self {
            connections: 8,
            statement,
            lock: statement.min(Duration::from_secs(2)),
            checkout: Duration::from_secs(2),
            work: statement * 2 + Duration::from_secs(2),
        }
    }

    /// What each new connection to a server is told.
    fn settings(&self) -> String {
        format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
             SET client_min_messages = warning",
            self.statement.as_millis(),
            self.lock.min(self.statement).as_millis(),
            (self.work + Duration::from_secs(3)).as_millis(),
        )
    }
}

/// The address of a PostgreSQL server, with limits for connecting and for a network that swallows packets. What the
/// address says itself stays.
/// `connect` is how long connecting may take, in whole seconds and at least two: libpq counts no finer.
pub fn patient(url: &str, connect: Duration) -> String {
    let connect = connect.as_secs().max(2).to_string();
    let parameters = [
        ("connect_timeout", connect.as_str()),
        ("tcp_user_timeout", "10000"),
        ("keepalives_idle", "15"),
        ("keepalives_interval", "5"),
        ("keepalives_count", "3"),
    ];
    let mut patient = url.to_owned();
    let given = url.split_once('?').map(|(_, query)| query);
    let is_given = |name: &str| {
        given.unwrap_or_default().split('&').any(|pair| pair.split_once('=').is_some_and(|(key, _)| key == name))
    };
    let mut separator = if given.is_some() { '&' } else { '?' };
    for (name, value) in parameters.into_iter().filter(|(name, _)| !is_given(name)) {
        patient.push(separator);
        patient.push_str(name);
        patient.push('=');
        patient.push_str(value);
        separator = '&';
    }
    patient
}

/// A connection and whether it is still of use.
pub struct Link {
    pub(crate) conn: PgConnection,
    pub(crate) lost: bool,
    /// The era in which it last was good.
    era: u64,
}

/// Counts losses of connections. One loss makes every older connection doubtful: PostgreSQL may have restarted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Era(Arc<AtomicU64>);

impl Era {
    /// A connection was lost.
    pub(crate) fn end(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Link {
    /// Whether it is of use; asks the server only where another connection was lost since it was last seen good.
    pub(crate) fn is_good(&mut self, era: &Era) -> bool {
        let now = era.now();
        if self.era != now {
            self.lost = self.conn.batch_execute("SELECT 1").is_err();
            self.era = now;
        }
        !self.lost
    }
}

/// Asks a connection that gave a doubtful error whether it can be used again.
pub(crate) fn is_alive(conn: &mut PgConnection) -> bool {
    !AnsiTransactionManager::is_broken_transaction_manager(conn) && conn.batch_execute("SELECT 1").is_ok()
}

/// Makes connections for r2d2.
pub struct Manager {
    url: String,
    engine: Engine,
    limits: Limits,
    era: Era,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Link;
    type Error = diesel::ConnectionError;

    fn connect(&self) -> Result<Link, Self::Error> {
        let era = self.era.now();
        let mut conn = match self.engine {
            Engine::Server => PgConnection::establish(&self.url)?,
            Engine::Embedded => self.connect_soon()?,
        };
        if self.engine == Engine::Server {
            conn.batch_execute(&self.limits.settings()).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
        }
        conn.set_instrumentation(Counter);
        Ok(Link { conn, lost: false, era })
    }

    fn is_valid(&self, link: &mut Link) -> Result<(), Self::Error> {
        link.conn.batch_execute("SELECT 1").map_err(diesel::ConnectionError::CouldntSetupConfiguration)
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.lost || std::thread::panicking()
    }
}

impl Manager {
    /// Tries until the embedded engine, which is started again within half a second, answers. r2d2 by itself waits
    /// longer after each failure.
    fn connect_soon(&self) -> Result<PgConnection, diesel::ConnectionError> {
        let from = Instant::now();
        loop {
            match PgConnection::establish(&self.url) {
                Err(_) if from.elapsed() < ENGINE_RETURNS_WITHIN => pause(),
                answer => return answer,
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the interval between two tries; this thread does nothing but connect")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// Builds the pool without waiting for a first connection. Without its `owner` nobody hears of connections that fail.
pub(crate) fn build(url: &str, engine: Engine, limits: Limits, (era, owner): (&Era, &Arc<()>)) -> r2d2::Pool<Manager> {
    let builder = r2d2::Pool::builder()
        .connection_timeout(limits.checkout)
        .test_on_check_out(false)
        .error_handler(Box::new(Quiet(Arc::downgrade(owner))));
    let builder = match engine {
        Engine::Embedded => builder.max_size(1).min_idle(Some(0)).max_lifetime(None).idle_timeout(None),
        Engine::Server => builder.max_size(limits.connections.max(1)).min_idle(Some(0)),
    };
    builder.build_unchecked(Manager { url: url.to_owned(), engine, limits, era: era.clone() })
}

/// Connection errors reach the request that waits for one; here they are only traced, without the address. At its end
/// the program does not wait for a connection that is being made: that one fails, and nobody needs to know.
#[derive(Debug)]
struct Quiet(Weak<()>);

impl r2d2::HandleError<diesel::ConnectionError> for Quiet {
    fn handle_error(&self, _: diesel::ConnectionError) {
        if self.0.strong_count() > 0 {
            tracing::warn!("a database connection could not be made");
        }
    }
}

thread_local! {
    static STATEMENTS: Cell<u32> = const { Cell::new(0) };
}

/// Counts statements other than BEGIN, COMMIT and ROLLBACK on this thread. Never formats a query.
struct Counter;

impl Instrumentation for Counter {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { .. } => STATEMENTS.with(|count| count.set(count.get().wrapping_add(1))),
            // Each of these is followed by its own StartQuery.
            InstrumentationEvent::BeginTransaction { .. }
            | InstrumentationEvent::CommitTransaction { .. }
            | InstrumentationEvent::RollbackTransaction { .. } => {
                STATEMENTS.with(|count| count.set(count.get().wrapping_sub(1)));
            }
            _ => {}
        }
    }
}

/// The statements on this thread since it was last asked.
pub(crate) fn take_count() -> u32 {
    STATEMENTS.with(|count| count.replace(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// connecting has a limit, and what the address says itself stays.
    #[test]
    fn addresses_get_limits() {
        let all =
            "connect_timeout=5&tcp_user_timeout=10000&keepalives_idle=15&keepalives_interval=5&keepalives_count=3";
        assert_eq!(patient("postgres://u@h/d", Duration::from_secs(5)), format!("postgres://u@h/d?{all}"));
        assert_eq!(
            patient("postgres://u@h/d?options=x", Duration::from_secs(5)),
            format!("postgres://u@h/d?options=x&{all}")
        );
        let own = patient("postgres://u@h/d?connect_timeout=1", Duration::from_secs(5));
        assert!(own.starts_with("postgres://u@h/d?connect_timeout=1&tcp_user_timeout=") && !own.contains("timeout=5"));
    }
}
