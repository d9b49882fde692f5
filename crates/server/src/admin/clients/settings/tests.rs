use signet_oidc::{id::RealmId, policy::Policy};

use super::*;

fn realm() -> Realm {
    Realm {
        id: RealmId(1),
        issuer: "https://id.example".to_owned(),
        development: false,
        registration_open: false,
        clients_register: false,
        policy: Policy::default(),
    }
}

fn good() -> NewClient {
    NewClient {
        client_name: " App ".to_owned(),
        redirect_uris: vec!["https://app.example/cb".to_owned(), "https://app.example/cb".to_owned()],
        ..NewClient::default()
    }
}

fn checked(new: NewClient) -> Result<Settings, AdminError> {
    Settings::of_new(new)?.check(&realm(), &ClientSource::Admin)
}

/// R-37: defaults are filled in, and what is stored is the same whatever order it was given in.
#[test]
fn settings_are_stored_in_one_form() {
    let stored = checked(good()).unwrap();
    assert_eq!((stored.name.as_str(), stored.redirect_uris.len()), ("App", 1));
    assert_eq!(stored.scope, "address email offline_access openid phone profile");
    let turned = NewClient {
        grant_types: Some(vec!["refresh_token".to_owned(), "authorization_code".to_owned()]),
        scope: Some("profile openid email phone  address offline_access".to_owned()),
        token_endpoint_auth_method: Some("client_secret_basic".to_owned()),
        ..good()
    };
    assert_eq!(checked(turned).unwrap().differences(&stored), Vec::<String>::new());
    let native = NewClient { redirect_uris: vec!["com.example.app:/cb".to_owned()], ..good() };
    assert_eq!(checked(native).unwrap().application_type, ApplicationType::Native);
}

/// R-37: what cannot be is refused with the member's name.
#[test]
fn wrong_members_are_named() {
    let text = |text: &str| Some(text.to_owned());
    let types = |types: &[&str]| Some(types.iter().map(|&name| name.to_owned()).collect());
    for (bad, field) in [
        (NewClient { client_name: " ".to_owned(), ..good() }, "client_name"),
        (NewClient { client_name: "a\u{7}".to_owned(), ..good() }, "client_name"),
        (NewClient { client_name: "x".repeat(201), ..good() }, "client_name"),
        (NewClient { redirect_uris: vec![], ..good() }, "redirect_uris"),
        (NewClient { redirect_uris: vec!["http://app.example/".to_owned()], ..good() }, "redirect_uris"),
        (NewClient { redirect_uris: vec!["https://a.example/".to_owned(); 51], ..good() }, "redirect_uris"),
        (
            NewClient { post_logout_redirect_uris: vec!["javascript:1".to_owned()], ..good() },
            "post_logout_redirect_uris",
        ),
        (NewClient { grant_types: types(&["magic"]), ..good() }, "grant_types"),
        (NewClient { grant_types: types(&[]), ..good() }, "grant_types"),
        (
            NewClient {
                grant_types: types(&["client_credentials"]),
                token_endpoint_auth_method: text("none"),
                ..good()
            },
            "grant_types",
        ),
        (NewClient { scope: text("a\"b"), ..good() }, "scope"),
        (NewClient { scope: text(&"x".repeat(257)), ..good() }, "scope"),
        (NewClient { token_endpoint_auth_method: text("magic"), ..good() }, "token_endpoint_auth_method"),
        (NewClient { default_audience: text("api"), ..good() }, "default_audience"),
        (NewClient { default_audience: text("https://api.example/#x"), ..good() }, "default_audience"),
        (NewClient { default_audience: text("https://id.example"), ..good() }, "default_audience"),
    ] {
        match checked(bad.clone()) {
            Err(AdminError::Invalid(refusal)) => assert_eq!(refusal.field, Some(field), "{bad:?}"),
            other => panic!("{bad:?}: {other:?}"),
        }
    }
}

/// R-37: a change touches what it names, and `null` takes the audience away.
#[test]
fn changes_are_partial() {
    let stored = checked(NewClient { default_audience: Some("https://api.example".to_owned()), ..good() }).unwrap();
    let change: ClientChange = serde_json::from_str(r#"{"client_name": "New", "default_audience": null}"#).unwrap();
    assert_eq!(stored.clone().with(change).unwrap().differences(&stored), ["client_name", "default_audience"]);
    let nothing: ClientChange = serde_json::from_str("{}").unwrap();
    assert_eq!(stored.clone().with(nothing).unwrap(), stored);
    let other: ClientChange = serde_json::from_str(r#"{"client_id": "other"}"#).unwrap();
    assert!(stored.with(other).is_err(), "the identifier stays");
}

/// R3, OIDC Core §4: plain http begins a sign-in in development alone, and on this machine alone.
#[test]
fn plain_http_is_for_development() {
    for (uri, development, elsewhere) in [
        ("https://app.example/begin", true, true),
        ("http://127.0.0.1:3000/begin", true, false),
        ("http://localhost/begin", true, false),
        ("http://app.example/begin", false, false),
    ] {
        let new: NewClient = serde_json::from_value(serde_json::json!({
            "client_name": "App", "redirect_uris": ["https://app.example/cb"], "initiate_login_uri": uri,
        }))
        .unwrap();
        for (development, expected) in [(true, development), (false, elsewhere)] {
            let realm = Realm { development, ..realm() };
            let checked = Settings::of_new(new.clone()).unwrap().check(&realm, &ClientSource::Admin);
            assert_eq!(checked.is_ok(), expected, "{uri} {development}");
        }
    }
}
