//! `/.well-known/openid-configuration`, its other names, and `/oauth/jwks`.

use std::collections::BTreeSet;

use reqwest::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::scene::header;
use crate::support::prelude::*;

/// OIDC Discovery §3, RFC 8414 §2, RFC 9207 §3, RP-Initiated Logout §2.1, Session Management §3.3, Back-Channel Logout §2.1,
/// Front-Channel Logout §3, Initiating User Registration §4.
const REGISTERED: &[&str] = &[
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "registration_endpoint",
    "userinfo_signing_alg_values_supported",
    "jwks_uri",
    "end_session_endpoint",
    "check_session_iframe",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
    "frontchannel_logout_supported",
    "frontchannel_logout_session_supported",
    "scopes_supported",
    "claims_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "id_token_encryption_alg_values_supported",
    "id_token_encryption_enc_values_supported",
    "userinfo_encryption_alg_values_supported",
    "userinfo_encryption_enc_values_supported",
    "token_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "display_values_supported",
    "ui_locales_supported",
    "acr_values_supported",
    "prompt_values_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_request_uri_registration",
    "request_object_signing_alg_values_supported",
    "authorization_response_iss_parameter_supported",
];

async fn json(signet: &Signet, url: &str) -> Value {
    flow::granted(signet.http().get(url).send().await.expect("an answer")).await
}

/// D1, R-30: the issuer to the letter, absolute endpoints, registered names only, the same under three names.
#[tokio::test]
async fn the_document_is_the_same_under_its_three_names() {
    let signet = Signet::start(Database::Postgres).await;
    let document = json(&signet, &signet.url("/.well-known/openid-configuration")).await;
    for other in ["/.well-known/openid_configuration", "/.well-known/oauth-authorization-server"] {
        assert_eq!(json(&signet, &signet.url(other)).await, document, "{other}");
    }
    assert_eq!(flow::member(&document, "issuer"), signet.issuer());
    let members = document.as_object().expect("an object");
    for (name, value) in members {
        assert!(REGISTERED.contains(&name.as_str()), "{name}");
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            assert!(value.as_str().is_some_and(|url| url.starts_with(signet.issuer())), "{name}: {value}");
        }
    }
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
}

/// D1, R-31: the issuer is the configured one to the letter, wherever Signet listens and whatever a caller says of the
/// address it came by; the endpoints are absolute and under it.
#[tokio::test]
async fn nobody_else_says_who_the_issuer_is() {
    let issuer = "http://localhost:51234";
    let settings = [("SIGNET_ISSUER", issuer), ("SIGNET_PROXY__TRUSTED", "127.0.0.0/8,::1/128")];
    let signet = Signet::start_with(Database::Postgres, &settings).await;
    let path = signet.url("/.well-known/openid-configuration");
    let document = json(&signet, &path).await;
    assert_eq!(document["issuer"], issuer);
    for (name, value) in document.as_object().expect("an object") {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let url = value.as_str().and_then(|url| url::Url::parse(url).ok()).expect("an absolute URL");
            assert_eq!(url.origin().ascii_serialization(), issuer, "{name}");
        }
    }
    for (header, value) in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
    ] {
        let answer = signet.http().get(&path).header(header, value).send().await.expect("an answer");
        let body = answer.text().await.expect("a body");
        assert_eq!(serde_json::from_str::<Value>(&body).ok().as_ref(), Some(&document), "{header}");
    }
}

