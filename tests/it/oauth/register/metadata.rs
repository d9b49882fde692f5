//! What a client may say of itself, and what is refused.

use serde_json::{Value, json};

use super::{application_with, count, open, refused, register, registered};
use crate::support::prelude::*;

/// R3: redirect URIs that are refused, by `invalid_redirect_uri`.
#[tokio::test]
async fn redirect_uris_that_are_refused() {
    let signet = open().await;
    let implicit = json!(["implicit"]);
    let types = json!(["id_token"]);
    for (uri, members) in [
        ("https://reports.example/cb#fragment", json!({})),
        ("https://reports.example/cb#", json!({})),
        ("http://reports.example/cb", json!({})),
        ("javascript:alert(1)", json!({})),
        ("data:text/html,x", json!({})),
        ("file:///etc/passwd", json!({})),
        ("vbscript:x", json!({})),
        ("blob:https://reports.example/1", json!({})),
        ("/callback", json!({})),
        ("https://user:password@reports.example/cb", json!({})),
        ("https://*.reports.example/cb", json!({})),
        ("https://reports.example\\@evil.example/cb", json!({})),
        ("https://reports.example/cb?code=1", json!({})),
        ("com.example.app:/cb", json!({ "application_type": "web" })),
        ("https://localhost/cb", json!({ "grant_types": implicit, "response_types": types })),
        ("https://127.0.0.1/cb", json!({ "grant_types": implicit, "response_types": types })),
        ("http://localhost/cb", json!({ "grant_types": implicit, "response_types": types })),
        ("https://reports.example/cb", json!({ "application_type": "native" })),
        ("http://reports.example/cb", json!({ "application_type": "native" })),
        ("javascript:alert(1)", json!({ "application_type": "native" })),
        ("app:/cb", json!({ "application_type": "native" })),
    ] {
        let mut body = application_with(&members);
        body["redirect_uris"] = json!(["https://reports.example/good", uri]);
        if members["application_type"] == "native" {
            body["redirect_uris"] = json!(["com.example.app:/cb", uri]);
        }
        let refusal = refused(register(&signet, &body).await).await;
        assert_eq!(refusal, (400, "invalid_redirect_uri".to_owned()), "{uri} {members}");
    }
    for none in [json!(null), json!([])] {
        let refusal = refused(register(&signet, &application_with(&json!({ "redirect_uris": none }))).await).await;
        assert_eq!(refusal, (400, "invalid_redirect_uri".to_owned()), "{none}");
    }
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic'"), 0);
    for (uris, members, kind) in [
        (json!(["https://reports.example/cb?page=1"]), json!({}), "web"),
        (json!(["http://localhost:3000/cb", "https://reports.example/cb"]), json!({}), "web"),
        (json!(["com.example.app:/cb"]), json!({}), "native"),
        (
            json!(["com.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost/cb"]),
            json!({ "application_type": "native" }),
            "native",
        ),
        (json!(["https://reports.example/cb"]), json!({ "grant_types": implicit, "response_types": types }), "web"),
    ] {
        let mut body = application_with(&members);
        body["redirect_uris"] = uris.clone();
        let own = registered(&signet, &body).await;
        assert_eq!((&own["redirect_uris"], &own["application_type"]), (&uris, &json!(kind)));
    }
}

