//! A real browser for the pages.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities as _;
use thirtyfour::{BrowserLogEntry, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};
use url::Url;

use super::services::{chromedriver_url, workspace};

const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// A headless Chromium with a profile of its own; ends with the value.
#[derive(Debug)]
pub struct Chrome {
    driver: WebDriver,
    _profile: TempDir,
}

impl Chrome {
    /// Starts it.
    pub async fn start() -> Self {
        Self::start_with(&[], false).await
    }

    /// Starts it with further arguments, and with cookies in the frames of other sites: as somebody's browser with a window
    /// has them by default, but headless ones do not.
    pub async fn start_with(arguments: &[&str], cookies_in_frames: bool) -> Self {
        let profile = tempfile::tempdir().expect("profile directory");
        let mut capabilities = DesiredCapabilities::chrome();
        let folder = format!("--user-data-dir={}", profile.path().display());
        for argument in ARGUMENTS.iter().chain(arguments).copied().chain([folder.as_str()]) {
            capabilities.add_arg(argument).expect("an argument");
        }
        if cookies_in_frames {
            let allowed = json!({ "profile": { "cookie_controls_mode": 0, "block_third_party_cookies": false } });
            capabilities.add_experimental_option("prefs", allowed).expect("preferences");
        }
        for log in ["browser", "performance"] {
            capabilities.set_logging_prefs(log, LoggingPrefsLogLevel::All).expect("a log");
        }
        let driver = WebDriver::new(chromedriver_url(), capabilities).await;
        Self { driver: driver.expect("start Chromium"), _profile: profile }
    }

    /// Sends one DevTools command and gives its result.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(method, parameters).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Pictures the page at each width and in each colour scheme given, at most 1,400 pixels high:
    /// `NAME-1280-light.png` and so on. `SIGNET_TEST_SCREENSHOTS` names the folder.
    pub async fn screenshot(&self, name: &str, views: &[(u32, &str)]) -> Vec<PathBuf> {
        let folder = folder();
        let mut files = Vec::new();
        for (width, scheme) in views {
            let file = folder.join(format!("{name}-{width}-{scheme}.png"));
            self.show(*width, scheme, 1400).await;
            let picture = self.driver.screenshot_as_png().await.expect("a picture");
            std::fs::write(&file, picture).expect("write the picture");
            files.push(file);
        }
        self.show_plainly().await;
        files
    }

    /// Ends what `show_as` began.
    pub async fn show_plainly(&self) {
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
    }

    /// What the console said since the last call: errors, refusals of the content security policy.
    pub async fn console(&self) -> Vec<BrowserLogEntry> {
        self.driver.browser_log().await.expect("the console")
    }

    /// URLs that pages asked for since the last call, redirects included.
    pub async fn requests(&self) -> Vec<String> {
        let entries = self.driver.get_log("performance").await.expect("the record of requests");
        let request = |entry: BrowserLogEntry| {
            let event: Value = serde_json::from_str(&entry.message).expect("an event in JSON");
            let (message, text) = (&event["message"], |value: &Value| value.as_str().map(str::to_owned));
            let sent = message["method"] == "Network.requestWillBeSent";
            // The browser's own first page asks itself.
            let page = text(&message["params"]["documentURL"]).filter(|page| !page.starts_with("chrome:"));
            page.filter(|_| sent).and_then(|_| text(&message["params"]["request"]["url"]))
        };
        entries.into_iter().filter_map(request).collect()
    }

    /// Shows the page at a width, as high as it is, in a colour scheme.
    pub async fn show_as(&self, width: u32, scheme: &str) {
        self.show(width, scheme, 8000).await;
    }

    async fn show(&self, width: u32, scheme: &str, limit: u64) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        self.resize(width, 800).await;
        let script = "return Math.ceil(document.documentElement.scrollHeight)";
        let height = self.driver.execute(script, Vec::new()).await;
        let height = height.expect("height of the page").json().as_u64();
        self.resize(width, height.unwrap_or(800).clamp(600, limit)).await;
    }

    async fn resize(&self, width: u32, height: u64) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }
}

impl Drop for Chrome {
    /// Ends the browser over a connection of its own: the driver's connections are served by the
    /// test's runtime, which cannot turn while this waits.
    fn drop(&mut self) {
        let url = Url::parse(&chromedriver_url()).expect("URL of chromedriver");
        let authority = url.authority();
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n",
            self.driver.session_id()
        );
        let ended = TcpStream::connect(authority).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream.write_all(request.as_bytes())?;
            stream.read(&mut [0; 16])
        });
        if let Err(error) = ended {
            eprintln!("Chromium is not ended: {error}");
        }
        let _ = self.driver.clone().leak();
    }
}

impl Deref for Chrome {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.driver
    }
}

fn folder() -> PathBuf {
    let folder = match std::env::var_os("SIGNET_TEST_SCREENSHOTS") {
        Some(folder) => workspace().join(folder),
        None => workspace().join("target/screenshots"),
    };
    std::fs::create_dir_all(&folder).expect("folder for pictures");
    folder
}
