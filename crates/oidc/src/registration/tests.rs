use serde_json::{Value, json};

use super::*;
use crate::{
    client::{ApplicationType, ClientMetadata, ClientSource, ResponseType},
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

/// R3, R4: the addresses of the logout specifications, names in languages, and text that pages and the database can take.
#[test]
fn further_members() {
    for (members, expected) in [
        (json!({"backchannel_logout_uri": "https://other.example/b?x=1"}), None),
        (json!({"backchannel_logout_uri": "http://localhost:3000/b"}), None),
        (json!({"backchannel_logout_uri": "http://app.example/b"}), Some("backchannel_logout_uri")),
        (json!({"backchannel_logout_uri": "https://app.example/b#"}), Some("backchannel_logout_uri")),
        (json!({"frontchannel_logout_uri": "https://app.example/f?x=1"}), None),
        (json!({"frontchannel_logout_uri": "https://app.example:443/f"}), None),
        (json!({"frontchannel_logout_uri": "https://app.example:8443/f"}), Some("frontchannel_logout_uri")),
        (json!({"frontchannel_logout_uri": "https://b.app.example/f"}), Some("frontchannel_logout_uri")),
        (json!({"frontchannel_logout_uri": "https://app.example/f#x"}), Some("frontchannel_logout_uri")),
        (json!({"frontchannel_logout_uri": "https://0;report-uri/f"}), Some("frontchannel_logout_uri")),
        (json!({"logo_uri": "https://a;sandbox/x.png"}), Some("logo_uri")),
        (json!({"logo_uri": "https://a_b.example/x.png"}), None),
        (json!({"initiate_login_uri": "https://app.example/begin"}), None),
        (json!({"initiate_login_uri": "https://app.example/begin?a=1&issuer=x"}), None),
        (json!({"initiate_login_uri": "https://app.example/begin?a=1&i%73s=x"}), Some("initiate_login_uri")),
        (json!({"initiate_login_uri": "http://localhost/begin"}), None),
        (json!({"localized": {"client_name#de": "Anwendung", "logo_uri#pt-BR": "https://app.example/l"}}), None),
        (json!({"localized": {"client_name#": "x"}}), Some("client_name")),
        (json!({"localized": {"client_name#_": "x"}}), Some("client_name")),
        (json!({"localized": {"client_name#de": " "}}), Some("client_name")),
        (json!({"localized": {"client_name#de": "x".repeat(200)}}), None),
        (json!({"localized": {"client_name#de": "x".repeat(201)}}), Some("client_name")),
        (json!({"localized": {"client_name#de": "a\n"}}), Some("client_name")),
        (json!({"localized": {"client_name#de": "a\u{2066}b"}}), Some("client_name")),
        (json!({"localized": {"tos_uri#de": "http://app.example/"}}), Some("tos_uri")),
        (json!({"localized": {"contacts#de": "x"}}), Some("localized")),
        (json!({"localized": {"client_name": "x"}}), Some("localized")),
        (json!({"contacts": ["a\u{0}"]}), Some("contacts")),
        (json!({"software_id": "a\u{7f}"}), Some("software_id")),
        (json!({"software_version": "1.0 beta"}), None),
        (json!({"jwks_uri": "https://app.example/jwks", "default_acr_values": ["a\t"]}), Some("default_acr_values")),
    ] {
        let found = check(&with(members.clone())).err().map(|wrong| wrong.member);
        assert_eq!(found, expected, "{members}");
    }
    let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    let odd = json!({"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "note": ["\u{0}"]}]}});
    assert_eq!(check(&with(odd)).unwrap_err().member, "jwks", "also deep inside");
}

/// R3, R-37: a client that registered itself stays a third party, whoever changes it, and leads where its kind may.
#[test]
fn clients_that_registered_themselves() {
    let scopes = "openid email".parse().unwrap();
    let own = Client { source: ClientSource::Dynamic, scopes, ..client() };
    assert_eq!(check(&own), Ok(()));
    for source in [ClientSource::Dynamic, ClientSource::Admin] {
        let named = |name: &str| check(&Client { name: name.into(), source: source.clone(), ..own.clone() });
        assert_eq!(named("Büro \u{200F}עברית"), Ok(()));
        for bad in ["", " ", "a\u{202E}b", &"x".repeat(201)] {
            assert_eq!(named(bad).err().map(|wrong| wrong.member), Some("client_name"), "{bad:?}");
        }
    }
    let members = |members: Value| Client { metadata: serde_json::from_value(members).unwrap(), ..own.clone() };
    let wrong = |client: &Client| check(client).err().map(|wrong| wrong.member);
    for (client, expected) in [
        (Client { first_party: true, ..own.clone() }, "first_party"),
        (Client { scopes: "openid reports".parse().unwrap(), ..own.clone() }, "scope"),
        (Client { scopes: "client:read".parse().unwrap(), ..own.clone() }, "scope"),
        (Client { default_audience: Some("https://api.example/".into()), ..own.clone() }, "default_audience"),
        (members(json!({"resources": ["https://api.example/"]})), "resources"),
        (members(json!({"access_roles": ["user"]})), "access_roles"),
        (members(json!({"claims": {"groups": {"from": "groups"}}})), "claims"),
        (members(json!({"initiate_login_uri": "http://localhost/begin"})), "initiate_login_uri"),
    ] {
        assert_eq!(wrong(&client), Some(expected), "{client:?}");
        if expected != "first_party" {
            assert_eq!(wrong(&Client { source: ClientSource::Admin, ..client }), None, "an administrator may");
        }
    }
    let (web, native) = (ApplicationType::Web, ApplicationType::Native);
    for (kind, uri, code, implicit) in [
        (web, "https://app.example/cb", true, true),
        (web, "https://localhost/cb", true, false),
        (web, "https://app.localhost/cb", true, false),
        (web, "https://127.0.0.1/cb", true, false),
        (web, "http://localhost:3000/cb", true, false),
        (web, "com.example.app:/cb", false, false),
        (native, "com.example.app:/cb", true, true),
        (native, "http://127.0.0.1/cb", true, true),
        (native, "https://app.example/cb", false, false),
    ] {
        let with = |grant: &str, response: &str| Client {
            application_type: kind,
            redirect_uris: vec![uri.into()],
            grant_types: vec![grant.into()],
            response_types: vec![ResponseType::parse(response).unwrap()],
            ..own.clone()
        };
        for (client, good) in [(with("authorization_code", "code"), code), (with("implicit", "id_token"), implicit)] {
            let expected = (!good).then_some("redirect_uris");
            assert_eq!(wrong(&client), expected, "{uri} {:?}", client.grant_types);
            assert_eq!(wrong(&Client { source: ClientSource::Admin, ..client }), None, "{uri}");
        }
    }
}

/// RFC 7591 §3.2.2, RFC 6749 §5.2: a refusal is told in plain ASCII, and not without end.
#[test]
fn refusals_are_plain() {
    let error = refusal("redirect_uris", "redirect_uris: \"https://\u{fc}\\\": use\nhttps");
    assert_eq!((error.code, &*error.description), (ErrorCode::InvalidRedirectUri, "redirect_uris: https://: usehttps"));
    let error = refusal("jwks", &"x".repeat(1_000));
    assert_eq!((error.code, error.description.len()), (ErrorCode::InvalidClientMetadata, 400));
}

/// R1: what is told of a registration: every value, the defaults that apply, languages as they were sent, a secret that was
/// made or can be told again, and how to come back.
#[test]
fn what_is_told() {
    let members = json!({
        "localized": {"client_name#de": "Anwendung"}, "id_token_encrypted_response_alg": "ECDH-ES",
        "frontchannel_logout_uri": "https://app.example/f",
    });
    let own = Client { source: ClientSource::Dynamic, ..with(members) };
    let (token, secret) = (Secret::new("token"), Secret::new("secret"));
    let tell = |client: &Client, secret: Option<&Secret>| {
        let issued_at = crate::fixtures::now();
        Value::Object(Information { client, issued_at, secret, token: &token }.to_json(&crate::fixtures::realm()))
    };
    let expected = json!({
        "client_id": "app", "client_id_issued_at": 1_800_000_000, "client_secret": "secret",
        "client_secret_expires_at": 0, "registration_access_token": "token",
        "registration_client_uri": "https://op.example/oauth/register/app", "client_name": "App",
        "client_name#de": "Anwendung", "redirect_uris": ["https://app.example/cb"],
        "post_logout_redirect_uris": ["https://app.example/bye"], "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "scope": "email offline_access openid profile", "subject_type": "public",
        "token_endpoint_auth_method": "client_secret_basic", "application_type": "web", "require_auth_time": false,
        "id_token_signed_response_alg": "RS256", "id_token_encrypted_response_alg": "ECDH-ES",
        "id_token_encrypted_response_enc": "A128CBC-HS256", "frontchannel_logout_uri": "https://app.example/f",
        "frontchannel_logout_session_required": false,
    });
    assert_eq!(tell(&own, Some(&secret)), expected);
    let silent = tell(&own, None);
    assert_eq!((silent.get("client_secret"), silent.get("client_secret_expires_at")), (None, None));
    let signs = Client { auth: ClientAuth::SecretJwt(Secret::new("kept")), ..own };
    assert_eq!(tell(&signs, None)["client_secret"], "kept");
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
