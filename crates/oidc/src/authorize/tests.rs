//! Tables for the authorization endpoint.

mod answers;
mod bounds;
mod issue;
mod response_types;
mod subjects;

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Answered, AuthorizeError, AuthorizeRequest, Facts, Next, Question, ResponseMode, Stage, decide, needs_consent,
    read, turned_away,
};
use crate::{
    call::Params,
    change::{Change, EventKind, Outcome},
    client::{Client, ClientAuth, RESPONSE_TYPES},
    consent::Consented,
    error::ErrorCode,
    fixtures::{CHALLENGE, REDIRECT, client, key, now, realm, session, turn},
    id::InteractionId,
    interaction::{Interaction, Origin, Refusal, VERSION},
    jose::{Alg, KeyState, Keyring, generate, half_hash},
    secret::{DerivationKey, Digest, Secret},
    subject::Session,
    token::{Issue, Target},
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

fn sign(issue: &Issue) -> HashMap<&'static str, String> {
    let ring = Keyring::new(&Alg::BUILT_IN.map(|alg| generate(alg, KeyState::Active).unwrap())).unwrap();
    let answer = issue.clone().sign(&ring, None).unwrap();
    answer.parameters().into_iter().map(|(name, value)| (name, value.into_owned())).collect()
}

fn implicit() -> Client {
    let mut client = client();
    client.grant_types.push("implicit".into());
    client
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
    assert!(!on_page(&query("redirect_uri=&scope=email"), Some(&client())));
    // OIDC Core §3.1.2.1: an OpenID request names it.
    assert!(on_page(&query("redirect_uri="), Some(&client())));
}

/// A1, A3, A4, A7: every other error goes to the redirect URI under its registered code.
#[test]
fn errors_go_back_to_the_client() {
    let cases = [
        ("", None),
        ("unknown=1&display=popup&ui_locales=xx&acr_values=a&claims_locales=b", None),
        ("response_type=", Some(ErrorCode::InvalidRequest)),
        ("response_type=token", Some(ErrorCode::UnsupportedResponseType)),
        ("response_mode=fragment", None),
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

fn allowed(scopes: &str) -> Consented {
    Consented { scopes: scopes.parse().unwrap(), ..Consented::default() }
}

fn run(extra: &str, client: &Client, session: Option<Session>, consented: &str, stage: Stage) -> Outcome<Change, Next> {
    run_with((extra, &[]), client, session, consented, stage)
}

/// Somebody who is signed in and allowed everything, on a request that just came.
fn facts<'a>(client: &'a Client, key: &'a DerivationKey, target: &'a Target) -> Facts<'a> {
    Facts {
        client,
        session: Some(session()),
        roles: &[],
        consented: allowed("openid email"),
        stage: Stage::Arrived,
        person: None,
        target,
        sid_key: key,
        pairwise_key: key,
    }
}

