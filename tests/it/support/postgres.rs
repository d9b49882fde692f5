//! PostgreSQL for a test: a schema of its own in the shared server, or a server of its own.

use std::fs::File;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use uuid::Uuid;

use super::port::Port;
use super::services::{database_url, postgres_owner, postgres_program, scratch};
use super::wait::{PATIENCE, eventually};

/// A schema in the shared database, dropped with its content at the end.
#[derive(Debug)]
pub struct Schema {
    name: String,
}

impl Schema {
    /// Creates an empty schema with a random name.
    pub fn create() -> Self {
        let name = format!("t{}", Uuid::new_v4().simple());
        connect(&database_url()).batch_execute(&format!("CREATE SCHEMA {name}")).expect("create schema");
        Self { name }
    }

    /// Name of the schema.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connection URL whose search path is this schema alone.
    pub fn url(&self) -> String {
        format!("{}?options=-csearch_path%3D{}", database_url(), self.name)
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let statement =
            format!("SET lock_timeout = '30s'; SET client_min_messages = warning; DROP SCHEMA {} CASCADE", self.name);
        let dropped = PgConnection::establish(&database_url())
            .map_err(|error| error.to_string())
            .and_then(|mut connection| connection.batch_execute(&statement).map_err(|error| error.to_string()));
        if let Err(error) = dropped {
            eprintln!("schema {} stays behind: {error}", self.name);
        }
    }
}

/// Opens a connection. Panics when there is no server.
pub fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|error| panic!("connect to PostgreSQL: {error}"))
}

/// A PostgreSQL cluster of one test, with fsync on and a postmaster the test may kill.
#[derive(Debug)]
pub struct PrivatePostgres {
    postmaster: Option<Child>,
    port: Port,
    password: String,
    folder: TempDir,
}

impl PrivatePostgres {
    /// Makes a cluster and starts its server.
    pub async fn start() -> Self {
        let folder = scratch();
        let password = Uuid::new_v4().simple().to_string();
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, &password).expect("write password file");
        if let Some((uid, gid)) = postgres_owner() {
            chown(folder.path(), Some(uid), Some(gid)).expect("hand over folder");
            chown(&password_file, Some(uid), Some(gid)).expect("hand over password file");
        }
        let made = program("initdb", folder.path())
            .args(["--username=signet", "--auth=scram-sha-256", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C"])
            .arg(format!("--pwfile={}", password_file.display()))
            .arg(folder.path().join("data"))
            .output()
            .expect("run initdb");
        assert!(made.status.success(), "initdb: {made:?}");
        let mut server = Self { postmaster: None, port: Port::reserve(), password, folder };
        server.restart().await;
        server
    }

    /// Connection URL of its database, as superuser.
    pub fn url(&self) -> String {
        format!("postgres://signet:{}@127.0.0.1:{}/postgres", self.password, self.port.number())
    }

    /// Where the cluster's files are.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Kills the postmaster with SIGKILL and reaps it. Its children notice and end by themselves.
    pub fn kill_postmaster(&mut self) {
        if let Some(mut postmaster) = self.postmaster.take() {
            postmaster.kill().expect("kill postmaster");
            postmaster.wait().expect("reap postmaster");
        }
    }

    /// Stops it in order, as `pg_ctl stop -m fast` does: connections are ended, nothing is lost.
    pub async fn shut_down(&mut self) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        let pid = i32::try_from(postmaster.id()).ok().and_then(Pid::from_raw).expect("process id");
        kill_process(pid, Signal::INT).expect("a signal");
        eventually(PATIENCE, "PostgreSQL ends", async || postmaster.try_wait().expect("state of postmaster")).await;
    }

    /// Freezes all its processes. The kernel goes on to acknowledge what arrives for them.
    pub fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        self.signal_all(Signal::CONT);
    }

    /// The postmaster first, so that it starts nothing new.
    fn signal_all(&self, signal: Signal) {
        let Some(postmaster) = &self.postmaster else { return };
        let parent = postmaster.id();
        let mut pids = vec![parent];
        for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            // The name, in brackets, may hold anything; behind it are the state and the parent.
            let fields = stat.rsplit(')').next().unwrap_or_default();
            if fields.split_whitespace().nth(1) == Some(&*parent.to_string()) {
                pids.push(pid);
            }
        }
        for pid in pids {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("process id");
            // One may have ended by itself.
            let _ = kill_process(pid, signal);
        }
    }

    /// Starts the server on the same files and port, and waits until it answers.
    pub async fn restart(&mut self) {
        self.kill_postmaster();
        let url = self.url();
        eventually(PATIENCE, "PostgreSQL answers", async || {
            // It refuses to start until the last child of a killed postmaster is gone.
            let gone = match &mut self.postmaster {
                None => true,
                Some(child) => child.try_wait().expect("state of postmaster").is_some(),
            };
            if gone {
                self.postmaster = Some(self.spawn());
            }
            PgConnection::establish(&url).ok().map(drop)
        })
        .await;
    }

    fn spawn(&self) -> Child {
        let log = self.folder.path().join("log");
        let log = File::options().create(true).append(true).open(log).expect("open log");
        program("postgres", self.folder.path())
            .arg("-D")
            .arg(self.data_dir())
            .args(["-p", &self.port.number().to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=on"])
            .args(["-c", "shared_buffers=16MB"])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", self.folder.path().display()))
            .stdout(log.try_clone().expect("share log"))
            .stderr(log)
            .spawn()
            .expect("start postgres")
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("--- private PostgreSQL\n{log}");
        }
        // What is frozen would not notice its end.
        self.thaw();
        self.kill_postmaster();
    }
}

fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(postgres_program(name));
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    if let Some((uid, gid)) = postgres_owner() {
        command.uid(uid).gid(gid);
    }
    command
}
