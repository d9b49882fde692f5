//! What is answered, to the letter.

use serde_json::{Value, json};

use super::{application, application_with, client_of, manage_own, open, register, registered, tokens};
use crate::scene::header;
use crate::support::prelude::*;

/// R1, R2, OIDC Registration §3.2: 201 with every registered value, defaults included, an identifier and its time, a secret
/// that does not end, and how to come back; no cache keeps it; with it the code flow works at once, without PKCE too.
#[tokio::test]
async fn a_registration_is_answered_whole() {
    let signet = open().await;
    let answer = register(&signet, &json!({ "redirect_uris": ["https://reports.example/callback"] })).await;
    assert_eq!(answer.status(), 201);
    for (name, expected) in
        [("cache-control", "no-store"), ("pragma", "no-cache"), ("content-type", "application/json")]
    {
        assert_eq!(header(&answer, name), expected);
    }
    let own: Value = answer.json().await.expect("JSON");
    let id = flow::member(&own, "client_id");
    assert!(own["client_id_issued_at"].as_i64().is_some_and(|at| (at - signer::now()).abs() < 60), "{own}");
    assert_eq!(flow::member(&own, "client_secret").len(), 43);
    assert_eq!(flow::member(&own, "registration_access_token").len(), 43);
    let expected = json!({
        "client_id": id,
        "client_id_issued_at": own["client_id_issued_at"],
        "client_secret": own["client_secret"],
        "client_secret_expires_at": 0,
        "registration_access_token": own["registration_access_token"],
        "registration_client_uri": format!("{}/oauth/register/{id}", signet.issuer()),
        "client_name": "reports.example",
        "redirect_uris": ["https://reports.example/callback"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "scope": "address email openid phone profile",
        "token_endpoint_auth_method": "client_secret_basic",
        "application_type": "web",
        "subject_type": "public",
        "id_token_signed_response_alg": "RS256",
        "require_auth_time": false,
    });
    assert_eq!(own, expected);

    let client = client_of(&own);
    let request = AuthRequest::new(&client).without("code_challenge").without("code_challenge_method");
    let user = crate::scene::admin();
    let code = flow::code(&signet, &mut Browser::new(&signet), &request, &user).await;
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &client.redirect_uri)];
    flow::granted(flow::token(&signet, &client, &fields).await).await;
}

/// R1, R4: every member of OIDC Registration §2, RFC 7591 §2 and the logout specifications is stored and told, by POST and
/// by GET; what is not known, null, or an administrator's to give is ignored and not told.
#[tokio::test]
async fn every_member_is_stored_and_told() {
    let signet = open().await;
    let key = Signer::new("ES256", "k");
    let members = json!({
        "application_type": "web",
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks": signer::set(&[&key]),
        "contacts": ["ada@reports.example"],
        "client_uri": "https://reports.example/",
        "logo_uri": "https://reports.example/logo.png",
        "policy_uri": "https://reports.example/policy",
        "tos_uri": "https://reports.example/terms",
        "client_name#de": "Berichte",
        "logo_uri#de-AT": "https://reports.example/logo-at.png",
        "policy_uri#fr": "https://reports.example/fr",
        "tos_uri#fr": "https://reports.example/fr",
        "client_uri#ja-Kana-JP": "https://reports.example/ja",
        "subject_type": "pairwise",
        "id_token_signed_response_alg": "ES256",
        "id_token_encrypted_response_alg": "ECDH-ES",
        "userinfo_signed_response_alg": "RS256",
        "userinfo_encrypted_response_alg": "ECDH-ES",
        "userinfo_encrypted_response_enc": "A256GCM",
        "request_object_signing_alg": "ES256",
        "require_signed_request_object": true,
        "request_uris": ["https://reports.example/request#v1"],
        "default_max_age": 3600,
        "require_auth_time": true,
        "default_acr_values": ["urn:signet:acr:1fa"],
        "initiate_login_uri": "https://reports.example/begin",
        "post_logout_redirect_uris": ["https://reports.example/bye"],
        "backchannel_logout_uri": "https://reports.example/back",
        "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://reports.example/front",
        "frontchannel_logout_session_required": true,
        "software_id": "4NRB1-0XZABZI9E6-5SM3R",
        "software_version": "2.1",
        "scope": "openid email offline_access",
    });
    let sent = application_with(&members);
    let ignored = json!({
        "first_party": true, "default_audience": format!("{}/api", signet.issuer()), "roles": ["admin"],
        "access_roles": ["admin"], "resources": ["https://api.example"], "claims": { "x": { "from": "groups" } },
        "localized": { "client_name#it": "Rapporti" }, "pkce": "required", "policy": {}, "source": "admin",
        "client_id": "mine", "client_secret": "mine", "software_statement": "x.y.z", "unheard_of": [1],
        "sector_identifier_uri": null, "jwks_uri": null, "redirect_uris#de": ["x"],
    });
    let mut body = sent.clone();
    body.as_object_mut().expect("members").extend(ignored.as_object().expect("members").clone());
    let own = registered(&signet, &body).await;
    let mut expected = sent;
    expected["scope"] = json!("email offline_access openid");
    expected["id_token_encrypted_response_enc"] = json!("A128CBC-HS256");
    for (name, value) in expected.as_object().expect("members") {
        assert_eq!(&own[name], value, "{name}");
    }
    let told = ["client_id", "client_id_issued_at", "registration_access_token", "registration_client_uri"];
    for name in own.as_object().expect("members").keys() {
        assert!(!expected[name].is_null() || told.contains(&name.as_str()), "{name} was not asked for");
    }
    assert_eq!(own.get("client_secret"), None, "a client with a key has no secret");
    let read = flow::granted(manage_own(&signet, "GET", &own, None).await).await;
    assert_eq!(read, own);
    let shown = signet.cli_json(&["client", "show", flow::member(&own, "client_id"), "--json"], "").await;
    assert_eq!((&shown["source"], &shown["first_party"]), (&json!("dynamic"), &json!(false)));
}

