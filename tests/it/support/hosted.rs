//! What an application serves on its own: key sets, request objects. Plain HTTP on this machine, which Signet fetches
//! where `outbound.allow_private` is set.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Stands for no answer at all.
const HELD: &str = "held";

/// Answers of a server, by path; changed while it runs.
#[derive(Clone)]
pub struct Hosted {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Status line and body, by path.
    answers: HashMap<String, (String, String)>,
    /// Paths and bodies in the order they were asked for.
    asked: Vec<(String, String)>,
}

impl Hosted {
    /// Listens until the process ends. Whatever has no answer is 404.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Browsers open connections ahead and say nothing on them: none holds up another.
                let shared = Arc::clone(&shared);
                // A caller that went away is no concern of the test.
                thread::spawn(move || answer(&stream, &shared));
            }
        });
        Self { port, state }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// From now on answers a path with 200 and this body.
    pub fn put(&self, path: &str, body: &str) {
        self.answer(path, "200 OK", body);
    }

    /// From now on answers a path with this status line, which may go on with headers, and body.
    pub fn answer(&self, path: &str, status: &str, body: &str) {
        let answer = (status.to_owned(), body.to_owned());
        self.state.lock().expect("the state").answers.insert(path.to_owned(), answer);
    }

    /// From now on says nothing to who asks for a path, until they give up.
    pub fn hold(&self, path: &str) {
        self.answer(path, HELD, "");
    }

    /// How often a path was asked for.
    pub fn hits(&self, path: &str) -> usize {
        self.state.lock().expect("the state").asked.iter().filter(|(asked, _)| asked == path).count()
    }

    /// The forms that a path was sent, as far as it was sent any.
    pub fn forms(&self, path: &str) -> Vec<HashMap<String, String>> {
        let state = self.state.lock().expect("the state");
        let bodies = state.asked.iter().filter(|(asked, body)| asked == path && !body.is_empty());
        bodies.map(|(_, body)| url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()).collect()
    }

    /// The same address by the name that the browser takes for the site Signet is on.
    pub fn same_site(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }
}

fn answer(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first)?;
    while reader.read_line(&mut line)? > 2 {
        let header = line.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let (status, body) = {
        let mut state = state.lock().expect("the state");
        let found = state.answers.get(&path).cloned();
        state.asked.push((path, String::from_utf8_lossy(&sent).into_owned()));
        found.unwrap_or_else(|| ("404 Not Found".to_owned(), String::new()))
    };
    if status == HELD {
        return reader.read_to_end(&mut Vec::new()).map(drop);
    }
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
