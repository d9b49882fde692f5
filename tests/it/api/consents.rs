//! `/api/v1/admin/users/{user}/consents`

use serde_json::Value;

use crate::api::office::{Office, json, problem};
use crate::support::prelude::*;

/// A16, R-44: an administrator sees what a person allowed which application, and withdraws it; what the application was
/// given ends. What is not there, or belongs to somebody who may do more, stays out of reach.
#[tokio::test]
async fn consents_are_listed_and_withdrawn() {
    let office = Office::open().await;
    let token = office.administrator().await;
    let ada = office.person("ada", None).await;
    let spec = |name: &str| ClientSpec { name: name.to_owned(), ..ClientSpec::confidential() };
    let (first, second) = (office.signet.client(spec("First")).await, office.signet.client(spec("Second")).await);
    let tokens = flow::tokens(&office.signet, &first, &ada).await;
    let kept = flow::tokens(&office.signet, &second, &ada).await;
    let call = async |method: &str, path: &str| {
        office.call(method, &format!("/api/v1/admin/users/{path}"), &token).send().await.expect("an answer")
    };

    let listed = json(call("GET", "ada/consents").await, 200).await;
    let items = listed["items"].as_array().expect("items");
    let mut names: Vec<_> = items.iter().map(|one| flow::member(one, "client_name")).collect();
    names.sort_unstable();
    assert_eq!((names, &listed["next"]), (vec!["First", "Second"], &Value::Null));
    for one in items {
        assert_eq!(one["scope"], "email offline_access openid profile", "{one}");
        assert_eq!((&one["claims"], &one["resources"]), (&Value::Array(vec![]), &Value::Array(vec![])));
        assert!(flow::member(one, "given_at") <= flow::member(one, "changed_at"), "{one}");
    }
    let part = json(call("GET", "ada/consents?limit=1").await, 200).await;
    assert_eq!(part["items"].as_array().map(Vec::len), Some(1));
    let rest = format!("ada/consents?limit=1&after={}", flow::member(&part, "next"));
    let rest = json(call("GET", &rest).await, 200).await;
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next"]), (Some(1), &Value::Null));

    let path = format!("ada/consents/{}", first.id);
    let clerk = office.person("clerk", Some("moderator")).await;
    let narrow = office.token(&clerk, "openid user:*").await;
    let below = office.call("DELETE", &format!("/api/v1/admin/users/{path}"), &narrow).send().await.expect("an answer");
    assert_eq!(problem(below).await, (403, "permission_missing".to_owned()));
    assert_eq!(call("DELETE", &path).await.status(), 204);
    let answer = flow::userinfo(&office.signet, flow::member(&tokens, "access_token")).await;
    assert_eq!(answer.status(), 401);
    let answer = flow::refresh(&office.signet, &first, flow::member(&tokens, "refresh_token")).await;
    assert_eq!(flow::refused(answer).await, (400, "invalid_grant".to_owned()));
    let answer = flow::userinfo(&office.signet, flow::member(&kept, "access_token")).await;
    assert_eq!(answer.status(), 200, "another application");
    for (path, code) in [
        (path, "consent_unknown"),
        ("ada/consents/nothing".to_owned(), "consent_unknown"),
        (format!("nobody/consents/{}", first.id), "user_unknown"),
    ] {
        assert_eq!(problem(call("DELETE", &path).await).await, (404, code.to_owned()), "{path}");
    }
    assert_eq!(problem(call("GET", "nobody/consents").await).await, (404, "user_unknown".to_owned()));
}

/// nobody withdraws what somebody allowed who may do more.
#[tokio::test]
async fn nobody_acts_on_somebody_who_may_do_more() {
    let office = Office::open().await;
    office.signet.cli_json(&["role", "create", "keeper", "--permission", "user:update", "--json"], "").await;
    let keeper = office.person("keeper", Some("keeper")).await;
    let token = office.token(&keeper, "openid user:*").await;
    let client = office.signet.client(ClientSpec::confidential()).await;
    let tokens = flow::tokens(&office.signet, &client, &crate::scene::admin()).await;
    let path = format!("/api/v1/admin/users/admin/consents/{}", client.id);
    let answer = office.call("DELETE", &path, &token).send().await.expect("an answer");
    assert_eq!(problem(answer).await, (403, "above_yourself".to_owned()));
    let answer = flow::userinfo(&office.signet, flow::member(&tokens, "access_token")).await;
    assert_eq!(answer.status(), 200);
}
