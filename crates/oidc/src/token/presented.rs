//! A token that a client asks about (RFC 7662 §2.1) or wants ended (RFC 7009 §2.1).

use crate::{call::Params, error::OAuthError, secret::Secret};

/// Parameters of both endpoints beside those of client authentication; each may come once.
const KNOWN: [&str; 2] = ["token", "token_type_hint"];

/// The token, by its form: access tokens are signed JWTs, refresh tokens hold no dot. So `token_type_hint` is not needed,
/// and neither a wrong nor an unknown one changes an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented {
    /// A JWT of some kind: an access token, if any of ours.
    Jwt(Secret),
    /// Anything else: a refresh token, if any of ours.
    Opaque(Secret),
}

impl Presented {
    /// Reads the token of a request.
    pub fn read(params: &Params) -> Result<Self, OAuthError> {
        params.refuse_repeated(&KNOWN)?;
        let token = params.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
        let secret = Secret::new(token);
        Ok(if token.contains('.') { Self::Jwt(secret) } else { Self::Opaque(secret) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    /// U3, U4: the form says what it is, whatever the hint says; no token and a repeated one are refused.
    #[test]
    fn a_hint_is_only_a_hint() {
        let read = |body: &str| Presented::read(&Params::decode(body.as_bytes())).map_err(|error| error.code);
        for hint in ["", "&token_type_hint=access_token", "&token_type_hint=refresh_token", "&token_type_hint=x"] {
            assert_eq!(read(&format!("token=a.b.c{hint}")), Ok(Presented::Jwt(Secret::new("a.b.c"))), "{hint}");
            assert_eq!(read(&format!("token=abc{hint}")), Ok(Presented::Opaque(Secret::new("abc"))), "{hint}");
        }
        for bad in ["", "token=", "token=a&token=a", "token_type_hint=access_token"] {
            assert_eq!(read(bad), Err(ErrorCode::InvalidRequest), "{bad}");
        }
        assert_eq!(read("token=a&token_type_hint=a&token_type_hint=b"), Err(ErrorCode::InvalidRequest));
    }
}
