//! `signet client …` and `signet resource …`.

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use serde_json::{Value, json};

use super::{one_line, text};
use crate::scene::Scene;
use crate::support::prelude::*;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// The audit rows of administration in order: event, actor, object, detail.
fn recorded(signet: &Signet) -> Vec<String> {
    let query = "SELECT concat_ws(' ', event, actor_kind, result, object, detail) AS line FROM audit \
                 WHERE object IS NOT NULL AND actor_kind <> 'system' ORDER BY at, id";
    let rows: Vec<Line> = sql_query(query).load(&mut signet.database()).expect("the audit log");
    rows.into_iter().map(|row| row.line).collect()
}

async fn code(signet: &Signet, arguments: &[&str]) -> Option<i32> {
    signet.cli(arguments).await.status.code()
}

/// Whether a service gets a token with this secret.
async fn gets_token(signet: &Signet, id: &str, secret: &str) -> bool {
    let client = Client { id: id.to_owned(), secret: Some(secret.to_owned()), redirect_uri: String::new() };
    flow::token(signet, &client, &[("grant_type", "client_credentials")]).await.status().is_success()
}

/// a client is made, shown, changed, given a new secret and removed by commands beside a server on either database.
#[tokio::test]
async fn a_client_lives_by_commands() {
    for database in [Database::Postgres, Database::Embedded] {
        let signet = Signet::start(database).await;
        let service = ["client", "create", "--json", "--name", "Robot", "--client-id", "robot"];
        let more = ["--grant-type", "client_credentials", "--scope", "things", "--audience", "https://api.example"];
        let made = signet.cli_json(&[&service[..], &more[..]].concat(), "").await;
        let first = flow::member(&made, "client_secret").to_owned();
        assert!(gets_token(&signet, "robot", &first).await);

        let shown = signet.cli_json(&["client", "show", "robot", "--json"], "").await;
        assert_eq!((&shown["scope"], &shown["default_audience"]), (&json!("things"), &json!("https://api.example")));
        assert!(shown.get("client_secret").is_none(), "{shown}");
        let revision = flow::member(&shown, "revision").to_owned();
        let update = ["client", "update", "robot", "--name", "Machine", "--clear", "audience", "--revision", &revision];
        let changed = signet.cli_json(&[&update[..], &["--json"]].concat(), "").await;
        assert_eq!((&changed["client_name"], &changed["default_audience"]), (&json!("Machine"), &Value::Null));
        assert_eq!(changed["scope"], "things", "what is not named stays");
        let late = signet.cli(&update).await;
        assert_eq!(late.status.code(), Some(1), "the revision is another by now: {late:?}");
        // One in 64 begins so.
        let dashed = ["client", "update", "robot", "--name", "Machine", "--revision", "-4M9aHcssVPK7TihiwRIZt"];
        assert_eq!(signet.cli(&dashed).await.status.code(), Some(1), "not taken for an option");
        assert!(one_line(&late).contains("meanwhile"), "{late:?}");

        let rotated = signet.cli_json(&["client", "rotate-secret", "robot", "--json"], "").await;
        let second = flow::member(&rotated, "client_secret").to_owned();
        let stops = async || (!gets_token(&signet, "robot", &first).await).then_some(());
        eventually(PATIENCE, "the old secret stops", stops).await;
        assert!(gets_token(&signet, "robot", &second).await);

        for (search, found) in [("MACH", 1), ("rob", 1), ("%", 0), ("_", 0)] {
            let list = signet.cli_json(&["client", "list", "--search", search, "--json"], "").await;
            assert_eq!(list.as_array().map(Vec::len), Some(found), "{search}: {list}");
        }
        let public = ["client", "create", "--name", "Page", "--client-id", "page", "--auth-method", "none"];
        let output = signet.cli(&[&public[..], &["--redirect-uri", "https://app.example/"]].concat()).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(code(&signet, &["client", "rotate-secret", "page"]).await, Some(1), "it has none");
        let secret =
            signet.cli_json(&["client", "update", "page", "--auth-method", "client_secret_post", "--json"], "");
        assert!(secret.await["client_secret"].is_string(), "it came to need one");
        let own = signet.cli(&["client", "update", "playground", "--name", "x"]).await;
        assert!(one_line(&own).contains("belongs to Signet"), "{own:?}");

        assert_eq!(code(&signet, &["client", "delete", "page"]).await, Some(5), "nobody said yes");
        assert_eq!(code(&signet, &["client", "show", "page"]).await, Some(0));
        assert_eq!(code(&signet, &["client", "delete", "page", "--yes"]).await, Some(0));
        for gone in [&["client", "show", "page"][..], &["client", "delete", "page", "--yes"]] {
            assert_eq!(code(&signet, gone).await, Some(4), "{gone:?}");
        }
        let error = signet.cli(&["--json", "client", "update", "robot", "--redirect-uri", "nonsense"]).await;
        let error: Value = serde_json::from_slice(&error.stdout).expect("JSON for scripts");
        assert_eq!(error["field"], "redirect_uris");
    }
}

