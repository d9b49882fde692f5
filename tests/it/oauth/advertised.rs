//! Every value of the discovery document completes a flow; values that are not in it complete none.

use serde_json::{Value, json};

use crate::scene::{Scene, refusal};
use crate::support::prelude::*;

/// Lists of the document whose values are used here.
const HERE: [&str; 8] = [
    "scopes_supported",
    "claims_supported",
    "response_modes_supported",
    "prompt_values_supported",
    "display_values_supported",
    "ui_locales_supported",
    "acr_values_supported",
    "code_challenge_methods_supported",
];

/// The others, and where each of their values completes a flow.
const ELSEWHERE: [(&str, &str); 22] = [
    ("response_types_supported", "hybrid"),
    ("grant_types_supported", "token, refresh, token_client, password, hybrid"),
    ("subject_types_supported", "token, claims"),
    ("id_token_signing_alg_values_supported", "algorithms"),
    ("userinfo_signing_alg_values_supported", "algorithms"),
    ("id_token_encryption_alg_values_supported", "encryption"),
    ("id_token_encryption_enc_values_supported", "encryption"),
    ("userinfo_encryption_alg_values_supported", "encryption"),
    ("userinfo_encryption_enc_values_supported", "encryption"),
    ("token_endpoint_auth_methods_supported", "token_client, client_auth"),
    ("introspection_endpoint_auth_methods_supported", "introspect, client_auth"),
    ("revocation_endpoint_auth_methods_supported", "revoke, client_auth"),
    ("token_endpoint_auth_signing_alg_values_supported", "client_auth"),
    ("introspection_endpoint_auth_signing_alg_values_supported", "client_auth"),
    ("revocation_endpoint_auth_signing_alg_values_supported", "client_auth"),
    ("request_object_signing_alg_values_supported", "request_object"),
    ("claims_parameter_supported", "claims"),
    ("request_parameter_supported", "request_object"),
    ("backchannel_logout_supported", "backchannel"),
    ("backchannel_logout_session_supported", "backchannel"),
    ("frontchannel_logout_supported", "logout"),
    ("frontchannel_logout_session_supported", "logout"),
];

fn values(document: &Value, name: &str) -> Vec<String> {
    let values = document[name].as_array().unwrap_or_else(|| panic!("no list {name}"));
    values.iter().map(|value| value.as_str().expect("a name").to_owned()).collect()
}

async fn document(scene: &Scene) -> Value {
    flow::granted(scene.open(scene.signet.url("/.well-known/openid-configuration")).await).await
}

/// The administrator's account has a value for every claim.
async fn known(scene: &Scene) {
    let profile = json!({
        "name": "Ada Example", "given_name": "Ada", "family_name": "Example", "middle_name": "M.", "nickname": "ada",
        "profile": "https://people.example/ada", "picture": "https://people.example/ada.png",
        "website": "https://ada.example", "gender": "female", "birthdate": "1815-12-10", "zoneinfo": "Europe/London",
        "locale": "en-GB", "phone_number": "+441234567890", "phone_number_verified": true,
        "address": { "locality": "London", "country": "GB" },
    });
    let update = ["user", "update", "admin", "--profile", &profile.to_string(), "--json"];
    scene.signet.cli_json(&update, "").await;
}

/// D2, D3: no list is without a test of its values.
#[tokio::test]
async fn each_list_has_its_flows() {
    let scene = Scene::start().await;
    let document = document(&scene).await;
    let single = [
        "request_uri_parameter_supported",
        "require_request_uri_registration",
        "authorization_response_iss_parameter_supported",
    ];
    for name in document.as_object().expect("an object").keys().filter(|name| name.contains("supported")) {
        let used = HERE.contains(&&**name) || single.contains(&&**name) || ELSEWHERE.iter().any(|(one, _)| one == name);
        assert!(used, "which flow uses {name}?");
    }
    for name in HERE.iter().chain(ELSEWHERE.iter().map(|(name, _)| name)).chain(&single) {
        assert!(!document[*name].is_null(), "{name} is not in the document");
    }
}

