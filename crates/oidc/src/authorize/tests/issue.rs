//! What an answer holds, and what is stored of it.

use super::*;
use crate::{
    authorize::wants_person,
    client::{ClaimMapping, ClaimSource, ResponseType},
};

/// A13, A12: who signed in is loaded for an ID token that says something of the person: one without an access token beside
/// it, one that was asked for single claims, one of a client with claims of its own.
#[test]
fn whose_answer_wants_the_person() {
    let claims = ClaimMapping { from: ClaimSource::Groups, scope: None };
    let mut custom = client();
    custom.metadata.claims = [("groups".to_owned(), claims)].into();
    for (response_type, asks, client, expected) in [
        ("code", false, client(), false),
        ("code", true, client(), false),
        ("code", false, custom.clone(), false),
        ("id_token", false, client(), true),
        ("id_token token", false, client(), false),
        ("code id_token", false, client(), false),
        ("code id_token", true, client(), true),
        ("id_token token", true, client(), true),
        ("code id_token", false, custom.clone(), true),
        ("code token", true, custom, false),
    ] {
        let mut request = parse(&query(""), &client).unwrap();
        request.response_type = ResponseType::parse(response_type).unwrap();
        if asks {
            request.claims.id_token = [("email".to_owned(), None)].into();
        }
        assert_eq!(wants_person(&request, &client), expected, "{response_type} {asks}");
    }
}

/// OIDC Core §11: a grant outlives its session where offline access was granted with a code.
#[test]
fn what_outlives_the_session() {
    for (scope, offline) in [("openid", false), ("openid+offline_access", true)] {
        let all = "openid offline_access";
        let outcome = run(&format!("scope={scope}"), &client(), Some(session()), all, Stage::Arrived);
        let Some(Change::IssueGrant(new)) = outcome.changes.last() else { panic!("no grant") };
        assert_eq!(new.grant.offline, offline, "{scope}");
    }
}

/// U3: a grant whose access token comes from here is watched until that has ended.
#[test]
fn how_long_its_tokens_live() {
    let mut client = implicit();
    client.response_types = RESPONSE_TYPES.to_vec();
    let outcome = run("response_type=code+token", &client, Some(session()), "openid email", Stage::Arrived);
    let Some(Change::IssueGrant(new)) = outcome.changes.last() else { panic!("no grant") };
    assert_eq!(new.access_until, Some(now() + realm().policy.access_token_lifetime));
}

/// A7: who is signed in already registers another account all the same; a closed realm leads to sign-in.
#[test]
fn prompt_create_while_signed_in() {
    assert_eq!(
        asked(&run("prompt=create", &client(), Some(session()), "openid email", Stage::Arrived)),
        Ok(Some(Question::Register))
    );
    let started = session().auth_time + Duration::milliseconds(1);
    let later =
        run("prompt=create", &client(), Some(session()), "openid email", interacting(started, Answered::Nothing));
    assert_eq!(asked(&later), Ok(Some(Question::SignIn)), "an account that was there before is signed in to");
}

/// The sealed form of a request stays short: what nobody asked for is not in it.
#[test]
fn what_nobody_asked_for_is_not_sealed() {
    let of = |extra: &str| serde_json::to_value(parse(&query(extra), &client()).unwrap()).unwrap();
    assert!(of("").get("acr").is_none());
    assert_eq!(of("acr_values=2")["acr"]["values"][0], "2");
}

/// an API that was taken from the client since its request came is not given.
#[test]
fn an_api_that_was_taken_meanwhile() {
    let mut with = client();
    with.metadata.resources = vec!["https://api.example".into()];
    let request = parse(&query("resource=https%3A%2F%2Fapi.example"), &with).unwrap();
    let (key, target) = (key(), Target::default());
    let next = |client: &Client| {
        let resources = ["https://api.example".to_owned()].into();
        let consented = Consented { resources, ..allowed("openid email") };
        let facts = Facts { consented, ..facts(client, &key, &target) };
        asked(&decide(&request, &facts, &realm(), &mut turn()))
    };
    assert_eq!(next(&with), Ok(None));
    assert_eq!(next(&client()), Err(ErrorCode::InvalidTarget));
}
