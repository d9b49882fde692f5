//! Tables for the token endpoint, among them a test for each known trap of the grant engine.

mod lifetimes;

use chrono::Duration;

use super::{
    GrantRequest, Target,
    authorization_code::{self, CodeRequest, Loaded},
    client_credentials::{self, ClientRequest},
    read,
    refresh_token::{self, RefreshRequest, TokenState},
};
use crate::{
    call::Params,
    change::{Change, Outcome},
    client::{ClientAuth, GRANT_CLIENT, GRANT_REFRESH},
    error::ErrorCode,
    fixtures::{CHALLENGE, REDIRECT, VERIFIER, account, client, grant, key, now, realm, turn},
    grant::{Grant, GrantState},
    jose::{Alg, KeyState, Keyring, generate},
    policy::RefreshRotation,
    secret::{DerivationKey, Secret},
    subject::Person,
    token::Issue,
};

fn request(redirect_uri: Option<&str>, verifier: Option<&str>) -> CodeRequest {
    CodeRequest {
        code: Secret::new("code"),
        redirect_uri: redirect_uri.map(str::to_owned),
        verifier: verifier.map(Secret::new),
    }
}

fn first(grant: Grant) -> Loaded {
    Loaded::First {
        grant: Box::new(grant),
        account: account(),
        person: Box::default(),
        expired: false,
        session_over: false,
    }
}

fn redeem(request: &CodeRequest, loaded: Loaded) -> Outcome<Change, Issue> {
    authorization_code::decide(request, &client(), (loaded, &Target::default()), &realm(), &mut turn())
}

fn code_of<C, T>(outcome: &Outcome<C, T>) -> Option<ErrorCode> {
    outcome.verdict.as_ref().err().map(|error| error.code)
}

fn revokes<T>(outcome: &Outcome<Change, T>) -> bool {
    outcome.changes.iter().any(|change| matches!(change, Change::RevokeGrant { .. }))
}

