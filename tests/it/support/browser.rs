//! A browser without scripts: cookies, redirects, forms.

use reqwest::header::{ACCEPT, COOKIE, HeaderMap, LOCATION, ORIGIN};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use url::Url;

use super::html::{Form, find_form, forms, text};
use super::jar::Jar;
use super::signet::Signet;

/// An answer that is shown rather than followed.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it was found, after all redirects.
    pub url: Url,
    /// Status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Page {
    /// The first form that has a control of every one of these names.
    pub fn form(&self, names: &[&str]) -> Option<Form> {
        find_form(&self.url, &self.body, names)
    }

    /// Every form.
    pub fn forms(&self) -> Vec<Form> {
        forms(&self.url, &self.body)
    }

    /// Text of the first element a CSS selector finds.
    pub fn text(&self, selector: &str) -> Option<String> {
        text(&self.body, selector)
    }
}

/// Where a visit ends.
#[derive(Clone, Debug)]
pub enum Landing {
    /// On a page of the issuer.
    Page(Page),
    /// At a redirect that leaves the issuer; this is its target, which nobody calls.
    Left(Url),
}

impl Landing {
    /// The page. Panics when the visit left the issuer.
    pub fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Left(url) => panic!("left for {url} where a page was expected"),
        }
    }

    /// The address outside. Panics when the visit ended on a page.
    pub fn left(self) -> Url {
        match self {
            Self::Left(url) => url,
            Self::Page(page) => panic!(
                "{} at {} where a redirect to the application was expected\n{}",
                page.status, page.url, page.body
            ),
        }
    }
}

/// A browser of one person, with its own cookies. A clone shares nothing with the original.
#[derive(Clone, Debug)]
pub struct Browser {
    http: reqwest::Client,
    issuer: Url,
    /// The cookies, free to be inspected and changed.
    pub jar: Jar,
}

impl Browser {
    /// A browser without cookies.
    pub fn new(signet: &Signet) -> Self {
        Self { http: signet.http().clone(), issuer: Url::parse(signet.issuer()).expect("issuer"), jar: Jar::default() }
    }

    /// A request with the cookies for its URL; the answer is neither followed nor remembered.
    pub fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        let mut request = self.http.request(method, url.clone());
        request = request.header(ACCEPT, "text/html,application/xhtml+xml");
        if let Some(cookies) = self.jar.header(url.path()) {
            request = request.header(COOKIE, cookies);
        }
        request
    }

    /// Absolute form of a URL or path of the issuer.
    pub fn resolve(&self, url: &str) -> Url {
        self.issuer.join(url).expect("a URL or path")
    }

    /// Opens a URL or path and follows redirects within the issuer.
    pub async fn get(&mut self, url: impl AsRef<str>) -> Landing {
        let url = self.resolve(url.as_ref());
        let answer = self.request(Method::GET, &url).send().await;
        self.follow(url, answer.expect("an answer")).await
    }

    /// Posts fields as a form of the issuer's own page would, and follows redirects.
    pub async fn post(&mut self, url: impl AsRef<str>, fields: &[(String, String)]) -> Landing {
        let url = self.resolve(url.as_ref());
        let request = self
            .request(Method::POST, &url)
            .header(ORIGIN, self.issuer.origin().ascii_serialization())
            .header("Sec-Fetch-Site", "same-origin")
            .form(fields);
        let answer = request.send().await.expect("an answer");
        self.follow(url, answer).await
    }

    /// Fills in and sends the page's first form that has a control of every name in `fields`.
    pub async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Landing {
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        let form = page.form(&names).unwrap_or_else(|| {
            panic!("no form with {names:?} at {}\n{}", page.url, page.body);
        });
        self.send(form.with(fields)).await
    }

    /// Sends a form as it is.
    pub async fn send(&mut self, form: Form) -> Landing {
        if form.post {
            return self.post(&form.action, &form.fields).await;
        }
        let mut url = form.action;
        url.query_pairs_mut().clear().extend_pairs(&form.fields);
        self.get(url).await
    }

    async fn follow(&mut self, mut url: Url, mut answer: Response) -> Landing {
        for _ in 0..20 {
            self.jar.remember(answer.headers());
            let location = answer.headers().get(LOCATION);
            let Some(location) = location.filter(|_| answer.status().is_redirection()) else {
                return Landing::Page(Page {
                    status: answer.status(),
                    headers: answer.headers().clone(),
                    body: answer.text().await.expect("a body of text"),
                    url,
                });
            };
            let location = location.to_str().expect("an ASCII Location");
            url = url.join(location).expect("a URL in Location");
            if url.origin() != self.issuer.origin() {
                return Landing::Left(url);
            }
            let next = self.request(Method::GET, &url).send().await;
            answer = next.expect("an answer");
        }
        panic!("more than 20 redirects, the last to {url}");
    }
}
