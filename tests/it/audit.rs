//! The audit log: what flows leave in it, and what `signet audit` says of it.

use reqwest::StatusCode;
use serde_json::Value;

use crate::scene::Scene;
use crate::support::prelude::*;

/// What a command prints, a value for each line.
async fn lines(signet: &Signet, arguments: &[&str]) -> Vec<Value> {
    let output = signet.cli(arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

async fn export(signet: &Signet, event: &str) -> Vec<Value> {
    lines(signet, &["audit", "export", "--event", event]).await
}

/// The report of `signet audit verify`, and its exit code.
async fn verify(signet: &Signet, further: &[&str]) -> (Value, i32) {
    let output = signet.cli(&[&["--json", "audit", "verify"], further].concat()).await;
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (report, output.status.code().expect("an exit code"))
}

fn service() -> ClientSpec {
    ClientSpec {
        grant_types: vec!["client_credentials".to_owned()],
        scopes: vec!["reports:read".to_owned()],
        redirect_uris: Vec::new(),
        ..ClientSpec::confidential()
    }
}

const OWN_TOKEN: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// a flow leaves one row for each thing that happened: who, about whom, with what client, from where, and how it
/// ended.
#[tokio::test]
async fn a_flow_leaves_its_rows() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let page = browser.get("/signin").await.page();
    let wrong = User { password: "Wrong-Anchor-47!".to_owned(), ..scene.user.clone() };
    flow::sign_in(&mut browser, &page, &wrong).await.page();
    let tokens = scene.grant(&mut browser, &scene.request().with("scope", "openid profile email offline_access")).await;
    flow::granted(scene.refresh(&tokens).await).await;
    let again = scene.code(&mut browser, &scene.request()).await;
    let request = scene.request();
    flow::refused(scene.exchange(&again, &request.verifier).await).await;

    let (client, user) = (&*scene.client.id, &*scene.user.username);
    for (event, result, actor, account, with) in [
        ("client.created", "success", "operator", None, Some(client)),
        ("sign_in.failed", "refused", "anonymous", Some(user), None),
        ("sign_in.succeeded", "success", "user", Some(user), None),
        ("consent.given", "success", "user", Some(user), Some(client)),
        ("code.redeemed", "success", "user", Some(user), Some(client)),
        ("token.refreshed", "success", "user", Some(user), Some(client)),
        ("code.redeemed", "refused", "client", Some(user), Some(client)),
    ] {
        let rows = export(&scene.signet, event).await;
        // The playground's client is Signet's own doing.
        let theirs = |row: &&Value| row["result"] == result && row["actor"]["kind"] != "system";
        let rows: Vec<_> = rows.iter().filter(theirs).collect();
        let [row] = &rows[..] else { panic!("{event} {result}: {rows:?}") };
        assert_eq!(row["actor"]["kind"], actor, "{row}");
        assert_eq!((row["username"].as_str(), row["client_id"].as_str()), (account, with), "{row}");
        if actor == "operator" {
            assert!(row["actor"]["operator"].as_str().is_some_and(|name| name.starts_with("uid:")), "{row}");
        } else {
            assert_eq!(row["address"], "127.0.0.1", "{row}");
            assert!(row["request_id"].is_string(), "{row}");
        }
    }
    let (report, code) = verify(&scene.signet, &[]).await;
    assert_eq!((code, &report["findings"]), (0, &serde_json::json!([])), "{report}");
    assert!(report["rows"].as_u64() > Some(8), "{report}");
}

/// a refused token request is recorded although nothing else is written: with its error, the client it named, and
/// the request's own time, id and address.
#[tokio::test]
async fn refused_token_requests_are_recorded() {
    let scene = Scene::start().await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let secret = scene.client.secret.as_ref();
    flow::refused(scene.token_request(&refresh).basic_auth("nobody\u{7}", Some("x")).send().await.expect("an answer"))
        .await;
    flow::refused(
        scene.token_request(&refresh).basic_auth(&scene.client.id, Some("x")).send().await.expect("an answer"),
    )
    .await;
    let answer = scene.token_request(&refresh).basic_auth(&scene.client.id, secret).send().await.expect("an answer");
    let id = answer.headers()["x-request-id"].to_str().expect("an id").to_owned();
    flow::refused(answer).await;
    let rows = eventually(PATIENCE, "the rows are there", async || {
        let rows = export(&scene.signet, "token.refused").await;
        (rows.len() == 3).then_some(rows)
    })
    .await;
    let client = Some(&*scene.client.id);
    for (row, detail, actor, named, typed) in [
        (&rows[0], "invalid_client", "anonymous", None, Some("nobody")),
        (&rows[1], "invalid_client", "anonymous", client, None),
        (&rows[2], "invalid_grant", "client", client, None),
    ] {
        assert_eq!((&row["detail"], &row["actor"]["kind"]), (&detail.into(), &actor.into()), "{row}");
        assert_eq!((row["client_id"].as_str(), row["typed"].as_str()), (named, typed), "{row}");
        assert_eq!((&row["result"], &row["address"]), (&"refused".into(), &"127.0.0.1".into()), "{row}");
    }
    assert_eq!(rows[2]["request_id"], id.as_str());
}

/// what has no transaction is written before the process ends, on either database.
#[tokio::test]
async fn a_stop_writes_what_waits() {
    for database in [Database::Postgres, Database::Embedded] {
        let mut scene = Scene::on(database, service()).await;
        for _ in 0..20 {
            flow::granted(flow::token(&scene.signet, &scene.client, &OWN_TOKEN).await).await;
            let refused = [("grant_type", "client_credentials"), ("scope", "else")];
            flow::refused(flow::token(&scene.signet, &scene.client, &refused).await).await;
        }
        let status = scene.signet.terminate().await;
        assert!(status.success(), "{}", scene.signet.output());
        for (event, actor) in [("client_token.issued", "client"), ("token.refused", "client")] {
            let rows = export(&scene.signet, event).await;
            assert_eq!(rows.len(), 20, "{event}");
            assert!(rows.iter().all(|row| row["actor"]["kind"] == actor && row["client_id"] == *scene.client.id));
        }
    }
}

/// `signet audit verify` names what was changed, removed and inserted, and says so by its exit code.
#[tokio::test]
async fn verify_finds_what_was_tampered_with() {
    let scene = Scene::start().await;
    scene.tokens().await;
    let (report, code) = verify(&scene.signet, &[]).await;
    assert_eq!(code, 0, "{report}");
    let last = report["to"].as_i64().expect("a place");
    assert!(last >= 5, "{report}");

    assert_eq!(scene.change("UPDATE audit SET event = 'consent.denied' WHERE chain_index = 2"), 1);
    assert_eq!(scene.change("DELETE FROM audit WHERE chain_index = 4"), 1);
    let inserted = "INSERT INTO audit (id, realm_id, at, event, result, actor_kind, commitment) SELECT \
                    gen_random_uuid(), realm_id, at, event, result, actor_kind, commitment FROM audit WHERE chain_index = 3";
    assert_eq!(scene.change(inserted), 1);
    let (report, code) = verify(&scene.signet, &[]).await;
    assert_eq!(code, 1, "{report}");
    let found: Vec<_> = report["findings"].as_array().expect("findings").iter().collect();
    let told: Vec<_> = found.iter().map(|one| (one["kind"].as_str(), one["chain_index"].as_i64())).collect();
    let expected = [(Some("changed"), Some(2)), (Some("removed"), Some(4)), (Some("inserted"), Some(last + 1))];
    assert_eq!(told, expected, "{report}");
    let output = scene.signet.cli(&["audit", "verify"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("changed  place 2  row ") && text.contains("removed  place 4"), "{text}");
}

/// a log that was emptied, with all that says that there was one, is found; so it is after a restart and once new
/// rows are there.
#[tokio::test]
async fn verify_finds_that_all_was_wiped() {
    let mut scene = Scene::start().await;
    scene.tokens().await;
    assert_eq!(verify(&scene.signet, &[]).await.1, 0);
    let wiped = async |signet: &Signet| {
        let (report, code) = verify(signet, &[]).await;
        assert_eq!((code, &report["findings"][0]["kind"]), (1, &"head_changed".into()), "{report}");
    };
    scene.change("DELETE FROM audit");
    scene.change("DELETE FROM audit_personal");
    scene.change("DELETE FROM audit_anchors");
    assert_eq!(scene.change("DELETE FROM audit_heads"), 1);
    wiped(&scene.signet).await;
    scene.tokens().await;
    wiped(&scene.signet).await;
    scene.signet.restart().await;
    wiped(&scene.signet).await;
    scene.tokens().await;
    wiped(&scene.signet).await;
}

/// expired rows go into files, what is left verifies from there on, and the files verify too; on the embedded
/// database through the control socket.
#[tokio::test]
async fn archived_rows_stay_verifiable() {
    for database in [Database::Postgres, Database::Embedded] {
        let scene = Scene::on(database, service()).await;
        let ada = scene.signet.user("ada").await;
        assert_eq!(ada.username, "ada");
        let done = scene.signet.cli_json(&["--json", "audit", "archive"], "").await;
        assert_eq!(done["files"], 0, "nothing is that old: {done}");
        let later = scene.signet.cli(&["audit", "archive", "--before", "2999-01-01"]).await;
        assert_eq!(later.status.code(), Some(1), "{later:?}");
        let now =
            export(&scene.signet, "account").await.last().expect("a row")["at"].as_str().expect("a time").to_owned();
        let done = scene.signet.cli_json(&["--json", "audit", "archive", "--before", &now], "").await;
        assert_eq!(done["files"], 1, "{done}");
        assert!(done["rows"].as_i64() >= Some(2), "{done}");
        let (report, code) = verify(&scene.signet, &["--archives"]).await;
        assert_eq!(
            (code, &report["archives"], &report["findings"]),
            (0, &1.into(), &serde_json::json!([])),
            "{report}"
        );
        let archived = export(&scene.signet, "audit.archived").await;
        let name = archived[0]["object"].as_str().and_then(|object| object.strip_prefix("archive:")).expect("a file");
        assert!(scene.signet.data_dir().join("audit").join(name).is_file());
        assert_eq!(export(&scene.signet, "client.created").await.len(), 0, "archived");

        let newest = lines(&scene.signet, &["--json", "audit", "tail", "-n", "1"]).await;
        assert_eq!((newest.len(), &newest[0]["event"]), (1, &"audit.archived".into()), "{newest:?}");
        let events = scene.signet.cli(&["audit", "events"]).await;
        assert!(String::from_utf8_lossy(&events.stdout).contains("audit.archived"));
    }
}

/// a long log is exported page by page, each row once, the oldest first.
#[tokio::test]
async fn an_export_has_every_row_once() {
    let scene = Scene::start().await;
    let many = "INSERT INTO audit (id, realm_id, at, event, result, actor_kind) SELECT gen_random_uuid(), realms.id, \
                now() - interval '1 hour' + (n % 7) * interval '1 second', 'code.issued', 'success', 'anonymous' \
                FROM realms, generate_series(1, 1203) n";
    assert_eq!(scene.change(many), 1203);
    let rows = export(&scene.signet, "code").await;
    let mut ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().expect("an id")).collect();
    assert!(rows.is_sorted_by_key(|row| row["at"].as_str().expect("a time").to_owned()));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((rows.len(), ids.len()), (1203, 1203));
}

/// a client's own token takes no statement; its row is written later.
#[tokio::test]
async fn client_credentials_take_no_statement() {
    let scene = Scene::with(service()).await;
    flow::granted(flow::token(&scene.signet, &scene.client, &OWN_TOKEN).await).await;
    for _ in 0..3 {
        let answer = flow::token(&scene.signet, &scene.client, &OWN_TOKEN).await;
        assert_eq!((answer.status(), flow::statements(answer.headers())), (StatusCode::OK, 0));
    }
    eventually(PATIENCE, "the rows are there", async || {
        (export(&scene.signet, "client_token.issued").await.len() == 4).then_some(())
    })
    .await;
}
