//! `signet doctor`: green where all is well, and the name of what is not.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection as _;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509Builder, X509NameBuilder};
use serde_json::Value;

use crate::support::prelude::*;
use crate::support::services::redis_url;

/// A secret key that nothing was made with.
const OTHER_KEY: &str = "b3RoZXIga2V5IG90aGVyIGtleSBvdGhlciBrZXkgb3RoZXI=";

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
    let signet = Signet::start_tls(Database::Postgres, &[("REDIS_URL", &redis_url())]).await;
    let (code, findings) = doctor(&signet, &[]).await;
    assert_eq!(code, Some(0), "{findings:?}");
    assert!(findings.iter().all(|finding| finding["grade"] == "ok"), "{findings:?}");
    assert!(graded(&findings, "ok").contains(&"redis: answers".to_owned()), "{findings:?}");
    let (_, without) = doctor(&signet, &[("REDIS_URL", "")]).await;
    assert!(graded(&without, "ok").iter().any(|line| line.starts_with("redis: not configured")));
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
    let (old_cert, old_key) = expired(&signet.folder().join("expired"));
    let (old_cert, old_key) = (path(&old_cert), path(&old_key));
    let file = path(&signet.folder().join("stdout"));
    let numeric = format!("https://127.0.0.1:{}", signet.port());
    let foreign = format!("https://signet.invalid:{}", signet.port());
    let gone = "postgres://nobody:hunter2@127.0.0.1:1/none";
    for (changed, expected) in [
        (vec![("SIGNET_BIND", "here")], "configuration: "),
        (vec![("SIGNET_DATA_DIR", &*file)], "data directory: "),
        (vec![("SIGNET_SECRET_KEY", OTHER_KEY)], "secret key: it does not open"),
        (vec![("DATABASE_URL", gone)], "database: "),
        (vec![("REDIS_URL", "redis://:hunter2@127.0.0.1:1")], "redis: not reachable"),
        (vec![("SIGNET_TLS__KEY", &*other_key)], "tls: tls.key"),
        (vec![("SIGNET_TLS__CERT", &*file)], "tls: tls.cert"),
        (vec![("SIGNET_TLS__CERT", &*old_cert), ("SIGNET_TLS__KEY", &*old_key)], "tls: the certificate expired on 20"),
        (vec![("SIGNET_ISSUER", &*foreign)], "tls: the certificate is not for signet.invalid"),
        (vec![("SIGNET_ISSUER", &*foreign)], "issuer: https://signet.invalid"),
        (vec![("SIGNET_ISSUER", &*numeric)], "answers with a document of https://localhost"),
        (vec![("SIGNET_OUTBOUND__TRUSTED_CA", &*other_cert)], "clients that check the certificate will not connect"),
        (vec![("SIGNET_OUTBOUND__TRUSTED_CA", &*file)], "tls: outbound.trusted_ca"),
    ] {
        let (code, findings) = doctor(&signet, &changed).await;
        let broken = graded(&findings, "broken");
        assert!(code == Some(1) && broken.iter().any(|line| line.contains(expected)), "{expected}: {findings:?}");
        let misled = expected.starts_with("data directory") && broken.iter().any(|line| line.contains("secret key"));
        assert!(!misled, "a key is not missing where there is no directory: {findings:?}");
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

/// The time: certificate and issuer have clocks of their own.
#[expect(clippy::disallowed_methods, reason = "the program under test compares with the clock")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A certificate of localhost that ended yesterday, and its key, in a folder that is made.
fn expired(folder: &Path) -> (PathBuf, PathBuf) {
    let make = || {
        let key = PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?;
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_nid(Nid::COMMONNAME, "localhost")?;
        let name = name.build();
        let mut cert = X509Builder::new()?;
        cert.set_version(2)?;
        cert.set_subject_name(&name)?;
        cert.set_issuer_name(&name)?;
        cert.set_pubkey(&key)?;
        let yesterday = now().timestamp() - 86_400;
        cert.set_not_before(&*Asn1Time::from_unix(yesterday - 86_400)?)?;
        cert.set_not_after(&*Asn1Time::from_unix(yesterday)?)?;
        let names = SubjectAlternativeName::new().dns("localhost").build(&cert.x509v3_context(None, None))?;
        cert.append_extension(names)?;
        cert.sign(&key, MessageDigest::sha256())?;
        Ok::<_, ErrorStack>((cert.build().to_pem()?, key.private_key_to_pem_pkcs8()?))
    };
    let (cert, key) = make().expect("a certificate");
    std::fs::create_dir(folder).expect("a folder");
    for (file, pem) in [("tls.crt", cert), ("tls.key", key)] {
        std::fs::write(folder.join(file), pem).expect("a file");
    }
    (folder.join("tls.crt"), folder.join("tls.key"))
}

/// Answers every request as an issuer would whose clock is wrong by so much; gives its address.
fn issuer_with_a_clock(ahead: TimeDelta) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let issuer = format!("http://{}", listener.local_addr().expect("an address"));
    let said = issuer.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            // Some connections are only a knock at the door.
            if !matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
                continue;
            }
            let date = (now() + ahead).format("%a, %d %b %Y %H:%M:%S GMT");
            let body = format!("{{\"issuer\": \"{said}\"}}");
            let head = format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    issuer
}

/// a clock that differs from the issuer's by an hour, in either direction, is named, and nothing else is.
#[tokio::test]
async fn a_wrong_clock_is_named() {
    let signet = Signet::start(Database::Postgres).await;
    for (hours, expected) in [(1, "clock: the issuer's clock differs from this one by 3"), (-1, "by -3"), (0, "")] {
        let issuer = issuer_with_a_clock(TimeDelta::hours(hours));
        let bind = issuer.trim_start_matches("http://");
        let (code, findings) = doctor(&signet, &[("SIGNET_ISSUER", &issuer), ("SIGNET_BIND", bind)]).await;
        let broken = graded(&findings, "broken");
        assert!(graded(&findings, "ok").iter().any(|line| line.starts_with("issuer: http://")), "{findings:?}");
        assert_eq!((code, broken.len()), if hours == 0 { (Some(0), 0) } else { (Some(1), 1) }, "{findings:?}");
        assert!(broken.iter().all(|line| line.contains("the issuer's clock") && line.contains(expected)), "{broken:?}");
    }
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
        // Settings that the server that may run here does not have.
        let port = signet.port().wrapping_add(1).max(1_024);
        let moved = format!("http://localhost:{port}");
        let nowhere = signet.folder().join("nowhere").to_str().expect("UTF-8").to_owned();
        let output = signet.folder().join("stdout").to_str().expect("UTF-8").to_owned();
        for (name, value, expected, always) in [
            ("SIGNET_SECRET_KEY", OTHER_KEY, "secret key: it does not open", true),
            ("SIGNET_AUDIT__ARCHIVE_DIR", &*output, "audit archive: ", true),
            ("SIGNET_ISSUER", &*moved, "although Signet is running here", false),
            ("SIGNET_DATA_DIR", &*nowhere, "data directory: nothing is in", false),
        ] {
            let (code, findings) = doctor(&signet, &[(name, value)]).await;
            let named = graded(&findings, "broken").iter().any(|line| line.contains(expected));
            let wanted = serving || always;
            assert_eq!((named, code), (wanted, Some(i32::from(wanted))), "{name}, {serving}: {findings:?}");
        }
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