/// What an issue looks like once signed, as JSON with the payloads of its tokens.
fn signed(issue: &Issue) -> (serde_json::Value, serde_json::Value, serde_json::Value) {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let ring = Keyring::new(&[Alg::Rs256, Alg::Es256].map(|alg| generate(alg, KeyState::Active).unwrap())).unwrap();
    let answer = serde_json::to_value(issue.sign(&ring, None).unwrap()).unwrap();
    let payload = |token: &serde_json::Value| {
        let part = token.as_str().and_then(|token| token.split('.').nth(1)).unwrap_or("bnVsbA");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (access, id) = (payload(&answer["access_token"]), payload(&answer["id_token"]));
    (answer, access, id)
}

/// T4, T5: the engine says `invalid_request` for an unknown code and a wrong verifier; the answer is `invalid_grant`.
#[test]
fn trap_unknown_code_and_wrong_verifier_are_invalid_grant() {
    let wrong = "a".repeat(43);
    let cases = [
        (Some(REDIRECT), Some(VERIFIER), None),
        (Some(REDIRECT), Some(wrong.as_str()), Some(ErrorCode::InvalidGrant)),
        (Some(REDIRECT), None, Some(ErrorCode::InvalidGrant)),
        (Some(REDIRECT), Some("short"), Some(ErrorCode::InvalidGrant)),
        // The challenge itself is not its verifier: `plain` is refused.
        (Some(REDIRECT), Some(CHALLENGE), Some(ErrorCode::InvalidGrant)),
    ];
    for (redirect, verifier, expected) in cases {
        assert_eq!(code_of(&redeem(&request(redirect, verifier), first(grant()))), expected, "{verifier:?}");
    }
    assert_eq!(code_of(&redeem(&request(None, None), Loaded::Unknown)), Some(ErrorCode::InvalidGrant));
}

/// T4: the redirect URI is compared byte by byte; the engine compares normalised URLs.
#[test]
fn trap_redirect_uri_is_compared_raw() {
    for same_when_normalised in [
        "https://app.example:443/cb",
        "HTTPS://app.example/cb",
        "https://app.example/x/../cb",
        "https://app.example/cb/",
    ] {
        let outcome = redeem(&request(Some(same_when_normalised), Some(VERIFIER)), first(grant()));
        assert_eq!(code_of(&outcome), Some(ErrorCode::InvalidGrant), "{same_when_normalised}");
    }
    assert_eq!(code_of(&redeem(&request(None, Some(VERIFIER)), first(grant()))), Some(ErrorCode::InvalidGrant));
    let not_sent = Grant { redirect_uri_sent: false, ..grant() };
    assert_eq!(code_of(&redeem(&request(None, Some(VERIFIER)), first(not_sent))), None);
}

/// T4: a verifier without a stored challenge is refused; the engine accepts it (RFC 9700 §4.8.2).
#[test]
fn trap_verifier_without_challenge_is_refused() {
    let without = || Grant { challenge: None, ..grant() };
    assert_eq!(
        code_of(&redeem(&request(Some(REDIRECT), Some(VERIFIER)), first(without()))),
        Some(ErrorCode::InvalidGrant)
    );
    assert_eq!(code_of(&redeem(&request(Some(REDIRECT), None), first(without()))), None);
}

/// T4: a replay is refused and ends what the code had given; a refused redemption ends its grant too.
#[test]
fn a_replay_revokes() {
    let replay = Loaded::Replay { grant: grant().id, account: account().id };
    let outcome = redeem(&request(Some(REDIRECT), Some(VERIFIER)), replay);
    assert_eq!(code_of(&outcome), Some(ErrorCode::InvalidGrant));
    assert!(revokes(&outcome));
    assert!(!revokes(&redeem(&request(None, None), Loaded::Unknown)));
    assert!(!revokes(&redeem(&request(Some(REDIRECT), Some(VERIFIER)), first(grant()))));
}

/// T4: an expired code, an ended session, a disabled account and a revoked grant give nothing.
#[test]
fn a_dead_code_gives_nothing() {
    let loaded = |expired, session_over, active, state| {
        let account = crate::subject::Account { active, ..account() };
        Loaded::First {
            grant: Box::new(Grant { state, ..grant() }),
            account,
            person: Box::default(),
            expired,
            session_over,
        }
    };
    let revoked = GrantState::Revoked { at: now() };
    let cases = [
        (loaded(false, false, true, GrantState::Active), None),
        (loaded(true, false, true, GrantState::Active), Some(ErrorCode::InvalidGrant)),
        (loaded(false, true, true, GrantState::Active), Some(ErrorCode::InvalidGrant)),
        (loaded(false, false, false, GrantState::Active), Some(ErrorCode::InvalidGrant)),
        (loaded(false, false, true, revoked), Some(ErrorCode::InvalidGrant)),
    ];
    for (loaded, expected) in cases {
        let label = format!("{loaded:?}");
        assert_eq!(code_of(&redeem(&request(Some(REDIRECT), Some(VERIFIER)), loaded)), expected, "{label}");
    }
}

/// T8: the claims of both tokens, and the hash of one in the other.
#[test]
fn what_a_code_gives() {
    let outcome = redeem(&request(Some(REDIRECT), Some(VERIFIER)), first(grant()));
    let (answer, access, id) = signed(&outcome.verdict.unwrap());
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 900);
    // Trap: the engine's scopes print in random order.
    assert_eq!(answer["scope"], "email openid profile");
    assert_eq!(access["aud"], serde_json::json!(["app", "https://op.example"]));
    assert_eq!(access["client_id"], "app");
    assert_eq!(access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(), 900);
    for (claim, value) in [
        ("iss", "https://op.example"),
        ("sub", "subject"),
        ("aud", "app"),
        ("azp", "app"),
        ("nonce", "n"),
        ("sid", "sid"),
    ] {
        assert_eq!(id[claim], value, "{claim}");
    }
    assert_eq!(id["at_hash"], crate::jose::half_hash(Alg::Rs256, answer["access_token"].as_str().unwrap()));
}

fn loaded(state: TokenState) -> refresh_token::Loaded {
    refresh_token::Loaded {
        person: Person::default(),
        grant: grant(),
        account: account(),
        session_over: false,
        state,
        expires: now() + Duration::days(1),
    }
}

fn refresh(scope: Option<&str>, loaded: Option<refresh_token::Loaded>) -> Outcome<Change, Issue> {
    let request = RefreshRequest { token: Secret::new("token"), scope: scope.map(str::to_owned) };
    refresh_token::decide(&request, &client(), (loaded, &Target::default()), &key(), (&realm(), &mut turn()))
}

fn successor(issue: &Issue) -> String {
    signed(issue).0["refresh_token"].as_str().unwrap().to_owned()
}

/// T6, R-07: the successor is the same for every repeat within the window; any later use revokes the family.
#[test]
fn rotation_repeat_and_replay() {
    let fresh = refresh(None, Some(loaded(TokenState::Fresh)));
    assert!(fresh.changes.iter().any(|change| matches!(change, Change::RotateRefresh { .. })));
    let within = refresh(None, Some(loaded(TokenState::Spent { at: now() - Duration::seconds(60) })));
    assert!(within.changes.iter().any(|change| matches!(change, Change::RepeatRefresh { .. })));
    assert_eq!(successor(&fresh.verdict.unwrap()), successor(&within.verdict.unwrap()));

    for replay in [TokenState::Spent { at: now() - Duration::seconds(61) }, TokenState::Superseded] {
        let outcome = refresh(None, Some(loaded(replay)));
        assert_eq!(code_of(&outcome), Some(ErrorCode::InvalidGrant), "{replay:?}");
        assert!(revokes(&outcome), "{replay:?}");
    }
    assert!(!revokes(&refresh(None, None)));
}

