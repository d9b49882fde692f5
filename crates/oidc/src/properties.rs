//! What holds of every message, whatever is in it: it is read as it was written, and no input ends the program.

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    authorize::{Answer, AuthorizeRequest, Delivery, Prompts, ResponseMode},
    call::Params,
    claims::{ClaimRule, ClaimsRequest},
    client::{ClientMetadata, RESPONSE_TYPES, ResponseType},
    fuzz,
    id::ClientId,
    jose::{AccessClaims, IdClaims},
    pkce::Challenge,
    scope::Scopes,
};

/// Text of any kind, control characters and other scripts included.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,24}", ".{0,12}", "[ -~]{0,24}"]
}

fn scopes() -> impl Strategy<Value = Scopes> {
    vec("[!#-\\[\\]-~]{1,12}", 0..6).prop_map(|words| words.join(" ").parse().unwrap())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z_#]{1,10}", inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn claims_request() -> impl Strategy<Value = ClaimsRequest> {
    let rule =
        option::of((any::<bool>(), option::of(json_value()), option::of(vec(json_value(), 0..3)))).prop_map(|rule| {
            match rule {
                None => Value::Null,
                Some((essential, value, values)) => json!({ "essential": essential, "value": value, "values": values }),
            }
        });
    let name = prop_oneof![Just("acr".to_owned()), "[a-z_#]{1,16}"];
    let place = vec((name, rule), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect::<Map<String, Value>>()))
        .boxed();
    (place.clone(), place).prop_map(|(userinfo, id_token)| {
        serde_json::from_value(json!({ "userinfo": userinfo, "id_token": id_token })).unwrap()
    })
}

fn authorize_request() -> impl Strategy<Value = AuthorizeRequest> {
    let prompt = select(vec!["", "none", "login", "login consent", "select_account", "create"]);
    let challenge = option::of("[A-Za-z0-9_-]{43}").prop_map(|challenge| {
        Challenge::parse(challenge.as_deref(), Some("S256").filter(|_| challenge.is_some()), false)
    });
    (
        (select(RESPONSE_TYPES.to_vec()), select(ResponseMode::ALL.to_vec()), scopes(), vec(text(), 0..3)),
        (claims_request(), option::of(text()), option::of(text()), challenge),
        (prompt, option::of(any::<u32>()), option::of(text()), vec(text(), 0..3), any::<bool>(), vec("[a-z]{2}", 0..3)),
    )
        .prop_map(|((response_type, response_mode, scopes, resources), wishes, rest)| {
            let (claims, state, nonce, challenge) = wishes;
            let (prompt, max_age, login_hint, expected_subjects, redirect_uri_sent, ui_locales) = rest;
            AuthorizeRequest {
                client_id: ClientId::parse("app").unwrap(),
                redirect_uri: "https://app.example/cb".to_owned(),
                redirect_uri_sent,
                response_type,
                response_mode,
                scopes,
                resources,
                claims,
                acr: crate::authorize::AcrWish::default(),
                state,
                nonce,
                challenge: challenge.unwrap(),
                prompt: Prompts::parse(Some(prompt)).unwrap(),
                max_age,
                login_hint,
                ui_locales,
                expected_subjects,
                once: None,
            }
        })
}

/// What is read of what is written.
fn again<T: Serialize + DeserializeOwned>(message: &T) -> T {
    serde_json::from_str(&serde_json::to_string(message).unwrap()).unwrap()
}

