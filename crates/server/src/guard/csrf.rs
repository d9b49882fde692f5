//! Form protection: a token made from the browser's cookie, different for each purpose.

use actix_web::{HttpRequest, http::header};
use signet_oidc::secret::{DerivationKey, Secret, same};

/// A form was not posted from our page in this browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this form was not sent from our page in this browser, or the page is too old")]
pub struct Forged;

/// The token for a form. `purpose` names the form and whatever else the post must be bound to.
pub fn token(key: &DerivationKey, browser: &Secret, purpose: &[&[u8]]) -> String {
    let mut parts: Vec<&[u8]> = vec![b"csrf", browser.expose().as_bytes()];
    parts.extend_from_slice(purpose);
    key.text(&parts)
}

/// Checks a posted token.
pub fn check(
    key: &DerivationKey,
    browser: Option<&Secret>,
    purpose: &[&[u8]],
    sent: Option<&str>,
) -> Result<(), Forged> {
    let (Some(browser), Some(sent)) = (browser, sent) else { return Err(Forged) };
    if same(&token(key, browser, purpose), sent) { Ok(()) } else { Err(Forged) }
}

/// A browser that says the post comes from another site is believed.
pub fn check_site(request: &HttpRequest, issuer: &str) -> Result<(), Forged> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if matches!(text("sec-fetch-site"), Some("cross-site")) {
        return Err(Forged);
    }
    match text(header::ORIGIN.as_str()) {
        // A page without a referrer policy of its own may send "null"; the token decides then.
        None | Some("null") => Ok(()),
        Some(origin) if origin == issuer => Ok(()),
        Some(_) => Err(Forged),
    }
}
