//! Claims by scope (OIDC Core §5.4).

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

/// OIDC Core §5.4: what `scopes` release of `claims`, with the JSON type each has in §5.1.
pub fn by_scope(claims: &StandardClaims, scopes: &Scopes) -> Map<String, Value> {
    let mut released = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            released.insert(name.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Value::String);
    if scopes.contains("profile") {
        put("name", text(&claims.name));
        put("given_name", text(&claims.given_name));
        put("family_name", text(&claims.family_name));
        put("middle_name", text(&claims.middle_name));
        put("nickname", text(&claims.nickname));
        put("preferred_username", text(&claims.preferred_username));
        put("profile", text(&claims.profile));
        put("picture", text(&claims.picture));
        put("website", text(&claims.website));
        put("gender", text(&claims.gender));
        put("birthdate", text(&claims.birthdate));
        put("zoneinfo", text(&claims.zoneinfo));
        put("locale", text(&claims.locale));
        put("updated_at", claims.updated_at.map(|at| json!(at.timestamp())));
    }
    if scopes.contains("email") {
        put("email", text(&claims.email));
        put("email_verified", claims.email.as_ref().map(|_| json!(claims.email_verified)));
    }
    if scopes.contains("phone") {
        put("phone_number", text(&claims.phone_number));
        put("phone_number_verified", claims.phone_number.as_ref().map(|_| json!(claims.phone_number_verified)));
    }
    if scopes.contains("address") {
        put("address", claims.address.clone());
    }
    released
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