/// R1, T1: each method of authentication that is advertised can be registered and used; a secret that signs is told again,
/// one that is stored hashed is not; public clients must use PKCE.
#[tokio::test]
async fn each_method_of_authentication_works() {
    let signet = open().await;
    let key = Signer::new("ES256", "k");
    for method in ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"] {
        let mut body = application_with(&json!({ "token_endpoint_auth_method": method }));
        if method == "private_key_jwt" {
            body["jwks"] = signer::set(&[&key]);
        }
        let own = registered(&signet, &body).await;
        let client = client_of(&own);
        let secret = !["private_key_jwt", "none"].contains(&method);
        assert_eq!(client.secret.is_some(), secret, "{method}");
        assert_eq!(own.get("client_secret_expires_at").is_some(), secret, "{method}");
        let read = flow::granted(manage_own(&signet, "GET", &own, None).await).await;
        assert_eq!(read.get("client_secret").is_some(), method == "client_secret_jwt", "{method}");
        let request = AuthRequest::new(&client);
        let mut browser = Browser::new(&signet);
        let code = flow::code(&signet, &mut browser, &request, &crate::scene::admin()).await;
        let assertion = match method {
            "client_secret_jwt" => Signer::secret("HS256", &client).assertion(&signet, &client, json!({})),
            _ => key.assertion(&signet, &client, json!({})),
        };
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", &*client.redirect_uri),
            ("code_verifier", &*request.verifier),
        ];
        let mut post = signet.http().post(signet.url("/oauth/token"));
        match (method, &client.secret) {
            ("client_secret_basic", secret) => post = post.basic_auth(&client.id, secret.as_ref()),
            ("client_secret_jwt" | "private_key_jwt", _) => fields.extend(signer::fields(&assertion)),
            (_, Some(secret)) => fields.extend([("client_id", &*client.id), ("client_secret", secret)]),
            (_, None) => fields.push(("client_id", &client.id)),
        }
        let tokens = flow::granted(post.form(&fields).send().await.expect("an answer")).await;
        assert!(tokens["refresh_token"].is_string(), "{method}");
        if method == "none" {
            let bare = AuthRequest::new(&client).without("code_challenge").without("code_challenge_method");
            let refused = browser.get(bare.url(&signet)).await.left();
            assert_eq!(flow::parameter(&refused, "error").as_deref(), Some("invalid_request"));
        }
    }
}

