//! How long values may be, and what wishes come to.

use super::*;

fn said(extra: &str, client: &Client) -> Option<String> {
    match parse(&query(extra), client) {
        Ok(_) => None,
        Err(AuthorizeError::Redirect(_, error)) => Some(error.to_string()),
        Err(AuthorizeError::Page(error)) => panic!("an error page: {error}"),
    }
}

/// A3, A6: `state` and `nonce` may be long, and are refused rather than cut where they are too long.
#[test]
fn lengths() {
    for (name, most) in [("state", 4_096), ("nonce", 1_024)] {
        let of = |length: usize| said(&format!("{name}={}", "x".repeat(length)), &client());
        assert_eq!(of(most), None, "{name}");
        assert_eq!(of(most + 1), Some(format!("invalid_request: {name} is longer than {most} bytes")));
    }
    let hint = |length: usize| parse(&query(&format!("login_hint={}", "x".repeat(length))), &client()).unwrap();
    assert_eq!(hint(254).login_hint.map(|hint| hint.len()), Some(254));
    assert_eq!(hint(255).login_hint, None, "a hint that is no name is dropped, and no error (A10)");
}

/// RFC 8707 §2: what is no address of an API is told apart from an API that is another client's.
#[test]
fn resources_are_absolute_and_registered() {
    let mut client = client();
    client.metadata.resources = vec!["https://api.example/".into(), "https://api.example/#x".into(), "api".into()];
    for (resource, expected) in [
        ("https%3A%2F%2Fapi.example%2F", None),
        (
            "https%3A%2F%2Fapi.example%2F%23x",
            Some("invalid_target: resource must be an absolute URI without a fragment"),
        ),
        ("api", Some("invalid_target: resource must be an absolute URI without a fragment")),
        ("https%3A%2F%2Fother.example%2F", Some("invalid_target: resource is not one this client may ask for")),
    ] {
        assert_eq!(said(&format!("resource={resource}"), &client).as_deref(), expected, "{resource}");
    }
}

/// A11, A8: `acr_values` count before what is registered, at most twenty of them.
#[test]
fn contexts_that_are_asked_for() {
    let mut client = client();
    client.metadata.default_acr_values = vec!["gold".into()];
    let wish = |extra: &str| parse(&query(extra), &client).unwrap().acr.values.join(" ");
    assert_eq!(wish("acr_values=2++3"), "2 3");
    assert_eq!(wish(""), "gold");
    let many: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(wish(&format!("acr_values={}", many.join("+"))), many[..20].join(" "));
}

/// A8: the registered age counts where the request names none, and zero asks for a sign-in.
#[test]
fn ages_that_are_asked_for() {
    let mut client = client();
    client.metadata.default_max_age = Some(600);
    let age = |extra: &str| parse(&query(extra), &client).unwrap().max_age;
    assert_eq!((age(""), age("max_age=0"), age("max_age=601")), (Some(600), Some(0), Some(601)));
}

/// A1, A3, A10: known parameters hold text, else the application is told; `claims` may be printed over several lines, hints
/// never fail, unknown ones do not matter.
#[test]
fn parameters_hold_text() {
    for (extra, expected) in [
        ("nonce=%FF", Some(ErrorCode::InvalidRequest)),
        ("nonce=a%0Ab", Some(ErrorCode::InvalidRequest)),
        ("state=a%00", Some(ErrorCode::InvalidRequest)),
        ("acr_values=%7F", Some(ErrorCode::InvalidRequest)),
        ("claims=%7B%22userinfo%22%3A%0D%0A%09%7B%7D%7D", None),
        ("claims=%7B%22userinfo%22%3A%00%7B%7D%7D", Some(ErrorCode::InvalidRequest)),
        ("login_hint=%FF", None),
        ("ui_locales=%0A", None),
        ("claims_locales=%FF", None),
        ("display=%00", None),
        ("unknown=%FF", None),
        ("%FF=1", None),
        ("nonce=%C3%A9%F0%9F%98%80", None),
    ] {
        assert_eq!(redirected(extra), expected, "{extra}");
    }
    assert_eq!(parse(&query("login_hint=%FF"), &client()).unwrap().login_hint, None);
    // What is no text is not sent back either.
    let Err(AuthorizeError::Redirect(delivery, _)) = parse(&query("state=a%0Ab"), &client()) else {
        panic!("a refusal")
    };
    assert_eq!(delivery.state, None);
}
