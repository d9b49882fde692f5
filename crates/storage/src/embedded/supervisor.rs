//! The thread that owns the engine and starts it again when it ends.
//!
//! How it knows: it keeps a connection of its own, the sentinel, waiting in the listener's queue behind the
//! pool's. The kernel ends it with the listener, so the end is seen at once and nothing is polled. When the
//! pool has no connection the engine accepts the sentinel, which asks for TLS: the answer is one byte and
//! starts no PostgreSQL. It then leaves and queues up again.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use diesel::{Connection as _, PgConnection, RunQueryDsl as _};
use pglite_oxide::PgliteServer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Durability, EmbeddedError, cluster};
use crate::data_dir::{self, DataDirLock};

/// Pause before the sentinel queues up again, and before a failed start is tried again.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a stop waits for the last connection to be closed.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// The PostgreSQL protocol's request for TLS: length 8, code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Settings of the engine. Never `fsync`: the engine stops at the next start.
/// A checkpoint keeps at most `max_wal_size` of WAL files for reuse.
const SETTINGS: [(&str, &str); 4] =
    [("shared_buffers", "16MB"), ("max_wal_size", "256MB"), ("log_min_messages", "fatal"), ("timezone", "UTC")];

/// What the engine answered with once it was ready.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) url: String,
    pub(super) durability: Durability,
}

/// How the first start went.
pub(super) type Started = Result<Running, EmbeddedError>;

/// The thread's handle. It ends when `control` is closed.
#[derive(Debug)]
pub(super) struct Supervisor {
    control: Option<UnixStream>,
    // A mutex only so that the handle can be shared: one thread waits on it, once.
    ended: std::sync::Mutex<Receiver<()>>,
}

impl Supervisor {
    /// Starts the thread, which keeps the lock. Its one message says whether the engine answers.
    pub(super) fn spawn(lock: DataDirLock) -> Result<(Self, Receiver<Started>), EmbeddedError> {
        let failed = EmbeddedError::files(lock.path());
        let (control, watched) = UnixStream::pair().map_err(EmbeddedError::files(lock.path()))?;
        let (started_to, started) = mpsc::sync_channel(1);
        let (ended_to, ended) = mpsc::sync_channel::<()>(0);
        thread::Builder::new()
            .name("embedded-postgresql".into())
            .spawn(move || {
                run(lock.path(), &watched, &started_to);
                drop(lock);
                drop(ended_to);
            })
            .map_err(failed)?;
        Ok((Self { control: Some(control), ended: std::sync::Mutex::new(ended) }, started))
    }

    /// Ends the engine and waits until it has.
    pub(super) fn stop(mut self) -> Result<(), EmbeddedError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), EmbeddedError> {
        drop(self.control.take());
        let ended = self.ended.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match ended.recv_timeout(STOP_WITHIN) {
            Err(RecvTimeoutError::Timeout) => Err(EmbeddedError::StillConnected),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Ok(()),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if self.control.is_some()
            && let Err(error) = self.end()
        {
            tracing::warn!("{error}");
        }
    }
}

