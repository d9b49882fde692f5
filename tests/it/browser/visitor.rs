//! A person in front of a real browser.

use thirtyfour::{By, WebElement};
use url::Url;

use super::audit;
use crate::support::cli::PASSWORD;
use crate::support::prelude::*;

/// A browser beside an instance of its own.
#[derive(Debug)]
pub struct Visitor {
    /// The program.
    pub signet: Signet,
    /// The browser.
    pub chrome: Chrome,
}

impl Visitor {
    /// Starts both.
    pub async fn start(database: Database) -> Self {
        Self { signet: Signet::start(database).await, chrome: Chrome::start().await }
    }

    /// Opens a path of the issuer.
    pub async fn open(&self, path: &str) {
        self.chrome.goto(self.signet.url(path)).await.expect("the page opens");
    }

    /// Opens an address.
    pub async fn visit(&self, url: &Url) {
        self.chrome.goto(url.as_str()).await.expect("the page opens");
    }

    /// The element a CSS selector finds, waiting for it.
    pub async fn find(&self, css: &str) -> WebElement {
        let at = async || self.chrome.find(By::Css(css)).await.ok();
        eventually(PATIENCE, css, at).await
    }

    /// Waits until the page's heading is this.
    pub async fn heading(&self, expected: &str) {
        let mut seen = String::new();
        let shown = async || {
            seen = self.text("h1").await.unwrap_or_default();
            (seen == expected).then_some(())
        };
        // The shorter limit tells what was there instead.
        let limit = tokio::time::timeout(PATIENCE / 2, eventually(PATIENCE, expected, shown));
        assert!(limit.await.is_ok(), "the heading is “{seen}” where “{expected}” was expected");
    }

    /// Text of the first element a CSS selector finds, if there is one now.
    pub async fn text(&self, css: &str) -> Option<String> {
        self.chrome.find(By::Css(css)).await.ok()?.text().await.ok()
    }

    /// Text of the whole page, folded parts left out.
    pub async fn body(&self) -> String {
        self.find("body").await.text().await.expect("text of the page")
    }

    /// Presses the button or link of this text.
    pub async fn press(&self, text: &str) {
        let path = format!("//*[self::a or self::button or self::summary][normalize-space()='{text}']");
        let at = async || self.chrome.find(By::XPath(path.as_str())).await.ok();
        let control = eventually(PATIENCE, text, at).await;
        control.click().await.unwrap_or_else(|error| panic!("press “{text}”: {error}"));
    }

    /// Types into an empty field.
    pub async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("input[name={name}]")).await;
        field.clear().await.expect("an empty field");
        field.send_keys(text).await.expect("typed");
    }

    /// What a field holds.
    pub async fn value(&self, name: &str) -> String {
        let field = self.find(&format!("input[name={name}]")).await;
        field.value().await.expect("value of the field").unwrap_or_default()
    }

    /// Where the browser is.
    pub async fn url(&self) -> Url {
        self.chrome.current_url().await.expect("an address")
    }

    /// Runs a script in the page and gives what it returns.
    pub async fn script(&self, script: &str) -> serde_json::Value {
        let result = self.chrome.execute(script, Vec::new()).await;
        result.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// Fills in and sends the sign-in page.
    pub async fn sign_in(&self, name: &str) {
        self.heading("Sign in").await;
        self.fill("username", name).await;
        self.fill("password", PASSWORD).await;
        self.send("Sign in").await;
    }

    /// Fills in and sends the registration page.
    pub async fn register(&self, user: &User) {
        self.heading("Create an account").await;
        self.fill("username", &user.username).await;
        self.fill("email", &user.email).await;
        self.fill("password", &user.password).await;
        self.send("Create account").await;
    }

    /// Presses a button that sends a form, and waits until its page is left: the answer has come, cookies and all.
    async fn send(&self, button: &str) {
        let page = self.find("h1").await;
        self.press(button).await;
        let left = async || page.text().await.is_err().then_some(());
        eventually(PATIENCE, &format!("an answer to “{button}”"), left).await;
    }

    /// From the playground's first page to that of registration.
    pub async fn ask_to_register(&self) {
        self.open("/playground").await;
        self.press("Sign in with Signet").await;
        self.heading("Sign in").await;
        self.press("Create one").await;
        self.heading("Create an account").await;
    }

    /// Pictures the page under a name as a telephone shows it, and holds it against what every page must be.
    pub async fn inspect(&self, name: &str) {
        self.chrome.screenshot(name, &[(390, "light")]).await;
        audit::page(self, name).await;
    }

    /// The same for a page that is worth more pictures.
    pub async fn inspect_closely(&self, name: &str) {
        self.chrome.screenshot(name, &[(1280, "light"), (1280, "dark"), (390, "light")]).await;
        audit::page(self, name).await;
    }
}
