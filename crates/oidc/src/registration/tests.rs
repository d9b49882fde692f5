use serde_json::{Value, json};

use super::*;
use crate::{
    client::{ClientMetadata, ClientSource, ResponseType},
    fixtures::client,
    secret::Secret,
};

fn with(members: Value) -> Client {
    Client { metadata: serde_json::from_value::<ClientMetadata>(members).unwrap(), ..client() }
}

/// R3: members that cannot be, and members that do not go together, are named.
#[test]
fn wrong_members_are_named() {
    assert_eq!(check(&client()), Ok(()));
    let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    let key = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y}]});
    let signing = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig"}]});
    let other = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ECDH-ES+A256KW"}]});
    for (members, expected) in [
        (json!({"jwks": key.clone(), "id_token_encrypted_response_alg": "ECDH-ES"}), None),
        (json!({"jwks": key.clone(), "userinfo_encrypted_response_alg": "RSA-OAEP-256"}), Some("jwks")),
        (json!({"jwks": signing.clone(), "id_token_encrypted_response_alg": "ECDH-ES"}), Some("jwks")),
        (json!({"jwks": other.clone(), "id_token_encrypted_response_alg": "ECDH-ES"}), Some("jwks")),
        (json!({"jwks": other.clone(), "id_token_encrypted_response_alg": "ECDH-ES+A256KW"}), None),
        (json!({"userinfo_encrypted_response_alg": "ECDH-ES"}), Some("jwks")),
        (json!({"jwks_uri": "https://app.example/", "userinfo_encrypted_response_alg": "ECDH-ES"}), None),
        (json!({"jwks_uri": "http://app.example/jwks"}), Some("jwks_uri")),
        (json!({"jwks_uri": "https://u:p@app.example/jwks"}), Some("jwks_uri")),
        (json!({"jwks_uri": "https://u@app.example/jwks"}), Some("jwks_uri")),
        (json!({"jwks_uri": "https://:p@app.example/jwks"}), Some("jwks_uri")),
        (json!({"jwks_uri": "https://app.example/ü"}), Some("jwks_uri")),
        (json!({"jwks_uri": format!("https://app.example/{}", "x".repeat(1_980))}), None),
        (json!({"jwks_uri": format!("https://app.example/{}", "x".repeat(1_981))}), Some("jwks_uri")),
        (json!({"sector_identifier_uri": "ftp://app.example/"}), Some("sector_identifier_uri")),
        (json!({"client_uri": "http://app.example/"}), Some("client_uri")),
        (json!({"logo_uri": "logo.png"}), Some("logo_uri")),
        (json!({"policy_uri": "javascript:1"}), Some("policy_uri")),
        (json!({"tos_uri": "http://app.example/"}), Some("tos_uri")),
        (json!({"request_object_signing_alg": "RS256"}), Some("jwks")),
        (json!({"request_object_signing_alg": "none"}), None),
        (json!({"request_object_signing_alg": "HS256"}), Some("request_object_signing_alg")),
        (json!({"jwks": key.clone(), "require_signed_request_object": true}), None),
        (
            json!({"jwks": key.clone(), "require_signed_request_object": true, "request_object_signing_alg": "none"}),
            Some("request_object_signing_alg"),
        ),
        (
            json!({"jwks": key.clone(), "require_signed_request_object": true, "request_object_signing_alg": "ES256"}),
            None,
        ),
        (json!({"userinfo_encrypted_response_enc": "A128GCM"}), Some("userinfo_encrypted_response_enc")),
        (json!({"jwks_uri": "http://localhost:1/jwks"}), None),
        (json!({"initiate_login_uri": "http://app.example/"}), Some("initiate_login_uri")),
        (json!({"jwks_uri": "https://app.example/jwks", "jwks": key.clone()}), Some("jwks")),
        (json!({"jwks": {"keys": [{"kty": "EC", "d": "x"}]}}), Some("jwks")),
        (json!({"jwks": {}}), Some("jwks")),
        (json!({"jwks": {"keys": [{"kty": "EC"}]}}), Some("jwks")),
        (json!({"require_signed_request_object": true}), Some("jwks")),
        (json!({"id_token_encrypted_response_alg": "ECDH-ES"}), Some("jwks")),
        (json!({"id_token_encrypted_response_enc": "A128GCM"}), Some("id_token_encrypted_response_enc")),
        (json!({"id_token_signed_response_alg": "HS256"}), Some("id_token_signed_response_alg")),
        (json!({"id_token_signed_response_alg": "none"}), None),
        (json!({"id_token_signed_response_alg": "Ed25519"}), Some("id_token_signed_response_alg")),
        (json!({"userinfo_signed_response_alg": "Ed25519"}), Some("userinfo_signed_response_alg")),
        (json!({"token_endpoint_auth_signing_alg": "Ed25519"}), None),
        (json!({"jwks": key.clone(), "request_object_signing_alg": "Ed25519"}), None),
        (json!({"userinfo_signed_response_alg": "none"}), Some("userinfo_signed_response_alg")),
        (json!({"token_endpoint_auth_signing_alg": "HS256"}), Some("token_endpoint_auth_signing_alg")),
        (json!({"claims": {"email": {"from": "groups"}}}), Some("claims")),
        (json!({"claims": {"aud": {"from": "groups"}}}), Some("claims")),
        (json!({"claims": {"groups": {"from": "groups"}}}), None),
        (json!({"request_uris": ["http://app.example/r"]}), Some("request_uris")),
        (json!({"request_uris": ["https://app.example/r#v1"]}), None),
    ] {
        let found = check(&with(members.clone())).err().map(|wrong| wrong.member);
        assert_eq!(found, expected, "{members}");
    }
    let pairwise = Client {
        redirect_uris: vec!["https://a.example/".into(), "https://b.example/".into()],
        ..with(json!({"subject_type": "pairwise"}))
    };
    assert_eq!(check(&pairwise).unwrap_err().member, "sector_identifier_uri");
    let grant_types = vec!["authorization_code".into(), "password".into()];
    let own = Client { first_party: true, grant_types, ..client() };
    assert_eq!(check(&own), Ok(()));
    for other in [
        Client { first_party: false, ..own.clone() },
        Client { auth: ClientAuth::None, ..own.clone() },
        Client { source: ClientSource::Dynamic, ..own },
    ] {
        assert_eq!(check(&other).unwrap_err().member, "grant_types");
    }
    let hybrid = Client { response_types: vec![ResponseType::parse("code id_token").unwrap()], ..client() };
    assert_eq!(check(&hybrid).unwrap_err().member, "response_types");
    assert_eq!(check(&Client { response_types: vec![], ..client() }).unwrap_err().member, "response_types");
}