/// T2, R1: a client that registered a `jwks_uri` replaces its keys without a restart: an unknown `kid` is read anew.
#[tokio::test]
async fn keys_at_an_address_rotate() {
    let mut signet = Signet::prepare(Database::Postgres, &[super::OPEN]);
    let target = Target::start(&signet);
    target.open_to(&mut signet);
    signet.restart().await;
    let (old, new) = (Signer::new("ES256", "old"), Signer::new("ES256", "new"));
    target.serve("/jwks", &signer::set(&[&old]));
    let body = json!({
        "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": target.url("/jwks"),
    });
    let client = client_of(&registered(&signet, &body).await);
    assert_eq!(target.asked("/jwks"), 0, "nothing is read before it is needed");
    let ask = async |key: &Signer| {
        let assertion = key.assertion(&signet, &client, json!({}));
        let fields = [&[("grant_type", "client_credentials")][..], &signer::fields(&assertion)].concat();
        signet.http().post(signet.url("/oauth/token")).form(&fields).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!((ask(&old).await, ask(&new).await), (200, 401));
    target.serve("/jwks", &signer::set(&[&new]));
    let client_of_now = eventually(PATIENCE, "the new key is read", async || (ask(&new).await == 200).then_some(()));
    client_of_now.await;
    assert_eq!(ask(&old).await, 401);
}

/// R2, RFC 7591 §2: a service may register; its token is for itself alone, with no scope that an administrator gives.
#[tokio::test]
async fn a_service_gets_tokens_for_itself() {
    let signet = open().await;
    let body = json!({ "grant_types": ["client_credentials"], "scope": "client:read *:* reports" });
    let own = registered(&signet, &body).await;
    assert_eq!((&own["scope"], &own["response_types"]), (&json!(""), &json!([])));
    let client = client_of(&own);
    let granted = flow::granted(flow::token(&signet, &client, &[("grant_type", "client_credentials")]).await).await;
    let claims = flow::jwt_payload(flow::member(&granted, "access_token"));
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!([client.id]), &json!(client.id)));
    for scope in ["client:read", "*:*", "reports"] {
        let fields = [("grant_type", "client_credentials"), ("scope", scope)];
        assert_eq!(flow::refused(flow::token(&signet, &client, &fields).await).await.1, "invalid_scope", "{scope}");
    }
    for resource in [format!("{}/api", signet.issuer()), "https://api.example".to_owned()] {
        let fields = [("grant_type", "client_credentials"), ("resource", &*resource)];
        assert_eq!(flow::refused(flow::token(&signet, &client, &fields).await).await.1, "invalid_target");
    }
}

/// R2: scopes that an administrator gives are left out, the standard ones stay, `offline_access` with the refresh grant
/// alone; people are always asked, and told that nobody checked the application.
#[tokio::test]
async fn scopes_have_a_ceiling() {
    let signet = open().await;
    let refresh = json!(["authorization_code", "refresh_token"]);
    for (members, expected) in [
        (json!({ "grant_types": refresh }), "address email offline_access openid phone profile"),
        (json!({ "grant_types": ["authorization_code"] }), "address email openid phone profile"),
        (json!({ "scope": "openid *:* client:read roles reports offline_access" }), "offline_access openid"),
        (json!({ "scope": "openid offline_access", "grant_types": ["authorization_code"] }), "openid"),
        (json!({ "scope": "" }), ""),
    ] {
        let own = registered(&signet, &application_with(&members)).await;
        assert_eq!(own["scope"], expected, "{members}");
    }
    let client = client_of(&registered(&signet, &application()).await);
    let token = tokens(&signet, &client, "openid profile *:* client:read").await;
    assert_eq!(token["scope"], "openid profile");
    let claims = flow::jwt_payload(flow::member(&token, "access_token"));
    assert_eq!(claims["aud"], json!([client.id, signet.issuer()]));
    assert!(claims.get("user_id").is_none());
    let refused = signet.http().get(signet.url("/api/v1/admin/clients"));
    let refused = refused.bearer_auth(flow::member(&token, "access_token")).send().await.expect("an answer");
    assert_eq!(refused.status(), 401);

    let mut browser = Browser::new(&signet);
    let page = browser.get(AuthRequest::new(&client).url(&signet)).await.page();
    let consent = flow::sign_in(&mut browser, &page, &signet.user("ada").await).await.page();
    assert!(consent.body.contains("It registered itself"), "{}", consent.body);
}

/// R4: people are shown the names and addresses in the language that their browser asks for, where they are registered in it.
#[tokio::test]
async fn people_are_told_in_their_language() {
    let signet = open().await;
    let members = json!({
        "client_name#de": "Berichte", "policy_uri": "https://reports.example/policy",
        "policy_uri#de": "https://reports.example/datenschutz", "tos_uri#de": "https://reports.example/agb",
        "logo_uri#de": "https://pictures.example/de.png",
    });
    let client = client_of(&registered(&signet, &application_with(&members)).await);
    let mut browser = Browser::new(&signet);
    let page = browser.get(AuthRequest::new(&client).url(&signet)).await.page();
    let consent = flow::sign_in(&mut browser, &page, &crate::scene::admin()).await.page();
    for (language, german) in
        [("", false), ("en", false), ("de-AT,de;q=0.9,en;q=0.8", true), ("en, de;q=0.5", true), ("fr,*", false)]
    {
        let request = browser.request(reqwest::Method::GET, &consent.url).header("accept-language", language);
        let answer = request.send().await.expect("an answer");
        let policy = header(&answer, "content-security-policy").to_owned();
        let body = answer.text().await.expect("a page");
        for (text, here) in [
            (">Berichte<", german),
            ("https://reports.example/datenschutz", german),
            ("https://reports.example/agb", german),
            ("https://pictures.example/de.png", german),
            (">Reports<", !german),
            ("https://reports.example/policy\"", !german),
        ] {
            assert_eq!(body.contains(text), here, "{language:?}: {text}: {body}");
        }
        assert_eq!(policy.contains("https://pictures.example"), german, "{policy}");
    }
}
