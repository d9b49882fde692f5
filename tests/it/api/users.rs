//! `/api/v1/admin/users`

use serde_json::{Value, json};

use crate::api::office::{self, Office, json as body_of, problem};
use crate::nodes::SECRET;
use crate::scene::header;
use crate::support::prelude::*;

const USERS: &str = "/api/v1/admin/users";

async fn patch(office: &Office, token: &str, user: &str, change: &Value) -> reqwest::Response {
    let request = office.call("PATCH", &format!("{USERS}/{user}"), token).json(change);
    request.send().await.expect("an answer")
}

/// U2: what is set of a person by the API is told by userinfo at once, on every node; `null` clears; the audit
/// log names the members and no value.
#[tokio::test]
async fn a_change_is_told_at_once_everywhere() {
    let signet = Signet::start_with(Database::Postgres, &[("SIGNET_SECRET_KEY", SECRET)]).await;
    let console = office::console(&signet, &["*:*", "client:read", "user:*"]).await;
    let office = Office { signet, console };
    let other = office.signet.beside(&[]).await;
    let token = office.administrator().await;
    let new = json!({ "username": "ada", "email": "ada@people.test", "password": User::named("ada").password,
        "name": "Ada", "phone_number": "+44123456", "phone_number_verified": true, "email_verified": true,
        "groups": ["a"], "metadata": {"hr": {"number": 7}} });
    let made = office.call("POST", USERS, &token).json(&new).send().await.expect("an answer");
    assert_eq!(body_of(made, 201).await["email_verified"], true);
    let spec = ClientSpec {
        scopes: ["openid", "profile", "email", "address", "phone"].map(str::to_owned).to_vec(),
        ..ClientSpec::confidential()
    };
    let claims = json!({"claims": {"groups": {"from": "groups"}, "employee": {"from": {"metadata": "hr.number"}}}});
    let client = office.signet.client(spec.with_metadata(&claims)).await;
    let request = AuthRequest::new(&client).with("scope", "openid profile email address phone");
    let code = flow::code(&office.signet, &mut Browser::new(&office.signet), &request, &User::named("ada")).await;
    let tokens = flow::granted(flow::exchange(&office.signet, &client, &code, &request.verifier).await).await;
    let told =
        async |node: &Signet| flow::granted(flow::userinfo(node, flow::member(&tokens, "access_token")).await).await;
    for node in [&office.signet, &other] {
        let info = told(node).await;
        assert_eq!((&info["name"], &info["email_verified"]), (&json!("Ada"), &json!(true)), "{info}");
        assert_eq!((&info["groups"], &info["employee"]), (&json!(["a"]), &json!(7)), "{info}");
        assert_eq!(info["phone_number_verified"], true, "{info}");
    }
    let change = json!({ "name": "Augusta", "phone_number": "+44654321", "email_verified": false,
        "address": {"country": "GB"}, "metadata": {"hr": {"desk": 1}} });
    let answer = patch(&office, &token, "ada", &change).await;
    let tag = header(&answer, "etag").to_owned();
    let shown = body_of(answer, 200).await;
    assert_eq!(tag, format!("\"{}\"", flow::member(&shown, "revision")));
    assert_eq!(shown["metadata"], json!({"hr": {"number": 7, "desk": 1}}));
    for node in [&other, &office.signet] {
        let info = told(node).await;
        assert_eq!((&info["name"], &info["email_verified"]), (&json!("Augusta"), &json!(false)), "{info}");
        assert_eq!((&info["phone_number"], &info["phone_number_verified"]), (&json!("+44654321"), &json!(false)));
        assert_eq!(info["address"], json!({"country": "GB"}));
    }
    let cleared = json!({ "name": null, "phone_number": null, "address": null, "groups": null, "metadata": null });
    body_of(patch(&office, &token, "ada", &cleared).await, 200).await;
    let info = told(&other).await;
    for gone in ["name", "phone_number", "phone_number_verified", "address", "employee"] {
        assert!(info.get(gone).is_none(), "{gone}: {info}");
    }
    assert_eq!(info["groups"], json!([]));
    // Nothing changes, and nothing is written.
    body_of(patch(&office, &token, "ada", &cleared).await, 200).await;

    let rows = office.signet.cli(&["audit", "export", "--event", "user.updated"]).await.stdout;
    let rows = String::from_utf8(rows).expect("UTF-8");
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert!(rows.contains("address,email_verified,metadata,name,phone_number,phone_number_verified"), "{rows}");
    assert!(!["Augusta", "+44", "desk"].iter().any(|value| rows.contains(value)), "{rows}");
}

