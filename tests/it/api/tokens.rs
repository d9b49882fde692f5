//! Which tokens the API takes, and what they allow.

use crate::api::office::{Office, console, json, problem};
use crate::scene::{admin, header};
use crate::support::prelude::*;

const CLIENTS: &str = "/api/v1/admin/clients";

/// Status, code and challenge of a refusal.
async fn refusal(request: reqwest::RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.expect("an answer");
    let challenge = header(&answer, "www-authenticate").to_owned();
    let (status, code) = problem(answer).await;
    (status, code, challenge)
}

/// only a token for the API alone opens it; RFC 6750 §3 says why another does not.
#[tokio::test]
async fn only_a_token_for_the_api_is_taken() {
    let office = Office::open().await;
    let good = office.administrator().await;
    assert_eq!(
        json(office.call("GET", CLIENTS, &good).send().await.expect("an answer"), 200).await["next"],
        serde_json::Value::Null
    );

    let url = office.signet.url(CLIENTS);
    let http = office.signet.http();
    for missing in
        [http.get(&url), http.get(&url).query(&[("access_token", &good)]), http.get(&url).basic_auth("a", Some("b"))]
    {
        let (status, code, challenge) = refusal(missing).await;
        assert_eq!((status, &*code, &*challenge), (401, "token_missing", "Bearer realm=\"signet\""));
    }

    // The same person, by an application whose tokens are for something else.
    let mut spec = ClientSpec::confidential();
    spec.scopes = vec!["openid".to_owned(), "*:*".to_owned()];
    let app = office.signet.client(spec).await;
    let elsewhere = office.token_by(&app, &admin(), "openid *:*").await;
    assert!(flow::userinfo(&office.signet, &elsewhere).await.status().is_success());
    for bad in [elsewhere.as_str(), "x", "a.b.c"] {
        let (status, code, challenge) = refusal(office.call("GET", CLIENTS, bad)).await;
        assert_eq!((status, &*code), (401, "invalid_token"), "{bad}");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }

    let twice = http.get(&url).header("Authorization", format!("Bearer {good}")).header("Authorization", "Bearer x");
    assert_eq!(refusal(twice).await.0, 400);
}

/// what a token allows is what both its scopes and the roles of its holder allow.
#[tokio::test]
async fn a_token_allows_what_scopes_and_roles_allow() {
    let office = Office::open().await;
    let moderator = office.person("moderator", Some("moderator")).await;
    let nobody = office.person("nobody", None).await;
    let users = "/api/v1/admin/users";
    for (user, scope, path, expected) in [
        (&admin(), "openid *:*", CLIENTS, None),
        (&admin(), "client:read", CLIENTS, None),
        (&admin(), "openid client:read", users, Some("insufficient_scope")),
        (&admin(), "openid", CLIENTS, Some("insufficient_scope")),
        (&moderator, "openid *:*", users, None),
        (&moderator, "openid user:*", users, None),
        (&moderator, "openid *:*", CLIENTS, Some("permission_missing")),
        (&nobody, "openid *:*", users, Some("permission_missing")),
    ] {
        let token = office.token(user, scope).await;
        let answer = office.call("GET", path, &token).send().await.expect("an answer");
        let what = format!("{} {scope} {path}", user.username);
        match expected {
            None => assert_eq!(answer.status(), 200, "{what}"),
            Some(code) => {
                let challenge = header(&answer, "www-authenticate").to_owned();
                assert_eq!(problem(answer).await, (403, code.to_owned()), "{what}");
                assert_eq!(challenge.contains("error=\"insufficient_scope\""), code == "insufficient_scope", "{what}");
            }
        }
    }
}

/// a token that ended is refused at once, and a permission check takes no statement once it is cached.
#[tokio::test]
async fn a_revoked_token_is_refused_and_a_check_takes_no_statement() {
    let office = Office::open().await;
    let mut browser = Browser::new(&office.signet);
    let request = AuthRequest::new(&office.console).with("scope", "openid *:*");
    let code = flow::code(&office.signet, &mut browser, &request, &admin()).await;
    let tokens = flow::granted(flow::exchange(&office.signet, &office.console, &code, &request.verifier).await).await;
    let token = flow::member(&tokens, "access_token");
    assert_eq!(office.call("GET", CLIENTS, token).send().await.expect("an answer").status(), 200);
    let missing = office.call("GET", "/api/v1/admin/clients/none", token).send().await.expect("an answer");
    assert_eq!(flow::statements(missing.headers()), 1, "the lookup itself");
    assert_eq!(problem(missing).await, (404, "client_not_found".to_owned()));

    let home = browser.get("/").await.page();
    browser.submit(&home, &[("decision", "signout")]).await.page();
    let answer = office.call("GET", CLIENTS, token).send().await.expect("an answer");
    assert_eq!(flow::statements(answer.headers()), 0);
    assert_eq!(problem(answer).await, (401, "invalid_token".to_owned()));
}

