//! The program under test: started, stopped, killed, and asked through its command line.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use diesel::PgConnection;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::port::Port;
use super::postgres::{Schema, connect};
use super::services::{scratch, signet_program};
use super::wait::{PATIENCE, eventually};

/// Email address of the administrator every test instance starts with.
pub const ADMIN_EMAIL: &str = "admin@signet.test";
/// Password of that administrator.
pub const ADMIN_PASSWORD: &str = "Harbour-Lantern-93!";

/// What an instance stores its data in.
#[derive(Clone, Debug)]
pub enum Database {
    /// A fresh schema in the shared PostgreSQL.
    Postgres,
    /// The database inside the program, in a fresh data directory.
    Embedded,
    /// A PostgreSQL by URL, such as `PrivatePostgres::url`.
    At(String),
}

/// A running instance with data of its own.
#[derive(Debug)]
pub struct Signet {
    child: Option<Child>,
    issuer: String,
    base: String,
    port: Port,
    database_url: Option<String>,
    environment: Vec<(String, String)>,
    http: reqwest::Client,
    folder: TempDir,
    // Dropped after the program has ended.
    _schema: Option<Schema>,
}

impl Signet {
    /// Starts an instance and waits until its discovery document answers.
    pub async fn start(database: Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// The same over https, with a certificate of `signet tls self-signed` that `http` trusts. There is no playground,
    /// and nobody may register.
    pub async fn start_tls(database: Database, environment: &[(&str, &str)]) -> Self {
        let mut signet = Self::prepare_tls(database, environment);
        signet.launch().await;
        signet
    }

    /// An instance over https that is not running yet.
    pub fn prepare_tls(database: Database, environment: &[(&str, &str)]) -> Self {
        let mut signet = Self::prepare(database, environment);
        let (cert, key) = signet.certificate("tls");
        signet.base = format!("https://localhost:{}", signet.port());
        signet.issuer = signet.base.clone();
        let path = |path: &Path| path.to_str().expect("a path of UTF-8").to_owned();
        let settings = [("SIGNET_TLS__CERT", &cert), ("SIGNET_TLS__KEY", &key), ("SIGNET_OUTBOUND__TRUSTED_CA", &cert)];
        let usual: Vec<_> = settings.iter().map(|(name, value)| ((*name).to_owned(), path(value))).collect();
        signet.environment.splice(0..0, usual);
        signet.http = trusting(&cert).build().expect("HTTP client");
        signet
    }

    /// Makes a certificate and key for localhost in a folder beside the data directory, by the command line.
    pub fn certificate(&self, folder: &str) -> (PathBuf, PathBuf) {
        let folder = self.folder.path().join(folder);
        let made = Command::new(signet_program())
            .args(["tls", "self-signed", "--host", "localhost", "--host", "127.0.0.1", "--force", "--out"])
            .arg(&folder)
            .output()
            .expect("run the command line");
        assert!(made.status.success(), "signet tls self-signed: {made:?}");
        (folder.join("tls.crt"), folder.join("tls.key"))
    }

    /// The same with further environment variables, which win over the usual ones.
    pub async fn start_with(database: Database, environment: &[(&str, &str)]) -> Self {
        let mut signet = Self::prepare(database, environment);
        signet.launch().await;
        signet
    }

    /// An instance that is not running yet: `command` and `cli` work, `restart` starts it.
    pub fn prepare(database: Database, environment: &[(&str, &str)]) -> Self {
        let schema = matches!(database, Database::Postgres).then(Schema::create);
        let database_url = match database {
            Database::Postgres => schema.as_ref().map(Schema::url),
            Database::Embedded => None,
            Database::At(url) => Some(url),
        };
        let port = Port::reserve();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            child: None,
            issuer: base(&port),
            base: base(&port),
            port,
            database_url,
            environment: environment.iter().map(owned).collect(),
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("HTTP client"),
            folder: scratch(),
            _schema: schema,
        }
    }

    /// A second node of the same installation: the same issuer, database and settings, an address and files of its own.
    /// The first one must have a `SIGNET_SECRET_KEY` that both read, and must live longer.
    pub async fn beside(&self, environment: &[(&str, &str)]) -> Self {
        let port = Port::reserve();
        let further = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut node = Self {
            child: None,
            issuer: self.issuer.clone(),
            base: base(&port),
            port,
            database_url: self.database_url.clone(),
            environment: self.environment.iter().cloned().chain(further).collect(),
            http: self.http.clone(),
            folder: scratch(),
            _schema: None,
        };
        node.launch().await;
        node
    }