/// R3: members that are refused, by `invalid_client_metadata`, in words that name the member.
#[tokio::test]
async fn members_that_are_refused() {
    let signet = open().await;
    let key = Signer::new("ES256", "k");
    let private = json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] });
    for (members, named) in [
        (json!({ "redirect_uris": "https://reports.example/" }), "redirect_uris"),
        (json!({ "client_name": 1 }), "client_name"),
        (json!({ "client_name": "x".repeat(201) }), "client_name"),
        (json!({ "client_name": "a\u{202e}knaB" }), "client_name"),
        (json!({ "client_name": "a\u{0}b" }), "client_name"),
        (json!({ "client_name#de": "a\u{7}" }), "client_name"),
        (json!({ "client_name#d": "Berichte" }), "client_name"),
        (json!({ "logo_uri#de": "http://reports.example/" }), "logo_uri"),
        (json!({ "policy_uri#de": 1 }), "policy_uri"),
        (json!({ "application_type": "desktop" }), "application_type"),
        (json!({ "grant_types": ["password"], "response_types": null }), "grant_types"),
        (
            json!({ "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "response_types": null }),
            "grant_types",
        ),
        (
            json!({ "grant_types": ["client_credentials"], "response_types": null, "token_endpoint_auth_method": "none" }),
            "grant_types",
        ),
        (json!({ "response_types": ["token"] }), "response_types"),
        (json!({ "response_types": ["none"] }), "response_types"),
        (json!({ "response_types": ["code id_token"] }), "response_types"),
        (json!({ "grant_types": ["implicit"] }), "response_types"),
        (json!({ "scope": ["openid"] }), "scope"),
        (json!({ "scope": "a\"b" }), "scope"),
        (json!({ "token_endpoint_auth_method": "tls_client_auth" }), "token_endpoint_auth_method"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "jwks"),
        (json!({ "token_endpoint_auth_signing_alg": "none" }), "token_endpoint_auth_signing_alg"),
        (json!({ "id_token_signed_response_alg": "HS256" }), "id_token_signed_response_alg"),
        (json!({ "id_token_signed_response_alg": "ES256K" }), "id_token_signed_response_alg"),
        (json!({ "userinfo_signed_response_alg": "none" }), "userinfo_signed_response_alg"),
        (json!({ "id_token_encrypted_response_alg": "RSA1_5" }), "id_token_encrypted_response_alg"),
        (json!({ "id_token_encrypted_response_enc": "A128GCM" }), "id_token_encrypted_response_enc"),
        (json!({ "request_object_signing_alg": "HS256" }), "request_object_signing_alg"),
        (json!({ "jwks": { "keys": [] }, "jwks_uri": "https://reports.example/jwks" }), "jwks"),
        (json!({ "jwks": private }), "jwks"),
        (json!({ "jwks": { "keys": [{ "kty": "EC", "x": "a\u{0}" }] } }), "jwks"),
        (json!({ "jwks": [] }), "jwks"),
        (json!({ "jwks_uri": "http://reports.example/jwks" }), "jwks_uri"),
        (json!({ "contacts": "ada@reports.example" }), "contacts"),
        (json!({ "contacts": vec!["a"; 101] }), "contacts"),
        (json!({ "software_id": "a\u{0}" }), "software_id"),
        (json!({ "subject_type": "secret" }), "subject_type"),
        (json!({ "default_max_age": -1 }), "default_max_age"),
        (json!({ "default_max_age": "60" }), "default_max_age"),
        (json!({ "require_auth_time": "yes" }), "require_auth_time"),
        (json!({ "initiate_login_uri": "http://reports.example/begin" }), "initiate_login_uri"),
        (json!({ "initiate_login_uri": "http://localhost/begin" }), "initiate_login_uri"),
        (json!({ "initiate_login_uri": "https://reports.example/begin?iss=x" }), "initiate_login_uri"),
        (json!({ "request_uris": ["http://reports.example/r"] }), "request_uris"),
        (json!({ "backchannel_logout_uri": "https://reports.example/b#f" }), "backchannel_logout_uri"),
        (json!({ "backchannel_logout_uri": "http://reports.example/b" }), "backchannel_logout_uri"),
        (json!({ "frontchannel_logout_uri": "https://reports.example/f#f" }), "frontchannel_logout_uri"),
        (json!({ "frontchannel_logout_uri": "https://other.example/f" }), "frontchannel_logout_uri"),
        (json!({ "frontchannel_logout_uri": "https://reports.example:8443/f" }), "frontchannel_logout_uri"),
        (json!({ "post_logout_redirect_uris": ["javascript:1"] }), "post_logout_redirect_uris"),
        (
            json!({ "subject_type": "pairwise", "redirect_uris": ["https://a.example/", "https://b.example/"] }),
            "sector_identifier_uri",
        ),
    ] {
        let answer = register(&signet, &application_with(&members)).await;
        let status = answer.status();
        let told: Value = answer.json().await.expect("JSON");
        let expected = if named == "redirect_uris" { "invalid_redirect_uri" } else { "invalid_client_metadata" };
        assert_eq!((status.as_u16(), flow::member(&told, "error")), (400, expected), "{members}: {told}");
        let description = flow::member(&told, "error_description");
        assert!(description.starts_with(named) || description.contains(named), "{members}: {told}");
        let plain = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
        assert!(description.chars().all(plain) && description.len() <= 400, "{told}");
    }
    assert_eq!(count(&signet, "clients WHERE source = 'dynamic'"), 0);
    assert_eq!(count(&signet, "signing_keys WHERE alg NOT IN ('ES256', 'RS256')"), 0, "what is refused makes no keys");
    drop(key);
}

/// RFC 7591 §2, §2.1: response types that are left out are `code` where there is a grant for it, grant types follow from the
/// response types; the implicit grant is kept where something asks for it.
#[tokio::test]
async fn grant_and_response_types_agree() {
    let signet = open().await;
    let all = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"];
    for (grants, responses, (expected_grants, expected_responses)) in [
        (Value::Null, Value::Null, (json!(["authorization_code"]), json!(["code"]))),
        (json!(["authorization_code"]), Value::Null, (json!(["authorization_code"]), json!(["code"]))),
        (json!(["implicit"]), Value::Null, (json!(["implicit"]), json!(["id_token", "id_token token"]))),
        (json!(["authorization_code", "implicit"]), Value::Null, (json!(["authorization_code"]), json!(["code"]))),
        (json!(["authorization_code", "implicit"]), json!(["code"]), (json!(["authorization_code"]), json!(["code"]))),
        (
            json!(["authorization_code", "implicit"]),
            json!(all),
            (json!(["authorization_code", "implicit"]), json!(all)),
        ),
        (json!(["client_credentials"]), Value::Null, (json!(["client_credentials"]), json!([]))),
        (Value::Null, json!(["id_token token"]), (json!(["implicit"]), json!(["id_token token"]))),
        (Value::Null, json!(["id_token code"]), (json!(["authorization_code", "implicit"]), json!(["code id_token"]))),
        (Value::Null, json!(["code", "code"]), (json!(["authorization_code"]), json!(["code"]))),
        (json!([]), json!([]), (json!(["authorization_code"]), json!(["code"]))),
        (
            json!(["refresh_token", "authorization_code"]),
            json!(["code"]),
            (json!(["authorization_code", "refresh_token"]), json!(["code"])),
        ),
    ] {
        let members = json!({ "grant_types": grants, "response_types": responses });
        let own = registered(&signet, &application_with(&members)).await;
        assert_eq!((&own["grant_types"], &own["response_types"]), (&expected_grants, &expected_responses), "{members}");
    }
}

/// R1, R3: only one JSON object is read, of no more than 64 KiB, of no member twice and not nested without end.
#[tokio::test]
async fn only_one_object_is_read() {
    let signet = open().await;
    let send = async |kind: &str, body: String| {
        let request = signet.http().post(signet.url("/oauth/register")).header("content-type", kind).body(body);
        let answer = request.send().await.expect("an answer");
        refused(answer).await
    };
    let good = r#"{"redirect_uris": ["https://reports.example/"]}"#;
    let nested = format!(
        r#"{{"redirect_uris": ["https://reports.example/"], "x": {}{}}}"#,
        "[".repeat(50_00),
        "]".repeat(50_00)
    );
    for (kind, body, status) in [
        ("application/x-www-form-urlencoded", good.to_owned(), 400),
        ("text/plain", good.to_owned(), 400),
        ("application/json", String::new(), 400),
        ("application/json", "[]".to_owned(), 400),
        ("application/json", "null".to_owned(), 400),
        ("application/json", format!("{good}{good}"), 400),
        ("application/json", good.replace('}', r#", "redirect_uris": ["https://evil.example/"]}"#), 400),
        (
            "application/json",
            r#"{"redirect_uris": ["https://reports.example/"], "jwks": {"keys": [], "keys": []}}"#.to_owned(),
            400,
        ),
        ("application/json", nested, 400),
        ("application/json", format!(r#"{{"x": "{}"}}"#, "x".repeat(65_536)), 413),
    ] {
        let (seen, error) = send(kind, body.clone()).await;
        assert_eq!((seen, &*error), (status, "invalid_request"), "{}", body.get(..60).unwrap_or(&body));
    }
    let fits = format!(r#"{{"redirect_uris": ["https://reports.example/"], "x": "{}"}}"#, "x".repeat(65_000));
    let request =
        signet.http().post(signet.url("/oauth/register")).header("content-type", "application/json; charset=utf-8");
    assert_eq!(request.body(fits).send().await.expect("an answer").status(), 201);
}

/// R-38, R1: an algorithm that nobody signed with yet gets its keys when a client registers it, and they sign at once.
#[tokio::test]
async fn an_algorithm_gets_its_keys() {
    let signet = open().await;
    let own = registered(&signet, &application_with(&json!({ "id_token_signed_response_alg": "ES384" }))).await;
    let granted = super::tokens(&signet, &super::client_of(&own), "openid").await;
    assert_eq!(flow::jwt_header(flow::member(&granted, "id_token"))["alg"], "ES384");
}