/// what a client was given ends with its switching off and its removal, and does not come back: not with its
/// switching on, nor with another client of that name.
#[tokio::test]
async fn what_a_client_was_given_ends_with_it() {
    for database in [Database::Postgres, Database::Embedded] {
        let scene = Scene::on(database, ClientSpec::confidential()).await;
        let id = &*scene.client.id;
        let ends = async |tokens: &Value| {
            eventually(PATIENCE, "the token ends", async || (!scene.accepts(tokens).await).then_some(())).await;
        };
        let tokens = scene.tokens().await;
        assert!(scene.accepts(&tokens).await);
        assert_eq!(code(&scene.signet, &["client", "disable", id]).await, Some(0));
        ends(&tokens).await;
        let refused = async || {
            let (status, error) = flow::refused(scene.refresh(&tokens).await).await;
            (status == 401 && error == "invalid_client").then_some(())
        };
        eventually(PATIENCE, "the client is refused", refused).await;

        assert_eq!(code(&scene.signet, &["client", "enable", id]).await, Some(0));
        let stays_ended = async || {
            let (status, error) = flow::refused(scene.refresh(&tokens).await).await;
            (status == 400 && error == "invalid_grant").then_some(())
        };
        eventually(PATIENCE, "the client is back and its grant is not", stays_ended).await;
        assert!(!scene.accepts(&tokens).await);
        let tokens = scene.tokens().await;
        assert!(scene.accepts(&tokens).await, "what it is given now is good");

        assert_eq!(code(&scene.signet, &["client", "delete", id, "--yes"]).await, Some(0));
        ends(&tokens).await;
        let mut again = vec!["client", "create", "--json", "--name", "Other", "--client-id", id];
        again.extend(["--redirect-uri", &*scene.client.redirect_uri]);
        let made = scene.signet.cli_json(&again, "").await;
        let secret = Some(flow::member(&made, "client_secret").to_owned());
        let known = async || {
            let client = Client { secret: secret.clone(), ..scene.client.clone() };
            let answer = flow::refresh(&scene.signet, &client, "x").await;
            (flow::refused(answer).await.1 == "invalid_grant").then_some(())
        };
        eventually(PATIENCE, "the new client is known", known).await;
        assert!(!scene.accepts(&tokens).await, "the tokens of the one before stay ended");
        let scene = Scene { client: Client { secret, ..scene.client }, ..scene };
        assert!(scene.accepts(&scene.tokens().await).await, "its own are good");
    }
}