/// T6: the successor comes from the deterministic key and the token alone.
#[test]
fn the_successor_cannot_be_guessed_without_the_key() {
    let request = RefreshRequest { token: Secret::new("token"), scope: None };
    let other = DerivationKey::new([4; 32]);
    let with = |key: &DerivationKey| {
        let outcome = refresh_token::decide(
            &request,
            &client(),
            (Some(loaded(TokenState::Fresh)), &Target::default()),
            key,
            (&realm(), &mut turn()),
        );
        successor(&outcome.verdict.unwrap())
    };
    assert_ne!(with(&key()), with(&other));
}

/// T6: scope narrows for one answer, never widens; the engine would otherwise narrow what is stored.
#[test]
fn trap_narrowing_is_for_one_answer() {
    let narrowed = refresh(Some("email openid"), Some(loaded(TokenState::Fresh)));
    assert!(!narrowed.changes.iter().any(|change| matches!(change, Change::IssueGrant(_))));
    let (answer, access, _) = signed(&narrowed.verdict.unwrap());
    assert_eq!((answer["scope"].as_str(), access["scope"].as_str()), (Some("email openid"), Some("email openid")));
    for wider in ["openid phone", "admin", "open\"id"] {
        let outcome = refresh(Some(wider), Some(loaded(TokenState::Fresh)));
        assert_eq!(code_of(&outcome), Some(ErrorCode::InvalidScope), "{wider}");
        assert!(outcome.changes.is_empty(), "a refused refresh costs nobody a token");
    }
}

/// T6: the engine reads the wall clock; expiry is ours, at the request's own moment.
#[test]
fn trap_expiry_is_the_requests_own() {
    let expired = refresh_token::Loaded { expires: now(), ..loaded(TokenState::Fresh) };
    assert_eq!(code_of(&refresh(None, Some(expired))), Some(ErrorCode::InvalidGrant));
    // The fixtures' moment lies years from the wall clock in either direction; nothing but it counts.
    let good = refresh_token::Loaded { expires: now() + Duration::seconds(1), ..loaded(TokenState::Fresh) };
    assert_eq!(code_of(&refresh(None, Some(good))), None);
}

/// T6: a disabled account, an ended session or a revoked grant refreshes nothing.
#[test]
fn a_dead_grant_refreshes_nothing() {
    let mut disabled = loaded(TokenState::Fresh);
    disabled.account.active = false;
    let mut over = loaded(TokenState::Fresh);
    over.session_over = true;
    let mut revoked = loaded(TokenState::Fresh);
    revoked.grant.state = GrantState::Revoked { at: now() };
    for dead in [disabled, over, revoked] {
        let outcome = refresh(None, Some(dead));
        assert_eq!(code_of(&outcome), Some(ErrorCode::InvalidGrant));
        assert!(outcome.changes.is_empty());
    }
}

/// RFC 9700 §4.14.2: a policy may switch rotation off, for confidential clients only.
#[test]
fn rotation_is_policy() {
    let request = RefreshRequest { token: Secret::new("token"), scope: None };
    let answer = |auth: ClientAuth| {
        let mut client = client();
        client.auth = auth;
        client.policy.refresh_rotation = RefreshRotation::Off;
        let outcome = refresh_token::decide(
            &request,
            &client,
            (Some(loaded(TokenState::Fresh)), &Target::default()),
            &key(),
            (&realm(), &mut turn()),
        );
        successor(&outcome.verdict.unwrap())
    };
    assert_eq!(answer(client().auth), "token");
    assert_ne!(answer(ClientAuth::None), "token");
}

/// T6, OIDC Core §12.2: a refreshed ID token keeps what it said of the sign-in, is of this moment and has no nonce.
#[test]
fn a_refreshed_id_token() {
    let (_, _, id) = signed(&refresh(None, Some(loaded(TokenState::Fresh))).verdict.unwrap());
    assert_eq!(id["auth_time"], grant().auth_time.timestamp());
    assert_eq!(id["iat"], now().timestamp());
    assert!(id["exp"].as_i64() > id["iat"].as_i64() && id["iat"].as_i64() > id["auth_time"].as_i64(), "{id}");
    for (claim, value) in [("iss", "https://op.example"), ("sub", "subject"), ("aud", "app"), ("azp", "app")] {
        assert_eq!(id[claim], value, "{claim}");
    }
    assert!(id.get("nonce").is_none());
}

