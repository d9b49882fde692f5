//! The HTTP client of the playground: it sends what the library asks for and keeps a record.

use std::{cell::RefCell, collections::VecDeque, future::Future, pin::Pin};

use openidconnect::{
    AsyncHttpClient, HttpRequest, HttpResponse,
    http::{self, HeaderMap, header},
};

use super::{
    decode::{break_form, break_url, indent_json},
    host_of,
};

/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// Longest body that is shown, in bytes.
const MAX_SHOWN: usize = 16 * 1024;

/// One request and its answer, as text. Line breaks are added for reading; nothing else is changed
/// but for what is hidden.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    /// What it is for.
    pub(super) step: Step,
    /// Method of the request.
    pub(super) method: String,
    /// Path of the request, without its query.
    pub(super) path: String,
    /// The request: request line, headers, body; empty for a step in which the application sends nothing.
    pub(super) request: String,
    /// The status of the answer; `None` for what the browser did.
    pub(super) status: Option<String>,
    /// The answer: headers, body; `None` for what the browser did.
    pub(super) answer: Option<String>,
}

/// What an exchange is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Reads the discovery document.
    Discovery,
    /// Reads the issuer's public keys.
    Keys,
    /// The browser goes to the authorization endpoint.
    Authorize,
    /// The person signs in and consents, out of the application's sight.
    Person,
    /// The browser comes back with a code or an error.
    Callback,
    /// The code is exchanged for tokens.
    Token,
    /// The ID token has passed its checks.
    Verified,
    /// The access token is used at the `UserInfo` endpoint.
    UserInfo,
    /// The refresh token is exchanged for new tokens.
    Refresh,
    /// The browser goes to the end-session endpoint.
    SignOut,
    /// Anything else.
    Other,
}

/// Why an answer could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// No connection, no answer in time, or a broken one.
    #[error("the issuer did not answer")]
    Http(#[from] reqwest::Error),
    /// The answer goes on for longer than is read.
    #[error("the issuer's answer is longer than {MAX_ANSWER} bytes")]
    TooLong,
    /// The answer could not be put together.
    #[error("the issuer's answer is not HTTP")]
    Malformed(#[from] http::Error),
}

/// Sends requests and records them, each under the next of the steps it was made with.
#[derive(Debug)]
pub(super) struct Recorder {
    http: reqwest::Client,
    steps: RefCell<VecDeque<Step>>,
    exchanges: RefCell<Vec<Exchange>>,
}

impl Recorder {
    /// A recorder for requests that are made in the order of `steps`.
    pub(super) fn new(http: &reqwest::Client, steps: impl IntoIterator<Item = Step>) -> Self {
        Self { http: http.clone(), steps: RefCell::new(steps.into_iter().collect()), exchanges: RefCell::default() }
    }

    /// What was recorded.
    pub(super) fn into_exchanges(self) -> Vec<Exchange> {
        self.exchanges.into_inner()
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let step = self.steps.borrow_mut().pop_front();
        let mut exchange = sent(step.unwrap_or(Step::Other), &request);
        let result = self.send(request).await;
        match &result {
            Ok(response) => {
                exchange.status = Some(response.status().to_string());
                exchange.answer = Some(message(response.headers(), response.body()));
            }
            Err(error) => {
                exchange.status = Some("no answer".to_owned());
                exchange.answer = Some(error.to_string());
            }
        }
        self.exchanges.borrow_mut().push(exchange);
        result
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let mut answer = self.http.execute(request.try_into()?).await?;
        let mut response = http::Response::builder().status(answer.status()).version(answer.version());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len().saturating_add(chunk.len()) > MAX_ANSWER {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(response.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Recorder {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.fetch(request))
    }
}

/// A step that the browser took: it was sent to `url`.
pub(super) fn browser_step(step: Step, url: &url::Url) -> Exchange {
    Exchange {
        step,
        method: "GET".to_owned(),
        path: url.path().to_owned(),
        request: format!("GET {}", break_url(url.as_str())),
        status: None,
        answer: None,
    }
}

/// A step in which the application sends nothing.
pub(super) fn silent_step(step: Step) -> Exchange {
    Exchange { step, method: String::new(), path: String::new(), request: String::new(), status: None, answer: None }
}

/// The request as it goes out, `Host` and `Content-Length` included, which the client adds.
fn sent(step: Step, request: &HttpRequest) -> Exchange {
    let url = request.uri().to_string();
    let mut headers = request.headers().clone();
    if let Ok(host) = url::Url::parse(&url).map(|url| host_of(&url))
        && let Ok(value) = host.parse()
    {
        headers.insert(header::HOST, value);
    }
    if !request.body().is_empty() {
        headers.insert(header::CONTENT_LENGTH, request.body().len().into());
    }
    let text = message(&headers, request.body());
    Exchange {
        step,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        request: format!("{} {}\n{text}", request.method(), break_url(&url)),
        status: None,
        answer: None,
    }
}

/// Headers and body, cookies and client credentials hidden.
fn message(headers: &HeaderMap, body: &[u8]) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let basic = value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "));
        let shown = match *name {
            header::COOKIE | header::SET_COOKIE => "(hidden)",
            header::AUTHORIZATION if basic => "Basic (hidden)",
            _ => &value,
        };
        text.extend([name.as_str(), ": ", shown, "\n"]);
    }
    if !body.is_empty() {
        text.push('\n');
        text.push_str(&body_text(headers, body));
    }
    text.trim_end().to_owned()
}

fn body_text(headers: &HeaderMap, body: &[u8]) -> String {
    let shown = body.get(..MAX_SHOWN).unwrap_or(body);
    let text = String::from_utf8_lossy(shown);
    if shown.len() < body.len() {
        return format!("{text}\n(and {} bytes more)", body.len().saturating_sub(shown.len()));
    }
    let kind = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) {
        return break_form(&text);
    }
    indent_json(&text).unwrap_or_else(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_and_client_credentials_are_hidden() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::COOKIE, "session=topsecret"),
            (header::SET_COOKIE, "session=topsecret"),
            (header::AUTHORIZATION, "basic dG9wc2VjcmV0"),
            (header::ACCEPT, "application/json"),
        ] {
            headers.insert(name, http::HeaderValue::from_static(value));
        }
        let text = message(&headers, b"");
        assert!(!text.contains("topsecret") && !text.contains("dG9wc2VjcmV0"), "{text}");
        assert!(text.contains("accept: application/json"), "{text}");
    }

    #[test]
    fn a_long_body_is_cut() {
        let text = message(&HeaderMap::new(), &vec![b'a'; MAX_SHOWN + 5]);
        assert!(text.ends_with("(and 5 bytes more)"));
    }
}
