//! How long what is given lives, and what a refresh winds up.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    client::GRANT_PASSWORD,
    pkce::{Challenge, Method},
    resource::{Api, Apis},
    token::password::{self, Proven},
};

/// T6: the refresh token that comes with a code lives as long as the policy says, from this moment.
#[test]
fn the_first_refresh_token() {
    let outcome = redeem(&request(Some(REDIRECT), Some(VERIFIER)), first(grant()));
    let issued = outcome.changes.iter().find_map(|change| match change {
        Change::IssueRefresh(new) => Some(new),
        _ => None,
    });
    let issued = issued.expect("a refresh token");
    assert_eq!((issued.at, issued.expires), (now(), now() + realm().policy.refresh_token_lifetime));
    assert_eq!(successor(&outcome.verdict.unwrap()).len(), 43);
}

/// T5: a verifier that is too short is refused, also where it is the one that the challenge was made of.
#[test]
fn a_short_verifier_is_refused() {
    let challenge = |verifier: &str| {
        let value = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        Grant { challenge: Some(Challenge { method: Method::S256, value }), ..grant() }
    };
    for (verifier, good) in [("x".repeat(42), false), ("x".repeat(43), true), ("x".repeat(129), false)] {
        let outcome = redeem(&request(Some(REDIRECT), Some(&verifier)), first(challenge(&verifier)));
        assert_eq!(code_of(&outcome), (!good).then_some(ErrorCode::InvalidGrant), "{}", verifier.len());
    }
}

/// T6: a refresh is use: successor, grant and session are wound up from this moment; the newest access token is watched for
/// as long as it lives.
#[test]
fn what_a_refresh_winds_up() {
    let policy = realm().policy;
    let api = Api {
        identifier: "https://api.example".into(),
        scopes: "openid".parse().unwrap(),
        lifetime: Some(Duration::seconds(60)),
        alg: None,
    };
    let target = Target { resources: vec![api.identifier.clone()], apis: Apis::new(vec![api]) };
    for (rotation, target, lives) in [
        (RefreshRotation::On, &Target::default(), policy.access_token_lifetime),
        (RefreshRotation::Off, &Target::default(), policy.access_token_lifetime),
        (RefreshRotation::On, &target, Duration::seconds(60)),
    ] {
        let mut client = client();
        client.policy.refresh_rotation = rotation;
        let request = RefreshRequest { token: Secret::new("token"), scope: None };
        let loaded = (Some(loaded(TokenState::Fresh)), target);
        let outcome = refresh_token::decide(&request, &client, loaded, &key(), (&realm(), &mut turn()));
        let wound_up = outcome.changes.iter().find_map(|change| match change {
            Change::RotateRefresh { successor: new, access_until, seen, .. }
            | Change::UseRefresh { used: new, access_until, seen } => Some((new, access_until, seen)),
            _ => None,
        });
        let (new, access_until, seen) = wound_up.expect("a token that was used");
        assert_eq!((new.at, new.expires), (now(), now() + policy.refresh_token_lifetime));
        assert_eq!((new.grant, new.client), (grant().id, client.key));
        assert_eq!(*access_until, now() + lives);
        assert_eq!(*seen, grant().session.map(|session| (session, now() + policy.session_idle)));
        let issue = outcome.verdict.unwrap();
        assert_eq!(Secret::new(successor(&issue)).digest(), new.digest, "what is stored is what is sent");
        assert_eq!(signed(&issue).0["expires_in"], lives.num_seconds());
    }
}

/// T7: a client's own token ends when the policy says, and nothing stands behind it.
#[test]
fn a_clients_own_token() {
    let mut service = client();
    service.grant_types = vec![GRANT_CLIENT.into()];
    let request = ClientRequest { scope: None };
    let outcome = client_credentials::decide(&request, &service, &Target::default(), (&realm(), &mut turn()));
    let (answer, access, _) = signed(&outcome.verdict.unwrap());
    assert_eq!(access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(), 900);
    assert_eq!((&access["iat"], &answer["expires_in"]), (&now().timestamp().into(), &900.into()));
    assert_eq!((&access["sub"], access.get("grant")), (&"app".into(), None));
}

/// RFC 9068 §3: the issuer is in the audience with `openid`, once, and without it never.
#[test]
fn who_a_token_is_for() {
    let audience = |scopes: &str, resources: &[&str]| {
        let resources: Vec<String> = resources.iter().map(|&one| one.to_owned()).collect();
        let granted = Grant { scopes: scopes.parse().unwrap(), resources, ..grant() };
        let outcome = redeem(&request(Some(REDIRECT), Some(VERIFIER)), first(granted));
        let access = signed(&outcome.verdict.unwrap()).1;
        access["aud"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(audience("openid", &[]), "app https://op.example");
    assert_eq!(audience("profile", &[]), "app");
    assert_eq!(audience("profile", &["https://api.example"]), "https://api.example");
    assert_eq!(audience("openid", &["https://op.example"]), "https://op.example");
}

/// T7: what a password gives lives as long as what a code gives.
#[test]
fn what_a_password_gives() {
    let policy = realm().policy;
    let mut own = client();
    own.first_party = true;
    own.grant_types = vec![GRANT_PASSWORD.into(), GRANT_REFRESH.into()];
    let body = Params::decode(b"grant_type=password&username=ada&password=secret&scope=openid");
    let GrantRequest::Password(request) = read(&body, &own).unwrap() else { panic!("another grant") };
    let proven = Proven { account: account(), person: Person::default(), acr: "1", amr: vec!["pwd".into()] };
    let outcome = password::decide(&request, &own, (proven, &Target::default()), &key(), (&realm(), &mut turn()));
    let (mut given, mut issued) = (None, None);
    for change in &outcome.changes {
        match change {
            Change::IssueGrant(new) => given = Some(new),
            Change::IssueRefresh(new) => issued = Some(new),
            _ => {}
        }
    }
    let (given, issued) = (given.expect("a grant"), issued.expect("a refresh token"));
    let ends = now() + policy.refresh_token_lifetime;
    assert_eq!((issued.at, issued.expires, given.refresh_until), (now(), ends, Some(ends)));
    assert_eq!((given.at, given.access_until), (now(), Some(now() + policy.access_token_lifetime)));
}
