//! Redis for a test: a command over a plain connection, or a server of its own.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use url::Url;

use super::port::Port;
use super::services::{redis_url, scratch};
use super::wait::{PATIENCE, eventually};

/// Sends one command to the shared Redis and gives the first line of its answer.
pub async fn command(arguments: &[&str]) -> String {
    command_at(&redis_url(), arguments).await.expect("an answer of Redis")
}

/// The same with the Redis at a URL.
async fn command_at(url: &str, arguments: &[&str]) -> std::io::Result<String> {
    use std::fmt::Write as _;

    let url = Url::parse(url).expect("URL of Redis");
    let host = url.host_str().expect("host of Redis");
    let port = url.port().expect("port of Redis");
    let mut request = format!("*{}\r\n", arguments.len());
    for argument in arguments {
        write!(request, "${}\r\n{argument}\r\n", argument.len()).expect("write to a string");
    }
    let mut stream = BufReader::new(TcpStream::connect((host, port)).await?);
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

/// A Redis of one test, which the test may kill.
#[derive(Debug)]
pub struct PrivateRedis {
    server: Option<Child>,
    port: Port,
    folder: TempDir,
}

impl PrivateRedis {
    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        let mut server = Self { server: None, port: Port::reserve(), folder: scratch() };
        server.restart().await;
        server
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port.number())
    }

    /// Sends one command and gives the first line of its answer.
    pub async fn command(&self, arguments: &[&str]) -> String {
        command_at(&self.url(), arguments).await.expect("an answer of Redis")
    }

    /// Kills it with SIGKILL and reaps it.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("kill Redis");
            server.wait().expect("reap Redis");
        }
    }

    /// Starts it on the same port, empty, and waits until it answers.
    pub async fn restart(&mut self) {
        self.kill();
        let started = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.number().to_string()])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.server = Some(started.expect("start redis-server"));
        let url = self.url();
        eventually(PATIENCE, "Redis answers", async || {
            let answer = command_at(&url, &["PING"]).await.ok()?;
            (answer == "+PONG").then_some(())
        })
        .await;
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        self.kill();
    }
}
