//! `client_secret_basic` (RFC 6749 §2.3.1).

use base64::{Engine, engine::general_purpose::STANDARD};

/// What follows the scheme, which may be in any case, where the header is of this method.
pub(super) fn of(authorization: Option<&str>) -> Option<&str> {
    let (scheme, value) = authorization?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then_some(value)
}

/// Identifier and secret: both are form-urlencoded before base64.
pub(super) fn decode(value: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(value.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, password) = text.split_once(':')?;
    Some((form_decode(id)?, form_decode(password)?))
}

fn form_decode(value: &str) -> Option<String> {
    // A bare `&` or `=` would split the value; encoded ones do not occur raw.
    if value.contains('&') || value.contains('=') {
        return Some(value.to_owned());
    }
    let (decoded, _) = url::form_urlencoded::parse(value.as_bytes()).next().unwrap_or_default();
    (!decoded.contains('\u{FFFD}')).then(|| decoded.into_owned())
}
