//! `signet doctor`: green where all is well, and the name of what is not.

use std::process::Output;

use diesel::connection::SimpleConnection as _;
use serde_json::Value;

use crate::support::prelude::*;

/// Runs the doctor with these settings on top; its exit code and findings.
async fn doctor(signet: &Signet, changed: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
    let mut command = signet.command(&["doctor", "--json"]);
    command.envs(changed.iter().copied());
    let output: Output =
        tokio::task::spawn_blocking(move || command.output().expect("the program")).await.expect("its end");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.code(), report["findings"].as_array().expect("findings").clone())
}

/// The findings of a grade, as lines.
fn graded(findings: &[Value], grade: &str) -> Vec<String> {
    let of_grade = findings.iter().filter(|finding| finding["grade"] == grade);
    of_grade.map(|finding| format!("{}: {}", flow::member(finding, "check"), flow::member(finding, "what"))).collect()
}

/// on a good set-up over https every check is green; each of many broken ones is named, with what to change.
#[tokio::test]
async fn a_good_set_up_is_green_and_each_broken_one_is_named() {
    let signet = Signet::start_tls(Database::Postgres, &[]).await;
    let (code, findings) = doctor(&signet, &[]).await;
    assert_eq!(code, Some(0), "{findings:?}");
    assert!(findings.iter().all(|finding| finding["grade"] == "ok"), "{findings:?}");
    for check in [
        "configuration",
        "data directory",
        "secret key",
        "database",
        "migrations",
        "administrator",
        "redis",
        "clock",
        "tls",
        "issuer",
    ] {
        assert!(findings.iter().any(|finding| finding["check"] == check), "{check}: {findings:?}");
    }

    let (other_cert, other_key) = signet.certificate("other");
    let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let (other_cert, other_key) = (path(&other_cert), path(&other_key));
    let file = path(&signet.folder().join("stdout"));
    let numeric = format!("https://127.0.0.1:{}", signet.port());
    let foreign = format!("https://signet.invalid:{}", signet.port());
    let key = "b3RoZXIga2V5IG90aGVyIGtleSBvdGhlciBrZXkgb3RoZXI=";
    let gone = "postgres://nobody:hunter2@127.0.0.1:1/none";
    for (changed, expected) in [
        (vec![("SIGNET_BIND", "here")], "configuration: "),
        (vec![("SIGNET_DATA_DIR", &*file)], "data directory: "),
        (vec![("SIGNET_SECRET_KEY", key)], "secret key: it does not open"),
        (vec![("DATABASE_URL", gone)], "database: "),
        (vec![("REDIS_URL", "redis://:hunter2@127.0.0.1:1")], "redis: not reachable"),
        (vec![("SIGNET_TLS__KEY", &*other_key)], "tls: tls.key"),
        (vec![("SIGNET_TLS__CERT", &*file)], "tls: tls.cert"),
        (vec![("SIGNET_ISSUER", &*foreign)], "tls: the certificate is not for signet.invalid"),
        (vec![("SIGNET_ISSUER", &*foreign)], "issuer: https://signet.invalid"),
        (vec![("SIGNET_ISSUER", &*numeric)], "answers with a document of https://localhost"),
        (vec![("SIGNET_OUTBOUND__TRUSTED_CA", &*other_cert)], "clients that check the certificate will not connect"),
        (vec![("SIGNET_OUTBOUND__TRUSTED_CA", &*file)], "tls: outbound.trusted_ca"),
    ] {
        let (code, findings) = doctor(&signet, &changed).await;
        let broken = graded(&findings, "broken");
        assert!(code == Some(1) && broken.iter().any(|line| line.contains(expected)), "{expected}: {findings:?}");
        let repaired = |finding: &Value| finding["grade"] == "ok" || finding["fix"].is_string();
        assert!(findings.iter().all(repaired), "{findings:?}");
        assert!(!format!("{findings:?}").contains("hunter2"), "{findings:?}");
    }

    let mut database = signet.database();
    database.batch_execute("UPDATE users SET state = 'locked'").expect("a statement");
    let (code, findings) = doctor(&signet, &[]).await;
    let broken = graded(&findings, "broken");
    assert!(code == Some(1) && broken.len() == 1 && broken[0].contains("administrator: no active"), "{findings:?}");
    let newest = "(SELECT max(version) FROM __diesel_schema_migrations)";
    database
        .batch_execute(&format!("DELETE FROM __diesel_schema_migrations WHERE version = {newest}"))
        .expect("a statement");
    let (code, findings) = doctor(&signet, &[]).await;
    let broken = graded(&findings, "broken");
    assert!(code == Some(1) && broken.iter().any(|line| line.contains("migrations: ")), "{findings:?}");
}

/// a certificate that ends soon, or that vouches for itself, is a warning, which fails no script.
#[tokio::test]
async fn what_will_be_a_problem_is_a_warning() {
    let signet = Signet::start_tls(Database::Postgres, &[]).await;
    let (code, findings) = doctor(&signet, &[("SIGNET_OUTBOUND__TRUSTED_CA", "")]).await;
    let warnings = graded(&findings, "warning");
    assert!(warnings.iter().any(|line| line.contains("vouches for itself")), "{code:?} {findings:?}");
    let out = signet.folder().join("short");
    let out = out.to_str().expect("UTF-8");
    let made = signet.cli(&["tls", "self-signed", "--host", "localhost", "--days", "10", "--out", out]).await;
    assert!(made.status.success(), "{made:?}");
    let (cert, key) = (format!("{out}/tls.crt"), format!("{out}/tls.key"));
    let (_, findings) = doctor(&signet, &[("SIGNET_TLS__CERT", &cert), ("SIGNET_TLS__KEY", &key)]).await;
    assert!(
        graded(&findings, "warning").iter().any(|line| line.contains("tls: the certificate expires on")),
        "{findings:?}"
    );
}

/// on the embedded database it asks the running server, and looks for itself where none is running; it makes
/// nothing.
#[tokio::test]
async fn it_works_with_and_without_a_server() {
    let mut signet = Signet::start(Database::Embedded).await;
    for serving in [true, false] {
        let (code, findings) = doctor(&signet, &[]).await;
        assert!(code == Some(0) && graded(&findings, "broken").is_empty(), "{findings:?}");
        let fine = graded(&findings, "ok");
        assert!(fine.iter().any(|line| line.starts_with("database: embedded PostgreSQL 17")), "{findings:?}");
        assert!(fine.iter().any(|line| line == "secret key: opens the stored keys"), "{findings:?}");
        let away = graded(&findings, "warning").iter().any(|line| line.contains("no Signet is running here"));
        assert_eq!(away, !serving, "{findings:?}");
        if serving {
            signet.terminate().await;
        }
    }
    let fresh = Signet::prepare(Database::Embedded, &[]);
    let (code, findings) = doctor(&fresh, &[]).await;
    assert!(code == Some(0) && !fresh.data_dir().exists(), "{findings:?}");
    let text = fresh.cli(&["doctor"]).await;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("first start") && text.contains("to change: "), "{text}");
}
