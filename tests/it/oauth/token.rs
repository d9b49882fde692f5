//! `POST /oauth/token` with `authorization_code`. Client authentication is in `token_client`.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use serde_json::{Value, json};

use crate::scene::{Scene, at_once, header};
use crate::support::prelude::*;

/// The answer to a code that must not be accepted.
fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".to_owned())
}

/// Redeems a code with any fields but the code's.
async fn redeem(scene: &Scene, code: &str, others: &[(&str, &str)]) -> (u16, String) {
    let mut fields = vec![("grant_type", "authorization_code"), ("code", code)];
    fields.extend(others);
    flow::refused(flow::token(&scene.signet, &scene.client, &fields).await).await
}

/// T3, T8: the answer is JSON, never cached, and its tokens have the claims of OIDC Core §2 and RFC 9068 §2.2.
#[tokio::test]
async fn a_code_is_exchanged_for_tokens() {
    let scene = Scene::start().await;
    let request = scene.request();
    let code = scene.code(&mut scene.browser(), &request).await;
    assert!(code.len() * 6 >= 128, "{code}");
    let answer = scene.exchange(&code, &request.verifier).await;
    assert_eq!(header(&answer, CACHE_CONTROL.as_str()), "no-store");
    assert_eq!(header(&answer, PRAGMA.as_str()), "no-cache");
    assert!(header(&answer, CONTENT_TYPE.as_str()).starts_with("application/json"));
    let tokens = flow::granted(answer).await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 900);

    let (id, access) = (flow::member(&tokens, "id_token"), flow::member(&tokens, "access_token"));
    assert_eq!(flow::jwt_header(id)["alg"], "RS256");
    let claims = flow::jwt_payload(id);
    assert_eq!(claims["iss"], scene.signet.issuer());
    assert_eq!(claims["aud"], json!(scene.client.id));
    assert_eq!(claims["azp"], json!(scene.client.id));
    assert_eq!(claims["nonce"], request.get("nonce"));
    assert_eq!(claims["amr"], json!(["pwd"]));
    for (name, is_right) in [
        ("sub", Value::is_string as fn(&Value) -> bool),
        ("sid", Value::is_string),
        ("acr", Value::is_string),
        ("at_hash", Value::is_string),
        ("auth_time", Value::is_i64),
        ("exp", Value::is_i64),
        ("iat", Value::is_i64),
    ] {
        assert!(is_right(&claims[name]), "{name}: {claims}");
    }

    let head = flow::jwt_header(access);
    assert_eq!((&head["alg"], &head["typ"]), (&json!("ES256"), &json!("at+jwt")));
    let bearer = flow::jwt_payload(access);
    assert_eq!(bearer["aud"], json!([scene.client.id, scene.signet.issuer()]));
    assert_eq!(bearer["client_id"], json!(scene.client.id));
    assert_eq!(bearer["sub"], claims["sub"]);
    assert!(bearer["jti"].is_string() && bearer["scope"].is_string(), "{bearer}");
}

/// T4: a replayed code is refused and revokes what it had issued: access and refresh token are dead.
#[tokio::test]
async fn a_replayed_code_revokes_what_it_gave() {
    let scene = Scene::start().await;
    let request = scene.request().with("scope", "openid offline_access");
    let code = scene.code(&mut scene.browser(), &request).await;
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    assert!(scene.accepts(&tokens).await);
    assert_eq!(flow::refused(scene.exchange(&code, &request.verifier).await).await, invalid_grant());
    assert!(!scene.accepts(&tokens).await);
    assert_eq!(flow::refused(scene.refresh(&tokens).await).await, invalid_grant());
}

/// T4: a code presented by another client is refused, neither spent nor revoked, and stays good for its owner.
#[tokio::test]
async fn a_foreign_clients_code_stays_good_for_its_owner() {
    let scene = Scene::start().await;
    let other = scene.signet.client(ClientSpec::confidential()).await;
    let request = scene.request();
    let code = scene.code(&mut scene.browser(), &request).await;
    let answer = flow::exchange(&scene.signet, &other, &code, &request.verifier).await;
    assert_eq!(flow::refused(answer).await, invalid_grant());
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    let answer = flow::exchange(&scene.signet, &other, &code, &request.verifier).await;
    assert_eq!(flow::refused(answer).await, invalid_grant());
    assert!(scene.accepts(&tokens).await, "a foreign client does not revoke");
}