/// D2, D3, A10, A11: scopes, modes, contexts, display values and languages of the document each complete a flow.
#[tokio::test]
async fn each_value_completes_a_flow() {
    let scene = Scene::start().await;
    let document = document(&scene).await;
    let mut browser = scene.browser();
    for scope in values(&document, "scopes_supported") {
        let request = scene.request().with("scope", &format!("openid {scope}"));
        let tokens = scene.grant(&mut browser, &request).await;
        assert!(flow::member(&tokens, "scope").split(' ').any(|given| given == scope), "{scope}: {tokens}");
    }
    for (list, parameter) in [
        ("display_values_supported", "display"),
        ("ui_locales_supported", "ui_locales"),
        ("acr_values_supported", "acr_values"),
        ("code_challenge_methods_supported", "code_challenge_method"),
    ] {
        for value in values(&document, list) {
            let tokens = scene.grant(&mut scene.browser(), &scene.request().with(parameter, &value)).await;
            if parameter == "acr_values" {
                assert_eq!(flow::jwt_payload(flow::member(&tokens, "id_token"))["acr"], json!(value));
            }
        }
    }
    for mode in values(&document, "response_modes_supported") {
        let request = scene.request().with("response_mode", &mode);
        let answer = flow::through(&mut browser, &request.url(&scene.signet), &scene.user).await;
        let (code, place) = match answer {
            Landing::Left(url) => {
                (flow::parameter(&url, "code"), if url.fragment().is_some() { "fragment" } else { "query" })
            }
            Landing::Page(page) => {
                (page.form(&["code"]).expect("a form").value("code").map(str::to_owned), "form_post")
            }
        };
        assert_eq!(place, mode);
        flow::granted(scene.exchange(&code.expect("a code"), &request.verifier).await).await;
    }
}

/// D2, D3, A7: each prompt of the document leads to a code.
#[tokio::test]
async fn each_prompt_completes_a_flow() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    scene.code(&mut browser, &scene.request()).await;
    for prompt in values(&document(&scene).await, "prompt_values_supported") {
        let request = scene.request().with("prompt", &prompt);
        let url = request.url(&scene.signet);
        let callback = match &*prompt {
            "select_account" => {
                let page = browser.get(&url).await.page();
                browser.submit(&page, &[("decision", "continue")]).await.left()
            }
            "create" => {
                let mut other = scene.browser();
                let page = other.get(&url).await.page();
                let landing = flow::register(&mut other, &page, &User::named("newcomer")).await;
                other.submit(&landing.page(), &[("decision", "allow")]).await.left()
            }
            _ => flow::sign_in_and_consent(&mut browser, &url, &scene.user).await,
        };
        let code = flow::parameter(&callback, "code").unwrap_or_else(|| panic!("{prompt}: {callback}"));
        flow::granted(scene.exchange(&code, &request.verifier).await).await;
    }
}

/// D2, D3, A12: each claim of the document reaches the application that asks for it by name.
#[tokio::test]
async fn each_claim_is_given() {
    let scene = Scene::start().await;
    known(&scene).await;
    let names = values(&document(&scene).await, "claims_supported");
    let asked: serde_json::Map<String, Value> = names.iter().map(|name| (name.clone(), Value::Null)).collect();
    let request = scene.request().with("scope", "openid").with("claims", &json!({ "id_token": asked }).to_string());
    let tokens = scene.grant(&mut scene.browser(), &request).await;
    let id = flow::jwt_payload(flow::member(&tokens, "id_token"));
    for name in names {
        assert!(!id[&name].is_null(), "{name}: {id}");
    }
}

/// D3, A4, A7, T5: what is not in the document completes no flow.
#[tokio::test]
async fn what_is_not_advertised_completes_nothing() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    scene.code(&mut browser, &scene.request()).await;
    for (parameter, value, expected) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code foo", "unsupported_response_type"),
        ("response_mode", "web_message", "invalid_request"),
        ("response_mode", "query.jwt", "invalid_request"),
        ("prompt", "sometimes", "invalid_request"),
        ("code_challenge_method", "S512", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
    ] {
        let request = scene.request().with(parameter, value);
        let callback = browser.get(request.url(&scene.signet)).await.left();
        assert_eq!(refusal(&scene, &request, &callback), expected, "{parameter}={value}");
    }
    for grant_type in ["urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba"] {
        let answer = flow::token(&scene.signet, &scene.client, &[("grant_type", grant_type)]).await;
        assert_eq!(flow::refused(answer).await, (400, "unsupported_grant_type".to_owned()));
    }
    for (member, value) in [
        ("id_token_signed_response_alg", "ES256K"),
        ("userinfo_signed_response_alg", "HS256"),
        ("id_token_encrypted_response_alg", "RSA1_5"),
        ("userinfo_encrypted_response_alg", "RSA-OAEP"),
        ("request_object_signing_alg", "HS256"),
        ("token_endpoint_auth_signing_alg", "ES256K"),
        ("subject_type", "secret"),
    ] {
        let spec = ClientSpec::confidential().with_metadata(&json!({ member: value }));
        let arguments = spec.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = scene.signet.cli(&arguments).await;
        assert!(!output.status.success(), "{member}={value}: {output:?}");
    }
}
