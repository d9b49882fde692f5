//! Connections nobody uses end.
//!
//! actix-http has a timer for the first head of a connection only, and none for writing an answer: who sends one byte
//! of a second head, or reads no more of an answer, would keep the connection for ever. Here each connection has until
//! `http.keep_alive` and `http.head_timeout` after its last answer, and longer for a large answer. Over TLS there is no
//! such limit: the type of its connections has no name outside actix-tls.

use std::{
    any::Any,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use actix_web::{body::BodySize, dev::Extensions, rt::net::TcpStream};
use rustix::{
    io::fcntl_dupfd_cloexec,
    net::{Shutdown, shutdown},
};

/// Bytes a second in which a client takes an answer at least.
const LEAST_RATE: u64 = 16 * 1024;

/// A connection of a client. It lives as long as the connection does.
#[derive(Debug)]
pub struct Connection {
    /// A descriptor of its own, so that the number is never that of something else.
    socket: OwnedFd,
    use_: Mutex<Use>,
}

#[derive(Debug)]
struct Use {
    /// Requests that are being answered.
    busy: usize,
    /// Where none is: from when on the connection waits for the next one.
    since: Instant,
}

impl Connection {
    fn used(&self) -> MutexGuard<'_, Use> {
        self.use_.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection where it waited longer than `patience`.
    fn end_if_idle(&self, patience: Duration) {
        let used = self.used();
        if used.busy == 0 && used.since.elapsed() > patience {
            // What reads or writes it finds an end, and closes it.
            let _ = shutdown(&self.socket, Shutdown::Both);
        }
    }
}

/// A request of a connection while it is answered.
#[derive(Debug)]
pub struct Busy {
    connection: Arc<Connection>,
    /// How long the client may take to read the answer.
    allowance: Duration,
}

impl Busy {
    /// Begins.
    pub fn begin(connection: &Arc<Connection>) -> Self {
        connection.used().busy += 1;
        Self { connection: Arc::clone(connection), allowance: Duration::ZERO }
    }

    /// Ends with an answer of this size.
    pub fn answered(mut self, size: BodySize) {
        if let BodySize::Sized(bytes) = size {
            self.allowance = Duration::from_secs(bytes / LEAST_RATE);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut used = self.connection.used();
        used.busy = used.busy.saturating_sub(1);
        used.since = Instant::now() + self.allowance;
    }
}

/// All connections that are open.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<Vec<Weak<Connection>>>>);

impl Connections {
    /// Counts a connection in. To be called when it is accepted.
    pub fn accepted(&self, io: &dyn Any, data: &mut Extensions) {
        let Some(stream) = io.downcast_ref::<TcpStream>() else { return };
        let Ok(socket) = fcntl_dupfd_cloexec(stream, 0) else {
            // No descriptor left: what cannot be watched is not served.
            let _ = shutdown(stream, Shutdown::Both);
            return;
        };
        let connection = Arc::new(Connection { socket, use_: Mutex::new(Use { busy: 0, since: Instant::now() }) });
        self.list().push(Arc::downgrade(&connection));
        data.insert(connection);
    }

    /// Looks each second for connections that waited longer than `patience`.
    pub async fn reap(self, patience: Duration) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.reap_once(patience);
        }
    }

    fn reap_once(&self, patience: Duration) {
        self.list().retain(|connection| {
            let connection = connection.upgrade();
            connection.inspect(|connection| connection.end_if_idle(patience)).is_some()
        });
    }

    fn list(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _};

    use super::*;

    #[tokio::test]
    async fn a_connection_ends_once_nothing_is_answered_on_it() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let mut client = std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("a client");
        client.set_nonblocking(true).expect("a mode");
        let (server, _) = listener.accept().expect("a connection");
        server.set_nonblocking(true).expect("a mode");
        let server = TcpStream::from_std(server).expect("a stream");
        let (connections, mut data) = (Connections::default(), Extensions::new());
        connections.accepted(&server, &mut data);
        let mut read = || client.read(&mut [0]).map_err(|error| error.kind());

        connections.reap_once(Duration::from_mins(1));
        assert_eq!(read(), Err(ErrorKind::WouldBlock), "still in time");
        let busy = Busy::begin(data.get::<Arc<Connection>>().expect("its data"));
        connections.reap_once(Duration::ZERO);
        assert_eq!(read(), Err(ErrorKind::WouldBlock), "a request is being answered");
        busy.answered(BodySize::Sized(100 * LEAST_RATE));
        connections.reap_once(Duration::ZERO);
        assert_eq!(read(), Err(ErrorKind::WouldBlock), "a large answer is being read");
        drop(Busy::begin(data.get::<Arc<Connection>>().expect("its data")));
        connections.reap_once(Duration::ZERO);
        assert_eq!(read(), Ok(0), "ended");

        data.clear();
        connections.reap_once(Duration::ZERO);
        assert!(connections.list().is_empty(), "forgotten with the connection");
    }
}