/// T3, RFC 6749 §3.2: repeated parameters are refused before the engine, which drops duplicates; empty ones are absent.
#[test]
fn trap_repeated_and_empty_parameters() {
    let code = |body: &str| read(&Params::decode(body.as_bytes()), &client()).map_err(|error| error.code);
    assert!(matches!(code("grant_type=authorization_code&code=c"), Ok(GrantRequest::Code(_))));
    assert_eq!(code("grant_type=authorization_code&code=c&code=c"), Err(ErrorCode::InvalidRequest));
    assert_eq!(code("grant_type=refresh_token&refresh_token="), Err(ErrorCode::InvalidRequest));
    assert_eq!(code("grant_type="), Err(ErrorCode::InvalidRequest));
    assert!(matches!(code("grant_type=client_credentials"), Err(ErrorCode::UnauthorizedClient)));
    assert!(matches!(code("grant_type=password&username=a&password=b"), Err(ErrorCode::UnauthorizedClient)));
    assert_eq!(code("grant_type=implicit"), Err(ErrorCode::UnsupportedGrantType));
    let mut narrow = client();
    narrow.grant_types.retain(|name| name != GRANT_REFRESH);
    let refused = read(&Params::decode(b"grant_type=refresh_token&refresh_token=t"), &narrow);
    assert_eq!(refused.map_err(|error| error.code), Err(ErrorCode::UnauthorizedClient));
}

/// T7: a refused scope is `invalid_scope`, where the engine says `invalid_request`; nothing about a person, no refresh
/// token.
#[test]
fn trap_client_credentials_scope_is_invalid_scope() {
    let mut service = client();
    service.grant_types = vec![GRANT_CLIENT.into()];
    service.scopes = "openid email offline_access invoices:read invoices:write".parse().unwrap();
    let ask = |scope: Option<&str>, client: &crate::client::Client| {
        let request = ClientRequest { scope: scope.map(str::to_owned) };
        client_credentials::decide(&request, client, &Target::default(), (&realm(), &mut turn()))
    };
    for refused in ["openid", "email", "offline_access", "unknown", "invoices:read unknown", "a\"b"] {
        assert_eq!(code_of(&ask(Some(refused), &service)), Some(ErrorCode::InvalidScope), "{refused}");
    }
    let public = crate::client::Client { auth: ClientAuth::None, ..service.clone() };
    assert_eq!(code_of(&ask(None, &public)), Some(ErrorCode::UnauthorizedClient));

    let (answer, access, _) = signed(&ask(Some("invoices:read"), &service).verdict.unwrap());
    assert_eq!(answer["scope"], "invoices:read");
    assert!(answer.get("refresh_token").is_none() && answer.get("id_token").is_none());
    assert_eq!((access["sub"].as_str(), access["client_id"].as_str()), (Some("app"), Some("app")));
    assert_eq!(access["aud"], serde_json::json!(["app"]));
    assert_eq!(signed(&ask(None, &service).verdict.unwrap()).0["scope"], "invoices:read invoices:write");
}

/// without a role that the client is limited to no code is redeemed and nothing is refreshed; the refresh token is
/// not used up.
#[test]
fn a_role_taken_away_gives_nothing() {
    let mut limited = client();
    limited.metadata.access_roles = vec!["staff".into()];
    let with =
        |roles: &[&str]| Person { roles: roles.iter().map(|&role| role.to_owned()).collect(), ..Person::default() };
    for (roles, expected) in [(&["staff", "user"] as &[&str], None), (&["user"], Some(ErrorCode::InvalidGrant))] {
        let code = Loaded::First {
            grant: Box::new(grant()),
            account: account(),
            person: Box::new(with(roles)),
            expired: false,
            session_over: false,
        };
        let target = Target::default();
        let sent = request(Some(REDIRECT), Some(VERIFIER));
        let outcome = authorization_code::decide(&sent, &limited, (code, &target), &realm(), &mut turn());
        assert_eq!((code_of(&outcome), revokes(&outcome)), (expected, expected.is_some()), "{roles:?}");

        let token = refresh_token::Loaded { person: with(roles), ..loaded(TokenState::Fresh) };
        let sent = RefreshRequest { token: Secret::new("token"), scope: None };
        let sides = (&realm(), &mut turn());
        let outcome = refresh_token::decide(&sent, &limited, (Some(token), &target), &key(), sides);
        assert_eq!((code_of(&outcome), outcome.changes.is_empty()), (expected, expected.is_some()), "{roles:?}");
    }
}
