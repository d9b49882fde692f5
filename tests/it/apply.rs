//! `signet apply`.

use std::process::Output;

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use serde_json::{Value, json};

use crate::support::prelude::*;

const STATE: &str = "version: 1
resources:
  items:
    - identifier: https://api.example
      name: Things
      scopes:
        - name: thing:read
          description: See your things
roles:
  items:
    - name: keeper
      parents: [reader]
      permissions: ['thing:*']
    - name: reader
      description: Looks at things
      permissions: ['thing:read']
clients:
  items:
    - client_id: shop
      client_name: Shop
      redirect_uris: ['https://shop.example/cb']
      scope: thing:read openid
      default_audience: https://api.example
    - client_id: robot
      client_name: Robot
      grant_types: [client_credentials]
      secret_file: robot.secret
";

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

fn audit_rows(signet: &Signet) -> i64 {
    let rows = sql_query("SELECT count(*) AS value FROM audit WHERE event NOT LIKE 'client_token.%'")
        .get_result::<Count>(&mut signet.database());
    rows.expect("the audit log").value
}

fn write(signet: &Signet, name: &str, text: &str) {
    std::fs::write(signet.folder().join(name), text).expect("a file");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn changes(answer: &Value) -> Vec<String> {
    let steps = answer["plan"].as_array().expect("a plan");
    let word = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    let changed = |step: &Value| step["changed"].as_array().map_or(0, Vec::len);
    steps
        .iter()
        .filter(|step| step["action"] != "unchanged")
        .map(|step| format!("{} {} {} {}", word(step, "action"), word(step, "kind"), word(step, "name"), changed(step)))
        .collect()
}

async fn gets_token(signet: &Signet, secret: &str) -> bool {
    let client = Client { id: "robot".to_owned(), secret: Some(secret.to_owned()), redirect_uri: String::new() };
    flow::token(signet, &client, &[("grant_type", "client_credentials")]).await.status().is_success()
}

/// R-69a: the plan is shown and changes nothing; applied, everything is as the file says and usable at once, over the
/// control socket too; applied again, nothing is done.
#[tokio::test]
async fn a_file_is_planned_applied_and_applied_again() {
    for database in [Database::Postgres, Database::Embedded] {
        let signet = Signet::start(database.clone()).await;
        let secret = "x".repeat(43);
        write(&signet, "robot.secret", &format!("{secret}\n"));
        write(&signet, "state.yaml", STATE);

        let planned = signet.cli(&["apply", "state.yaml", "--plan"]).await;
        assert_eq!(planned.status.code(), Some(3), "{planned:?}");
        for line in ["+ resource https://api.example", "+ role keeper", "+ client shop", "+ client robot"] {
            assert!(text(&planned.stdout).contains(line), "{line}: {planned:?}");
        }
        let unasked = signet.cli(&["apply", "state.yaml"]).await;
        assert_eq!(unasked.status.code(), Some(5), "nobody is there to say yes: {unasked:?}");
        assert!(text(&unasked.stderr).contains("+ client shop"), "{unasked:?}");
        assert_eq!(signet.cli(&["client", "show", "shop"]).await.status.code(), Some(4), "a plan changes nothing");

        let applied = signet.cli_json(&["apply", "state.yaml", "--yes", "--json"], "").await;
        let order = ["create resource https://api.example 0", "create role reader 0", "create role keeper 0"];
        let clients = ["create client shop 0", "create client robot 0"];
        assert_eq!(changes(&applied), [&order[..], &clients[..]].concat());
        let made = applied["secrets"].as_array().expect("secrets");
        assert_eq!(made.len(), 1, "one was made and one was given: {applied}");
        assert_eq!(made[0]["client_id"], "shop");
        assert!(gets_token(&signet, &secret).await);

        let rows = matches!(database, Database::Postgres).then(|| audit_rows(&signet));
        for arguments in [&["apply", "state.yaml", "--plan"][..], &["apply", "state.yaml"]] {
            let again = signet.cli(arguments).await;
            assert_eq!(again.status.code(), Some(0), "{again:?}");
            assert!(text(&again.stdout).contains("Nothing to change"), "{again:?}");
        }
        let again = signet.cli_json(&["apply", "state.yaml", "--yes", "--json"], "").await;
        assert_eq!((changes(&again), &again["secrets"]), (Vec::new(), &json!([])));
        if let Some(rows) = rows {
            assert_eq!(audit_rows(&signet), rows, "what changes nothing is not recorded");
        }
    }
}

/// R-69a: what differs is changed and named; what is not listed goes only where the section says so, and what belongs to
/// Signet never goes.
#[tokio::test]
async fn differences_are_changed_and_prune_takes_away() {
    let signet = Signet::start(Database::Postgres).await;
    write(&signet, "robot.secret", &"x".repeat(64));
    write(&signet, "state.yaml", STATE);
    signet.cli_json(&["apply", "state.yaml", "--yes", "--json"], "").await;
    let by_hand = signet.client(ClientSpec::confidential()).await;

    write(&signet, "robot.secret", &"y".repeat(64));
    let changed = STATE.replace("name: Things", "name: All things").replace("openid", "openid profile");
    write(&signet, "state.yaml", &changed.replace("Looks at", "Sees"));
    let rows = audit_rows(&signet);
    let applied = signet.cli_json(&["apply", "state.yaml", "--yes", "--json"], "").await;
    let updates = [
        "update resource https://api.example 1",
        "update role reader 1",
        "update client shop 1",
        "update client robot 1",
    ];
    assert_eq!(changes(&applied), updates);
    assert_eq!(applied["plan"][4]["changed"], json!(["client_secret"]), "{applied}");
    assert_eq!(audit_rows(&signet), rows + 4, "one row for each change");
    let new = async || gets_token(&signet, &"y".repeat(64)).await.then_some(());
    eventually(PATIENCE, "the new secret", new).await;
    assert_eq!(signet.cli(&["client", "show", &by_hand.id]).await.status.code(), Some(0), "not listed, not touched");

    let rows = audit_rows(&signet);
    let empty = r#"{"version": 1, "resources": {"prune": true}, "roles": {"prune": true}, "clients": {"prune": true}}"#;
    let applied = {
        let output = signet.cli_with_input(&["apply", "-", "--yes", "--json"], empty).await;
        assert!(output.status.success(), "{output:?}");
        json(&output)
    };
    let mut gone = changes(&applied);
    gone.sort();
    let mut expected = [
        "resource https://api.example",
        "role keeper",
        "role reader",
        "client shop",
        "client robot",
        &*format!("client {}", by_hand.id),
    ]
    .map(|name| format!("delete {name} 0"));
    expected.sort();
    assert_eq!(gone, expected);
    assert_eq!(audit_rows(&signet), rows + 6);
    let left = signet.cli_json(&["client", "list", "--json"], "").await;
    assert_eq!(left.as_array().map(Vec::len), Some(1), "the playground stays: {left}");
}

/// R-69a: a file with one mistake anywhere changes nothing at all, and says where the mistake is.
#[tokio::test]
async fn an_invalid_file_changes_nothing() {
    let signet = Signet::start(Database::Postgres).await;
    write(&signet, "robot.secret", &"x".repeat(64));
    let rows = audit_rows(&signet);
    for (from, to, word) in [
        ("grant_types: [client_credentials]", "grant_types: [magic]", "client \"robot\": grant_types"),
        ("grant_types: [client_credentials]", "colour: red", "client \"robot\": colour"),
        ("client_id: robot", "client_id: playground", "playground"),
        ("client_id: robot", "client_id: shop", "twice"),
        ("parents: [reader]", "parents: [keeper]", "role \"keeper\""),
        ("parents: [reader]", "parents: [nobody]", "role \"keeper\""),
        ("name: Things", "name: ''", "resource \"https://api.example\": name"),
        ("secret_file: robot.secret", "secret_file: hunter2", "client \"robot\": the file that secret_file names"),
        ("secret_file: robot.secret", "secret_env: hunter2", "variable that secret_env names is not set"),
        ("version: 1", "version: 7", "version"),
        ("secret_file: robot.secret", "client_secret: hunter2hunter2", "client_secret"),
    ] {
        let broken = STATE.replace(from, to);
        assert_ne!(broken, STATE, "{from}");
        write(&signet, "state.yaml", &broken);
        let output = signet.cli(&["apply", "state.yaml", "--yes"]).await;
        assert_eq!(output.status.code(), Some(1), "{to}: {output:?}");
        let line = text(&output.stderr);
        assert!(line.contains(word) && line.trim_end().lines().count() == 1, "{to}: {line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    write(&signet, "robot.secret", "short");
    write(&signet, "state.yaml", STATE);
    let output = signet.cli(&["apply", "state.yaml", "--yes"]).await;
    assert!(text(&output.stderr).contains("openssl rand"), "{output:?}");
    assert_eq!(audit_rows(&signet), rows);
    for missing in
        [&["resource", "show", "https://api.example"][..], &["role", "show", "reader"], &["client", "show", "shop"]]
    {
        assert_eq!(signet.cli(missing).await.status.code(), Some(4), "{missing:?}");
    }
}

/// R-69a: two files applied at once leave what one of them says, not a mixture.
#[tokio::test]
async fn concurrent_applies_end_as_one_of_them() {
    let signet = Signet::start(Database::Postgres).await;
    let state = |word: &str| {
        let client = |n: usize| {
            format!(
                "    - client_id: c{n}\n      client_name: {word}\n      redirect_uris: ['https://{word}.example/']\n"
            )
        };
        let clients: String = (0..20).map(client).collect();
        format!(
            "version: 1\nresources:\n  items:\n    - identifier: https://api.example\n      name: {word}\n\
             clients:\n  items:\n{clients}"
        )
    };
    for word in ["one", "two", "three"] {
        write(&signet, &format!("{word}.yaml"), &state(word));
    }
    for _ in 0..3 {
        let (one, two, three) = tokio::join!(
            signet.cli(&["apply", "one.yaml", "--yes"]),
            signet.cli(&["apply", "two.yaml", "--yes"]),
            signet.cli(&["apply", "three.yaml", "--yes"]),
        );
        for output in [one, two, three] {
            assert!(output.status.success(), "{output:?}");
        }
        let list = signet.cli_json(&["client", "list", "--search", ".", "--json"], "").await;
        assert_eq!(list, json!([]), "a dot is a dot");
        let list = signet.cli_json(&["client", "list", "--json"], "").await;
        let mut names: Vec<String> = list
            .as_array()
            .expect("a list")
            .iter()
            .filter(|client| client["client_id"] != "playground")
            .map(|client| flow::member(client, "client_name").to_owned())
            .collect();
        assert_eq!(names.len(), 20);
        let api = signet.cli_json(&["resource", "show", "https://api.example", "--json"], "").await;
        names.push(flow::member(&api, "name").to_owned());
        names.dedup();
        assert_eq!(names.len(), 1, "{names:?}");
    }
}