/// D2: what is published, to the letter.
#[tokio::test]
async fn what_is_published() {
    let signet = Signet::start(Database::Postgres).await;
    let document = json(&signet, &signet.url("/.well-known/openid-configuration")).await;
    let signing = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
    let sorted = |values: &Value| {
        let values = values.as_array().expect("a list").iter();
        values.map(|value| value.as_str().expect("a name").to_owned()).collect::<BTreeSet<_>>()
    };
    for (name, expected) in [
        (
            "response_types_supported",
            &["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"][..],
        ),
        ("response_modes_supported", &["query", "fragment", "form_post"]),
        (
            "grant_types_supported",
            &["authorization_code", "implicit", "refresh_token", "client_credentials", "password"],
        ),
        ("subject_types_supported", &["public", "pairwise"]),
        ("scopes_supported", &["openid", "profile", "email", "address", "phone", "offline_access"]),
        ("code_challenge_methods_supported", &["S256"]),
        ("display_values_supported", &["page", "popup", "touch"]),
        ("ui_locales_supported", &["en"]),
        (
            "token_endpoint_auth_methods_supported",
            &["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"],
        ),
        ("userinfo_signing_alg_values_supported", &signing),
        ("id_token_encryption_alg_values_supported", &["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"]),
        ("id_token_encryption_enc_values_supported", &["A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"]),
        ("userinfo_encryption_alg_values_supported", &["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"]),
        ("userinfo_encryption_enc_values_supported", &["A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"]),
    ] {
        let expected: BTreeSet<String> = expected.iter().map(|&one| one.to_owned()).collect();
        assert_eq!(sorted(&document[name]), expected, "{name}");
        assert_eq!(document[name].as_array().map(Vec::len), Some(expected.len()), "{name}: none twice");
    }
    for (name, among) in [
        ("id_token_signing_alg_values_supported", &[&signing[..], &["none"]].concat()[..]),
        ("request_object_signing_alg_values_supported", &["none", "RS256", "PS256", "ES256", "EdDSA"]),
        ("token_endpoint_auth_signing_alg_values_supported", &["RS256", "PS256", "ES256", "EdDSA", "HS256"]),
        ("claims_supported", &["sub", "iss", "auth_time", "acr", "name", "email", "address", "phone_number"]),
        ("acr_values_supported", &["urn:signet:acr:1fa"]),
    ] {
        let listed = sorted(&document[name]);
        assert!(among.iter().all(|one| listed.contains(*one)), "{name}: {listed:?}");
    }
    for name in [
        "claims_parameter_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "require_request_uri_registration",
        "authorization_response_iss_parameter_supported",
    ] {
        assert_eq!(document[name], true, "{name}");
    }
    // What a secret signs, its holder could have made.
    for name in ["id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"] {
        assert!(!sorted(&document[name]).iter().any(|alg| alg.starts_with("HS")), "{name}");
    }
}

/// D3, R-31: every endpoint that is advertised is there, and what is not served is not advertised.
#[tokio::test]
async fn nothing_is_advertised_that_is_not_served() {
    let signet = Signet::start(Database::Postgres).await;
    let document = json(&signet, &signet.url("/.well-known/openid-configuration")).await;
    for (name, value) in document.as_object().expect("an object") {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let answer = signet.http().get(value.as_str().expect("a URL")).send().await.expect("an answer");
            assert_ne!(answer.status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
    let client = signet.client(ClientSpec::confidential()).await;
    let advertised = document["grant_types_supported"].as_array().expect("an array");
    // `implicit` is served by the authorization endpoint.
    for name in ["authorization_code", "refresh_token", "client_credentials", "password"] {
        let (_, error) = flow::refused(flow::token(&signet, &client, &[("grant_type", name)]).await).await;
        assert_eq!(advertised.contains(&Value::from(name)), error != "unsupported_grant_type", "{name}: {error}");
    }
}

/// D4: distinct key ids, public members only, cached with a tag that gives 304.
#[tokio::test]
async fn the_key_set_is_public_and_cached() {
    let signet = Signet::start(Database::Postgres).await;
    let url = signet.url("/oauth/jwks");
    let answer = signet.http().get(&url).send().await.expect("an answer");
    assert!(header(&answer, CACHE_CONTROL.as_str()).contains("max-age="), "{answer:?}");
    let tag = header(&answer, ETAG.as_str()).to_owned();
    let set: Value = flow::granted(answer).await;
    let keys = set["keys"].as_array().expect("keys");
    let kids: BTreeSet<_> = keys.iter().map(|key| flow::member(key, "kid")).collect();
    assert_eq!(kids.len(), keys.len());
    let algorithms: BTreeSet<_> = keys.iter().map(|key| flow::member(key, "alg")).collect();
    assert!(algorithms.is_superset(&BTreeSet::from(["ES256", "RS256"])), "{algorithms:?}");
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(keys.iter().all(|key| key.get(private).is_none()), "{private}");
    }

    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let same = signet.http().get(&url).header(IF_NONE_MATCH, &known).send().await.expect("an answer");
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED, "{known}");
    }
    let other = signet.http().get(&url).header(IF_NONE_MATCH, "\"other\"").send().await.expect("an answer");
    assert_eq!(other.status(), StatusCode::OK);
}

