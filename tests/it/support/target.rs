//! A https server of a test, for what the program fetches from addresses that clients name.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod};

use super::signet::Signet;

/// The server: paths with their JSON. Others are 404. It lives as long as the test's process.
pub struct Target {
    port: u16,
    authority: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    documents: BTreeMap<String, String>,
    stalled: BTreeSet<String>,
    poured: BTreeSet<String>,
    connections: usize,
    asked: Vec<String>,
}

impl Target {
    /// Starts one whose certificate lies beside the files of an instance.
    pub fn start(signet: &Signet) -> Self {
        let (authority, key) = signet.certificate("target");
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("TLS");
        acceptor.set_certificate_chain_file(&authority).expect("its certificate");
        acceptor.set_private_key_file(&key, SslFiletype::PEM).expect("its key");
        let acceptor = acceptor.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                lock(&shared).connections += 1;
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                thread::spawn(move || answer(&acceptor, stream, &shared));
            }
        });
        Self { port, authority, state }
    }

    /// Lets an instance that is not running yet fetch from it.
    pub fn open_to(&self, signet: &mut Signet) {
        signet.set("SIGNET_OUTBOUND__ALLOW_PRIVATE", "true");
        self.trusted_by(signet);
    }

    /// Lets an instance that is not running yet trust its certificate.
    pub fn trusted_by(&self, signet: &mut Signet) {
        signet.set("SIGNET_OUTBOUND__TRUSTED_CA", self.authority.to_str().expect("a path of UTF-8"));
    }

    /// Answers a path with a document from now on.
    pub fn serve(&self, path: &str, document: &impl ToString) {
        lock(&self.state).documents.insert(path.to_owned(), document.to_string());
    }

    /// Answers a path with 404 from now on.
    pub fn withdraw(&self, path: &str) {
        lock(&self.state).documents.remove(path);
    }

    /// Answers a path with the beginning of a document, and then with nothing, for as long as the other side waits.
    pub fn stall(&self, path: &str) {
        lock(&self.state).stalled.insert(path.to_owned());
    }

    /// Answers a path with a document that does not end, for as long as the other side reads.
    pub fn pour(&self, path: &str) {
        lock(&self.state).poured.insert(path.to_owned());
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        lock(&self.state).asked.iter().filter(|asked| *asked == path).count()
    }

    /// How many connections there were, with TLS or without.
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("the target's state")
}

fn answer(acceptor: &SslAcceptor, stream: TcpStream, state: &Mutex<State>) {
    let Ok(mut stream) = acceptor.accept(stream) else { return };
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (document, stalled, poured) = {
        let mut state = lock(state);
        state.asked.push(path.clone());
        (state.documents.get(&path).cloned(), state.stalled.contains(&path), state.poured.contains(&path))
    };
    if stalled || poured {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[\"x\"";
        let mut good = stream.write_all(head.as_bytes()).is_ok();
        while poured && good {
            good = stream.write_all(", \"x\"".repeat(1_000).as_bytes()).is_ok();
        }
        // Until the other side hangs up.
        let _ = stream.read(&mut byte);
        return;
    }
    let (status, body) = document.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
    let length = body.len();
    // Whoever has gone needs no answer.
    let _ =
        write!(stream, "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    let _ = stream.shutdown();
}
