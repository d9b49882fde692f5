//! What the person said on a page, and what counts once.

use super::*;
use crate::{authorize::Once, change::Spent};

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
