//! Who may answer a request that names somebody.

use super::*;

/// A9: a hint that names someone else leads to sign-in, never to that other person's code.
#[test]
fn a_hint_for_someone_else() {
    let client = client();
    let params = query("");
    let next = |subject: &str| {
        let request = read(&params, Some(&client), Ok(Some(subject.to_owned())), &realm()).unwrap();
        let (key, target) = (key(), Target::default());
        let facts = facts(&client, &key, &target);
        asked(&decide(&request, &facts, &realm(), &mut turn()))
    };
    assert_eq!(next("subject"), Ok(None));
    assert_eq!(next("another"), Ok(Some(Question::SignIn)));
}

/// A9, A12: a `sub` in `claims` is the one person who may answer.
#[test]
fn a_subject_in_claims() {
    let read_with = |claims: &str, hint: Option<&str>| {
        let claims: String = url::form_urlencoded::byte_serialize(claims.as_bytes()).collect();
        let hint = hint.map(str::to_owned);
        read(&query(&format!("claims={claims}")), Some(&client()), Ok(hint), &realm())
            .map(|request| request.expected_subjects.join(" "))
            .ok()
    };
    let asked = |rule: &str, hint: Option<&str>| read_with(&format!(r#"{{"id_token":{{"sub":{rule}}}}}"#), hint);
    let found = |subjects: &str| Some(subjects.to_owned());
    assert_eq!(asked("null", None), found(""));
    assert_eq!(asked(r#"{"essential":true}"#, Some("ada")), found("ada"));
    assert_eq!(asked(r#"{"value":"ada"}"#, None), found("ada"));
    assert_eq!(asked(r#"{"value":"ada"}"#, Some("ada")), found("ada"));
    assert_eq!(asked(r#"{"value":"ada"}"#, Some("bob")), None);
    assert_eq!(asked(r#"{"value":1}"#, None), None);
    assert_eq!(asked(r#"{"values":["ada","bob"]}"#, None), found("ada bob"));
    assert_eq!(asked(r#"{"values":["ada","bob"]}"#, Some("bob")), found("bob"));
    assert_eq!(asked(r#"{"values":["ada","bob"]}"#, Some("eve")), None);
    assert_eq!(asked(r#"{"values":["ada",1]}"#, None), None);
    let both = |userinfo: &str| {
        let id_token = r#""id_token":{"sub":{"values":["ada","bob"]}}"#;
        read_with(&format!(r#"{{{id_token},"userinfo":{{"sub":{{"value":"{userinfo}"}}}}}}"#), None)
    };
    assert_eq!((both("bob"), both("eve")), (found("bob"), None));
}

/// A9, A12: with several subjects asked for any of them will do, and nobody else.
#[test]
fn one_of_several_subjects() {
    let next = |subjects: &str| {
        let claims = format!(r#"{{"id_token":{{"sub":{{"values":{subjects}}}}}}}"#);
        let claims: String = url::form_urlencoded::byte_serialize(claims.as_bytes()).collect();
        let query = format!("claims={claims}&prompt=none");
        asked(&run(&query, &client(), Some(session()), "openid email", Stage::Arrived))
    };
    assert_eq!(next(r#"["bob","subject"]"#), Ok(None));
    assert_eq!(next(r#"["bob","eve"]"#), Err(ErrorCode::LoginRequired));
}
