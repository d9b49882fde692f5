//! Claims by scope and by the `claims` parameter (OIDC Core §5.4, §5.5).

mod release;
mod request;

pub use release::Release;
pub use request::{ClaimRule, ClaimsRequest};

use serde_json::{Map, Value, json};

use crate::{scope::Scopes, subject::StandardClaims};

/// The claims that scopes can release, and `sub`; discovery lists them.
pub const SUPPORTED: [&str; 30] = [
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "sid",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "email",
    "email_verified",
    "phone_number",
    "phone_number_verified",
    "address",
];

/// Claims that say something of the sign-in or the token, not of the person's life: asking for one needs no consent.
pub const PROTOCOL: [&str; 11] = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid"];

/// Reads a claim of an account, with the JSON type it has in OIDC Core §5.1.
type Read = fn(&StandardClaims) -> Option<Value>;

/// OIDC Core §5.1, §5.4: each claim about a person, the scope that releases it, and its value.
const STANDARD: [(&str, &str, Read); 19] = [
    ("name", "profile", |c| text(&c.name)),
    ("given_name", "profile", |c| text(&c.given_name)),
    ("family_name", "profile", |c| text(&c.family_name)),
    ("middle_name", "profile", |c| text(&c.middle_name)),
    ("nickname", "profile", |c| text(&c.nickname)),
    ("preferred_username", "profile", |c| text(&c.preferred_username)),
    ("profile", "profile", |c| text(&c.profile)),
    ("picture", "profile", |c| text(&c.picture)),
    ("website", "profile", |c| text(&c.website)),
    ("gender", "profile", |c| text(&c.gender)),
    ("birthdate", "profile", |c| text(&c.birthdate)),
    ("zoneinfo", "profile", |c| text(&c.zoneinfo)),
    ("locale", "profile", |c| text(&c.locale)),
    ("updated_at", "profile", |c| c.updated_at.map(|at| json!(at.timestamp()))),
    ("email", "email", |c| text(&c.email)),
    ("email_verified", "email", |c| c.email.as_ref().map(|_| json!(c.email_verified))),
    ("phone_number", "phone", |c| text(&c.phone_number)),
    ("phone_number_verified", "phone", |c| c.phone_number.as_ref().map(|_| json!(c.phone_number_verified))),
    ("address", "address", |c| c.address.clone()),
];

#[expect(clippy::ref_option, reason = "a field is read where it stands")]
fn text(value: &Option<String>) -> Option<Value> {
    value.clone().map(Value::String)
}

/// OIDC Core §5.4: the scope that releases a claim about a person.
pub fn scope_of(claim: &str) -> Option<&'static str> {
    STANDARD.iter().find(|(name, ..)| *name == claim).map(|(_, scope, _)| *scope)
}

/// A single claim about a person, by its name.
fn single(claims: &StandardClaims, claim: &str) -> Option<Value> {
    STANDARD.iter().find(|(name, ..)| *name == claim).and_then(|(.., read)| read(claims))
}

/// OIDC Core §5.4: what `scopes` release of `claims`.
pub fn by_scope(claims: &StandardClaims, scopes: &Scopes) -> Map<String, Value> {
    STANDARD
        .iter()
        .filter(|(_, scope, _)| scopes.contains(scope))
        .filter_map(|(name, _, read)| Some(((*name).to_owned(), read(claims)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// U2: each scope releases its own claims, with the right JSON type, and nothing else.
    #[test]
    fn scopes_release_their_claims() {
        let claims = StandardClaims {
            name: Some("Ada".into()),
            email: Some("ada@example.org".into()),
            phone_number: Some("+44 1".into()),
            address: Some(json!({"country": "GB"})),
            updated_at: chrono::DateTime::from_timestamp(1_700_000_000, 0),
            ..StandardClaims::default()
        };
        let released = |scope: &str| Value::Object(by_scope(&claims, &scope.parse().unwrap()));
        assert_eq!(released("openid"), json!({}));
        assert_eq!(released("profile"), json!({"name": "Ada", "updated_at": 1_700_000_000}));
        assert_eq!(released("email"), json!({"email": "ada@example.org", "email_verified": false}));
        assert_eq!(released("phone"), json!({"phone_number": "+44 1", "phone_number_verified": false}));
        assert_eq!(released("address"), json!({"address": {"country": "GB"}}));
    }
}
