//! What a request object looks like from outside.

use super::*;

/// A14: each shape that is not taken is told apart.
#[test]
fn shapes() {
    let good = none(&claims(&json!({})));
    assert!(Object::parse(&good).is_ok());
    for (text, said) in [
        ("a.b", "not a signed or unsecured JWT"),
        ("a.b.c", "not a signed or unsecured JWT"),
        ("a.b.c.d", "not a signed or unsecured JWT"),
        ("a.b.c.d.e", "encrypted request objects are not taken"),
    ] {
        assert!(Object::parse(text).unwrap_err().description.contains(said), "{text}");
    }
    let padded = |length: usize| {
        let bare = none(&claims(&json!({"x": ""}))).len();
        // Base64 writes four characters for three bytes.
        let fill = (length.saturating_sub(bare)) / 4 * 3;
        none(&claims(&json!({"x": "x".repeat(fill)})))
    };
    let (within, beyond) = (padded(LARGEST), padded(LARGEST + 8));
    assert!(within.len() <= LARGEST && beyond.len() > LARGEST, "{} {}", within.len(), beyond.len());
    assert!(Object::parse(&within).is_ok());
    assert!(Object::parse(&beyond).unwrap_err().description.contains("longer than 32768 bytes"));
    let exact = format!("{within}{}", "x".repeat(LARGEST - within.len()));
    assert!(!Object::parse(&exact).is_err_and(|error| error.description.contains("longer")), "as long as may be");
}

/// R-55: what a caller sent is not shown by accident.
#[test]
fn debug_shows_no_content() {
    let text = none(&claims(&json!({})));
    assert_eq!(format!("{:?}", Object::parse(&text).unwrap()), "Object { alg: None, .. }");
    assert_eq!(format!("{:?}", Carried::Value(&text)), "Value(…)");
    assert_eq!(format!("{:?}", Carried::Reference("https://app.example/r")), "Reference(…)");
}

/// A14: JSON in a text may stand on several lines, as in a query; nothing else may.
#[test]
fn json_on_several_lines() {
    let lines = "{\n\t\"userinfo\": {\"name\": null}\r\n}";
    for (over, good) in [
        (json!({"claims": lines}), true),
        (json!({"claims": "{}\u{7}"}), false),
        (json!({"claims": {"userinfo": {"sub": {"value": "a\nb"}}}}), false),
        (json!({"nonce": "a\nb"}), false),
    ] {
        assert_eq!(request(&none(&claims(&over)), &two()).is_ok(), good, "{over}");
    }
}

/// RFC 9101 §5: who must sign names itself within, too.
#[test]
fn who_must_sign_names_itself_within() {
    for client in [exclusive(), requiring()] {
        assert!(request(&signed(&claims(&json!({}))), &client).is_ok());
        let without = request(&signed(&claims(&json!({"client_id": null}))), &client);
        assert!(without.is_err(), "{without:?}");
    }
}

/// RFC 8707 §2: a list stands for a parameter that may be repeated, and for no other.
#[test]
fn lists_are_for_resources() {
    let params = unpack(&around(&none(&claims(&json!({"x": ["a", "b"]})))), &two()).unwrap();
    assert_eq!(params.get("x"), Some(r#"["a","b"]"#));
}

/// OIDC Core §6.1: a response type outside is compared where what is outside counts.
#[test]
fn response_types_outside() {
    let differs = |client: &Client| request(&signed(&claims(&json!({"response_type": "code id_token"}))), client);
    assert!(refused(differs(&two())).is_some());
    // What counts is the one inside, which this client is not registered for.
    let inside = Client { response_types: crate::client::RESPONSE_TYPES.to_vec(), ..exclusive() };
    let inside = Client { grant_types: vec!["authorization_code".into(), "implicit".into()], ..inside };
    let nonce = json!({"response_type": "code id_token", "nonce": "n"});
    assert!(request(&signed(&claims(&nonce)), &inside).is_ok());
}

/// RFC 7519 §2: a time is a number of seconds that somebody could live to see.
#[test]
fn times_are_numbers() {
    for (exp, good) in [(json!(9e14), true), (json!(1e15), false), (json!(now().timestamp() + 60), true)] {
        assert_eq!(request(&none(&claims(&json!({"exp": exp}))), &two()).is_ok(), good, "{exp}");
    }
}

/// OAuth 2.0 Multiple Response Types §3: the order of the words of a response type does not matter, on either side.
#[test]
fn response_types_in_another_order() {
    let object = none(&claims(&json!({"response_type": "code id_token", "nonce": "n"})));
    for (outer, good) in [("id_token code", true), ("code id_token", true), ("code", false), ("magic", false)] {
        let sent = around(&object);
        let pairs = sent.iter().map(|(name, value)| {
            let value = if name == "response_type" { outer } else { value };
            (name.to_owned(), value.to_owned())
        });
        assert_eq!(unpack(&Params::new(pairs.collect()), &two()).is_ok(), good, "{outer}");
    }
}

/// A14, RFC 7519 §4.1.7: a signed object with `jti` and an end within the hour counts once, until nothing takes it any more;
/// one that is good for longer, or that nobody signed, may be sent again.
#[test]
fn what_counts_once() {
    let once = |object: &str| {
        let (params, client, realm) = (around(object), two(), realm());
        let envelope = Envelope { params: &params, client: &client, realm: &realm };
        let object = Object::parse(object).unwrap();
        envelope.unpack(&object, Some(&set()), now()).unwrap().once
    };
    let start = now().timestamp();
    for (members, until) in [
        (json!({"jti": "a", "exp": start + 60}), Some(start + 71)),
        (json!({"jti": "a", "exp": start - 9}), Some(start + 2)),
        (json!({"jti": "a", "exp": start + 3_600}), Some(start + 3_611)),
        (json!({"jti": "a", "exp": start + 3_601}), None),
        (json!({"jti": "a", "exp": null}), None),
        (json!({"jti": "", "exp": start + 60}), None),
        (json!({"exp": start + 60}), None),
    ] {
        let once = once(&signed(&claims(&members)));
        assert_eq!(once.as_ref().map(|once| once.until.timestamp()), until, "{members}");
        assert!(once.is_none_or(|once| once.jti == crate::secret::Digest::of(b"a").to_text()), "{members}");
    }
    assert!(once(&none(&claims(&json!({"jti": "a", "exp": start + 60})))).is_none(), "unsigned");
}
