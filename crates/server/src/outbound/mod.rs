//! Everything the provider fetches from, or sends to, addresses that others name (protocol O1): clients' key sets, request
//! objects, sector identifiers, sign-outs.
//!
//! The rules hold for all of it: https; no redirect is followed; a name is looked up once and only public addresses of
//! it are connected to; one time limit for the whole, 64 KiB for the answer; no proxy, no cookie, no connection that is
//! kept; few at once. Why a fetch failed is for the log: told to the caller it would say what there is in our network.

mod address;
pub mod key_sets;
mod lanes;
mod resolve;

use std::{error::Error as _, io, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use reqwest::{Certificate, Client, ClientBuilder, StatusCode, header, redirect};
use signet_oidc::client::is_loopback_host;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use self::{
    lanes::Lanes,
    resolve::{Lookup, NoAddress, Resolver},
};
use crate::{
    config::settings,
    reload::Hook,
    telemetry::metrics,
    tls::files::{self, Problem},
};

/// No answer is longer, in bytes.
pub const LARGEST: usize = 65_536;
/// No URL is longer, in bytes.
const LONGEST_URL: usize = 2_048;

/// Why the settings give no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file of further authorities.
    #[error("outbound.trusted_ca ({}): {problem}", .path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: Problem,
    },
    /// A certificate in it is no authority's, or TLS as a whole cannot be set up.
    #[error("outbound.trusted_ca: the certificates cannot be used: {0}")]
    Client(String),
}

/// Why nothing was fetched. No text says anything of the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not a URL, too long, without a host or with a user name.
    #[error("this is no URL to fetch")]
    Url,
    /// Not https.
    #[error("the URL is not https")]
    NotHttps,
    /// The name is not in DNS, or DNS does not answer.
    #[error("the name is not found")]
    Unknown,
    /// The address, or each of those behind the name, is not allowed.
    #[error("it leads to no public address; outbound.allow_private allows private ones")]
    Forbidden,
    /// Too many others were before it for half of the time limit.
    #[error("too many fetches are under way")]
    Busy,
    /// Not done within the time limit.
    #[error("it took too long")]
    Timeout,
    /// No connection.
    #[error("nothing answers there")]
    Unreachable,
    /// The certificate is not trusted.
    #[error("the certificate is not trusted: {0}")]
    Untrusted(String),
    /// The answer leads elsewhere.
    #[error("the answer is a redirect")]
    Redirect,
    /// The answer is not 200.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The answer is longer than 64 KiB.
    #[error("the answer is longer than {LARGEST} bytes")]
    TooLarge,
    /// The answer is not HTTP, or ended early.
    #[error("the answer is broken")]
    Broken,
}

impl FetchError {
    fn label(&self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::NotHttps => "not_https",
            Self::Unknown => "unknown",
            Self::Forbidden => "forbidden",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Untrusted(_) => "untrusted",
            Self::Redirect => "redirect",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Broken => "broken",
        }
    }
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body of an answer with status 200.
    pub body: Vec<u8>,
    /// For how long the answer says it may be kept (RFC 9111 §5.2.2): `max-age`; zero for `no-store` and `no-cache`.
    pub max_age: Option<Duration>,
}

/// The client for all of it.
pub struct Outbound {
    lanes: Lanes,
    lookup: Lookup,
    active: ArcSwap<Active>,
}

/// What the settings make of it.
struct Active {
    client: Client,
    private: bool,
    limit: Duration,
}

impl Outbound {
    /// As the settings say; reads the file of further authorities.
    pub fn new(settings: &settings::Outbound) -> Result<Self, SetupError> {
        Self::with_lookup(settings, Resolver::system())
    }

    fn with_lookup(settings: &settings::Outbound, lookup: Lookup) -> Result<Self, SetupError> {
        let active = ArcSwap::from_pointee(Active::new(settings, &lookup)?);
        Ok(Self { lanes: Lanes::new(), lookup, active })
    }

    /// What takes other settings over, and reads the file of further authorities anew.
    pub fn hook(self: &Arc<Self>) -> Hook {
        let outbound = Arc::clone(self);
        Box::new(move |config| {
            let active = Active::new(&config.outbound, &outbound.lookup).map_err(|error| error.to_string())?;
            let outbound = Arc::clone(&outbound);
            Ok(Box::new(move || outbound.active.store(Arc::new(active))))
        })
    }

    /// GET. Only an answer with status 200 counts.
    pub async fn get(&self, url: &str, accept: &'static str) -> Result<Fetched, FetchError> {
        let result = self.attempt(url, async |client, url| exchange(client, url, accept).await).await;
        metrics::fetched(result.as_ref().map_or_else(FetchError::label, |_| "ok"));
        result
    }

    /// POST of a form. Answers the status, whatever it is; the body of the answer is not read.
    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> Result<u16, FetchError> {
        let result = self.attempt(url, async |client, url| send(client, url, form).await).await;
        metrics::fetched(result.as_ref().map_or_else(FetchError::label, |_| "ok"));
        result
    }

