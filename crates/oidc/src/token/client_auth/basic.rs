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

#[cfg(test)]
mod tests {
    use super::*;

    /// T1: both parts are form-urlencoded; one that cannot be is taken as it stands.
    #[test]
    fn both_parts_are_decoded() {
        for (sent, expected) in [
            ("id:secret", Some(("id", "secret"))),
            ("a%3Ab:p%26s+x", Some(("a:b", "p&s x"))),
            ("id:a=b", Some(("id", "a=b"))),
            ("id:a&b", Some(("id", "a&b"))),
            ("i=d:100%", Some(("i=d", "100%"))),
            ("id:a:b", Some(("id", "a:b"))),
            (":", Some(("", ""))),
            ("id:%FF", None),
            ("id", None),
        ] {
            let found = decode(&STANDARD.encode(sent));
            assert_eq!(found.as_ref().map(|(id, secret)| (id.as_str(), secret.as_str())), expected, "{sent}");
        }
        assert_eq!(decode("no base64!"), None);
        assert_eq!(decode(&STANDARD.encode([b'i', b':', 0xff])), None);
    }
}
