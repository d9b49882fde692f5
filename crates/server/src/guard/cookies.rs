//! Our cookies: `HttpOnly`, `SameSite=Lax`; `Secure` and the `__Host-` prefix on https.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};
use signet_oidc::secret::Secret;

/// The names, with or without the prefix.
#[derive(Debug, Clone)]
pub struct CookieNames {
    session: &'static str,
    browser: &'static str,
    secure: bool,
}

impl CookieNames {
    /// Names for an https issuer, or for development.
    pub fn new(secure: bool) -> Self {
        if secure {
            Self { session: "__Host-signet", browser: "__Host-signet-browser", secure }
        } else {
            Self { session: "signet", browser: "signet-browser", secure }
        }
    }

    /// The handle of the browser's session.
    pub fn session(&self, request: &HttpRequest) -> Option<Secret> {
        value(request, self.session)
    }

    /// The secret that ties forms and interactions to this browser.
    pub fn browser(&self, request: &HttpRequest) -> Option<Secret> {
        value(request, self.browser)
    }

    /// Sets the session's handle.
    pub fn set_session(&self, handle: &Secret) -> Cookie<'static> {
        self.cookie(self.session, handle.expose().to_owned())
    }

    /// Sets the browser's secret.
    pub fn set_browser(&self, secret: &Secret) -> Cookie<'static> {
        self.cookie(self.browser, secret.expose().to_owned())
    }

    /// Takes the session's handle away.
    pub fn clear_session(&self) -> Cookie<'static> {
        let mut cookie = self.cookie(self.session, String::new());
        cookie.set_max_age(Duration::ZERO);
        cookie
    }

    fn cookie(&self, name: &'static str, value: String) -> Cookie<'static> {
        Cookie::build(name, value).path("/").http_only(true).secure(self.secure).same_site(SameSite::Lax).finish()
    }
}

fn value(request: &HttpRequest, name: &str) -> Option<Secret> {
    let cookie = request.cookie(name)?;
    // 256 bits of base64url; anything else was not set by us.
    let ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (cookie.value().len() == 43 && cookie.value().bytes().all(ours)).then(|| Secret::new(cookie.value()))
}