proptest! {
    /// A1: parameters are read as a form writes them, in order.
    #[test]
    fn parameters(pairs in vec((text(), text()), 0..8)) {
        let written = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        prop_assert_eq!(Params::decode(written.as_bytes()), Params::new(pairs));
    }

    /// A13: scopes are read as they print.
    #[test]
    fn scope(scopes in scopes(), other in text()) {
        prop_assert_eq!(scopes.to_string().parse::<Scopes>().unwrap(), scopes);
        if let Ok(read) = other.parse::<Scopes>() {
            prop_assert_eq!(read.to_string().parse::<Scopes>().unwrap(), read);
        }
    }

    /// A4: response types are read as they print, in whatever order their words stand.
    #[test]
    fn response_types(kind in select(RESPONSE_TYPES.to_vec()), seed in any::<usize>()) {
        let printed = kind.to_string();
        let mut words: Vec<&str> = printed.split(' ').collect();
        let middle = seed % words.len();
        words.rotate_left(middle);
        prop_assert_eq!(ResponseType::parse(&words.join(" ")), Some(kind));
    }

    /// A12: what is asked for by name is read as it prints, values only where they are wanted.
    #[test]
    fn claims(request in claims_request()) {
        let printed = serde_json::to_string(&request).unwrap();
        if printed.len() <= 8_192 {
            let read = ClaimsRequest::parse(&printed).unwrap();
            prop_assert_eq!(&ClaimsRequest::parse(&serde_json::to_string(&read).unwrap()).unwrap(), &read);
            for (asked, kept) in [(&request.userinfo, &read.userinfo), (&request.id_token, &read.id_token)] {
                prop_assert!(asked.keys().eq(kept.keys()));
                for (name, rule) in asked {
                    let texts = |rule: &ClaimRule| {
                        rule.wanted().into_iter().filter(|value| value.is_string()).cloned().collect::<Vec<_>>()
                    };
                    let wanted = |rule: &ClaimRule| if name == "acr" { texts(rule) } else { vec![] };
                    let expected = rule.as_ref().map(|rule| (rule.essential, wanted(rule)));
                    let found = kept[name].as_ref().map(|rule| (rule.essential, texts(rule)));
                    prop_assert_eq!(found, expected, "{}", name);
                }
            }
        }
    }

    /// A17: an authorization request comes back from the interaction whole.
    #[test]
    fn authorization_requests(request in authorize_request()) {
        prop_assert_eq!(again(&request), request);
    }

    /// A3, A18: an answer is read at the redirect URI as it was given, in each mode, state and issuer last.
    #[test]
    fn answers(
        mode in select(ResponseMode::ALL.to_vec()),
        uri in select(vec!["https://a.example/cb", "https://a.example/cb?t=1", "com.example.app:/cb"]),
        state in option::of(text()),
        value in text(),
    ) {
        let issuer = "https://op.example".to_owned();
        let delivery = Delivery { mode, redirect_uri: uri.to_owned(), state: state.clone(), issuer: issuer.clone() };
        let expected: Vec<(String, String)> = [("code", Some(value.clone())), ("state", state), ("iss", Some(issuer))]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        let read = match delivery.answer(&[("code", &value)]) {
            Answer::Form { fields, action } => {
                prop_assert_eq!(action, uri);
                fields
            }
            Answer::Redirect { location } => {
                let url = url::Url::parse(&location).unwrap();
                let part = if mode == ResponseMode::Fragment { url.fragment() } else { url.query() };
                let pairs = url::form_urlencoded::parse(part.unwrap_or_default().as_bytes()).into_owned();
                pairs.filter(|(name, _)| name != "t").collect()
            }
        };
        prop_assert_eq!(read, expected);
    }

    /// T8: the claims of tokens are read as they are written, those of a client's own included.
    #[test]
    fn token_claims(sub in text(), scopes in scopes(), times in any::<[i64; 4]>(), own in json_value(), nonce in option::of(text())) {
        let access = json!({
            "iss": "i", "sub": sub, "aud": ["a"], "exp": times[0], "iat": times[1], "jti": "j", "client_id": "c",
            "scope": scopes.to_string(), "ugen": times[2], "cgen": times[3], "own": own,
        });
        let read: AccessClaims = serde_json::from_value(access.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(&read).unwrap(), access);
        let mut id = json!({
            "iss": "i", "sub": sub, "aud": "a", "azp": "a", "exp": times[0], "iat": times[1], "auth_time": times[2],
            "acr": "x", "amr": ["pwd"], "own": own,
        });
        if let Some(nonce) = nonce {
            id["nonce"] = json!(nonce);
        }
        let read: IdClaims = serde_json::from_value(id.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(&read).unwrap(), id);
    }

    /// R1: the metadata of a client is read as it is written.
    #[test]
    fn metadata(contacts in vec(text(), 0..3), uri in option::of(text()), age in option::of(any::<u32>()), names in vec(text(), 0..3)) {
        let metadata = ClientMetadata {
            contacts,
            logo_uri: uri.clone(),
            policy_uri: uri,
            default_max_age: age,
            default_acr_values: names,
            ..ClientMetadata::default()
        };
        prop_assert_eq!(again(&metadata), metadata);
    }

    /// no bytes whatever end the program.
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        for run in TARGETS {
            run(&bytes);
        }
    }

    /// nor does what looks like a request.
    #[test]
    fn any_request(pairs in vec((select(NAMES.to_vec()), text()), 0..10)) {
        let written = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        for run in TARGETS {
            run(written.as_bytes());
        }
    }

    /// R-57, R1: nor does what looks like a registration.
    #[test]
    fn any_registration(members in vec((select(MEMBERS.to_vec()), json_value()), 0..10), valid in any::<bool>()) {
        let mut body: Map<String, Value> = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if valid {
            body.insert("redirect_uris".to_owned(), json!(["https://app.example/cb"]));
        }
        fuzz::registration(Value::Object(body).to_string().as_bytes());
    }

    /// nor does what looks like a signed message.
    #[test]
    fn any_jwt(header in json_value(), claims in json_value(), signature in "[A-Za-z0-9_-]{0,90}") {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.{signature}", part(&header), part(&claims));
        for run in TARGETS {
            run(token.as_bytes());
        }
    }
}

const TARGETS: [fn(&[u8]) -> bool; 7] = [
    fuzz::authorize,
    fuzz::claims,
    fuzz::client_assertion,
    fuzz::id_token_hint,
    fuzz::registration,
    fuzz::request_object,
    fuzz::token,
];

const MEMBERS: [&str; 16] = [
    "redirect_uris",
    "grant_types",
    "response_types",
    "client_name",
    "client_name#de",
    "logo_uri#x",
    "scope",
    "application_type",
    "token_endpoint_auth_method",
    "jwks",
    "contacts",
    "default_acr_values",
    "software_id",
    "request_uris",
    "claims",
    "default_max_age",
];

const NAMES: [&str; 24] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "claims",
    "request",
    "request_uri",
    "resource",
    "id_token_hint",
    "acr_values",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "client_secret",
    "client_assertion",
    "x",
];
