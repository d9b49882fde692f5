//! What administrators set of a person, and where it arrives.

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::prelude::*;

/// All that can be set.
fn everything() -> Value {
    json!({
        "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "middle_name": "King",
        "nickname": "the Countess", "profile": "https://people.test/ada", "picture": "https://people.test/ada.png",
        "website": "http://ada.test/", "gender": "female", "birthdate": "1815-12-10", "zoneinfo": "Europe/London",
        "locale": "en-GB", "email_verified": true, "phone_number": "+44 20 7946 0000", "phone_number_verified": true,
        "address": {
            "formatted": "12 St James's Square\nLondon", "street_address": "12 St James's Square", "locality": "London",
            "region": "Westminster", "postal_code": "SW1Y 4JH", "country": "GB",
        },
        "groups": ["engineers"], "metadata": {"hr": {"number": 7}},
    })
}

async fn userinfo(scene: &Scene, tokens: &Value) -> Value {
    flow::granted(flow::userinfo(&scene.signet, flow::member(tokens, "access_token")).await).await
}

/// U2, R-48: what an administrator sets of a person at the command line reaches an application that asks for all scopes:
/// every standard claim, with its JSON type; and a change is told at once, with a later `updated_at`. On both databases.
#[tokio::test]
async fn every_claim_is_set_and_told() {
    for database in [Database::Postgres, Database::Embedded] {
        let scopes = ["openid", "profile", "email", "address", "phone"];
        let spec = ClientSpec { scopes: scopes.map(str::to_owned).to_vec(), ..ClientSpec::confidential() };
        let scene = Scene::on(database, spec).await;
        let ada = User::named("ada");
        let mut create =
            vec!["user", "create", "--password-stdin", "--json", "--profile", r#"{"name":"Ada","gender":"x"}"#];
        create.extend(["--username", &ada.username, "--email", &ada.email]);
        let made = scene.signet.cli_json(&create, &ada.password).await;
        assert_eq!((&made["name"], &made["email_verified"]), (&json!("Ada"), &json!(false)));
        let scene = Scene { user: ada, ..scene };
        let request = scene.request().with("scope", &scopes.join(" "));
        let tokens = scene.grant(&mut scene.browser(), &request).await;
        let before = userinfo(&scene, &tokens).await;
        assert_eq!((&before["name"], &before["gender"]), (&json!("Ada"), &json!("x")));
        assert!(before.get("phone_number").is_none() && before.get("address").is_none(), "{before}");

        let at = before["updated_at"].as_i64().expect("a number");
        eventually(PATIENCE, "the next second", async || (signer::now() > at).then_some(())).await;
        let all = everything();
        let shown =
            scene.signet.cli_json(&["user", "update", "ada", "--profile", &all.to_string(), "--json"], "").await;
        let mut info = userinfo(&scene, &tokens).await;
        let told = info.as_object_mut().expect("an object");
        assert!(told.remove("updated_at").expect("a claim").as_i64().expect("a number") > at);
        assert_eq!(told.remove("sub"), Some(shown["sub"].clone()));
        let mut expected = all.clone();
        let claims = expected.as_object_mut().expect("an object");
        claims.retain(|name, _| !["groups", "metadata"].contains(&name.as_str()));
        claims.insert("preferred_username".to_owned(), json!("ada"));
        claims.insert("email".to_owned(), json!("ada@people.test"));
        assert_eq!(info, expected);

        let again = scene.signet.cli_json(&["user", "show", "ada", "--json"], "").await;
        assert_eq!(again["revision"], shown["revision"]);
        for (name, value) in all.as_object().expect("an object") {
            assert_eq!((&again[name], &shown[name]), (value, value), "{name}");
        }
        let text = scene.signet.cli(&["user", "show", "ada"]).await.stdout;
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(["Ada Lovelace", "+44 20 7946 0000", "engineers"].iter().all(|one| text.contains(one)), "{text}");
    }
}

/// R-44: what cannot be is refused at the command line, by the name of the member, and nothing is changed; a change that
/// is based on something else too.
#[tokio::test]
async fn what_cannot_be_is_refused() {
    let signet = Signet::start(Database::Postgres).await;
    let shown = signet.cli_json(&["user", "show", "admin", "--json"], "").await;
    let deep = format!("{{\"metadata\":{}1{}}}", "{\"a\":".repeat(40), "}".repeat(40));
    for (profile, code, said) in [
        (r#"{"birthdate":"yesterday"}"#, "invalid_profile", "birthdate"),
        (r#"{"picture":"javascript:alert(1)"}"#, "invalid_profile", "picture"),
        (r#"{"name":"Ada","username":"root"}"#, "invalid_profile", "username"),
        (&deep, "invalid_profile", "metadata"),
        ("[]", "usage", "--profile"),
    ] {
        let output = signet.cli(&["user", "update", "admin", "--profile", profile, "--json"]).await;
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
        assert!(!output.status.success() && told.contains(code) && told.contains(said), "{profile}: {told}");
    }
    let stale = ["user", "update", "admin", "--profile", r#"{"name":"A"}"#, "--revision", "other", "--json"];
    let output = signet.cli(&stale).await;
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stdout).contains("changed_meanwhile"));
    assert_eq!(signet.cli_json(&["user", "show", "admin", "--json"], "").await, shown);
}
