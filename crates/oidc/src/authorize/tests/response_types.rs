//! What each response type needs, and what it is answered with.

use super::*;

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// T8, A6: what each response type is answered with, and how the ID token names what travels beside it.
#[test]
fn what_each_response_type_is_answered_with() {
    let every = Client { response_types: RESPONSE_TYPES.to_vec(), ..implicit() };
    for asked in RESPONSE_TYPES {
        let encoded = asked.as_str().replace(' ', "+");
        let outcome =
            run(&format!("response_type={encoded}&nonce=n"), &every, Some(session()), "openid email", Stage::Arrived);
        let Ok(Next::Deliver { delivery, issue, .. }) = &outcome.verdict else { panic!("{asked}: not delivered") };
        assert_eq!(delivery.mode, ResponseMode::of(asked), "{asked}");
        let sent = sign(issue);
        assert_eq!(
            (sent.contains_key("code"), sent.contains_key("id_token"), sent.contains_key("access_token")),
            (asked.code, asked.id_token, asked.token),
            "{asked}"
        );
        assert_eq!(sent.contains_key("token_type") && sent.contains_key("expires_in"), asked.token, "{asked}");
        if let Some(id) = sent.get("id_token").map(|token| claims(token)) {
            assert_eq!(id["nonce"], "n");
            let hash = |name: &str| sent.get(name).map(|token| half_hash(Alg::Rs256, token));
            assert_eq!(id.get("c_hash").and_then(Value::as_str), hash("code").as_deref(), "{asked}");
            assert_eq!(id.get("at_hash").and_then(Value::as_str), hash("access_token").as_deref(), "{asked}");
        }
        let Some(Change::IssueGrant(new)) = outcome.changes.last() else { panic!("{asked}: no grant") };
        assert_eq!((new.code.is_some(), new.access_until.is_some()), (asked.code, asked.token), "{asked}");
    }
}

/// A4, A6, T5: which response types a client may ask for, in which mode, and with what.
#[test]
fn what_a_response_type_needs() {
    let every = Client { response_types: RESPONSE_TYPES.to_vec(), ..implicit() };
    let ask = |client: &Client, extra: &str| match parse(&query(extra), client) {
        Ok(request) => Ok(request.response_mode),
        Err(AuthorizeError::Redirect(delivery, error)) => Err((delivery.mode, error.code)),
        Err(AuthorizeError::Page(error)) => panic!("an error page: {error}"),
    };
    let (query, fragment, form) = (ResponseMode::Query, ResponseMode::Fragment, ResponseMode::FormPost);
    let (invalid, unauthorized) = (ErrorCode::InvalidRequest, ErrorCode::UnauthorizedClient);
    for (extra, expected) in [
        ("response_type=id_token&nonce=n", Ok(fragment)),
        ("response_type=id_token&nonce=n&response_mode=form_post", Ok(form)),
        ("response_type=token+code", Ok(fragment)),
        ("response_mode=fragment", Ok(fragment)),
        ("response_mode=form_post", Ok(form)),
        ("response_mode=web_message", Err((query, invalid))),
        ("response_type=id_token+token&nonce=n&response_mode=query", Err((fragment, invalid))),
        ("response_type=id_token", Err((fragment, invalid))),
        ("response_type=code+id_token&response_mode=form_post", Err((form, invalid))),
        ("response_type=id_token&nonce=n&scope=email", Err((fragment, invalid))),
        ("response_type=token", Err((query, ErrorCode::UnsupportedResponseType))),
        // A challenge belongs to a code.
        ("response_type=id_token&nonce=n&code_challenge=&code_challenge_method=", Ok(fragment)),
        ("response_type=code+id_token&nonce=n&code_challenge=&code_challenge_method=", Err((fragment, invalid))),
    ] {
        assert_eq!(ask(&every, extra), expected, "{extra}");
    }
    for (client, extra) in [
        (&client(), "response_type=id_token&nonce=n"),
        (&implicit(), "response_type=id_token&nonce=n"),
        (&Client { grant_types: client().grant_types, ..every.clone() }, "response_type=code+token"),
    ] {
        assert_eq!(ask(client, extra), Err((fragment, unauthorized)), "{extra}");
    }
}

/// A13: claims that scopes release are in the ID token where nothing else is given, and at userinfo otherwise.
#[test]
fn claims_travel_where_there_is_no_userinfo() {
    let mut client = implicit();
    client.response_types = RESPONSE_TYPES.to_vec();
    for (response_type, there) in
        [("id_token", true), ("id_token token", false), ("code id_token", false), ("code id_token token", false)]
    {
        let encoded = response_type.replace(' ', "+");
        let request = parse(&query(&format!("response_type={encoded}&nonce=n")), &client).unwrap();
        let mut person = crate::subject::Person::default();
        person.standard.email = Some("ada@example.org".into());
        let (key, target) = (key(), Target::default());
        let facts = Facts { person: Some(person), ..facts(&client, &key, &target) };
        let outcome = decide(&request, &facts, &realm(), &mut turn());
        let Ok(Next::Deliver { issue, .. }) = &outcome.verdict else { panic!("{response_type}: not delivered") };
        let id = claims(&sign(issue)["id_token"]);
        assert_eq!(id.get("email").is_some(), there, "{response_type}");
    }
}
