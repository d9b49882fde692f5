//! PostgreSQL 17 inside Signet's own process, for an installation without a database of its own.
//!
//! The engine (`pglite-oxide`) is PostgreSQL compiled to WebAssembly and then to native code. It speaks the
//! PostgreSQL protocol on a Unix socket, so the rest of this crate sees a URL and nothing else. It is
//! PostgreSQL in single-user mode, and that decides everything here:
//!
//! - **One connection.** A second one waits until the first is closed. The pool has size one, without a
//!   lifetime or idle limit. Each new connection starts PostgreSQL anew (and recovers, after a crash).
//! - **No background processes.** Nothing checkpoints, vacuums, times out or cancels:
//!   [`EmbeddedDatabase::maintain`] is called every two seconds and does the first two.
//! - **No fsync.** The engine never calls it, and stops at the next start when `fsync=on` is set. What a
//!   commit acknowledged lies in the kernel's cache and survives `kill -9`. To survive a power cut the
//!   cluster's files carry the file system's synchronous flag; [`EmbeddedDatabase::durability`] says
//!   whether the file system honours it.
//! - **It can end.** A malformed message or a trap in the engine ends its thread. The supervisor notices at
//!   once and starts it again on the same socket; the pool reconnects.
//! - **Whoever can open the socket is superuser.** It lies in a 0700 directory. A process of the same user
//!   can open it and, by staying connected, keep Signet out: it could as well read the files.
//!
//! Where to read on: `cluster` (files on disk), `cache` (the engine's unpacked program), `supervisor` (the
//! thread that starts it again), `maintenance` (checkpoint and vacuum). The reasons and the measurements are
//! in `docs/decisions/0001-embedded-postgresql.md`.

mod cache;
mod cluster;
mod error;
mod maintenance;
mod supervisor;

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use diesel::{PgConnection, QueryResult, RunQueryDsl as _};

pub use error::EmbeddedError;
pub use maintenance::Maintenance;

use crate::data_dir::{self, DataDirLock};
use supervisor::{Running, Started, Supervisor};

/// Starting takes this long before it is worth a line on the terminal.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// The file in `run` whose holder has the database.
const LOCK: &str = "database.lock";

/// What an acknowledged commit survives, beyond the end of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut too: every write reaches the disk before it returns.
    Synchronous,
    /// The end of the process, but not a power cut or a crash of the kernel.
    PowerCutMayLose,
}

/// The running database. Dropping it stops it, as [`EmbeddedDatabase::shutdown`] does.
#[derive(Debug)]
pub struct EmbeddedDatabase {
    supervisor: Supervisor,
    url: String,
    durability: Durability,
    schedule: Mutex<maintenance::Schedule>,
}

impl EmbeddedDatabase {
    /// Starts the database in `data_dir`, makes the cluster first if there is none, and returns once a
    /// connection has answered. `progress` gets one line when that takes more than a second.
    pub fn start(data_dir: &Path, progress: &dyn Fn(&str)) -> Result<Self, EmbeddedError> {
        Self::start_in(data_dir::lock_named(data_dir, LOCK)?, progress)
    }

    /// As [`EmbeddedDatabase::start`], but where there is no cluster none is made, and no directory either. While another
    /// process holds the directory, that is the answer: it may be making one.
    pub fn start_existing(data_dir: &Path, progress: &dyn Fn(&str)) -> Result<Self, EmbeddedError> {
        let absent = || EmbeddedError::Absent { dir: data_dir.to_owned() };
        if !cluster::exists(data_dir) && !data_dir.join("run").join(LOCK).exists() {
            return Err(absent());
        }
        let lock = data_dir::lock_named(data_dir, LOCK)?;
        if !cluster::exists(lock.path()) {
            return Err(absent());
        }
        Self::start_in(lock, progress)
    }

    fn start_in(lock: DataDirLock, progress: &dyn Fn(&str)) -> Result<Self, EmbeddedError> {
        cache::check()?;
        let first = !cluster::exists(lock.path());
        let (supervisor, started) = Supervisor::spawn(lock)?;
        let Running { url, durability } = wait(&started, progress, first)?;
        Ok(Self { supervisor, url, durability, schedule: Mutex::new(maintenance::Schedule::starting(Instant::now())) })
    }

    /// The connection URI of the socket. It stays the same when the engine is started again.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What an acknowledged commit survives.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Does what is due, at most one step: a checkpoint (five minutes after the last, or 128 MiB of WAL
    /// since it) or the vacuum of one table. To be called about every two seconds, outside a transaction.
    pub fn maintain(&self, conn: &mut PgConnection, now: Instant) -> QueryResult<Option<Maintenance>> {
        let mut schedule = self.schedule.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        schedule.step(conn, now)
    }

    /// Writes a checkpoint, so that the next start has nothing to recover. Called before the pool is dropped.
    pub fn checkpoint(conn: &mut PgConnection) -> QueryResult<()> {
        diesel::sql_query("CHECKPOINT").execute(conn).map(drop)
    }

    /// Stops the engine and frees the data directory. Close every connection first: the engine ends with
    /// its connection, and after ten seconds this gives up with [`EmbeddedError::StillConnected`].
    pub fn shutdown(self) -> Result<(), EmbeddedError> {
        self.supervisor.stop()
    }
}

/// Waits for the first connection, with a line of progress after a second.
fn wait(started: &mpsc::Receiver<Started>, progress: &dyn Fn(&str), first: bool) -> Started {
    let outcome = match started.recv_timeout(WORTH_A_LINE) {
        Err(RecvTimeoutError::Timeout) => {
            progress(if first {
                "preparing the embedded PostgreSQL; only the first start takes this long"
            } else {
                "starting the embedded PostgreSQL"
            });
            started.recv().map_err(|_| EmbeddedError::ended())
        }
        Err(RecvTimeoutError::Disconnected) => Err(EmbeddedError::ended()),
        Ok(outcome) => Ok(outcome),
    };
    outcome?
}
