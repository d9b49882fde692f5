//! A real browser for the pages.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities as _;
use thirtyfour::{DesiredCapabilities, WebDriver};
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
        let profile = tempfile::tempdir().expect("profile directory");
        let mut capabilities = DesiredCapabilities::chrome();
        let folder = format!("--user-data-dir={}", profile.path().display());
        for argument in ARGUMENTS.iter().copied().chain([folder.as_str()]) {
            capabilities.add_arg(argument).expect("an argument");
        }
        let driver = WebDriver::new(chromedriver_url(), capabilities).await;
        Self { driver: driver.expect("start Chromium"), _profile: profile }
    }

    /// Sends one DevTools command and gives its result.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(method, parameters).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Pictures the whole page at 1280 and 390 pixels width, light and dark:
    /// `NAME-1280-light.png` and so on. `SIGNET_TEST_SCREENSHOTS` names the folder.
    pub async fn screenshot(&self, name: &str) -> Vec<PathBuf> {
        let folder = folder();
        let mut files = Vec::new();
        for width in [1280, 390] {
            for scheme in ["light", "dark"] {
                let file = folder.join(format!("{name}-{width}-{scheme}.png"));
                self.show_as(width, scheme).await;
                let picture = self.driver.screenshot_as_png().await.expect("a picture");
                std::fs::write(&file, picture).expect("write the picture");
                files.push(file);
            }
        }
        let none = json!({});
        self.devtools("Emulation.clearDeviceMetricsOverride", none.clone()).await;
        self.devtools("Emulation.setEmulatedMedia", none).await;
        files
    }

    /// Shows the page at a width, as high as it is, in a colour scheme.
    pub async fn show_as(&self, width: u32, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        self.resize(width, 800).await;
        let script = "return Math.ceil(document.documentElement.scrollHeight)";
        let height = self.driver.execute(script, Vec::new()).await;
        let height = height.expect("height of the page").json().as_u64();
        self.resize(width, height.unwrap_or(800).clamp(600, 8000)).await;
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