/// R3: what depends on how a client authenticates, and on where its ID tokens come from.
#[test]
fn what_goes_together() {
    let wrong = |client: Client| check(&client).err().map(|wrong| wrong.member);
    let keyless = Client { auth: ClientAuth::PrivateKeyJwt, ..client() };
    assert_eq!(wrong(keyless), Some("jwks"));
    let by_secret = |alg: &str| Client {
        auth: ClientAuth::SecretJwt(Secret::new("secret")),
        ..with(json!({"token_endpoint_auth_signing_alg": alg}))
    };
    assert_eq!((wrong(by_secret("HS256")), wrong(by_secret("HS512"))), (None, None));
    assert_eq!(wrong(by_secret("RS256")), Some("token_endpoint_auth_signing_alg"));
    let front = |alg: &str| Client {
        grant_types: vec!["implicit".into()],
        response_types: vec![ResponseType::parse("id_token").unwrap()],
        ..with(json!({"id_token_signed_response_alg": alg}))
    };
    assert_eq!((wrong(front("ES256")), wrong(front("none"))), (None, Some("id_token_signed_response_alg")));
    let pairwise = |members: Value, uris: &[&str]| Client {
        redirect_uris: uris.iter().map(|&uri| uri.to_owned()).collect(),
        ..with(members)
    };
    let two = ["https://a.example/1", "https://a.example:8443/2"];
    assert_eq!(wrong(pairwise(json!({"subject_type": "pairwise"}), &two)), None, "one host");
    let more = ["https://a.example/", "https://b.example/", "https://a.example/2"];
    assert_eq!(wrong(pairwise(json!({"subject_type": "pairwise"}), &more)), Some("sector_identifier_uri"));
    assert_eq!(wrong(pairwise(json!({"subject_type": "public"}), &more)), None);
    let named = json!({"subject_type": "pairwise", "sector_identifier_uri": "https://s.example/uris"});
    assert_eq!(wrong(pairwise(named, &more)), None);
}

/// A member, and what makes one of so many entries.
type Of<'a> = (&'static str, &'a dyn Fn(usize) -> Value);

/// R3: lists and names have bounds.
#[test]
fn lists_have_bounds() {
    let many = |count: usize| vec!["https://app.example/r"; count];
    let mapped = |count: usize| -> Value {
        (0..count).map(|n| (format!("c{n}"), json!({"from": "groups"}))).collect::<serde_json::Map<_, _>>().into()
    };
    let tagged = |count: usize| -> Value {
        (0..count).map(|n| (format!("client_name#x-{n}"), json!("App"))).collect::<serde_json::Map<_, _>>().into()
    };
    let list = |count: usize| json!(many(count));
    let all: [Of<'_>; 7] = [
        ("request_uris", &list),
        ("default_acr_values", &list),
        ("contacts", &list),
        ("access_roles", &list),
        ("resources", &list),
        ("claims", &mapped),
        ("localized", &tagged),
    ];
    for (member, of) in all {
        let found = |count| check(&with(json!({ member: of(count) }))).err().map(|wrong| wrong.member);
        assert_eq!((found(100), found(101)), (None, Some(member)), "{member}");
    }
    let claim = |name: String| check(&with(json!({"claims": { name: {"from": "groups"} }}))).is_ok();
    assert!(claim("x".repeat(200)) && !claim("x".repeat(201)) && !claim(String::new()));
    for taken in ["jti", "sub", "email", "nonce", "cnf"] {
        assert!(!claim(taken.to_owned()), "{taken}");
    }
}
