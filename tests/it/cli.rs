//! The command line, and how the program starts and stops.

mod clients;
mod people;
mod profile;

use std::process::Output;
use std::time::Duration;

use reqwest::StatusCode;
use rustix::process::Signal;

use crate::scene::{Scene, admin};
use crate::support::prelude::*;
use crate::support::signet::ADMIN_PASSWORD;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// One clear line on standard error, nothing on standard output, and no exit code of success.
fn one_line(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(text(&output.stdout), "", "{output:?}");
    let line = text(&output.stderr);
    assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    assert!(!line.contains("panicked") && !line.contains("Error {"), "{line}");
    line
}

/// `signet serve` where it must not come up.
async fn fails_to_start(signet: &Signet) -> String {
    let limit = Duration::from_mins(1);
    let output = tokio::time::timeout(limit, signet.cli(&["serve"])).await;
    one_line(&output.expect("the program ends by itself"))
}

async fn signs_in(signet: &Signet, user: &User) -> bool {
    let mut browser = Browser::new(signet);
    let page = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &page, user).await.page().status == StatusCode::OK
}

/// a client made while the program serves on the embedded database, over its control socket, is usable at once.
#[tokio::test]
async fn a_client_made_while_serving_is_usable_at_once() {
    let scene = Scene::on(Database::Embedded, ClientSpec::confidential()).await;
    let request = scene.request().with("client_id", "not-yet");
    assert_eq!(scene.open(request.url(&scene.signet)).await.status(), StatusCode::BAD_REQUEST);
    let mut arguments = vec!["client", "create", "--json", "--name", "Late", "--client-id", "not-yet"];
    arguments.extend(["--redirect-uri", &*scene.client.redirect_uri]);
    let made = scene.signet.cli_json(&arguments, "").await;
    assert_eq!(flow::member(&made, "token_endpoint_auth_method"), "client_secret_basic");
    assert_eq!(made["grant_types"], serde_json::json!(["authorization_code", "refresh_token"]));
    let client = Client {
        id: "not-yet".to_owned(),
        secret: Some(flow::member(&made, "client_secret").to_owned()),
        redirect_uri: scene.client.redirect_uri.clone(),
    };
    let late = Scene { client, ..scene };
    assert!(late.accepts(&late.tokens().await).await);

    let ada = late.signet.user("ada").await;
    assert!(signs_in(&late.signet, &ada).await);
    let list = late.signet.cli(&["client", "list"]).await;
    let lines = text(&list.stdout);
    assert!(list.status.success() && lines.contains("not-yet  Late") && lines.contains(&late.client.id), "{lines}");
    assert!(!lines.contains(late.client.secret.as_deref().expect("a secret")), "a list shows no secret");
}

/// the commands do the same beside a server on PostgreSQL, and without any server.
#[tokio::test]
async fn commands_work_with_and_without_a_server() {
    let mut signet = Signet::prepare(Database::Postgres, &[]);
    let client = signet.client(ClientSpec::public()).await;
    let ada = signet.user("ada").await;
    signet.restart().await;
    let beside = signet.client(ClientSpec::confidential()).await;
    assert!(client.secret.is_none() && beside.secret.is_some());
    for client in [&client, &beside] {
        assert!(flow::tokens(&signet, client, &ada).await["id_token"].is_string());
    }
    let list = signet.cli_json(&["client", "list", "--json"], "").await;
    let ids: Vec<_> = list.as_array().expect("an array").iter().map(|one| flow::member(one, "client_id")).collect();
    assert!(ids.contains(&&*client.id) && ids.contains(&&*beside.id), "{ids:?}");
    assert!(!list.to_string().contains("secret\""), "{list}");
}

