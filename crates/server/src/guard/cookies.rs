//! Our cookies: `HttpOnly`, `SameSite=Lax`; `Secure` and the `__Host-` prefix on https. One is for scripts: what
//! the frame of session management compares with (protocol L4).

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    http::Method,
};
use signet_oidc::secret::Secret;

/// The names, with or without the prefix.
#[derive(Debug, Clone)]
pub struct CookieNames {
    session: &'static str,
    browser: &'static str,
    state: &'static str,
    secure: bool,
}

impl CookieNames {
    /// Names for an https issuer, or for development.
    pub fn new(secure: bool) -> Self {
        if secure {
            Self { session: "__Host-signet", browser: "__Host-signet-browser", state: "__Host-signet-state", secure }
        } else {
            Self { session: "signet", browser: "signet-browser", state: "signet-state", secure }
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

    fn set_session(&self, handle: &Secret) -> Cookie<'static> {
        self.cookie(self.session, handle.expose().to_owned())
    }

    /// Sets the browser's secret.
    pub fn set_browser(&self, secret: &Secret) -> Cookie<'static> {
        self.cookie(self.browser, secret.expose().to_owned())
    }

    /// What the browser keeps of its session where scripts of ours may read it.
    pub fn state(&self, request: &HttpRequest) -> Option<Secret> {
        value(request, self.state)
    }

    /// The name of that cookie.
    pub fn state_name(&self) -> &'static str {
        self.state
    }

    /// Sets it. The frame that reads it is within pages of others: only over https do browsers let it have the cookie there.
    pub fn set_state(&self, state: String) -> Cookie<'static> {
        let mut cookie = self.cookie(self.state, state);
        cookie.set_http_only(false);
        cookie.set_same_site(if self.secure { SameSite::None } else { SameSite::Lax });
        cookie
    }

    /// Somebody signed in: the session's handle is set, and what scripts knew of the session before it is taken away.
    pub fn signed_in(&self, response: &mut HttpResponse, handle: &Secret) {
        let _ = response.add_cookie(&self.set_session(handle));
        let _ = response.add_cookie(&ended(self.set_state(String::new())));
    }

    /// Nobody is signed in any more.
    pub fn signed_out(&self, response: &mut HttpResponse) {
        for cookie in [self.cookie(self.session, String::new()), self.set_state(String::new())] {
            let _ = response.add_cookie(&ended(cookie));
        }
    }

    /// No session of this browser is alive, whoever ended it: what scripts know of one is taken away. The handle stays; a
    /// sign-in beside this request may just have set a new one.
    ///
    /// Only a request that had brought the handle says so: those from within or through a form of another site come without
    /// it, whoever is signed in.
    pub fn found_nobody(&self, request: &HttpRequest, response: &mut HttpResponse) {
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let brought = match text("sec-fetch-site") {
            Some("cross-site") => request.method() == Method::GET && text("sec-fetch-dest") == Some("document"),
            Some(_) => true,
            None => self.session(request).is_some(),
        };
        if brought && request.cookie(self.state).is_some() {
            let _ = response.add_cookie(&ended(self.set_state(String::new())));
        }
    }

    fn cookie(&self, name: &'static str, value: String) -> Cookie<'static> {
        Cookie::build(name, value).path("/").http_only(true).secure(self.secure).same_site(SameSite::Lax).finish()
    }
}

/// The cookie, taken away.
fn ended(mut cookie: Cookie<'static>) -> Cookie<'static> {
    cookie.set_max_age(Duration::ZERO);
    cookie
}

fn value(request: &HttpRequest, name: &str) -> Option<Secret> {
    let cookie = request.cookie(name)?;
    // 256 bits of base64url; anything else was not set by us.
    let ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (cookie.value().len() == 43 && cookie.value().bytes().all(ours)).then(|| Secret::new(cookie.value()))
}
