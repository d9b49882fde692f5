//! Where objects come from, and where their errors go.

use super::*;

/// A2, A14: what nobody verified sends nobody anywhere, and what is verified only to where the client registered.
#[test]
fn no_redirect_to_where_an_object_alone_leads() {
    let bare = |text: &str| params(&[("client_id", "app"), ("request", text)]);
    let on_page = |params: &Params| {
        let read = unpack(params, &two()).and_then(|read| authorize::read(&read, Some(&two()), Ok(None), &realm()));
        matches!(read, Err(AuthorizeError::Page(_)))
    };
    let foreign = generate(Alg::Es256, KeyState::Active).unwrap();
    // Registered, but said by nobody that is known.
    assert!(on_page(&bare(&signed_by(&foreign, &json!({}), &claims(&json!({}))))));
    assert!(on_page(&bare(&none(&claims(&json!({"iss": "other"}))))));
    assert!(!on_page(&bare(&signed(&claims(&json!({"iss": "other"}))))));
    assert!(unpack(&bare(&signed(&claims(&json!({})))), &two()).is_ok());
    let evil = json!({"redirect_uri": "https://evil.example/"});
    for text in [none(&claims(&evil)), signed(&claims(&evil))] {
        assert!(on_page(&bare(&text)));
        assert!(on_page(&around(&text)), "the one outside is overruled");
    }
    let evil_and_wrong = json!({"redirect_uri": "https://evil.example/", "iss": "other"});
    assert!(on_page(&around(&signed(&claims(&evil_and_wrong)))));
    // OIDC Core §6.1: the one inside wins, also over one that is not registered.
    let pairs =
        |text: &str| params(&[("client_id", "app"), ("redirect_uri", "https://evil.example/"), ("request", text)]);
    assert!(unpack(&pairs(&none(&claims(&json!({})))), &two()).is_ok());
    assert!(on_page(&pairs("a.b.c")));
    let twice =
        params(&[("client_id", "app"), ("redirect_uri", OTHER), ("redirect_uri", REDIRECT), ("request", "a.b.c")]);
    assert!(on_page(&twice));
}

/// A1, A14, A15: where the object is, and what is refused before it is looked at.
#[test]
fn where_the_object_is() {
    let registered = ClientMetadata {
        request_uris: vec!["https://app.example/r#v1".into(), "https://app.example/s".into()],
        ..ClientMetadata::default()
    };
    let (plain, client, realm) = (two(), having(registered), realm());
    let with = |extra: &[(&str, &str)]| params(&[&[("client_id", "app"), ("redirect_uri", OTHER)], extra].concat());
    let code = |params: &Params, client: &Client| {
        let envelope = Envelope { params, client, realm: &realm };
        match envelope.carried() {
            Ok(carried) => Ok(carried.map(|carried| match carried {
                Carried::Value(text) | Carried::Reference(text) => text.to_owned(),
            })),
            Err(AuthorizeError::Redirect(delivery, error)) => {
                assert_eq!(delivery.redirect_uri, OTHER);
                Err(error.code)
            }
            Err(AuthorizeError::Page(error)) => panic!("{error}"),
        }
    };
    assert_eq!(code(&with(&[]), &plain), Ok(None));
    assert_eq!(code(&with(&[("request", ""), ("request_uri", "")]), &plain), Ok(None));
    assert_eq!(code(&with(&[]), &requiring()), Err(ErrorCode::InvalidRequest));
    assert_eq!(code(&with(&[("request", "x")]), &plain), Ok(Some("x".into())));
    for both in
        [&[("request", "x"), ("request_uri", "https://app.example/s")][..], &[("request", "x"), ("request", "x")]]
    {
        assert_eq!(code(&with(both), &client), Err(ErrorCode::InvalidRequest), "{both:?}");
    }
    assert_eq!(
        code(&with(&[("request", "x"), ("state", "1"), ("state", "2")]), &client),
        Err(ErrorCode::InvalidRequest)
    );
    assert_eq!(
        code(&with(&[("request_uri", "https://app.example/r#v1")]), &client),
        Ok(Some("https://app.example/r".into()))
    );
    assert_eq!(
        code(&with(&[("request_uri", "https://app.example/s")]), &client),
        Ok(Some("https://app.example/s".into()))
    );
    for other in [
        "https://app.example/r",
        "https://app.example/r#v2",
        "https://app.example/s#v1",
        "https://app.example/S",
        "https://app.example/s?x",
        "https://evil.example/",
        "urn:ietf:params:oauth:request_uri:x",
    ] {
        assert_eq!(code(&with(&[("request_uri", other)]), &client), Err(ErrorCode::InvalidRequestUri), "{other}");
    }
    assert_eq!(code(&with(&[("request_uri", "https://app.example/s")]), &plain), Err(ErrorCode::InvalidRequestUri));
}
