use serde_json::json;

use super::*;
use crate::error::ErrorCode;

fn read(body: Value) -> Result<Wanted, OAuthError> {
    let Value::Object(members) = body else { panic!("an object") };
    Wanted::read(members)
}

fn code(body: Value) -> ErrorCode {
    read(body).unwrap_err().code
}

/// R1, R2: what is left out has the defaults of RFC 7591 §2 and OIDC Registration §2.
#[test]
fn defaults() {
    let wanted = read(json!({"redirect_uris": ["https://app.example/cb"]})).unwrap();
    let expected = Wanted {
        client_name: "app.example".into(),
        redirect_uris: vec!["https://app.example/cb".into()],
        post_logout_redirect_uris: vec![],
        grant_types: vec!["authorization_code".into()],
        response_types: vec![ResponseType::CODE],
        scopes: "openid profile email address phone".parse().unwrap(),
        token_endpoint_auth_method: "client_secret_basic".into(),
        application_type: None,
        members: Map::new(),
    };
    assert_eq!(wanted, expected);
    let nulls = json!({
        "redirect_uris": ["https://app.example/cb"], "client_name": null, "scope": null, "grant_types": null,
        "response_types": [], "jwks": null, "client_name#de": null, "token_endpoint_auth_method": null,
    });
    assert_eq!(read(nulls).unwrap(), expected, "what is null is absent");
    for uris in [json!([]), json!(["com.example.app:/cb"])] {
        assert_eq!(read(json!({"redirect_uris": uris})).unwrap().client_name, "An application without a name");
    }
}

/// R1: members are taken by their names; what is unknown, or for administrators to give, is ignored.
#[test]
fn members_that_count() {
    let wanted = read(json!({
        "client_name": "App", "logo_uri": "https://app.example/", "jwks": {"keys": []}, "software_id": "x",
        "client_name#de": "Anwendung", "tos_uri#pt-BR": "https://app.example/pt",
        "first_party": true, "default_audience": "https://op.example/api", "access_roles": ["admin"], "resources": ["a"],
        "claims": {"groups": {"from": "groups"}}, "localized": {"client_name#fr": "x"}, "policy": {}, "pkce": "optional",
        "unheard_of": {"a": [1]}, "redirect_uris#de": ["x"], "software_statement": "x.y.z", "client_id": "mine",
    }))
    .unwrap();
    let expected = json!({
        "logo_uri": "https://app.example/", "jwks": {"keys": []}, "software_id": "x",
        "localized": {"client_name#de": "Anwendung", "tos_uri#pt-BR": "https://app.example/pt"},
    });
    assert_eq!(Value::Object(wanted.members), expected);
}

/// R3: members of another kind, and values that are not served, are refused by name.
#[test]
fn members_of_another_kind() {
    for (body, named) in [
        (json!({"client_name": 1}), "client_name"),
        (json!({"client_name": ["a"]}), "client_name"),
        (json!({"grant_types": "implicit"}), "grant_types"),
        (json!({"grant_types": [1]}), "grant_types"),
        (json!({"response_types": ["token"]}), "response_types"),
        (json!({"response_types": [null]}), "response_types"),
        (json!({"scope": ["openid"]}), "scope"),
        (json!({"scope": "a\\b"}), "scope"),
        (json!({"application_type": "desktop"}), "application_type"),
        (json!({"token_endpoint_auth_method": false}), "token_endpoint_auth_method"),
        (json!({"post_logout_redirect_uris": "https://app.example/"}), "post_logout_redirect_uris"),
        (json!({"logo_uri#de": 1}), "logo_uri"),
        (json!({"request_object_encryption_alg": "RSA-OAEP"}), "request_object_encryption_alg"),
        (json!({"request_object_encryption_enc": "A128GCM"}), "request_object_encryption_enc"),
    ] {
        let error = read(body.clone()).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidClientMetadata, "{body}");
        assert!(error.description.starts_with(named), "{body}: {error}");
    }
    assert_eq!(code(json!({"redirect_uris": "https://app.example/"})), ErrorCode::InvalidRedirectUri);
    assert_eq!(code(json!({"redirect_uris": [1]})), ErrorCode::InvalidRedirectUri);
}

/// R3, RFC 7591 §2.1: one of grant and response types follows from the other.
#[test]
fn flows_that_follow() {
    let flows = |body: Value| {
        let wanted = read(body).unwrap();
        let responses: Vec<_> = wanted.response_types.iter().map(|one| one.as_str()).collect();
        format!("{} | {}", wanted.grant_types.join(" "), responses.join(", "))
    };
    for (body, expected) in [
        (json!({"grant_types": ["implicit"]}), "implicit | id_token, id_token token"),
        (json!({"grant_types": ["client_credentials"]}), "client_credentials | "),
        (json!({"grant_types": ["authorization_code", "refresh_token"]}), "authorization_code refresh_token | code"),
        (json!({"response_types": ["id_token"]}), "implicit | id_token"),
        (json!({"response_types": ["code", "id_token token"]}), "authorization_code implicit | code, id_token token"),
        (json!({"response_types": ["token code"]}), "authorization_code implicit | code token"),
        (json!({"grant_types": ["implicit"], "response_types": ["code"]}), "implicit | code"),
        (json!({"grant_types": ["authorization_code", "implicit"]}), "authorization_code | code"),
        (
            json!({"grant_types": ["implicit", "authorization_code"], "response_types": ["code"]}),
            "authorization_code | code",
        ),
    ] {
        assert_eq!(flows(body.clone()), expected, "{body}");
    }
}

/// R2: nothing but the standard scopes, and `offline_access` with the refresh grant alone.
#[test]
fn scopes_that_count() {
    let refresh = json!(["authorization_code", "refresh_token"]);
    for (body, expected) in [
        (json!({}), "address email openid phone profile"),
        (json!({"grant_types": refresh}), "address email offline_access openid phone profile"),
        (json!({"scope": "openid *:* client:read roles email"}), "email openid"),
        (json!({"scope": "openid offline_access"}), "openid"),
        (json!({"scope": "openid offline_access", "grant_types": refresh}), "offline_access openid"),
        (json!({"scope": "reports"}), ""),
        (json!({"scope": ""}), ""),
    ] {
        assert_eq!(read(body.clone()).unwrap().scopes.to_string(), expected, "{body}");
    }
}

/// RFC 7592 §2.2: a change says which client it is of, and holds nothing of the provider's.
#[test]
fn who_a_change_is_of() {
    let take = |body: Value| {
        let Value::Object(mut members) = body else { panic!("an object") };
        Identity::take(&mut members).map(|identity| (identity, members.len()))
    };
    let (identity, left) = take(json!({"client_id": "a", "client_secret": "s", "client_name": "App"})).unwrap();
    assert_eq!((identity.client_id.as_str(), identity.client_secret, left), ("a", Some(Secret::new("s")), 1));
    assert_eq!(take(json!({"client_id": "a", "client_secret": null})).unwrap().0.client_secret, None);
    for bad in [
        json!({}),
        json!({"client_id": null}),
        json!({"client_id": 1}),
        json!({"client_id": "a", "client_secret": 1}),
        json!({"client_id": "a", "registration_access_token": "x"}),
        json!({"client_id": "a", "registration_client_uri": "x"}),
        json!({"client_id": "a", "client_secret_expires_at": 0}),
        json!({"client_id": "a", "client_id_issued_at": 0}),
        json!({"client_id": "a", "client_id_issued_at": null}),
    ] {
        assert_eq!(take(bad.clone()).unwrap_err().code, ErrorCode::InvalidClientMetadata, "{bad}");
    }
}
