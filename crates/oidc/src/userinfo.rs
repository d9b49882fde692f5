//! The userinfo endpoint (OIDC Core §5.3) and the check of bearer tokens (RFC 6750).

use serde_json::{Map, Value};

use crate::{
    call::Call,
    claims::Release,
    error::{ErrorCode, OAuthError},
    jose::AccessClaims,
    realm::Realm,
    scope::Scopes,
    secret::Secret,
    subject::Person,
};

/// RFC 6750 §2: the token from the header or the form body, never the query; both at once are refused.
///
/// `Ok(None)` means that no token was sent at all (RFC 6750 §3.1: no error code then).
pub fn bearer(call: &Call) -> Result<Option<Secret>, OAuthError> {
    let header = match call.header("authorization").map(|value| value.split_once(' ').unwrap_or((value, ""))) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim()),
        _ => None,
    };
    let body = if call.method == "POST" { call.params.get("access_token") } else { None };
    call.params.refuse_repeated(&["access_token"])?;
    match (header, body) {
        (Some(_), Some(_)) => Err(OAuthError::invalid_request("the access token was sent in two ways")),
        (Some(token), None) | (None, Some(token)) => Ok(Some(Secret::new(token))),
        (None, None) => Ok(None),
    }
}

/// OIDC Core §5.3.1: the token must be for the issuer and hold `scope`.
pub fn permit(token: &AccessClaims, realm: &Realm, scope: &str) -> Result<Scopes, OAuthError> {
    if !token.aud.contains(&realm.issuer) {
        return Err(OAuthError::new(ErrorCode::InvalidToken, "the access token is not for this endpoint"));
    }
    let scopes: Scopes = token.scope.parse().unwrap_or_default();
    if !scopes.contains(scope) {
        return Err(OAuthError::new(ErrorCode::InsufficientScope, "the access token lacks the scope of this endpoint"));
    }
    Ok(scopes)
}

/// OIDC Core §5.3.2: `sub` and what was allowed.
pub fn answer(subject: &str, release: &Release<'_>, person: &Person) -> Map<String, Value> {
    let mut released = release.for_userinfo(person);
    released.insert("sub".to_owned(), Value::String(subject.to_owned()));
    released
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        call::Params,
        fixtures::{access_claims, realm},
    };

    fn call(method: &str, authorization: Option<&str>, params: &str) -> Call {
        Call {
            method: method.to_owned(),
            url: String::new(),
            headers: authorization.map(|value| ("authorization".to_owned(), value.to_owned())).into_iter().collect(),
            params: Params::decode(params.as_bytes()),
            peer: None,
            certificate: None,
        }
    }

    /// U1, RFC 6750 §3.1: which token opens userinfo, and what the others are told.
    #[test]
    fn which_token_is_permitted() {
        let (realm, issuer) = (realm(), realm().issuer);
        let with = |aud: &[&str], scope: &str| AccessClaims {
            aud: aud.iter().map(|&one| one.to_owned()).collect(),
            scope: scope.to_owned(),
            ..access_claims()
        };
        let asked = |claims: &AccessClaims| permit(claims, &realm, "openid").map(|_| ()).map_err(|error| error.code);
        assert_eq!(asked(&with(&["app", &issuer], "openid profile")), Ok(()));
        assert_eq!(asked(&with(&["app"], "openid")), Err(ErrorCode::InvalidToken));
        assert_eq!(asked(&with(&["https://op.example/"], "openid")), Err(ErrorCode::InvalidToken));
        assert_eq!(asked(&with(&["app", &issuer], "profile openid2")), Err(ErrorCode::InsufficientScope));
        assert_eq!((ErrorCode::InvalidToken.status(), ErrorCode::InsufficientScope.status()), (401, 403));
    }

    /// U1: header or POST body, never the query; the scheme's case does not matter.
    #[test]
    fn where_a_token_may_be() {
        let token = |call: &Call| bearer(call).map(|found| found.map(|secret| secret.expose().to_owned()));
        assert_eq!(token(&call("GET", Some("bEaReR t"), "")), Ok(Some("t".into())));
        assert_eq!(token(&call("POST", None, "access_token=t")), Ok(Some("t".into())));
        assert_eq!(token(&call("GET", None, "access_token=t")), Ok(None));
        assert_eq!(token(&call("GET", Some("Basic t"), "")), Ok(None));
        assert!(token(&call("POST", Some("Bearer t"), "access_token=t")).is_err());
        assert!(token(&call("POST", None, "access_token=t&access_token=t")).is_err());
        assert_eq!(token(&call("POST", Some("Bearer"), "")), Ok(Some(String::new())), "no token is no good token");
    }

    /// U2: `sub` is the token's, whatever the claims of the person hold.
    #[test]
    fn whose_claims_they_are() {
        let (client, request) = (crate::fixtures::client(), crate::claims::ClaimsRequest::default());
        let scopes = "openid email".parse().unwrap();
        let release = Release { client: &client, scopes: &scopes, request: &request };
        let mut person = Person::default();
        person.standard.email = Some("ada@example.org".into());
        let told = answer("subject", &release, &person);
        assert_eq!((&told["sub"], &told["email"]), (&"subject".into(), &"ada@example.org".into()));
    }

    /// U1: the token is for the issuer and holds the scope; each refusal has its code.
    #[test]
    fn what_a_token_permits() {
        let token =
            |aud: &str, scope: &str| AccessClaims { aud: vec![aud.into()], scope: scope.into(), ..access_claims() };
        let permitted = |aud: &str, scope: &str| {
            permit(&token(aud, scope), &realm(), "openid").map(|scopes| scopes.to_string()).map_err(|error| error.code)
        };
        assert_eq!(permitted("https://op.example", "profile openid"), Ok("openid profile".to_owned()));
        assert_eq!(permitted("https://op.example/", "openid"), Err(ErrorCode::InvalidToken));
        assert_eq!(permitted("https://op.example", "profile"), Err(ErrorCode::InsufficientScope));
        assert_eq!(permitted("https://op.example", "a\"b"), Err(ErrorCode::InsufficientScope));
    }
}
