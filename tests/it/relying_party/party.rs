//! A script of `tests/relying` as a child process, and the conversation with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use url::Url;

use crate::scene::Scene;
use crate::support::prelude::*;
use crate::support::services::setting;

/// How long a script may take to say something.
const LIMIT: Duration = Duration::from_mins(2);

/// A running script. It ends with this value, at the latest.
pub struct Party {
    child: Child,
    hears: ChildStdin,
    says: UnboundedReceiver<String>,
    complaints: Option<JoinHandle<String>>,
}

impl Party {
    /// A scenario of `tests/relying/node` as the client of a scene.
    pub fn node(scene: &Scene, scenario: &str, settings: &Value) -> Self {
        Self::start(scene, &setting("SIGNET_TEST_NODE"), &["node/main.js", scenario], settings)
    }

    /// A scenario of `tests/relying/python` as the client of a scene.
    pub fn python(scene: &Scene, scenario: &str, settings: &Value) -> Self {
        Self::start(scene, &setting("SIGNET_TEST_PYTHON"), &["python/main.py", scenario], settings)
    }

    fn start(scene: &Scene, program: &str, arguments: &[&str], settings: &Value) -> Self {
        let cert = scene.signet.folder().join("tls/tls.crt");
        let mut child = command(program, arguments, &cert).spawn().expect("start the script");
        let (stdout, mut stderr) = (child.stdout.take().expect("output"), child.stderr.take().expect("errors"));
        let hears = child.stdin.take().expect("input");
        let (told, says) = unbounded_channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| told.send(line))
        });
        let complaints = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let mut party = Self { child, hears, says, complaints: Some(complaints) };
        let mut all = json!({
            "issuer": scene.signet.issuer(),
            "client_id": scene.client.id,
            "client_secret": scene.client.secret,
            "redirect_uri": scene.client.redirect_uri,
        });
        let further = settings.as_object().expect("an object of settings").clone();
        all.as_object_mut().expect("an object").extend(further);
        party.tell(&all);
        party
    }

    /// The address it wants a person's browser to open.
    pub async fn opens(&mut self) -> Url {
        let said = self.line().await;
        let url = said.get("open").and_then(Value::as_str).unwrap_or_else(|| panic!("no address to open: {said}"));
        Url::parse(url).expect("a URL")
    }

    /// Hands it what came back: by a redirect, or posted by the form that the browser was shown last.
    pub fn returns(&mut self, landing: Landing) {
        let message = match landing {
            Landing::Left(callback) => json!({ "url": callback }),
            Landing::Page(page) => {
                let form = page.form(&["iss"]).unwrap_or_else(|| panic!("neither redirect nor form: {page:?}"));
                assert!(form.post && form.action.as_str() != page.url.as_str(), "{page:?}");
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
                json!({ "url": form.action, "body": body })
            }
        };
        self.tell(&message);
    }

    /// Goes where it wants to, as a person who signs in and consents.
    pub async fn visits(&mut self, scene: &Scene) -> Url {
        let url = self.opens().await;
        let landing = flow::through(&mut scene.browser(), &url, &scene.user).await;
        self.returns(landing);
        url
    }

    /// What it found in the end.
    pub async fn result(mut self) -> Value {
        let said = self.line().await;
        said.get("result").cloned().unwrap_or_else(|| panic!("no result: {said}\n{}", self.complaints()))
    }

    fn tell(&mut self, message: &Value) {
        writeln!(self.hears, "{message}").expect("a script that listens");
    }

    async fn line(&mut self) -> Value {
        let said = tokio::time::timeout(LIMIT, self.says.recv()).await;
        let Ok(Some(line)) = said else {
            panic!("nothing said: {said:?}\n{}", self.complaints());
        };
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Ends it, and gives what it wrote to standard error.
    fn complaints(&mut self) -> String {
        self.end();
        self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.end();
    }
}

/// The script with nothing of this machine's settings, and one certificate to trust.
fn command(program: &str, arguments: &[&str], cert: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(PathBuf::from(setting("SIGNET_TEST_RELYING")))
        .env_clear()
        .env("NODE_EXTRA_CA_CERTS", cert)
        .env("SSL_CERT_FILE", cert)
        .env("REQUESTS_CA_BUNDLE", cert)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Marks what belongs to one run of `tests/run`.
    if let Some(run) = std::env::var_os("SIGNET_TEST_RUN") {
        command.env("SIGNET_TEST_RUN", run);
    }
    command
}
