//! Tables for the authorization endpoint.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::{AuthorizeError, AuthorizeRequest, Facts, Next, Question, Stage, decide, read};
use crate::{
    call::Params,
    change::{Change, Outcome},
    client::{Client, ClientAuth},
    error::ErrorCode,
    fixtures::{CHALLENGE, REDIRECT, client, key, now, realm, session, turn},
    id::InteractionId,
    interaction::{Interaction, Origin, Refusal, VERSION},
    scope::Scopes,
    secret::Digest,
    subject::Session,
};

fn query(extra: &str) -> Params {
    let base = format!(
        "client_id=app&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&response_type=code&scope=openid+email&state=s\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    // Later parameters replace earlier ones of the same name, except in tests of repetition.
    let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(base.as_bytes()).into_owned().collect();
    for (name, value) in url::form_urlencoded::parse(extra.as_bytes()).into_owned() {
        pairs.retain(|(known, _)| *known != name);
        pairs.push((name, value));
    }
    Params::new(pairs)
}

fn parse(params: &Params, client: &Client) -> Result<AuthorizeRequest, AuthorizeError> {
    read(params, Some(client), Ok(None), &realm())
}

fn redirected(extra: &str) -> Option<ErrorCode> {
    match parse(&query(extra), &client()) {
        Ok(_) => None,
        Err(AuthorizeError::Redirect(delivery, error)) => {
            assert_eq!(delivery.redirect_uri, REDIRECT);
            Some(error.code)
        }
        Err(AuthorizeError::Page(error)) => panic!("an error page: {error}"),
    }
}

/// A2: an unknown or disabled client and a redirect URI that differs in any byte stay on our page.
#[test]
fn no_redirect_to_where_nobody_registered() {
    let on_page = |params: &Params, client: Option<&Client>| {
        matches!(read(params, client, Ok(None), &realm()), Err(AuthorizeError::Page(_)))
    };
    assert!(!on_page(&query(""), Some(&client())));
    assert!(on_page(&query(""), None));
    assert!(on_page(&query("client_id="), Some(&client())));
    assert!(on_page(&query(""), Some(&Client { disabled: true, ..client() })));
    for other in [
        "https://app.example/cb/",
        "https://app.example/CB",
        "https://app.example/cb?x",
        "https://evil.example/",
        "javascript:alert(1)",
    ] {
        let encoded: String = url::form_urlencoded::byte_serialize(other.as_bytes()).collect();
        assert!(on_page(&query(&format!("redirect_uri={encoded}")), Some(&client())), "{other}");
    }
    let two = Client { redirect_uris: vec![REDIRECT.into(), "https://app.example/b".into()], ..client() };
    assert!(on_page(&query("redirect_uri="), Some(&two)));
    assert!(!on_page(&query("redirect_uri="), Some(&client())));
}

/// A1, A3, A4, A7: every other error goes to the redirect URI under its registered code.
#[test]
fn errors_go_back_to_the_client() {
    let cases = [
        ("", None),
        ("unknown=1&display=popup&ui_locales=xx&acr_values=a&claims_locales=b", None),
        ("response_type=", Some(ErrorCode::InvalidRequest)),
        ("response_type=token", Some(ErrorCode::UnsupportedResponseType)),
        ("response_mode=fragment", Some(ErrorCode::InvalidRequest)),
        ("response_mode=query", None),
        ("scope=%22", Some(ErrorCode::InvalidScope)),
        ("scope=openid+unknown", None),
        ("code_challenge=", Some(ErrorCode::InvalidRequest)),
        ("code_challenge=&code_challenge_method=", Some(ErrorCode::InvalidRequest)),
        ("code_challenge_method=plain", Some(ErrorCode::InvalidRequest)),
        ("code_challenge_method=", Some(ErrorCode::InvalidRequest)),
        ("prompt=none+login", Some(ErrorCode::InvalidRequest)),
        ("prompt=sometimes", Some(ErrorCode::InvalidRequest)),
        ("max_age=-1", Some(ErrorCode::InvalidRequest)),
        ("max_age=ten", Some(ErrorCode::InvalidRequest)),
        ("resource=https%3A%2F%2Fapi.example", Some(ErrorCode::InvalidTarget)),
        ("request=eyJ", Some(ErrorCode::RequestNotSupported)),
        ("request_uri=https%3A%2F%2Fa", Some(ErrorCode::RequestUriNotSupported)),
        ("registration=%7B%7D", Some(ErrorCode::RegistrationNotSupported)),
    ];
    for (extra, expected) in cases {
        assert_eq!(redirected(extra), expected, "{extra}");
    }
    let mut twice: Vec<(String, String)> = query("").iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    twice.push(("scope".into(), "openid".into()));
    assert!(matches!(
        parse(&Params::new(twice), &client()),
        Err(AuthorizeError::Redirect(_, error)) if error.code == ErrorCode::InvalidRequest
    ));
}

/// A13: unknown scopes are dropped, and offline access needs the refresh grant.
#[test]
fn scopes_are_narrowed_to_the_registration() {
    let scopes =
        |client: &Client| parse(&query("scope=openid+offline_access+admin"), client).unwrap().scopes.to_string();
    assert_eq!(scopes(&client()), "offline_access openid");
    let mut without = client();
    without.grant_types.retain(|name| name == "authorization_code");
    assert_eq!(scopes(&without), "openid");
}

fn run(extra: &str, client: &Client, session: Option<Session>, consented: &str, stage: Stage) -> Outcome<Change, Next> {
    let request = AuthorizeRequest { ..parse(&query(extra), client).unwrap() };
    let consented: Scopes = consented.parse().unwrap();
    let key = key();
    let facts = Facts { client, session, consented, stage, sid_key: &key };
    decide(&request, &facts, &realm(), &mut turn())
}

fn asked(outcome: &Outcome<Change, Next>) -> Result<Option<Question>, ErrorCode> {
    match &outcome.verdict {
        Ok(Next::Ask(question)) => Ok(Some(*question)),
        Ok(Next::Deliver { .. }) => Ok(None),
        Err(error) => Err(error.code),
    }
}

/// Parameters, session, scopes allowed before, and what is asked.
type AskCase = (&'static str, Option<Session>, &'static str, Result<Option<Question>, ErrorCode>);

/// A7, A8, A16: which page comes next, and what `prompt=none` says instead.
#[test]
fn what_is_asked() {
    let known = || Some(session());
    let all = "openid email";
    let cases: [AskCase; 14] = [
        ("", None, "", Ok(Some(Question::SignIn))),
        ("prompt=create", None, "", Ok(Some(Question::Register))),
        ("prompt=none", None, "", Err(ErrorCode::LoginRequired)),
        ("", known(), "", Ok(Some(Question::Consent))),
        ("", known(), "openid", Ok(Some(Question::Consent))),
        ("prompt=none", known(), "openid", Err(ErrorCode::ConsentRequired)),
        ("", known(), all, Ok(None)),
        ("prompt=none", known(), all, Ok(None)),
        ("prompt=consent", known(), all, Ok(Some(Question::Consent))),
        ("prompt=login", known(), all, Ok(Some(Question::SignIn))),
        ("prompt=select_account", known(), all, Ok(Some(Question::SignIn))),
        ("max_age=0", known(), all, Ok(Some(Question::SignIn))),
        ("max_age=599", known(), all, Ok(Some(Question::SignIn))),
        ("max_age=600", known(), all, Ok(None)),
    ];
    for (extra, session, consented, expected) in cases {
        assert_eq!(asked(&run(extra, &client(), session, consented, Stage::Arrived)), expected, "{extra} {consented}");
    }
    let inactive = || {
        let mut session = session();
        session.account.active = false;
        Some(session)
    };
    assert_eq!(asked(&run("", &client(), inactive(), all, Stage::Arrived)), Ok(Some(Question::SignIn)));
}

fn interacting(started: DateTime<Utc>, consented: bool) -> Stage {
    Stage::Interacting { id: InteractionId(Uuid::nil()), started, expires: now() + Duration::minutes(5), consented }
}

/// A7: `prompt=login` is met by a sign-in since the request began, to the millisecond, and by no earlier one.
#[test]
fn prompt_login_needs_a_fresh_sign_in() {
    let at = session().auth_time;
    let next =
        |started| asked(&run("prompt=login", &client(), Some(session()), "openid email", interacting(started, false)));
    assert_eq!(next(at + Duration::milliseconds(1)), Ok(Some(Question::SignIn)));
    assert_eq!(next(at), Ok(None));
}

/// A16: first-party clients are without consent; a public client on the person's own machine is asked every time.
#[test]
fn whom_consent_is_asked_for() {
    let first_party = Client { first_party: true, ..client() };
    assert_eq!(asked(&run("", &first_party, Some(session()), "", Stage::Arrived)), Ok(None));
    let local = Client { auth: ClientAuth::None, redirect_uris: vec!["http://localhost:1/cb".into()], ..client() };
    let extra = "redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb";
    assert_eq!(
        asked(&run(extra, &local, Some(session()), "openid email", Stage::Arrived)),
        Ok(Some(Question::Consent))
    );
    let agreed = run(extra, &local, Some(session()), "openid email", interacting(now(), true));
    assert_eq!(asked(&agreed), Ok(None));
    let confidential = Client { auth: client().auth, ..local };
    assert_eq!(asked(&run(extra, &confidential, Some(session()), "openid email", Stage::Arrived)), Ok(None));
}

/// A9: a hint that names someone else leads to sign-in, never to that other person's code.
#[test]
fn a_hint_for_someone_else() {
    let client = client();
    let params = query("");
    let next = |subject: &str| {
        let request = read(&params, Some(&client), Ok(Some(subject.to_owned())), &realm()).unwrap();
        let key = key();
        let facts = Facts {
            client: &client,
            session: Some(session()),
            consented: "openid email".parse().unwrap(),
            stage: Stage::Arrived,
            sid_key: &key,
        };
        asked(&decide(&request, &facts, &realm(), &mut turn()))
    };
    assert_eq!(next("subject"), Ok(None));
    assert_eq!(next("another"), Ok(Some(Question::SignIn)));
}

/// A5: the code is stored hashed, lives 60 seconds, and an interaction is spent with it.
#[test]
fn what_issuing_stores() {
    let outcome = run("nonce=n", &client(), Some(session()), "", interacting(now(), true));
    let Ok(Next::Deliver { delivery, code }) = &outcome.verdict else { panic!("not delivered") };
    assert_eq!((delivery.redirect_uri.as_str(), delivery.state.as_deref()), (REDIRECT, Some("s")));
    assert!(matches!(outcome.changes.first(), Some(Change::SpendInteraction { .. })));
    assert!(outcome.changes.iter().any(|change| matches!(change, Change::RememberConsent { .. })));
    let Some(Change::IssueCode(new)) = outcome.changes.last() else { panic!("no code") };
    assert_eq!(new.code, code.digest());
    assert_eq!(new.code_expires - now(), Duration::seconds(60));
    assert_eq!(code.expose().len(), 43);
    assert_eq!(new.grant.nonce.as_deref(), Some("n"));
    assert!(run("", &client(), None, "", Stage::Arrived).changes.is_empty());
}

/// A17: an interaction goes on in its own browser only, until it expires, and in its own version only.
#[test]
fn where_an_interaction_may_go_on() {
    let interaction = |version| Interaction {
        version,
        id: InteractionId(Uuid::nil()),
        origin: Origin::Redirect,
        request: parse(&query(""), &client()).unwrap(),
        started: now(),
        expires: now() + Duration::minutes(30),
        browser: Digest::of(b"cookie").to_text(),
    };
    let check = |version, cookie, at| interaction(version).check(cookie, at);
    assert_eq!(check(VERSION, Some("cookie"), now()), Ok(()));
    assert_eq!(check(VERSION, Some("other"), now()), Err(Refusal::OtherBrowser));
    assert_eq!(check(VERSION, None, now()), Err(Refusal::OtherBrowser));
    assert_eq!(check(VERSION, Some("cookie"), now() + Duration::minutes(30)), Err(Refusal::Expired));
    assert_eq!(check(VERSION + 1, Some("cookie"), now()), Err(Refusal::Invalid));
    let sealed = serde_json::to_vec(&interaction(VERSION)).unwrap();
    assert_eq!(serde_json::from_slice::<Interaction>(&sealed).unwrap().request, interaction(VERSION).request);
}
