//! A browser that reports a broken connection instead of ending the test.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, COOKIE, LOCATION, ORIGIN};
use reqwest::{RequestBuilder, StatusCode};
use url::Url;

use crate::support::html::Form;
use crate::support::jar::Jar;
use crate::support::prelude::*;

/// Why a request has no answer to go on with. Whether it was carried out is not known.
#[derive(Debug)]
pub enum Broken {
    /// No answer was received in full.
    Gone,
    /// The answer was 503.
    Unavailable,
    /// The answer was none of those that may come.
    Wrong,
}

/// What several workers have met together.
#[derive(Debug, Default)]
pub struct Progress {
    /// Answers received in full that promise something.
    pub acknowledged: AtomicUsize,
    /// Answers of 503.
    pub unavailable: AtomicUsize,
    /// Requests without an answer.
    pub gone: AtomicUsize,
    /// Workers end at their next request.
    pub stop: AtomicBool,
    wrong: Mutex<Vec<String>>,
}

impl Progress {
    /// Notes an answer that should not have been.
    pub fn wrong(&self, text: String) -> Broken {
        self.wrong.lock().expect("notes").push(text);
        Broken::Wrong
    }

    /// Everything that should not have been.
    pub fn all_wrong(&self) -> Vec<String> {
        self.wrong.lock().expect("notes").clone()
    }

    /// One more promise received.
    pub fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// Promises so far.
    pub fn count(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

/// An instance and a client of it, without hold on the process.
#[derive(Clone, Debug)]
pub struct Target {
    /// Connections of its own: none is older than the running process.
    pub http: reqwest::Client,
    /// The issuer.
    pub issuer: Url,
    /// A confidential client.
    pub client: Client,
    /// What all who share this target have met.
    pub progress: Arc<Progress>,
}

impl Target {
    /// The instance as it runs now.
    pub fn new(signet: &Signet, client: &Client) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .expect("HTTP client");
        Self {
            http,
            issuer: Url::parse(signet.issuer()).expect("issuer"),
            client: client.clone(),
            progress: Arc::default(),
        }
    }

    /// Sends a request and reads its answer to the end.
    pub async fn answer(&self, request: RequestBuilder) -> Result<Page, Broken> {
        let received = async {
            let answer = request.send().await?;
            let (url, status, headers) = (answer.url().clone(), answer.status(), answer.headers().clone());
            Ok::<_, reqwest::Error>(Page { url, status, headers, body: answer.text().await? })
        };
        let Ok(page) = received.await else {
            self.progress.gone.fetch_add(1, Ordering::Relaxed);
            return Err(Broken::Gone);
        };
        if page.status == StatusCode::SERVICE_UNAVAILABLE {
            self.progress.unavailable.fetch_add(1, Ordering::Relaxed);
            return Err(Broken::Unavailable);
        }
        if page.status.is_server_error() {
            return Err(self.progress.wrong(format!("{} at {}: {}", page.status, page.url, page.body)));
        }
        Ok(page)
    }

    /// Posts to the token endpoint.
    pub async fn token(&self, fields: &[(&str, &str)]) -> Result<Page, Broken> {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let secret = self.client.secret.as_deref().map(encoded);
        let request = self.http.post(self.issuer.join("/oauth/token").expect("URL"));
        self.answer(request.basic_auth(encoded(&self.client.id), secret).form(fields)).await
    }

    /// Redeems a code.
    pub async fn exchange(&self, code: &str, verifier: &str) -> Result<Page, Broken> {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.client.redirect_uri),
            ("code_verifier", verifier),
        ])
        .await
    }

    /// Redeems a refresh token.
    pub async fn refresh(&self, token: &str) -> Result<Page, Broken> {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Status of userinfo for an access token.
    pub async fn userinfo(&self, access_token: &str) -> Result<StatusCode, Broken> {
        let request = self.http.get(self.issuer.join("/oauth/userinfo").expect("URL"));
        Ok(self.answer(request.bearer_auth(access_token)).await?.status)
    }

    /// Where an authorization request goes.
    pub fn authorize(&self, request: &AuthRequest) -> Url {
        let mut url = self.issuer.join("/oauth/authorize").expect("URL");
        url.query_pairs_mut().extend_pairs(&request.parameters);
        url
    }
}

/// A browser of one person.
#[derive(Clone, Debug)]
pub struct Agent {
    target: Target,
    /// Its cookies.
    pub jar: Jar,
}

impl Agent {
    /// A browser with these cookies.
    pub fn new(target: &Target, jar: Jar) -> Self {
        Self { target: target.clone(), jar }
    }

    /// Opens a URL and follows redirects within the issuer.
    pub async fn open(&mut self, url: &Url) -> Result<Landing, Broken> {
        let request = self.cookies(self.target.http.get(url.clone()), url);
        let page = self.answer(request).await?;
        self.follow(page).await
    }

    /// Sends a form; the answer is not followed.
    pub async fn send(&mut self, form: &Form) -> Result<Page, Broken> {
        let request = self.target.http.post(form.action.clone()).form(&form.fields);
        let request = request.header(ORIGIN, self.target.issuer.origin().ascii_serialization());
        let request = self.cookies(request, &form.action);
        self.answer(request).await
    }

    /// Goes where an answer leads, as long as that is within the issuer.
    pub async fn follow(&mut self, mut page: Page) -> Result<Landing, Broken> {
        for _ in 0..10 {
            let Some(next) = location(&page) else { return Ok(Landing::Page(page)) };
            if next.origin() != self.target.issuer.origin() {
                return Ok(Landing::Left(next));
            }
            let request = self.cookies(self.target.http.get(next.clone()), &next);
            page = self.answer(request).await?;
        }
        Err(self.target.progress.wrong(format!("more than ten redirects, the last to {}", page.url)))
    }

    async fn answer(&mut self, request: RequestBuilder) -> Result<Page, Broken> {
        let page = self.target.answer(request).await?;
        self.jar.remember(&page.headers);
        Ok(page)
    }

    fn cookies(&self, request: RequestBuilder, url: &Url) -> RequestBuilder {
        let request = request.header(ACCEPT, "text/html");
        match self.jar.header(url.path()) {
            Some(cookies) => request.header(COOKIE, cookies),
            None => request,
        }
    }
}

/// Where an answer redirects to.
pub fn location(page: &Page) -> Option<Url> {
    let location = page.headers.get(LOCATION).filter(|_| page.status.is_redirection())?;
    page.url.join(location.to_str().ok()?).ok()
}
