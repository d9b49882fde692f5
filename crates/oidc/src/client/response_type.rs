//! Response types (OAuth 2.0 Multiple Response Types, OIDC Core §3).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::client::{GRANT_CODE, GRANT_IMPLICIT};

/// What the authorization endpoint answers with. The order of the words in a request does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResponseType {
    /// An authorization code.
    pub code: bool,
    /// An ID token.
    pub id_token: bool,
    /// An access token.
    pub token: bool,
}

/// The response types this provider serves, in the order discovery lists them.
pub const RESPONSE_TYPES: [ResponseType; 6] = [
    ResponseType::CODE,
    ResponseType { code: false, id_token: true, token: false },
    ResponseType { code: false, id_token: true, token: true },
    ResponseType { code: true, id_token: true, token: false },
    ResponseType { code: true, id_token: false, token: true },
    ResponseType { code: true, id_token: true, token: true },
];

impl ResponseType {
    /// The code flow.
    pub const CODE: Self = Self { code: true, id_token: false, token: false };

    /// Reads a parameter or a registered value: words in any order, each once. None where it is not served.
    pub fn parse(value: &str) -> Option<Self> {
        let mut read = Self { code: false, id_token: false, token: false };
        for word in value.split(' ').filter(|word| !word.is_empty()) {
            let place = match word {
                "code" => &mut read.code,
                "id_token" => &mut read.id_token,
                "token" => &mut read.token,
                _ => return None,
            };
            if std::mem::replace(place, true) {
                return None;
            }
        }
        RESPONSE_TYPES.contains(&read).then_some(read)
    }

    /// The registered spelling.
    pub fn as_str(self) -> &'static str {
        match (self.code, self.id_token, self.token) {
            (true, false, false) => "code",
            (false, true, false) => "id_token",
            (false, true, true) => "id_token token",
            (true, true, false) => "code id_token",
            (true, false, true) => "code token",
            (true, true, true) => "code id_token token",
            (false, false, true) => "token",
            (false, false, false) => "none",
        }
    }

    /// Whether a token or an ID token travels through the browser: then never in the query.
    pub fn is_front_channel(self) -> bool {
        self.id_token || self.token
    }

    /// OIDC Registration §2: the grant types a client needs to have registered for it.
    pub fn grant_types(self) -> impl Iterator<Item = &'static str> {
        let code = self.code.then_some(GRANT_CODE);
        code.into_iter().chain(self.is_front_channel().then_some(GRANT_IMPLICIT))
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ResponseType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResponseType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a response type"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D2: exactly the six response types, in any order of their words.
    #[test]
    fn response_types() {
        for one in RESPONSE_TYPES {
            assert_eq!((ResponseType::parse(one.as_str()), one.to_string().as_str()), (Some(one), one.as_str()));
        }
        assert_eq!(ResponseType::parse("token  id_token code"), RESPONSE_TYPES.last().copied());
        for bad in ["", "token", "none", "code code", "Code", "code id_token token x", "code,id_token"] {
            assert_eq!(ResponseType::parse(bad), None, "{bad:?}");
        }
        let needed = |name: &str| ResponseType::parse(name).unwrap().grant_types().collect::<Vec<_>>().join(" ");
        assert_eq!(needed("code"), "authorization_code");
        assert_eq!(needed("id_token"), "implicit");
        assert_eq!(needed("code token"), "authorization_code implicit");
    }
}