/// tokens of first-party applications carry `user_id`, others do not.
#[tokio::test]
async fn tokens_of_first_party_applications_carry_the_account() {
    let office = Office::open().await;
    let third = office.signet.client(ClientSpec::confidential()).await;
    let ours = flow::jwt_payload(&office.administrator().await);
    let theirs = flow::jwt_payload(&office.token_by(&third, &admin(), "openid").await);
    assert_eq!(ours["user_id"].as_str().map(str::len), Some(36), "{ours}");
    assert_eq!(ours["aud"], serde_json::json!([format!("{}/api", office.signet.issuer()), office.signet.issuer()]));
    assert!(theirs.get("user_id").is_none() && theirs["sub"] == ours["sub"], "{theirs}");
}

/// a service acts on its own behalf within its roles, and is the actor in the audit log.
#[tokio::test]
async fn a_service_holds_roles() {
    let office = Office::open().await;
    let audience = format!("{}/api", office.signet.issuer());
    let arguments = [
        "client",
        "create",
        "--json",
        "--name",
        "Robot",
        "--grant-type",
        "client_credentials",
        "--scope",
        "*:*",
        "--audience",
        &audience,
    ];
    let made = office.signet.cli_json(&arguments, "").await;
    let robot = Client {
        id: flow::member(&made, "client_id").to_owned(),
        secret: Some(flow::member(&made, "client_secret").to_owned()),
        redirect_uri: String::new(),
    };
    let answer = flow::token(&office.signet, &robot, &[("grant_type", "client_credentials")]).await;
    let tokens = flow::granted(answer).await;
    let token = flow::member(&tokens, "access_token");
    let users = "/api/v1/admin/users";
    let answer = office.call("GET", users, token).send().await.expect("an answer");
    assert_eq!(problem(answer).await, (403, "permission_missing".to_owned()));

    let administrator = office.administrator().await;
    let path = format!("/api/v1/admin/clients/{}/roles/moderator", robot.id);
    json(office.call("PUT", &path, &administrator).send().await.expect("an answer"), 200).await;
    let path = format!("{users}/admin");
    assert_eq!(office.call("GET", &path, token).send().await.expect("an answer").status(), 200);
    let clients = office.call("GET", CLIENTS, token).send().await.expect("an answer");
    assert_eq!(problem(clients).await, (403, "permission_missing".to_owned()));
}

/// who administers by a narrow token reaches no further than that token, whatever the roles say.
#[tokio::test]
async fn a_narrow_token_gives_nothing_away() {
    let office = Office::open().await;
    let narrow = console(&office.signet, &["role:assign", "user:read"]).await;
    let nobody = office.person("nobody", None).await;
    let token = office.token_by(&narrow, &admin(), "openid role:assign user:read").await;
    let path = format!("/api/v1/admin/users/{}/roles/admin", nobody.username);
    let answer = office.call("PUT", &path, &token).send().await.expect("an answer");
    assert_eq!(answer.status(), 403, "{answer:?}");
    let administrator = office.administrator().await;
    json(office.call("PUT", &path, &administrator).send().await.expect("an answer"), 200).await;
}

/// who may make and change clients cannot lead an administrator's token to the API by one: not by an identifier
/// that is the API's address, and not by moving a client there after people trusted it elsewhere.
#[tokio::test]
async fn no_client_is_led_to_the_api() {
    let office = Office::open().await;
    let token = office.administrator().await;
    let clients = "/api/v1/admin/clients";
    for own in [office.signet.issuer().to_owned(), format!("{}/api", office.signet.issuer())] {
        let new =
            serde_json::json!({ "client_id": own, "client_name": "App", "redirect_uris": ["https://app.example/cb"] });
        let answer = office.call("POST", clients, &token).json(&new).send().await.expect("an answer");
        assert_eq!(problem(answer).await, (422, "invalid_client_metadata".to_owned()), "{own}");
    }

    let arguments = ["client", "create", "--json", "--name", "App", "--first-party"];
    let more = ["--redirect-uri", "https://app.example/callback", "--scope", "openid offline_access *:*"];
    let made = office.signet.cli_json(&[&arguments[..], &more[..]].concat(), "").await;
    let client = Client {
        id: flow::member(&made, "client_id").to_owned(),
        secret: Some(flow::member(&made, "client_secret").to_owned()),
        redirect_uri: "https://app.example/callback".to_owned(),
    };
    let request = AuthRequest::new(&client).with("scope", "openid offline_access *:*");
    let code = flow::code(&office.signet, &mut Browser::new(&office.signet), &request, &admin()).await;
    let tokens = flow::granted(flow::exchange(&office.signet, &client, &code, &request.verifier).await).await;
    let change =
        serde_json::json!({ "default_audience": format!("{}/api", office.signet.issuer()), "scope": "openid" });
    let path = format!("{clients}/{}", client.id);
    let answer = office.call("PATCH", &path, &token).json(&change).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", flow::member(&tokens, "refresh_token"))];
    let answer = flow::token(&office.signet, &client, &refresh).await;
    assert_eq!(answer.status(), 400, "what was given for another audience has ended");
}