/// what cannot be is refused with 422 by the name of the member, at both places, without repeating the value, and
/// changes nothing.
#[tokio::test]
async fn what_cannot_be_is_refused() {
    let office = Office::open().await;
    let token = office.administrator().await;
    office.person("ada", None).await;
    let show = async || {
        let answer = office.call("GET", &format!("{USERS}/ada"), &token).send().await.expect("an answer");
        body_of(answer, 200).await
    };
    let before = show().await;
    let mut deep = json!("hunter2");
    for _ in 0..9 {
        deep = json!({ "a": deep });
    }
    for (member, value) in [
        ("name", json!("hunter2\u{0}")),
        ("name", json!(7)),
        ("picture", json!("javascript:hunter2")),
        ("website", json!("//hunter2")),
        ("birthdate", json!("hunter2")),
        ("zoneinfo", json!("../../hunter2")),
        ("locale", json!("hunter2 <b>")),
        ("phone_number", json!("hunter2")),
        ("phone_number_verified", json!(true)),
        ("address", json!({"planet": "hunter2"})),
        ("groups", json!(["hunter2\n"])),
        ("metadata", json!({"a": "hunter2\u{0}"})),
        ("metadata", deep),
        ("metadata", json!({"a": "x".repeat(10_000)})),
    ] {
        let new = json!({ "username": "eve", "email": "eve@people.test", member: value });
        let posted = office.call("POST", USERS, &token).json(&new).send().await.expect("an answer");
        for answer in [posted, patch(&office, &token, "ada", &json!({ "nickname": "A", member: value })).await] {
            assert_eq!(answer.status(), 422, "{member}");
            let body: Value = answer.json().await.expect("JSON");
            assert_eq!((&body["errors"][0]["field"], &body["code"]), (&json!(member), &json!("invalid_profile")));
            assert!(!body.to_string().contains("hunter2"), "{body}");
        }
    }
    for unknown in ["username", "email", "state", "password_hash", "is_admin", "updated_at"] {
        let answer = patch(&office, &token, "ada", &json!({ unknown: "hunter2" })).await;
        assert_eq!(answer.status(), 422, "{unknown}");
        let body = answer.text().await.expect("a body");
        assert!(body.contains(unknown) && !body.contains("hunter2"), "{body}");
    }
    for kept in ["email_verified", "phone_number_verified", "revision"] {
        let answer = patch(&office, &token, "ada", &json!({ kept: null })).await;
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!((&body["status"], &body["errors"][0]["field"]), (&json!(422), &json!(kept)));
    }
    assert_eq!(patch(&office, &token, "nobody", &json!({})).await.status(), 404);
    let stale = json!({ "name": "A", "revision": "other" });
    let refusal = problem(patch(&office, &token, "ada", &stale).await).await;
    assert_eq!(refusal, (409, "changed_meanwhile".to_owned()));
    for (condition, status) in [("\"other\"", 412), ("*", 200)] {
        let request = office.call("PATCH", &format!("{USERS}/ada"), &token).header("If-Match", condition);
        let answer = request.json(&json!({})).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{condition}");
    }
    assert_eq!(show().await, before);
    assert_eq!(office.call("GET", &format!("{USERS}/eve"), &token).send().await.expect("an answer").status(), 404);
}

/// nobody changes what is known of somebody who may do more; a token that does not allow it changes nobody.
#[tokio::test]
async fn nobody_changes_somebody_who_may_do_more() {
    let office = Office::open().await;
    office.signet.cli_json(&["role", "create", "keeper", "--permission", "user:update", "--json"], "").await;
    let keeper = office.person("keeper", Some("keeper")).await;
    office.person("ada", None).await;
    let token = office.token(&keeper, "openid *:*").await;
    let change = json!({ "name": "Eve", "email_verified": true });
    let refusal = problem(patch(&office, &token, "admin", &change).await).await;
    assert_eq!(refusal, (403, "above_yourself".to_owned()));
    assert_eq!(office.change("UPDATE users SET name = 'x' WHERE username = 'admin' AND name IS NULL"), 1);
    body_of(patch(&office, &token, "ada", &change).await, 200).await;
    let reader = office.token(&crate::scene::admin(), "openid user:read").await;
    assert_eq!(problem(patch(&office, &reader, "ada", &change).await).await, (403, "insufficient_scope".to_owned()));
}
