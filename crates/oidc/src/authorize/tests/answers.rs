//! What the person said on a page, and what counts once.

use super::*;
use crate::{
    authorize::Once,
    change::Spent,
    client::{ClaimMapping, ClaimSource, ResponseType},
    policy::{ClientPolicy, PkceRule},
};

/// A7: `prompt=login` is met by a sign-in since the request began, to the millisecond, and by no earlier one.
#[test]
fn prompt_login_needs_a_fresh_sign_in() {
    let at = session().auth_time;
    let next = |started| {
        asked(&run("prompt=login", &client(), Some(session()), "openid email", interacting(started, Answered::Nothing)))
    };
    assert_eq!(next(at + Duration::milliseconds(1)), Ok(Some(Question::SignIn)));
    assert_eq!(next(at), Ok(None));
}

/// A7: `prompt=select_account` is met by going on with who is signed in, by agreeing as that person, or by a sign-in since
/// the request began; neither is a fresh sign-in.
#[test]
fn an_account_is_chosen() {
    let (at, all) = (session().auth_time, "openid email");
    let later = at + Duration::milliseconds(1);
    for (extra, stage, allowed, expected) in [
        ("prompt=select_account", interacting(later, Answered::Nothing), all, Some(Question::Account)),
        ("prompt=select_account", interacting(at, Answered::Nothing), all, None),
        ("prompt=select_account", interacting(later, Answered::Account), all, None),
        ("prompt=select_account", interacting(later, Answered::Account), "", Some(Question::Consent)),
        ("prompt=select_account", interacting(later, Answered::Consent), "", None),
        ("prompt=select_account+consent", interacting(later, Answered::Account), all, Some(Question::Consent)),
        ("prompt=select_account+login", interacting(later, Answered::Account), all, Some(Question::SignIn)),
        ("prompt=login", interacting(later, Answered::Account), all, Some(Question::SignIn)),
    ] {
        assert_eq!(asked(&run(extra, &client(), Some(session()), allowed, stage)), Ok(expected), "{extra} {stage:?}");
    }
}

/// A14, RFC 7519 §4.1.7: a request object that counts once is spent under its client when the answer is given, and not
/// before; spent already, the client is told.
#[test]
fn a_request_object_is_spent_with_the_answer() {
    let until = now() + Duration::minutes(5);
    let once = Once { jti: "hash".into(), until };
    for (once, allowed, spends) in
        [(Some(once.clone()), "openid email", true), (Some(once), "", false), (None, "openid email", false)]
    {
        let request = AuthorizeRequest { once, ..parse(&query(""), &client()).unwrap() };
        let (client, key, target) = (client(), key(), Target::default());
        let facts = Facts { consented: super::allowed(allowed), ..facts(&client, &key, &target) };
        let outcome = decide(&request, &facts, &realm(), &mut turn());
        let spent = outcome.changes.iter().find_map(|change| match change {
            Change::Spend { what: Spent::RequestObject { client, jti }, expires, on_conflict } => {
                assert_eq!((client.as_str(), *expires), ("app", until));
                assert_eq!(on_conflict.code, ErrorCode::InvalidRequestObject);
                Some(*jti == Digest::of(b"hash"))
            }
            _ => None,
        });
        assert_eq!(spent, spends.then_some(true));
    }
}

/// A14: who refuses, or is turned away, answers a request too: its object counts no more.
#[test]
fn a_refusal_spends_the_request_object() {
    let once = Some(Once { jti: "hash".into(), until: now() });
    let request = AuthorizeRequest { once, ..parse(&query(""), &client()).unwrap() };
    let id = InteractionId(Uuid::from_u128(9));
    let plain = AuthorizeRequest { once: None, ..request.clone() };
    for (request, expected) in [(&request, 1), (&plain, 0)] {
        for outcome in [
            crate::authorize::consent_denied(id, now(), request, &client(), &session()),
            turned_away(id, now(), request),
        ] {
            let object = |change: &&Change| matches!(change, Change::Spend { what: Spent::RequestObject { .. }, .. });
            assert_eq!(outcome.changes.iter().filter(object).count(), expected);
            assert_eq!(outcome.verdict.unwrap_err().code, ErrorCode::AccessDenied);
        }
    }
}

/// A4, R-47: what was taken from a client while the person was on our pages is not given any more.
#[test]
fn what_the_registration_allows_no_more() {
    let request = parse(&query("response_type=code+id_token&nonce=n"), &hybrid()).unwrap();
    let unbound = AuthorizeRequest { challenge: None, ..request.clone() };
    let (key, target) = (key(), Target::default());
    let lax = ClientPolicy { pkce: PkceRule::Optional, ..ClientPolicy::default() };
    for (request, client, expected) in [
        (&request, hybrid(), None),
        (
            &request,
            Client { response_types: vec![ResponseType::CODE], ..hybrid() },
            Some(ErrorCode::UnauthorizedClient),
        ),
        (
            &request,
            Client { grant_types: vec!["authorization_code".into()], ..hybrid() },
            Some(ErrorCode::UnauthorizedClient),
        ),
        (&unbound, hybrid(), Some(ErrorCode::InvalidRequest)),
        (&unbound, Client { policy: lax.clone(), ..hybrid() }, None),
        (&unbound, Client { policy: lax, auth: ClientAuth::None, ..hybrid() }, Some(ErrorCode::InvalidRequest)),
    ] {
        let facts = Facts { consented: super::allowed("openid email"), ..facts(&client, &key, &target) };
        let outcome = decide(request, &facts, &realm(), &mut turn());
        assert_eq!(outcome.verdict.err().map(|error| error.code), expected);
        assert_eq!(outcome.changes.is_empty(), expected.is_some(), "nothing is given");
    }
}

fn hybrid() -> Client {
    let grant_types = ["authorization_code", "implicit"].map(str::to_owned).to_vec();
    Client { response_types: RESPONSE_TYPES.to_vec(), grant_types, ..client() }
}

/// A16: on the person's own machine a client that shows who it is is not asked about again for a code, which nobody else can
/// redeem; for what comes straight from here it is.
#[test]
fn what_comes_straight_is_asked_about_there() {
    let local = Client { redirect_uris: vec!["http://127.0.0.1/cb".into()], ..hybrid() };
    let extra = "redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&nonce=n&response_type=";
    for (response_type, expected) in
        [("code", None), ("id_token", Some(Question::Consent)), ("code+token", Some(Question::Consent))]
    {
        let outcome = run(&format!("{extra}{response_type}"), &local, Some(session()), "openid email", Stage::Arrived);
        assert_eq!(asked(&outcome), Ok(expected), "{response_type}");
    }
}

/// A16, R-48: a claim of the client's own is agreed to beside the scope that releases it, so that one that comes later is
/// asked about.
#[test]
fn claims_of_the_clients_own_are_asked_for() {
    let mut client = client();
    let mapping = |scope: Option<&str>| ClaimMapping { from: ClaimSource::Groups, scope: scope.map(str::to_owned) };
    client.metadata.claims = [("groups", None), ("team", Some("email")), ("secret", Some("phone"))]
        .map(|(name, scope)| (name.to_owned(), mapping(scope)))
        .into();
    let request = parse(&query(""), &client).unwrap();
    let asked = Consented::asked_by(&request, &client);
    assert_eq!(asked.claims.iter().map(String::as_str).collect::<Vec<_>>(), ["groups", "team"]);
    assert!(!super::allowed("openid email").covers(&asked));
    let with = Consented { claims: asked.claims.clone(), ..super::allowed("openid email") };
    assert!(with.covers(&asked));
}