    /// Changes a setting for what is started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The issuer; of a single node also the base of every URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Absolute URL of a path such as `/oauth/token`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its data directory. The folder above it may be entered by every local user.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A connection to its database. Panics with the embedded one.
    pub fn database(&self) -> PgConnection {
        connect(self.database_url.as_ref().expect("a database by URL"))
    }

    /// A client that follows no redirect and keeps no cookie.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Process id of the running program.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running program").id()
    }

    /// All it has written to standard output and standard error since the first start.
    pub fn output(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.path().join(name));
        let (out, err) = (read("stdout"), read("stderr"));
        format!("{}{}", out.unwrap_or_default(), err.unwrap_or_default())
    }

    /// Kills it with SIGKILL and reaps it. Nothing happens when it is not running.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kill");
            child.wait().expect("reap");
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("process id"), signal).expect("send signal");
    }

    /// Asks it to stop with SIGTERM and gives the status it ended with.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait().await
    }

    /// Waits until it has ended by itself and gives the status.
    pub async fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running program");
        let ended = eventually(PATIENCE, "the program ends", async || child.try_wait().expect("state of the program"));
        ended.await
    }

    /// Starts it again on the same data and port; a running one is first stopped with SIGTERM.
    pub async fn restart(&mut self) {
        if self.child.is_some() {
            let status = self.terminate().await;
            assert!(status.success(), "ended with {status}\n{}", self.output());
        }
        self.launch().await;
    }

    /// The program with this instance's settings, its input closed, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(signet_program());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("SIGNET_") || text == "DATABASE_URL" || text == "REDIS_URL" {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("SIGNET_ISSUER", &self.issuer)
            .env("SIGNET_BIND", format!("127.0.0.1:{}", self.port()))
            .env("SIGNET_DATA_DIR", self.data_dir())
            .env("SIGNET_ADMIN_EMAIL", ADMIN_EMAIL)
            .env("SIGNET_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("SIGNET_RATE_LIMITS__ENABLED", "false")
            .env("SIGNET_TEST_COUNT_STATEMENTS", "1")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null());
        if let Some(url) = &self.database_url {
            command.env("DATABASE_URL", url);
        }
        // Marks what belongs to one run of `tests/run`.
        if let Some(run) = std::env::var_os("SIGNET_TEST_RUN") {
            command.env("SIGNET_TEST_RUN", run);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    async fn launch(&mut self) {
        for _ in 0..3 {
            let before = self.output().len();
            self.spawn();
            if self.becomes_ready().await {
                return;
            }
            let said = self.output();
            let news = said.get(before..).unwrap_or_default().to_lowercase();
            let taken = news.contains("in use") || news.contains("taken");
            assert!(taken, "the program ended at start\n{said}");
            self.port = Port::reserve();
            let alone = self.issuer == self.base;
            let scheme = self.base.split("://").next().unwrap_or_default();
            self.base = format!("{scheme}://localhost:{}", self.port());
            if alone {
                self.issuer.clone_from(&self.base);
            }
        }
        panic!("no port found in three attempts\n{}", self.output());
    }

    fn spawn(&mut self) {
        let open = |name| {
            let path = self.folder.path().join(name);
            let file = File::options().create(true).append(true).open(path);
            Stdio::from(file.expect("open output file"))
        };
        let mut command = self.command(&["serve"]);
        command.stdout(open("stdout")).stderr(open("stderr"));
        let program = signet_program();
        let started = command.spawn();
        self.child =
            Some(started.unwrap_or_else(|error| panic!("start {}: {error}; build it first", program.display())));
    }

    /// Whether discovery answers, in contrast to an end of the program.
    async fn becomes_ready(&mut self) -> bool {
        let discovery = self.url("/.well-known/openid-configuration");
        let (http, child) = (&self.http, &mut self.child);
        let ready = eventually(PATIENCE, "discovery answers", async || {
            let ended = child.as_mut().map(Child::try_wait);
            if let Some(Ok(Some(_))) = ended {
                return Some(false);
            }
            let answer = http.get(&discovery).timeout(Duration::from_secs(5)).send();
            let status = answer.await.ok()?.status();
            (status == reqwest::StatusCode::OK).then_some(true)
        })
        .await;
        if !ready {
            self.child = None;
        }
        ready
    }

    /// The folder that holds the data directory and the output files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn base(port: &Port) -> String {
    format!("http://localhost:{}", port.number())
}

/// A client that follows no redirect, keeps no cookie, and trusts this certificate and no other.
pub fn trusting(cert: &Path) -> reqwest::ClientBuilder {
    let pem = std::fs::read(cert).expect("the certificate");
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_built_in_root_certs(false)
        .add_root_certificate(reqwest::Certificate::from_pem(&pem).expect("a certificate"))
}

impl Drop for Signet {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- output of {}\n{}", self.base, self.output());
        }
    }
}