/// T4: oxide-auth says `invalid_request` to an unknown code and to a wrong verifier; RFC 6749 §5.2 says `invalid_grant`.
#[tokio::test]
async fn trap_an_unknown_code_or_a_wrong_verifier_is_invalid_grant() {
    let scene = Scene::start().await;
    let request = scene.request();
    let answer = scene.exchange("never-issued", &request.verifier).await;
    assert_eq!(flow::refused(answer).await, invalid_grant());
    let code = scene.code(&mut scene.browser(), &request).await;
    assert_eq!(flow::refused(scene.exchange(&code, &flow::random()).await).await, invalid_grant());
    // Spent by the attempt: guessing on is no use.
    assert_eq!(flow::refused(scene.exchange(&code, &request.verifier).await).await, invalid_grant());
}

/// T4, T5: a verifier that is missing, malformed, or the challenge itself is refused.
#[tokio::test]
async fn a_missing_or_malformed_verifier_is_refused() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let redirect = ("redirect_uri", &*scene.client.redirect_uri);
    let long = "a".repeat(129);
    for (what, verifier) in [
        ("missing", None),
        ("empty", Some("")),
        ("42 characters", Some(&long[..42])),
        ("129 characters", Some(&*long)),
        ("reserved characters", Some("+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/")),
        ("not ASCII", Some("éééééééééééééééééééééééééééééééééééééééééééééé")),
    ] {
        let code = scene.code(&mut browser, &scene.request()).await;
        let mut fields = vec![redirect];
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        assert_eq!(redeem(&scene, &code, &fields).await, invalid_grant(), "{what}");
    }
    // RFC 7636 §4.6: the challenge is no verifier, as it were with `plain`.
    let request = scene.request();
    let code = scene.code(&mut browser, &request).await;
    let fields = [redirect, ("code_verifier", request.get("code_challenge"))];
    assert_eq!(redeem(&scene, &code, &fields).await, invalid_grant());
    // §4.1: 43 and 128 characters, and every unreserved one, are good.
    for verifier in ["-._~".repeat(32), "Az09-._~".repeat(6)[..43].to_owned()] {
        let request = scene.request().with("code_challenge", &flow::challenge(&verifier));
        let code = scene.code(&mut browser, &request).await;
        flow::granted(scene.exchange(&code, &verifier).await).await;
    }
}

/// T5: `plain` is for whom it was given: the challenge is then its own verifier, and no other is; S256 works as before.
#[tokio::test]
async fn plain_is_for_whom_it_was_given() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    // A client of this policy is made by `signet apply`.
    let policy = r#"UPDATE clients SET policy = '{"pkce_plain": true}' WHERE name = 'Test application'"#;
    assert_eq!(scene.change(policy), 1);
    let other = scene.signet.client(ClientSpec { name: "Another".to_owned(), ..ClientSpec::confidential() }).await;
    for method in [Some("plain"), None] {
        let plain = |request: AuthRequest| {
            let verifier = request.verifier.clone();
            let request = request.with("code_challenge", &verifier).without("code_challenge_method");
            method.iter().fold(request, |request, method| request.with("code_challenge_method", method))
        };
        let request = plain(scene.request());
        let tokens = scene.grant(&mut browser, &request).await;
        assert!(tokens["access_token"].is_string());
        let code = scene.code(&mut browser, &request).await;
        assert_eq!(flow::refused(scene.exchange(&code, &flow::random()).await).await, invalid_grant());
        let code = scene.code(&mut browser, &request).await;
        let hashed = flow::challenge(&request.verifier);
        assert_eq!(flow::refused(scene.exchange(&code, &hashed).await).await, invalid_grant());
        for bad in [&"a".repeat(42), &"a".repeat(129), &"+".repeat(43)] {
            let callback = browser.get(request.clone().with("code_challenge", bad).url(&scene.signet)).await.left();
            assert_eq!(flow::parameter(&callback, "error").as_deref(), Some("invalid_request"), "{bad}");
        }
        let callback = browser.get(plain(AuthRequest::new(&other)).url(&scene.signet)).await.left();
        assert_eq!(flow::parameter(&callback, "error").as_deref(), Some("invalid_request"), "not given");
    }
    scene.grant(&mut browser, &scene.request()).await;
}

