//! The playground: a small relying party at `/playground`, for development.
//!
//! It knows Signet by its issuer address alone and talks to it over HTTP like any application,
//! with the `openidconnect` crate. Every request it makes is recorded and shown.

mod decode;
mod explain;
pub mod handlers;
mod recorder;
pub mod registration;
mod relying_party;
mod session;
mod verify;
mod view;

#[cfg(test)]
mod tests;

use std::time::Duration;

use openidconnect::{ClientId, IssuerUrl, PostLogoutRedirectUrl, RedirectUrl};

use session::Sessions;

/// Where the playground is.
pub const PATH: &str = "/playground";

/// How many browsers the playground remembers; the oldest gives way.
const MAX_SESSIONS: usize = 256;

/// How long one request to the issuer may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the playground cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum PlaygroundError {
    /// The issuer, or an address made from it, is no URL.
    #[error("the playground's issuer is not a URL: {0}")]
    Url(#[from] url::ParseError),
    /// The HTTP client could not be made.
    #[error("the playground's HTTP client could not be made: {0}")]
    Http(#[from] reqwest::Error),
}

/// The relying party: what it is configured with, and the browsers it remembers.
#[derive(Debug)]
pub struct Playground {
    issuer: IssuerUrl,
    issuer_host: String,
    client_id: ClientId,
    redirect_uri: RedirectUrl,
    after_signout: PostLogoutRedirectUrl,
    secure_cookie: bool,
    http: reqwest::Client,
    sessions: Sessions,
}

impl Playground {
    /// A public client (PKCE S256, no client authentication) of `issuer`.
    ///
    /// It is to be registered with the redirect URI `{issuer}/playground/callback`, the post-logout
    /// redirect URI `{issuer}/playground`, the grants `authorization_code` and `refresh_token`, and
    /// the scopes `openid profile email offline_access`.
    pub fn new(issuer: &str, client_id: &str) -> Result<Self, PlaygroundError> {
        let issuer_url = IssuerUrl::new(issuer.to_owned())?;
        let home = format!("{}{PATH}", issuer.trim_end_matches('/'));
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_TIMEOUT)
            .no_proxy()
            .build()?;
        Ok(Self {
            issuer_host: host_of(issuer_url.url()),
            secure_cookie: issuer_url.url().scheme() == "https",
            issuer: issuer_url,
            client_id: ClientId::new(client_id.to_owned()),
            redirect_uri: RedirectUrl::new(format!("{home}/callback"))?,
            after_signout: PostLogoutRedirectUrl::new(home)?,
            http,
            sessions: Sessions::new(MAX_SESSIONS),
        })
    }
}

/// Host of a URL, with its port where that is not the usual one.
fn host_of(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