/// each command that changes a client or an API writes one audit row that names the operator and the object; one
/// that changes nothing writes none.
#[tokio::test]
async fn changes_of_clients_are_recorded() {
    let signet = Signet::prepare(Database::Postgres, &[]);
    let api = "https://api.example";
    for arguments in [
        &["client", "create", "--name", "A", "--client-id", "a", "--redirect-uri", "https://a.example/"][..],
        &["client", "update", "a", "--name", "B", "--scope", "openid"],
        &["client", "update", "a", "--name", "B"],
        &["client", "rotate-secret", "a"],
        &["client", "rotate-secret", "a", "--end-tokens"],
        &["client", "disable", "a"],
        &["client", "disable", "a"],
        &["client", "enable", "a"],
        &["client", "delete", "a", "--yes"],
        &["resource", "create", api, "--name", "Things", "--scope", "thing:read=See your things"],
        &["resource", "update", api, "--access-token-seconds", "120"],
        &["resource", "update", api, "--name", "Things"],
        &["resource", "delete", api, "--yes"],
    ] {
        let output = signet.cli(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    let expected = [
        "client.created operator success client:a",
        "client.updated operator success client:a client_name,scope",
        "client.secret_rotated operator success client:a",
        "client.secret_rotated operator success client:a tokens_ended",
        "client.disabled operator success client:a",
        "client.enabled operator success client:a",
        "client.deleted operator success client:a",
        "resource.created operator success resource:https://api.example",
        "resource.updated operator success resource:https://api.example access_token_seconds",
        "resource.deleted operator success resource:https://api.example",
    ];
    assert_eq!(recorded(&signet), expected);
}

/// APIs are registered with scopes, lifetime and algorithm; Signet's own is listed and stays as it is.
#[tokio::test]
async fn apis_are_registered_by_command() {
    let signet = Signet::start(Database::Embedded).await;
    let own = format!("{}/api", signet.issuer());
    let api = "https://api.example/v1";
    let create = ["resource", "create", api, "--name", "Things", "--access-token-alg", "ES256", "--json"];
    let made = signet.cli_json(&[&create[..], &["--scope", "b", "--scope", "a=See it"]].concat(), "").await;
    assert_eq!(made["scopes"], json!([{ "name": "a", "description": "See it" }, { "name": "b", "description": "" }]));
    assert_eq!(code(&signet, &create).await, Some(1), "it is there already");
    let list = signet.cli_json(&["resource", "list", "--json"], "").await;
    let names: Vec<_> = list.as_array().expect("a list").iter().map(|one| flow::member(one, "identifier")).collect();
    assert_eq!(names, [&*own, api]);
    for (arguments, word) in [
        (&["resource", "update", api, "--access-token-alg", "HS256"][..], "--access-token-alg"),
        (&["resource", "update", api, "--access-token-seconds", "4000"], "--access-token-seconds"),
        (&["resource", "create", "things", "--name", "x"], "absolute URI"),
        (&["resource", "delete", &own, "--yes"], "own API"),
        (&["resource", "update", &own, "--name", "x"], "own API"),
    ] {
        let output = signet.cli(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(one_line(&output).contains(word), "{arguments:?}: {output:?}");
    }
    let changed = ["resource", "update", api, "--clear", "scopes", "--clear", "access-token-alg", "--json"];
    let changed = signet.cli_json(&changed, "").await;
    assert_eq!((&changed["scopes"], &changed["access_token_alg"]), (&json!([]), &Value::Null));
    assert_eq!(code(&signet, &["resource", "delete", api, "--yes"]).await, Some(0));
    assert_eq!(code(&signet, &["resource", "show", api]).await, Some(4));
}

/// completions and manual pages are made from the commands themselves, without configuration; every command has a
/// page, and the help names every exit code.
#[tokio::test]
async fn completions_and_manual_pages() {
    let signet = Signet::prepare(Database::Postgres, &[("SIGNET_ISSUER", "not a URL")]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = signet.cli(&["completions", shell]).await;
        assert!(output.status.success() && text(&output.stdout).contains("rotate-secret"), "{shell}: {output:?}");
    }
    let help = text(&signet.cli(&["--help"]).await.stdout);
    for number in 0..=6 {
        assert!(help.contains(&format!("\n  {number}  ")), "{help}");
    }
    let page = signet.cli(&["man", "client", "update"]).await;
    assert!(text(&page.stdout).contains(".TH") && text(&page.stdout).contains("redirect\\-uri"), "{page:?}");
    assert_eq!(code(&signet, &["man", "client", "upgrade"]).await, Some(1));
    let folder = signet.folder().join("man");
    std::fs::create_dir(&folder).expect("a folder");
    let output = signet.cli(&["man", "--dir", folder.to_str().expect("UTF-8")]).await;
    assert!(output.status.success(), "{output:?}");
    for command in ["signet", "signet-client-rotate-secret", "signet-apply", "signet-resource-create", "signet-serve"] {
        assert!(folder.join(format!("{command}.1")).is_file(), "{command}");
    }
}

/// an identifier that begins with a dash is an identifier, not an option; options after it stay options.
#[tokio::test]
async fn an_identifier_may_begin_with_a_dash() {
    let signet = Signet::start(Database::Embedded).await;
    let create = ["client", "create", "--name", "Robot", "--client-id", "-robot", "--grant-type", "client_credentials"];
    assert_eq!(code(&signet, &create).await, Some(0));
    let shown = signet.cli_json(&["client", "show", "-robot", "--json"], "").await;
    assert_eq!(shown["client_id"], "-robot");
    for act in [&["client", "update", "-robot", "--name", "Machine"][..], &["client", "rotate-secret", "-robot"]] {
        assert_eq!(code(&signet, act).await, Some(0), "{act:?}");
    }
    assert_eq!(code(&signet, &["role", "assign", "admin", "--client", "-robot"]).await, Some(0));
    assert_eq!(code(&signet, &["client", "delete", "-robot", "--yes"]).await, Some(0));
    for nobody in [&["user", "show", "-5"][..], &["user", "withdraw-consent", "-5", "-6"]] {
        assert_eq!(code(&signet, nobody).await, Some(4), "{nobody:?} names nobody, and is no wrong usage");
    }
}
