//! Connections: how they are made, counted and given up.

use std::{cell::Cell, time::Duration};

use diesel::{
    Connection, PgConnection,
    connection::{Instrumentation, InstrumentationEvent, SimpleConnection},
};

/// What a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A PostgreSQL server: statements have a time limit.
    Server,
    /// The engine inside this process: one connection for ever.
    Embedded,
}

/// A connection and whether it is still of use.
pub struct Link {
    pub(crate) conn: PgConnection,
    pub(crate) lost: bool,
}

/// Makes connections for r2d2.
pub struct Manager {
    url: String,
    engine: Engine,
}

impl Manager {
    /// Connections to `url`.
    pub fn new(url: String, engine: Engine) -> Self {
        Self { url, engine }
    }
}

impl r2d2::ManageConnection for Manager {
    type Connection = Link;
    type Error = diesel::ConnectionError;

    fn connect(&self) -> Result<Link, Self::Error> {
        let mut conn = PgConnection::establish(&self.url)?;
        if self.engine == Engine::Server {
            conn.batch_execute(
                "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
                 SET idle_in_transaction_session_timeout = '15s'; SET client_min_messages = warning",
            )
            .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
        }
        conn.set_instrumentation(Counter);
        Ok(Link { conn, lost: false })
    }

    fn is_valid(&self, link: &mut Link) -> Result<(), Self::Error> {
        link.conn.batch_execute("SELECT 1").map_err(diesel::ConnectionError::CouldntSetupConfiguration)
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.lost || std::thread::panicking()
    }
}

/// Builds the pool without waiting for a first connection.
pub(crate) fn build(url: &str, engine: Engine, size: u32) -> r2d2::Pool<Manager> {
    let builder = r2d2::Pool::builder()
        .connection_timeout(Duration::from_secs(2))
        .test_on_check_out(false)
        .error_handler(Box::new(Quiet));
    let builder = match engine {
        Engine::Embedded => builder.max_size(1).min_idle(Some(0)).max_lifetime(None).idle_timeout(None),
        Engine::Server => builder.max_size(size).min_idle(Some(0)),
    };
    builder.build_unchecked(Manager::new(url.to_owned(), engine))
}

/// Connection errors reach the request that waits for one; here they are only traced, without the address.
#[derive(Debug)]
struct Quiet;

impl r2d2::HandleError<diesel::ConnectionError> for Quiet {
    fn handle_error(&self, _: diesel::ConnectionError) {
        tracing::warn!("a database connection could not be made");
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