/// A5: codes, tokens and identifiers are never the same twice, carry 128 random bits and more, and one that is not whole
/// is nobody's.
#[tokio::test]
async fn what_is_given_cannot_be_guessed() {
    let scene = Scene::start().await;
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        let mut browser = scene.browser();
        let request = scene.request();
        let code = scene.code(&mut browser, &request).await;
        let cookie = browser.jar.get("signet").expect("the session's cookie").header.clone();
        let handle = cookie.split([';', '=']).nth(1).expect("a value").to_owned();
        let changed = format!("{}{}", &code[..code.len() - 2], if code.ends_with("AA") { "BB" } else { "AA" });
        for wrong in [changed.as_str(), &code[1..], &code.to_lowercase()] {
            assert_eq!(flow::refused(scene.exchange(wrong, &request.verifier).await).await, invalid_grant(), "{wrong}");
        }
        let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
        let refresh = flow::member(&tokens, "refresh_token").to_owned();
        let part = json!({ "refresh_token": &refresh[1..] });
        assert_eq!(flow::refused(scene.refresh(&part).await).await, invalid_grant());
        let (access, id) = (flow::member(&tokens, "access_token"), flow::member(&tokens, "id_token"));
        let (access, id) = (flow::jwt_payload(access), flow::jwt_payload(id));
        let (jti, sid) = (flow::member(&access, "jti").to_owned(), flow::member(&id, "sid").to_owned());
        for (what, value) in [("code", code), ("refresh", refresh), ("jti", jti), ("sid", sid), ("session", handle)] {
            let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            assert!(value.len() >= 22 && value.bytes().all(alphabet), "{what}: {value}");
            assert!(seen.insert(value.clone()), "{what}: {value}");
        }
    }
    let client = scene.signet.client(ClientSpec::confidential()).await;
    assert!(client.secret.is_some_and(|secret| secret.len() >= 22));
    assert_eq!(seen.len(), 25);
}

/// T4: oxide-auth accepts a verifier where no challenge was stored; RFC 9700 §4.8.2 refuses it.
#[tokio::test]
async fn trap_a_verifier_without_a_stored_challenge_is_refused() {
    let scene = Scene::start().await;
    // A client of this policy is made by an administrator, for which there is no command yet.
    let policy = r#"UPDATE clients SET policy = '{"pkce": "optional"}' WHERE name = 'Test application'"#;
    assert_eq!(scene.change(policy), 1);
    let mut browser = scene.browser();
    let plain = scene.request().without("code_challenge").without("code_challenge_method");
    let code = scene.code(&mut browser, &plain).await;
    assert_eq!(flow::refused(scene.exchange(&code, &plain.verifier).await).await, invalid_grant());

    let code = scene.code(&mut browser, &plain).await;
    let fields = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", &scene.client.redirect_uri)];
    flow::granted(flow::token(&scene.signet, &scene.client, &fields).await).await;
}

/// T4: oxide-auth compares normalised URLs; RFC 6749 §4.1.3 wants the very bytes of the request.
#[tokio::test]
async fn trap_redirect_uri_is_compared_on_the_raw_string() {
    let mut spec = ClientSpec::confidential();
    let registered = ["http://localhost:9/cb", "http://localhost:9/cb/", "http://localhost:9/other"];
    spec.redirect_uris = registered.map(str::to_owned).to_vec();
    let scene = Scene::with(spec).await;
    let mut browser = scene.browser();
    for sent in [
        Some("http://localhost:9/cb/"),
        Some("HTTP://localhost:9/cb"),
        Some("http://LOCALHOST:9/cb"),
        Some("http://localhost:09/cb"),
        Some("http://localhost:9/x/../cb"),
        Some("http://localhost:9/%63b"),
        Some("http://localhost:9/cb?"),
        Some("http://localhost:9/other"),
        Some("http://localhost:9/cb "),
        Some("not a URL"),
        Some(""),
        None,
    ] {
        let request = scene.request();
        let code = scene.code(&mut browser, &request).await;
        let mut fields = vec![("code_verifier", &*request.verifier)];
        fields.extend(sent.map(|uri| ("redirect_uri", uri)));
        assert_eq!(redeem(&scene, &code, &fields).await, invalid_grant(), "{sent:?}");
    }
}