/// The same for somebody with these roles.
fn run_with(
    (extra, roles): (&str, &[String]),
    client: &Client,
    session: Option<Session>,
    consented: &str,
    stage: Stage,
) -> Outcome<Change, Next> {
    let request = AuthorizeRequest { ..parse(&query(extra), client).unwrap() };
    let consented = allowed(consented);
    let (key, target) = (key(), Target::default());
    let facts = Facts { session, roles, consented, stage, ..facts(client, &key, &target) };
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
    let cases: [AskCase; 16] = [
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
        ("prompt=select_account", known(), all, Ok(Some(Question::Account))),
        ("prompt=select_account", None, all, Ok(Some(Question::SignIn))),
        ("prompt=select_account&max_age=0", known(), all, Ok(Some(Question::SignIn))),
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

fn interacting(started: DateTime<Utc>, answered: Answered) -> Stage {
    Stage::Interacting { id: InteractionId(Uuid::nil()), started, expires: now() + Duration::minutes(5), answered }
}

/// A16: first-party clients are without consent; a public client on the person's own machine is asked every time.
#[test]
fn whom_consent_is_asked_for() {
    let first_party = Client { first_party: true, ..client() };
    assert_eq!(asked(&run("", &first_party, Some(session()), "", Stage::Arrived)), Ok(None));
    let uri = |uri: &str| Client { redirect_uris: vec![uri.into()], ..client() };
    for local in ["http://localhost:1/cb", "http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"] {
        let extra: String = url::form_urlencoded::byte_serialize(local.as_bytes()).collect();
        let extra = format!("redirect_uri={extra}");
        let ask =
            |auth| asked(&run(&extra, &Client { auth, ..uri(local) }, Some(session()), "openid email", Stage::Arrived));
        assert_eq!(ask(ClientAuth::None), Ok(Some(Question::Consent)), "{local}");
        assert_eq!(ask(client().auth), Ok(None), "{local}");
    }
    let claimed = Client { auth: ClientAuth::None, ..client() };
    assert_eq!(asked(&run("", &claimed, Some(session()), "openid email", Stage::Arrived)), Ok(None));
    let local = Client { auth: ClientAuth::None, ..uri("http://localhost:1/cb") };
    let extra = "redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb";
    let agreed = run(extra, &local, Some(session()), "openid email", interacting(now(), Answered::Consent));
    assert_eq!(asked(&agreed), Ok(None));
}

/// R-46: who has none of the roles that a client is limited to learns it before anything else is asked, also after
/// consent; with `prompt=none` it is `access_denied`. Either leaves a row in the log. First one signs in.
#[test]
fn a_client_for_others() {
    let mut limited = client();
    limited.metadata.access_roles = vec!["staff".into(), "partner".into()];
    let roles = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let agreed = Stage::Interacting {
        id: InteractionId(Uuid::from_u128(9)),
        started: now() - Duration::minutes(1),
        expires: now() + Duration::minutes(1),
        answered: Answered::Consent,
    };
    let denied = Err(ErrorCode::AccessDenied);
    for (extra, held, signed_in, stage, expected) in [
        ("", &["staff"] as &[&str], true, Stage::Arrived, Ok(None)),
        ("", &["partner", "user"], true, Stage::Arrived, Ok(None)),
        ("", &["user"], true, Stage::Arrived, Ok(Some(Question::NoAccess))),
        ("", &["STAFF", "staff2"], true, Stage::Arrived, Ok(Some(Question::NoAccess))),
        ("", &[], true, agreed, Ok(Some(Question::NoAccess))),
        ("prompt=consent", &[], true, Stage::Arrived, Ok(Some(Question::NoAccess))),
        ("prompt=none", &["user"], true, Stage::Arrived, denied),
        ("prompt=none", &["staff"], true, Stage::Arrived, Ok(None)),
        ("prompt=login", &[], true, Stage::Arrived, Ok(Some(Question::SignIn))),
        ("", &["staff"], false, Stage::Arrived, Ok(Some(Question::SignIn))),
        ("prompt=none", &[], false, Stage::Arrived, Err(ErrorCode::LoginRequired)),
    ] {
        let outcome = run_with((extra, &roles(held)), &limited, signed_in.then(session), "openid email", stage);
        assert_eq!(asked(&outcome), expected, "{extra} {held:?}");
        let turned = expected == denied || expected == Ok(Some(Question::NoAccess));
        let recorded = matches!(&outcome.changes[..], [Change::Audit(event)] if event.kind == EventKind::AccessRefused);
        assert_eq!(recorded, turned, "{extra} {held:?}");
    }
    let Outcome { changes, verdict } =
        turned_away(InteractionId(Uuid::from_u128(9)), now(), &parse(&query(""), &client()).unwrap());
    assert!(matches!(&changes[..], [Change::SpendInteraction { .. }]), "{changes:?}");
    assert_eq!(verdict.map_err(|error| error.code).err(), Some(ErrorCode::AccessDenied));
}

/// A5: the code is stored hashed, lives 60 seconds, and an interaction is spent with it.
#[test]
fn what_issuing_stores() {
    let outcome = run("nonce=n", &client(), Some(session()), "", interacting(now(), Answered::Consent));
    let Ok(Next::Deliver { delivery, issue, .. }) = &outcome.verdict else { panic!("not delivered") };
    assert_eq!((delivery.redirect_uri.as_str(), delivery.state.as_deref()), (REDIRECT, Some("s")));
    assert!(matches!(outcome.changes.first(), Some(Change::SpendInteraction { .. })));
    assert!(outcome.changes.iter().any(|change| matches!(change, Change::RememberConsent { .. })));
    let Some(Change::IssueGrant(new)) = outcome.changes.last() else { panic!("no code") };
    let (digest, expires) = new.code.unwrap();
    assert_eq!(expires - now(), Duration::seconds(60));
    let sent = sign(issue);
    assert_eq!(Secret::new(&*sent["code"]).digest(), digest);
    assert_eq!((sent.len(), sent["code"].len()), (1, 43));
    assert_eq!(new.grant.nonce.as_deref(), Some("n"));
    assert!(run("", &client(), None, "", Stage::Arrived).changes.is_empty());
}

/// A12, A16: single claims cannot exceed what the client may ask for, and consent covers them.
#[test]
fn consent_covers_single_claims() {
    let claims = "claims=%7B%22userinfo%22%3A%7B%22nickname%22%3Anull%2C%22email%22%3Anull%2C%22acr%22%3Anull%7D%7D";
    let next = |consented: Consented| {
        let request = parse(&query(&format!("scope=openid&{claims}")), &client()).unwrap();
        needs_consent(&request, &client(), &consented)
    };
    assert!(next(allowed("openid")));
    assert!(next(allowed("openid email")));
    assert!(!next(allowed("openid email profile")));
    let single = ["email".to_owned(), "nickname".to_owned()].into_iter().collect();
    assert!(!next(Consented { claims: single, ..allowed("openid") }));
}

/// A8: registered contexts and ages count where a request is silent, and not beside its own.
#[test]
fn registered_defaults() {
    let mut registered = client();
    registered.metadata.default_max_age = Some(60);
    registered.metadata.default_acr_values = vec!["gold".into(), "silver".into()];
    let read = |extra: &str| {
        let request = parse(&query(extra), &registered).unwrap();
        assert!(!request.acr.essential, "{extra}");
        (request.max_age, request.acr.values.join(" "))
    };
    assert_eq!(read(""), (Some(60), "gold silver".to_owned()));
    assert_eq!(read("max_age=&acr_values="), (Some(60), "gold silver".to_owned()));
    assert_eq!(read("max_age=600&acr_values=bronze"), (Some(600), "bronze".to_owned()));
    let next =
        |extra: &str, client: &Client| asked(&run(extra, client, Some(session()), "openid email", Stage::Arrived));
    assert_eq!(next("", &registered), Ok(Some(Question::SignIn)));
    assert_eq!(next("prompt=none", &registered), Err(ErrorCode::LoginRequired));
    assert_eq!(next("max_age=600", &registered), Ok(None));
    assert_eq!(next("", &client()), Ok(None));
}

/// A11: an essential context that nobody reaches is an error; otherwise the best there is will do.
#[test]
fn contexts() {
    let claims = |essential: bool, value: &str| {
        let text = format!(r#"{{"id_token":{{"acr":{{"essential":{essential},"values":["{value}"]}}}}}}"#);
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        asked(&run(
            &format!("claims={encoded}&prompt=none"),
            &client(),
            Some(session()),
            "openid email",
            Stage::Arrived,
        ))
    };
    assert_eq!(claims(true, "1"), Ok(None));
    assert_eq!(claims(false, "2"), Ok(None));
    assert_eq!(claims(true, "2"), Err(ErrorCode::UnmetAuthenticationRequirements));
    let values = run("acr_values=2+3&prompt=none", &client(), Some(session()), "openid email", Stage::Arrived);
    assert_eq!(asked(&values), Ok(None));
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