/// D3: what the endpoints for tokens take is what is advertised for each; introspection takes no public client.
#[tokio::test]
async fn the_methods_of_client_authentication_are_advertised() {
    let signet = Signet::start(Database::Postgres).await;
    let document = json(&signet, &signet.url("/.well-known/openid-configuration")).await;
    let key = Signer::new("ES256", "k");
    for (endpoint, path) in
        [("token", "/oauth/token"), ("introspection", "/oauth/introspect"), ("revocation", "/oauth/revoke")]
    {
        let advertised = document[format!("{endpoint}_endpoint_auth_methods_supported")].as_array().expect("methods");
        for method in ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"] {
            let mut spec = ClientSpec { auth_method: Some(method.to_owned()), ..ClientSpec::confidential() };
            if method == "private_key_jwt" {
                spec.metadata = json!({ "jwks": signer::set(&[&key]) });
            }
            let client = signet.client(spec).await;
            let assertion = match method {
                "client_secret_jwt" => Signer::secret("HS256", &client).assertion(&signet, &client, json!({})),
                _ => key.assertion(&signet, &client, json!({})),
            };
            let mut fields = vec![("token", "x"), ("grant_type", "refresh_token"), ("refresh_token", "x")];
            let mut request = signet.http().post(signet.url(path));
            match (method, &client.secret) {
                ("client_secret_basic", secret) => request = request.basic_auth(&client.id, secret.as_ref()),
                ("client_secret_jwt" | "private_key_jwt", _) => fields.extend(signer::fields(&assertion)),
                (_, Some(secret)) => fields.extend([("client_id", &*client.id), ("client_secret", secret)]),
                (_, None) => fields.push(("client_id", &client.id)),
            }
            let status = request.form(&fields).send().await.expect("an answer").status();
            let listed = advertised.contains(&Value::from(method));
            assert_eq!(listed, status != StatusCode::UNAUTHORIZED, "{endpoint} {method}: {status}");
        }
    }
}

/// R-53, O2: scripts of applications may call discovery, keys, token, userinfo and revocation, and no page.
#[tokio::test]
async fn cross_origin_calls_are_open_for_the_protocol_only() {
    let signet = Signet::start(Database::Postgres).await;
    for path in ["/.well-known/openid-configuration", "/oauth/jwks", "/oauth/token", "/oauth/userinfo", "/oauth/revoke"]
    {
        let asked = signet.http().request(Method::OPTIONS, signet.url(path)).header("origin", "https://app.example");
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(header(&answer, "access-control-allow-origin"), "*", "{path}");
        assert_eq!(header(&answer, "access-control-allow-credentials"), "", "{path}");
        assert!(header(&answer, "access-control-allow-headers").contains("Authorization"), "{path}");
    }
    for path in ["/signin", "/register", "/consent", "/oauth/authorize", "/oauth/logout", "/oauth/introspect", "/"] {
        let asked = signet.http().get(signet.url(path)).header("origin", "https://app.example");
        let answer = asked.send().await.expect("an answer");
        assert_eq!(header(&answer, "access-control-allow-origin"), "", "{path}");
    }
}