/// The thread: starts the engine, tells how that went, starts it again each time it ends.
fn run(data_dir: &Path, control: &UnixStream, started: &SyncSender<Started>) {
    let (mut engine, socket) = match first_start(data_dir) {
        Ok((engine, socket, running)) => {
            // Nobody waits any more when the process is on its way out; the control socket is closed then.
            let _ = started.send(Ok(running));
            (engine, socket)
        }
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    while watch(&socket, control) == Watched::EngineEnded {
        let reason = engine.shutdown().err().map_or_else(|| "no reason given".into(), |error| format!("{error:#}"));
        tracing::error!(reason, "the embedded PostgreSQL ended; starting it again");
        engine = loop {
            match start(data_dir, &socket) {
                Ok(engine) => break engine,
                Err(error) => tracing::error!("{error}"),
            }
            if pause(control) == Paused::Stop {
                return;
            }
        };
    }
    if let Err(error) = engine.shutdown() {
        tracing::warn!("the embedded PostgreSQL stopped with an error: {error:#}");
    }
    // The engine leaves its socket behind.
    let _ = fs::remove_file(socket);
}

/// Prepares the files, starts the engine and makes one connection, which recovers after a crash.
fn first_start(data_dir: &Path) -> Result<(PgliteServer, PathBuf, Running), EmbeddedError> {
    let durability = cluster::prepare(data_dir)?;
    let socket = data_dir::private_socket_dir(data_dir, "pg")
        .map_err(EmbeddedError::files(&data_dir.join("run")))?
        .join(".s.PGSQL.5432");
    let engine = start(data_dir, &socket)?;
    let url = engine.database_url();
    PgConnection::establish(&url).map_err(|error| EmbeddedError::engine(&error.to_string())).and_then(|mut conn| {
        diesel::sql_query("SELECT 1").execute(&mut conn).map_err(|error| EmbeddedError::engine(&error.to_string()))
    })?;
    Ok((engine, socket, Running { url, durability }))
}

/// Starts the engine on its socket; a stale socket is replaced. PostgreSQL itself starts with a connection.
fn start(data_dir: &Path, socket: &Path) -> Result<PgliteServer, EmbeddedError> {
    PgliteServer::builder()
        .path(cluster::root(data_dir))
        .unix(socket)
        .username("postgres")
        .database("postgres")
        .postgres_configs(SETTINGS)
        .start()
        .map_err(|error| EmbeddedError::engine(&format!("{error:#}")))
}

#[derive(Debug, PartialEq, Eq)]
enum Watched {
    EngineEnded,
    Stop,
}

#[derive(Debug, PartialEq, Eq)]
enum Paused {
    GoOn,
    Stop,
}

/// Returns when the engine has ended or the control socket is closed.
fn watch(socket: &Path, control: &UnixStream) -> Watched {
    loop {
        let paused = match stand_in_queue(socket, control) {
            Ok(Queue::Stop) => return Watched::Stop,
            // Let go without an answer: connecting again tells why.
            Ok(Queue::Dropped) => Paused::GoOn,
            Ok(Queue::Served) => pause(control),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Watched::EngineEnded;
            }
            Err(error) => {
                tracing::debug!(%error, "cannot watch the embedded PostgreSQL");
                pause(control)
            }
        };
        if paused == Paused::Stop {
            return Watched::Stop;
        }
    }
}

enum Queue {
    /// The engine answered: no other connection is open.
    Served,
    Dropped,
    Stop,
}

/// Connects as the sentinel and waits until the engine answers or lets go, or the control socket is closed.
fn stand_in_queue(socket: &Path, control: &UnixStream) -> io::Result<Queue> {
    let mut sentinel = UnixStream::connect(socket)?;
    if sentinel.write_all(&SSL_REQUEST).is_err() {
        return Ok(Queue::Dropped);
    }
    let mut fds = [PollFd::new(&sentinel, PollFlags::IN), PollFd::new(control, PollFlags::IN)];
    while poll_all(&mut fds, None)? == 0 {}
    let [_, stop] = fds;
    if !stop.revents().is_empty() {
        return Ok(Queue::Stop);
    }
    let mut answer = [0];
    Ok(match sentinel.read(&mut answer) {
        Ok(1..) => Queue::Served,
        Ok(0) | Err(_) => Queue::Dropped,
    })
}

/// Waits a moment, or less when the control socket is closed.
fn pause(control: &UnixStream) -> Paused {
    let mut fds = [PollFd::new(control, PollFlags::IN)];
    match poll_all(&mut fds, Timespec::try_from(PAUSE).ok().as_ref()) {
        Ok(0) => Paused::GoOn,
        Ok(_) | Err(_) => Paused::Stop,
    }
}

/// `poll`, again after a signal.
fn poll_all(fds: &mut [PollFd<'_>], timeout: Option<&Timespec>) -> io::Result<usize> {
    loop {
        match poll(fds, timeout) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}