/// wrong input is one clear line that says what to change, and exit code 1; wrong usage is exit code 2.
#[tokio::test]
async fn wrong_input_is_one_clear_line() {
    let signet = Signet::start(Database::Postgres).await;
    signet.user("ada").await;
    let create = |extra: &[&'static str]| [&["client", "create", "--name", "X", "--redirect-uri"], extra].concat();
    let good = "https://app.example/cb";
    let user = |name: &'static str, email: &'static str| vec!["user", "create", "--username", name, "--email", email];
    for (arguments, word) in [
        (create(&["http://app.example/cb"]), "https"),
        (create(&["javascript:alert(1)"]), "redirect URI"),
        (create(&["https://app.example/cb#f"]), "fragment"),
        (create(&[good, "--grant-type", "magic"]), "--grant-type"),
        (create(&[good, "--auth-method", "magic"]), "--auth-method"),
        (create(&[good, "--scope", "a\"b"]), "--scope"),
        (create(&[good, "--client-id", "playground"]), "--client-id"),
        (user("-", "a@people.test"), "username"),
        (user("b", "a@people.test"), "username"),
        (user("bob", "nobody"), "email"),
        (user("ADA", "b@people.test"), "taken"),
        (user("bob", "ADA@people.test"), "address"),
    ] {
        let output = signet.cli(&arguments).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(one_line(&output).contains(word), "{arguments:?}: {output:?}");
    }
    let output = signet.cli(&["client", "create", "--json", "--name", "X", "--redirect-uri", "nonsense"]).await;
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON for scripts");
    assert_eq!(flow::member(&json, "error"), "invalid_client_metadata");
    assert_eq!(signet.cli(&["client", "create"]).await.status.code(), Some(2));
    assert_eq!(signet.cli(&["clients"]).await.status.code(), Some(2));
}

/// a second instance on the same data directory gets one clear line, and the first goes on.
#[tokio::test]
async fn a_second_instance_on_the_same_data_is_refused() {
    let first = Signet::start(Database::Embedded).await;
    let data = first.data_dir();
    let second = Signet::prepare(Database::Embedded, &[("SIGNET_DATA_DIR", data.to_str().expect("UTF-8"))]);
    let line = fails_to_start(&second).await;
    assert!(line.contains("in use") && line.contains(data.to_str().expect("UTF-8")), "{line}");
    assert!(signs_in(&first, &admin()).await);
}

/// R-69a: a command finds an installation and makes none: where there is none it says so, and leaves nothing behind. The
/// server makes it.
#[tokio::test]
async fn commands_make_no_installation() {
    let mut signet = Signet::prepare(Database::Embedded, &[]);
    let data = signet.data_dir();
    for empty in [false, true] {
        if empty {
            std::fs::create_dir(&data).expect("an empty directory");
        }
        for arguments in [&["client", "list"][..], &["role", "create", "editor"], &["keys", "rotate"]] {
            let output = signet.cli(arguments).await;
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
            for expected in [data.to_str().expect("UTF-8"), "holds no installation", "--data-dir", "signet serve"] {
                assert!(said.contains(expected), "{expected}: {said}");
            }
        }
        assert_eq!(data.exists(), empty);
    }
    assert_eq!(std::fs::read_dir(&data).expect("the directory").count(), 0);
    signet.restart().await;
    signet.terminate().await;
    let output = signet.cli(&["client", "list"]).await;
    assert!(output.status.success(), "{output:?}");
}

/// a taken port, an unusable data directory, an http issuer and an unreachable database: one clear line each.
#[tokio::test]
async fn what_prevents_the_start_is_one_clear_line() {
    let first = Signet::start(Database::Postgres).await;
    let bind = format!("127.0.0.1:{}", first.port());
    let taken = Signet::prepare(Database::Postgres, &[("SIGNET_BIND", &bind)]);
    let line = fails_to_start(&taken).await;
    assert!(line.contains(&bind) && line.contains("SIGNET_BIND"), "{line}");

    let below_a_file = first.folder().join("stdout").join("data");
    let below_a_file = below_a_file.to_str().expect("UTF-8");
    for database in [Database::Embedded, Database::Postgres] {
        let unwritable = Signet::prepare(database, &[("SIGNET_DATA_DIR", below_a_file)]);
        let line = fails_to_start(&unwritable).await;
        assert!(line.contains(below_a_file), "{line}");
    }

    let http = Signet::prepare(Database::Postgres, &[("SIGNET_ISSUER", "http://id.example.org")]);
    let line = fails_to_start(&http).await;
    assert!(line.contains("SIGNET_ISSUER") && line.contains("https"), "{line}");

    let gone = Signet::prepare(Database::At("postgres://nobody:hunter2@127.0.0.1:1/none".to_owned()), &[]);
    let line = fails_to_start(&gone).await;
    assert!(!line.contains("hunter2"), "no password in a message: {line}");
    for malformed in
        ["postgres://u:hunter2@[::1]x/db", "postgres://u:hunt@er2@127.0.0.1/db", "postgres://u:hunter2%zz@h/db"]
    {
        let line = fails_to_start(&Signet::prepare(Database::At(malformed.to_owned()), &[])).await;
        assert!(!line.contains("er2"), "no part of a password in a message: {line}");
    }

    let endless = "hunter2-".repeat(200);
    let unusable = Signet::prepare(Database::Postgres, &[("SIGNET_ADMIN_PASSWORD", &endless)]);
    let line = fails_to_start(&unusable).await;
    assert!(line.contains("SIGNET_ADMIN_PASSWORD") && !line.contains("hunter2"), "{line}");
}

/// every mistake of the configuration is listed at once.
#[tokio::test]
async fn mistakes_are_listed_at_once() {
    let environment =
        [("SIGNET_ISSUER", "http://id.example.org"), ("SIGNET_BIND", "here"), ("DATABASE_URL", "mysql://h")];
    let output = Signet::prepare(Database::Postgres, &environment).cli(&["serve"]).await;
    assert_eq!(output.status.code(), Some(2));
    let lines = text(&output.stderr);
    assert_eq!(lines.lines().count(), 3, "{lines}");
}

/// the administrator's made password is shown at the first start only, and signs in; a given one is not shown.
#[tokio::test]
async fn the_administrators_password_is_shown_once() {
    let mut signet = Signet::start_with(Database::Postgres, &[("SIGNET_ADMIN_PASSWORD", "")]).await;
    let output = signet.output();
    let line = output.lines().find(|line| line.contains("shown this once")).expect("a password");
    let password = line.split_whitespace().nth(1).expect("a password").to_owned();
    let admin = User { password: password.clone(), ..admin() };
    assert!(signs_in(&signet, &admin).await);
    signet.restart().await;
    assert!(signs_in(&signet, &admin).await);
    assert_eq!(signet.output().matches(&password).count(), 1);
    assert_eq!(signet.output().matches("shown this once").count(), 1);

    let given = Signet::start(Database::Postgres).await;
    assert!(signs_in(&given, &crate::scene::admin()).await);
    assert!(!given.output().contains(ADMIN_PASSWORD));
    assert!(given.output().contains("SIGNET_ADMIN_PASSWORD"));
}

/// the start tells issuer, discovery, playground and where the data lies.
#[tokio::test]
async fn the_start_tells_where_things_are() {
    let signet = Signet::start(Database::Embedded).await;
    let output = signet.output();
    let data = signet.data_dir();
    for expected in [
        signet.issuer(),
        &signet.url("/.well-known/openid-configuration"),
        &signet.url("/playground"),
        crate::support::signet::ADMIN_EMAIL,
        data.to_str().expect("UTF-8"),
        "power cut",
    ] {
        let there = output.contains(expected) || expected == "power cut" && output.contains("written through");
        assert!(there, "{expected}\n{output}");
    }
}

/// SIGTERM and SIGINT end it with exit code 0 on either database, also while a connection is open.
#[tokio::test]
async fn signals_end_it_cleanly() {
    for (database, signal) in [
        (Database::Postgres, Signal::TERM),
        (Database::Postgres, Signal::INT),
        (Database::Embedded, Signal::TERM),
        (Database::Embedded, Signal::INT),
    ] {
        let mut signet = Signet::start(database).await;
        // The client keeps its connection open.
        signet.http().get(signet.url("/")).send().await.expect("an answer");
        signet.signal(signal);
        let status = signet.wait().await;
        assert_eq!(status.code(), Some(0), "{signal:?}\n{}", signet.output());
        assert!(!signet.output().contains("panicked"), "{}", signet.output());
        signet.restart().await;
        assert!(signs_in(&signet, &admin()).await);
    }
}

/// `signet migrate` runs by itself, twice in a row.
#[tokio::test]
async fn migrate_runs_by_itself() {
    let mut signet = Signet::prepare(Database::Postgres, &[]);
    for expected in ["Ran ", "up to date"] {
        let output = signet.cli(&["migrate"]).await;
        assert!(output.status.success() && text(&output.stdout).contains(expected), "{output:?}");
    }
    signet.restart().await;
    assert!(signs_in(&signet, &admin()).await);
}

/// `signet migrate` beside a server on the embedded database says that nothing is left to do.
#[tokio::test]
async fn migrate_works_beside_a_server() {
    let signet = Signet::start(Database::Embedded).await;
    let output = signet.cli(&["migrate"]).await;
    assert!(output.status.success() && text(&output.stdout).contains("up to date"), "{output:?}");
}

/// a given administrator's password is used as it is, also where a person could not choose it.
#[tokio::test]
async fn a_given_password_is_used_as_it_is() {
    let signet = Signet::start_with(Database::Postgres, &[("SIGNET_ADMIN_PASSWORD", "admin")]).await;
    assert!(signs_in(&signet, &User { password: "admin".to_owned(), ..admin() }).await);
}

/// R-69a: a database that does not answer has an exit code of its own, for scripts that try again.
#[tokio::test]
async fn a_database_that_does_not_answer_is_exit_6() {
    let gone = Signet::prepare(Database::At("postgres://nobody:hunter2@127.0.0.1:1/none".to_owned()), &[]);
    for arguments in [&["client", "list"][..], &["audit", "verify", "--json"], &["keys", "rotate"]] {
        let output = gone.cli(arguments).await;
        assert_eq!(output.status.code(), Some(6), "{arguments:?}: {output:?}");
        assert!(!text(&output.stderr).contains("hunter2"), "{output:?}");
    }
}

/// R-55, R-69a: an answer that cannot be written is no success: a secret that was in it is lost, and scripts must know. A
/// reader that goes away ends what follows the log.
#[tokio::test]
async fn an_answer_that_cannot_be_written_is_a_failure() {
    let signet = Signet::start(Database::Postgres).await;
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    for arguments in [
        &["client", "create", "--name", "Lost", "--redirect-uri", "https://app.example/"][..],
        &["audit", "export"],
        &["routes"],
    ] {
        let mut command = signet.command(arguments);
        let output = command.stdout(full()).output().expect("the program");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).contains("could not be written"), "{arguments:?}: {output:?}");
    }
    let mut command = signet.command(&["audit", "tail", "-f", "-n", "1", "--json"]);
    let mut follower = command.stdout(std::process::Stdio::piped()).spawn().expect("the program");
    // Nothing happens that would be written.
    drop(follower.stdout.take());
    eventually(PATIENCE, "whoever follows the log ends with its reader", async || {
        follower.try_wait().expect("a status")
    })
    .await;
}
