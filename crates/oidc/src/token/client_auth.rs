//! Client authentication (RFC 6749 §2.3, OIDC Core §9).

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    call::Params,
    client::{Client, ClientAuth, ClientSecret},
    error::OAuthError,
    secret::Secret,
};

/// How a request says who it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// RFC 6749 §2.3.1: HTTP Basic.
    Basic(Secret),
    /// RFC 6749 §2.3.1: in the body.
    Post(Secret),
    /// A public client names itself only.
    None,
}

/// RFC 6749 §2.3: who the request says it is. More than one method is refused.
pub fn read(authorization: Option<&str>, params: &Params) -> Result<(String, Credentials), OAuthError> {
    params.refuse_repeated(&["client_id", "client_secret"])?;
    let in_body = params.get("client_id");
    let secret = params.get("client_secret");
    let basic = authorization.and_then(|header| {
        let (scheme, value) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then_some(value)
    });
    if let Some(value) = basic {
        let (id, password) = decode_basic(value)
            .ok_or_else(|| OAuthError::invalid_client("the Authorization header is not well-formed Basic"))?;
        if secret.is_some() {
            return Err(OAuthError::invalid_request("more than one way of client authentication was used"));
        }
        if in_body.is_some_and(|named| named != id) {
            return Err(OAuthError::invalid_request("client_id differs from the Authorization header"));
        }
        return Ok((id, Credentials::Basic(Secret::new(password))));
    }
    let id = in_body.ok_or_else(|| OAuthError::invalid_client("client authentication is missing"))?;
    Ok((id.to_owned(), secret.map_or(Credentials::None, |secret| Credentials::Post(Secret::new(secret)))))
}

/// RFC 6749 §2.3.1: both halves are form-urlencoded before base64.
fn decode_basic(value: &str) -> Option<(String, String)> {
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

/// Protocol T1: only the registered method is accepted; an unknown client answers like a wrong secret.
pub fn verify<'a>(client: Option<&'a Client>, credentials: &Credentials) -> Result<&'a Client, OAuthError> {
    let failed = || OAuthError::invalid_client("client authentication failed");
    let client = client.filter(|client| !client.disabled).ok_or_else(failed)?;
    let good = match (&client.auth, credentials) {
        (ClientAuth::None, Credentials::None) => true,
        (ClientAuth::SecretBasic(ClientSecret::Hashed(stored)), Credentials::Basic(sent))
        | (ClientAuth::SecretPost(ClientSecret::Hashed(stored)), Credentials::Post(sent)) => sent.digest() == *stored,
        _ => false,
    };
    if good { Ok(client) } else { Err(failed()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn basic(text: &str) -> String {
        format!("bAsIc {}", STANDARD.encode(text))
    }

    /// T1: Basic is form-urlencoded before base64; the same `client_id` in the body is fine, two methods are not.
    #[test]
    fn credentials() {
        let read = |header: Option<&str>, body: &str| read(header, &Params::decode(body.as_bytes()));
        let (id, sent) = read(Some(&basic("a%3Ab:s%2Bs+t")), "").unwrap();
        assert_eq!((id.as_str(), sent), ("a:b", Credentials::Basic(Secret::new("s+s t"))));
        assert!(read(Some(&basic("a:s")), "client_id=a").is_ok());
        assert_eq!(read(Some(&basic("a:s")), "client_id=b").unwrap_err().code, ErrorCode::InvalidRequest);
        assert_eq!(read(Some(&basic("a:s")), "client_secret=s").unwrap_err().code, ErrorCode::InvalidRequest);
        assert_eq!(read(Some("Basic !!!"), "").unwrap_err().code, ErrorCode::InvalidClient);
        assert_eq!(read(None, "").unwrap_err().code, ErrorCode::InvalidClient);
        assert_eq!(read(None, "client_id=a").unwrap().1, Credentials::None);
        assert_eq!(read(None, "client_id=a&client_secret=s").unwrap().1, Credentials::Post(Secret::new("s")));
        assert_eq!(read(None, "client_id=a&client_id=a").unwrap_err().code, ErrorCode::InvalidRequest);
    }
}