    async fn attempt<T, F>(&self, url: &str, work: F) -> Result<T, FetchError>
    where
        F: AsyncFnOnce(Client, Url) -> Result<T, FetchError>,
    {
        let active = self.active.load_full();
        let url = admit(url, active.private)?;
        let begun = Instant::now();
        let host = url.host_str().ok_or(FetchError::Url)?.to_owned();
        // Whoever gets its turn has time left to fetch.
        let pass = timeout_at(begun + active.limit / 2, self.lanes.enter(&host)).await;
        let _pass = pass.ok().flatten().ok_or(FetchError::Busy)?;
        let deadline = begun + active.limit;
        timeout_at(deadline, work(active.client.clone(), url)).await.unwrap_or(Err(FetchError::Timeout))
    }
}

impl Active {
    fn new(settings: &settings::Outbound, lookup: &Lookup) -> Result<Self, SetupError> {
        let private = settings.allow_private;
        let client = client(settings.timeout.0, authorities(settings)?)
            .https_only(!private)
            .dns_resolver(Arc::new(Resolver::new(private, Arc::clone(lookup))))
            .build()
            .map_err(|error| SetupError::Client(innermost(&error)))?;
        Ok(Self { client, private, limit: settings.timeout.0 })
    }
}

/// The further authorities that the settings name.
pub fn authorities(settings: &settings::Outbound) -> Result<Vec<Certificate>, SetupError> {
    let Some(path) = &settings.trusted_ca else { return Ok(Vec::new()) };
    let found = files::authorities(path).map_err(|problem| SetupError::Authorities { path: path.clone(), problem })?;
    let read = found.iter().map(|one| Certificate::from_der(one));
    read.collect::<Result<_, _>>().map_err(|error| SetupError::Client(innermost(&error)))
}

/// A client that follows nothing, keeps nothing and asks no proxy. Where it may go is the caller's to say.
pub fn client(limit: Duration, authorities: Vec<Certificate>) -> ClientBuilder {
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .timeout(limit)
        .http1_only()
        .pool_max_idle_per_host(0)
        .user_agent("signet");
    authorities.into_iter().fold(client, ClientBuilder::add_root_certificate)
}

/// A URL that may be fetched, as far as its text says. A name is judged once it is looked up.
fn admit(text: &str, private: bool) -> Result<Url, FetchError> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST_URL).ok_or(FetchError::Url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(FetchError::Url);
    }
    match url.scheme() {
        "https" => {}
        "http" if private && is_loopback_host(&url) => {}
        _ => return Err(FetchError::NotHttps),
    }
    let good = match url.host().ok_or(FetchError::Url)? {
        Host::Ipv4(address) => address::allowed(address.into(), private),
        Host::Ipv6(address) => address::allowed(address.into(), private),
        Host::Domain(_) => true,
    };
    if good { Ok(url) } else { Err(FetchError::Forbidden) }
}

async fn send(client: Client, url: Url, form: &[(&str, &str)]) -> Result<u16, FetchError> {
    let answer = client.post(url).form(form).send().await.map_err(|error| failure(&error))?;
    Ok(answer.status().as_u16())
}

async fn exchange(client: Client, url: Url, accept: &'static str) -> Result<Fetched, FetchError> {
    let mut answer = client.get(url).header(header::ACCEPT, accept).send().await.map_err(|error| failure(&error))?;
    match answer.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => return Err(FetchError::Redirect),
        status => return Err(FetchError::Status(status.as_u16())),
    }
    if answer.content_length().is_some_and(|length| length > LARGEST as u64) {
        return Err(FetchError::TooLarge);
    }
    let max_age = max_age(answer.headers());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { body, max_age })
}

/// RFC 9111 §5.2.2. What is not understood says nothing.
fn max_age(headers: &header::HeaderMap) -> Option<Duration> {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut found = None;
    for directive in values.flat_map(|value| value.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            "max-age" => {
                let seconds = value.trim().trim_matches('"').parse().ok();
                found = found.or(seconds.map(Duration::from_secs));
            }
            _ => {}
        }
    }
    found
}

/// What went wrong, without the URL that reqwest would name.
fn failure(error: &reqwest::Error) -> FetchError {
    let mut source = error.source();
    while let Some(inner) = source {
        match inner.downcast_ref::<NoAddress>() {
            Some(NoAddress::Unknown) => return FetchError::Unknown,
            Some(NoAddress::Forbidden) => return FetchError::Forbidden,
            None => {}
        }
        if let Some(error) = inner.downcast_ref().and_then(handshake) {
            return FetchError::Untrusted(printable(&error.to_string()));
        }
        source = inner.source();
    }
    if error.is_timeout() {
        FetchError::Timeout
    } else if error.is_connect() {
        FetchError::Unreachable
    } else {
        FetchError::Broken
    }
}

/// The reason that TLS gave, however often it was wrapped: `source` leaves wrapped ones out.
fn handshake(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| inner.downcast_ref().and_then(handshake))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    printable(&innermost.to_string())
}

/// The other side chose some of it.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests;
