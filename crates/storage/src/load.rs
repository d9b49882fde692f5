//! How busy the connections are, and what went wrong on them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use diesel::{QueryableByName, RunQueryDsl as _, sql_types::Int8};

use crate::{error::StoreError, store::Tx};

/// The state of the pool at a moment, and sums since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Connections that nobody uses.
    pub idle: u32,
    /// Connections in use.
    pub busy: u32,
    /// Requests that wait for their turn.
    pub waiting: u64,
    /// How long requests have waited, all together.
    pub waited: Duration,
    /// Requests whose turn did not come in time.
    pub timeouts: u64,
    /// Pieces of work that failed for now: a lost connection, a time limit.
    pub lost: u64,
    /// Pieces of work that failed otherwise.
    pub failed: u64,
}

/// Counts it.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    waiting: AtomicU64,
    waited_micros: AtomicU64,
    timeouts: AtomicU64,
    lost: AtomicU64,
    failed: AtomicU64,
}

/// One request waits until this is dropped.
pub(crate) struct Waiting<'a> {
    meter: &'a Meter,
    begun: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.meter.waiting.fetch_sub(1, Ordering::Relaxed);
        let micros = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.meter.waited_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Meter {
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { meter: self, begun: Instant::now() }
    }

    pub(crate) fn timed_out(&self) {
        self.timeouts.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a failure. Work that its caller refused and took back did not fail.
    pub(crate) fn note<T>(&self, answer: &Result<T, StoreError>) {
        match answer {
            Ok(_) | Err(StoreError::TakenBack) => {}
            Err(StoreError::Unavailable(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn load(&self, pool: &r2d2::State) -> Load {
        let get = |value: &AtomicU64| value.load(Ordering::Relaxed);
        Load {
            idle: pool.idle_connections,
            busy: pool.connections.saturating_sub(pool.idle_connections),
            waiting: get(&self.waiting),
            waited: Duration::from_micros(get(&self.waited_micros)),
            timeouts: get(&self.timeouts),
            lost: get(&self.lost),
            failed: get(&self.failed),
        }
    }
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Int8)]
    count: i64,
}

impl Tx<'_> {
    /// How many audit rows are not in the chain yet, counted up to 10,000: more is as bad. One statement.
    pub fn audit_unsealed(&mut self) -> Result<i64, StoreError> {
        let counted: Counted = diesel::sql_query(
            "SELECT count(*) AS count FROM (SELECT 1 FROM audit WHERE realm_id = $1 AND chain_index IS NULL LIMIT 10000) t",
        )
        .bind::<Int8, _>(self.realm.0)
        .get_result(self.conn)?;
        Ok(counted.count)
    }
}
