//! A https server that answers what a test says, byte by byte.

use std::{
    io::{self, Read as _, Write},
    net::TcpListener,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use openssl::{
    pkey::PKey,
    ssl::{SslAcceptor, SslMethod, SslStream},
    x509::X509,
};

use crate::{
    entropy,
    tls::self_signed::{self, Order},
};

/// The connection to whoever asked.
pub(in crate::outbound) type Out = SslStream<std::net::TcpStream>;

/// The server. It lives as long as the process.
pub(in crate::outbound) struct Target {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// The file of the authority that vouches for it.
    pub authority: PathBuf,
    hits: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

impl Target {
    /// Answers each connection with what `respond` writes; it is given the head of the request.
    pub fn start(respond: impl Fn(&str, &mut Out) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let hosts = ["localhost", "127.0.0.1", "id.example", "slow.example"].map(str::to_owned).to_vec();
        let pair = self_signed::make(&Order { hosts, days: 1 }, entropy::now(), 1).unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_certificate(&X509::from_pem(&pair.cert).unwrap()).unwrap();
        acceptor.set_private_key(&PKey::private_key_from_pem(&pair.key).unwrap()).unwrap();
        let acceptor = acceptor.build();
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        std::fs::write(&authority, &pair.cert).unwrap();

        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (hits, respond) = (Arc::<AtomicUsize>::default(), Arc::new(respond));
        let target = Self { port, authority, hits: Arc::clone(&hits), _folder: folder };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                hits.fetch_add(1, Ordering::SeqCst);
                let (acceptor, respond) = (acceptor.clone(), Arc::clone(&respond));
                thread::spawn(move || {
                    let Ok(mut stream) = acceptor.accept(stream) else { return };
                    if let Some(head) = head(&mut stream) {
                        let _ = respond(&head, &mut stream);
                        let _ = stream.shutdown();
                    }
                });
            }
        });
        target
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// How many connections there were.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

fn head(stream: &mut Out) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    String::from_utf8(head).ok()
}

/// A whole answer: status line without the protocol, further headers after line breaks.
pub(in crate::outbound) fn answer(out: &mut Out, status: &str, body: &[u8]) -> io::Result<()> {
    write!(out, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len())?;
    out.write_all(body)
}

/// Nothing more, until the other side gives up.
pub(in crate::outbound) fn wait(out: &mut Out) -> io::Result<()> {
    out.read(&mut [0]).map(|_| ())
}

/// A byte now and then, until the other side gives up.
pub(in crate::outbound) fn drip(out: &mut Out) -> io::Result<()> {
    let (_never, ticks) = mpsc::channel::<()>();
    loop {
        let _ = ticks.recv_timeout(Duration::from_millis(100));
        out.write_all(b" ")?;
    }
}