/// A5, T4: oxide-auth reads the wall clock; expiry is ours: a code of more than 60 seconds is refused.
#[tokio::test]
async fn trap_an_expired_code_is_refused_by_our_own_clock() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    for (seconds, good) in [(50, true), (60, false)] {
        let request = scene.request();
        let code = scene.code(&mut browser, &request).await;
        let older = format!("UPDATE grants SET code_expires_at = code_expires_at - interval '{seconds} seconds'");
        assert_eq!(scene.change(&format!("{older} WHERE code_spent_at IS NULL")), 1);
        let answer = scene.exchange(&code, &request.verifier).await;
        assert_eq!(answer.status().is_success(), good, "{seconds} s");
    }
}

/// T4, R-06: a code whose session ended before it was redeemed, and one of a deactivated account, give nothing.
#[tokio::test]
async fn a_code_of_an_ended_session_gives_nothing() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request();
    let code = scene.code(&mut browser, &request).await;
    let home = browser.get("/").await.page();
    browser.submit(&home, &[("decision", "signout")]).await;
    assert_eq!(flow::refused(scene.exchange(&code, &request.verifier).await).await, invalid_grant());

    let request = scene.request();
    let code = scene.code(&mut browser, &request).await;
    assert_eq!(scene.change("UPDATE users SET state = 'deactivated' WHERE username = 'admin'"), 1);
    assert_eq!(flow::refused(scene.exchange(&code, &request.verifier).await).await, invalid_grant());
}

/// T4: of 100 concurrent redemptions one succeeds; the others are replays, so its tokens are dead (RFC 6749 §4.1.2).
#[tokio::test]
async fn a_hundred_concurrent_redemptions_give_one_success() {
    race(Database::Postgres).await;
}

/// T4, R-65: the same on the embedded database, which has one connection.
#[tokio::test]
async fn a_hundred_concurrent_redemptions_on_the_embedded_database() {
    race(Database::Embedded).await;
}

async fn race(database: Database) {
    let scene = Scene::on(database, ClientSpec::confidential()).await;
    let request = scene.request().with("scope", "openid offline_access");
    let code = scene.code(&mut scene.browser(), &request).await;
    let secret = scene.client.secret.clone();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", &*scene.client.redirect_uri),
        ("code_verifier", &*request.verifier),
    ];
    let one = || {
        let request = scene.token_request(&fields).timeout(Duration::from_mins(1));
        request.basic_auth(&scene.client.id, secret.clone())
    };
    let (mut winners, mut replays) = (Vec::new(), 0);
    for answer in at_once((0..100).map(|_| one()).collect()).await {
        if answer.status().is_success() {
            winners.push(flow::granted(answer).await);
        } else {
            assert_eq!(flow::refused(answer).await, invalid_grant());
            replays += 1;
        }
    }
    assert_eq!((winners.len(), replays), (1, 99));
    assert!(!scene.accepts(&winners[0]).await);
    assert_eq!(flow::refused(scene.refresh(&winners[0]).await).await, invalid_grant());
}

/// A5: oxide-auth's `Pending` cannot be stored; what was authorised survives a restart between sign-in and consent.
#[tokio::test]
async fn trap_an_interaction_survives_a_restart() {
    let mut scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request().with("scope", "openid email");
    let page = browser.get(request.url(&scene.signet)).await.page();
    scene.signet.restart().await;
    let consent = flow::sign_in(&mut browser, &page, &scene.user).await.page();
    scene.signet.restart().await;
    let callback = browser.submit(&consent, &[("decision", "allow")]).await.left();
    assert_eq!(flow::parameter(&callback, "state").as_deref(), Some(request.get("state")));
    scene.signet.restart().await;
    let code = flow::parameter(&callback, "code").expect("a code");
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    assert_eq!(flow::member(&tokens, "scope"), "email openid");
    let claims = flow::jwt_payload(flow::member(&tokens, "id_token"));
    assert_eq!(claims["nonce"], request.get("nonce"));
}

/// U4: what was revoked stays revoked after a restart, when the set in memory is made anew.
#[tokio::test]
async fn revoked_tokens_stay_dead_after_a_restart() {
    let mut scene = Scene::start().await;
    let request = scene.request();
    let code = scene.code(&mut scene.browser(), &request).await;
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    let alive = scene.tokens().await;
    assert_eq!(flow::refused(scene.exchange(&code, &request.verifier).await).await, invalid_grant());
    scene.signet.restart().await;
    assert!(!scene.accepts(&tokens).await);
    assert!(scene.accepts(&alive).await);
}
