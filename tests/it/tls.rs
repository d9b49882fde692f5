//! TLS by the server itself.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use reqwest::{StatusCode, Version};

use crate::scene::header;
use crate::support::prelude::*;
use crate::support::services::signet_program;
use crate::support::signet::trusting;

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The certificate that serves now, as PEM, and the protocol that was agreed on. None where the handshake fails.
fn handshake(port: u16, versions: (SslVersion, SslVersion), ciphers: Option<&str>) -> Option<(Vec<u8>, String)> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).expect("TLS");
    connector.set_verify(SslVerifyMode::NONE);
    connector.set_security_level(0);
    connector.set_min_proto_version(Some(versions.0)).expect("a version");
    connector.set_max_proto_version(Some(versions.1)).expect("a version");
    if let Some(ciphers) = ciphers {
        connector.set_cipher_list(ciphers).expect("ciphers");
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let stream = connector.build().connect("localhost", stream).ok()?;
    let cert = stream.ssl().peer_certificate()?.to_pem().ok()?;
    Some((cert, stream.ssl().version_str().to_owned()))
}

fn serving(port: u16) -> Vec<u8> {
    handshake(port, (SslVersion::TLS1_2, SslVersion::TLS1_3), None).expect("a handshake").0
}

/// discovery answers over HTTP/2 and HTTP/1.1, with an https issuer; plain http on the port does not.
#[tokio::test]
async fn https_speaks_http_2_and_1() {
    let signet = Signet::start_tls(Database::Postgres, &[]).await;
    let cert = signet.folder().join("tls/tls.crt");
    for (client, version) in [(trusting(&cert), Version::HTTP_2), (trusting(&cert).http1_only(), Version::HTTP_11)] {
        let answer = client.build().expect("client").get(signet.url(DISCOVERY)).send().await.expect("an answer");
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, version));
        assert!(header(&answer, "strict-transport-security").contains("max-age="), "{answer:?}");
        let document: serde_json::Value = answer.json().await.expect("JSON");
        assert_eq!(flow::member(&document, "issuer"), signet.issuer());
        assert!(flow::member(&document, "token_endpoint").starts_with("https://"));
    }
    let plain = reqwest::get(format!("http://localhost:{}{DISCOVERY}", signet.port())).await;
    assert!(plain.is_err(), "{plain:?}");
    // A client that does not know the certificate goes no further.
    let stranger = reqwest::Client::new().get(signet.url(DISCOVERY)).send().await;
    assert!(stranger.expect_err("no trust").is_connect());
}

/// TLS 1.2 with forward secrecy and AEAD, and TLS 1.3; nothing older, nothing weaker.
#[tokio::test]
async fn old_versions_and_weak_suites_are_refused() {
    let signet = Signet::start_tls(Database::Postgres, &[]).await;
    let port = signet.port();
    let only = |version| (version, version);
    for (versions, ciphers, expected) in [
        (only(SslVersion::TLS1_3), None, Some("TLSv1.3")),
        (only(SslVersion::TLS1_2), None, Some("TLSv1.2")),
        (only(SslVersion::TLS1_2), Some("ECDHE-ECDSA-AES256-GCM-SHA384"), Some("TLSv1.2")),
        (only(SslVersion::TLS1_2), Some("ECDHE-ECDSA-AES128-SHA256"), None),
        (only(SslVersion::TLS1_2), Some("AES256-GCM-SHA384"), None),
        (only(SslVersion::TLS1_1), Some("ALL:@SECLEVEL=0"), None),
        (only(SslVersion::TLS1), Some("ALL:@SECLEVEL=0"), None),
    ] {
        let agreed = handshake(port, versions, ciphers).map(|(_, version)| version);
        assert_eq!(agreed.as_deref(), expected, "{versions:?} {ciphers:?}");
    }
}

/// files that are replaced serve within seconds, without a restart; an open connection stays usable, and files
/// that do not go together change nothing.
#[tokio::test]
async fn a_replaced_certificate_serves_and_connections_stay() {
    let signet = Signet::start_tls(Database::Postgres, &[]).await;
    let (cert, key) = (signet.folder().join("tls/tls.crt"), signet.folder().join("tls/tls.key"));
    let (new_cert, new_key) = signet.certificate("new");
    let copy = |from: &Path, to: &Path| std::fs::copy(from, to).map(drop).expect("a copy");
    let first = serving(signet.port());
    // One connection, made before.
    let kept = trusting(&cert).pool_max_idle_per_host(1).http2_keep_alive_interval(Duration::from_secs(1));
    let kept = kept.build().expect("client");
    let ask = async || kept.get(signet.url(DISCOVERY)).send().await.expect("an answer").status();
    assert_eq!(ask().await, StatusCode::OK);

    copy(&new_cert, &cert);
    eventually(PATIENCE, "the mismatch is noticed", async || signet.output().contains("not the key of").then_some(()))
        .await;
    assert_eq!(serving(signet.port()), first, "what does not go together does not serve");
    copy(&new_key, &key);
    eventually(PATIENCE, "the new certificate serves", async || (serving(signet.port()) != first).then_some(())).await;
    assert_eq!(serving(signet.port()), std::fs::read(&new_cert).expect("the certificate"));
    // The client does not trust the new certificate: what answers is the connection from before.
    assert_eq!(ask().await, StatusCode::OK);
    assert!(trusting(&new_cert).build().expect("client").get(signet.url(DISCOVERY)).send().await.is_ok());
}

/// a reload serves with the files that the settings name now, at once; an open connection stays usable, and
/// files that cannot be used change nothing.
#[tokio::test]
async fn a_reload_takes_over_the_certificate() {
    let mut signet = Signet::prepare_tls(Database::Postgres, &[]);
    // The file names them: variables of a running process do not change.
    signet.set("SIGNET_TLS__CERT", "");
    signet.set("SIGNET_TLS__KEY", "");
    std::fs::create_dir_all(signet.folder().join("config")).expect("a folder");
    let names = |signet: &Signet, folder: &str| {
        let text = format!("[tls]\ncert = \"{folder}/tls.crt\"\nkey = \"{folder}/tls.key\"\n");
        std::fs::write(signet.folder().join("config/signet.toml"), text).expect("a file");
    };
    names(&signet, "tls");
    signet.restart().await;
    let (new_cert, _) = signet.certificate("new");
    let first = serving(signet.port());
    let kept = trusting(&signet.folder().join("tls/tls.crt")).pool_max_idle_per_host(1).build().expect("client");
    let ask = async || kept.get(signet.url(DISCOVERY)).send().await.expect("an answer").status();
    assert_eq!(ask().await, StatusCode::OK);

    names(&signet, "nowhere");
    let refused = signet.cli(&["reload", "--json"]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert_eq!(serving(signet.port()), first);

    names(&signet, "new");
    let reloaded = signet.cli_json(&["reload", "--json"], "").await;
    assert_eq!(reloaded, serde_json::json!({ "changed": ["tls.cert", "tls.key"], "restart": [] }));
    assert_eq!(serving(signet.port()), std::fs::read(&new_cert).expect("the certificate"), "at once");
    assert_eq!(ask().await, StatusCode::OK, "the connection from before, by a client that does not trust the new one");
    let stranger = trusting(&signet.folder().join("tls/tls.crt")).build().expect("client");
    assert!(stranger.get(signet.url(DISCOVERY)).send().await.is_err(), "a new connection is another matter");
}

/// sign-in, consent and tokens over https; every cookie is `Secure` and has the `__Host-` prefix.
#[tokio::test]
async fn sign_in_over_https_sets_host_cookies() {
    let signet = Signet::start_tls(Database::Postgres, &[]).await;
    let client = signet.client(ClientSpec::confidential()).await;
    let ada = signet.user("ada").await;
    let mut browser = Browser::new(&signet);
    let request = AuthRequest::new(&client);
    let code = flow::code(&signet, &mut browser, &request, &ada).await;
    let tokens = flow::granted(flow::exchange(&signet, &client, &code, &request.verifier).await).await;
    let id_token = flow::jwt_payload(flow::member(&tokens, "id_token"));
    assert_eq!(flow::member(&id_token, "iss"), signet.issuer());
    let cookies = browser.jar.all();
    assert!(cookies.len() >= 2, "{cookies:?}");
    for cookie in cookies {
        let attributes = cookie.header.to_ascii_lowercase();
        assert!(cookie.name.starts_with("__Host-") && cookie.path == "/", "{}", cookie.header);
        // What the frame of session management reads, within pages of others (L4).
        let read = cookie.name == "__Host-signet-state";
        assert_eq!(attributes.contains("; httponly"), !read, "{}", cookie.header);
        for wanted in ["; secure", if read { "; samesite=none" } else { "; samesite=lax" }] {
            assert!(attributes.contains(wanted), "{}", cookie.header);
        }
        assert!(!attributes.contains("domain="), "{}", cookie.header);
    }
}

/// certificate and key that cannot be used end the start with one line that names the file and what to do.
#[tokio::test]
async fn wrong_files_end_the_start() {
    let signet = Signet::prepare_tls(Database::Postgres, &[]);
    let (cert, key) = (signet.folder().join("tls/tls.crt"), signet.folder().join("tls/tls.key"));
    let at = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let nonsense = signet.folder().join("nonsense");
    std::fs::write(&nonsense, "hunter2").expect("a file");
    let (_, other) = signet.certificate("other");
    for (cert, key, words) in [
        (at(&nonsense), at(&key), ["tls.cert", "nonsense", "no certificate"]),
        (at(&cert), at(&nonsense), ["tls.key", "nonsense", "no private key"]),
        (at(&cert), at(&signet.folder().join("away")), ["tls.key", "away", "cannot be read"]),
        (at(&cert), at(&other), ["tls.key", "other/tls.key", "not the key"]),
        (at(&cert), String::new(), ["SIGNET_TLS__CERT", "tls.key", "both"]),
    ] {
        let mut command = signet.command(&["serve"]);
        command.env("SIGNET_TLS__CERT", &cert).env("SIGNET_TLS__KEY", &key);
        let output = tokio::task::spawn_blocking(move || command.output().expect("the program")).await.expect("ended");
        let line = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.iter().all(|word| line.contains(word)), "{words:?}: {line}");
        assert!(!line.contains("hunter2") && line.trim_end().lines().count() == 1, "{line}");
    }
    let http = Signet::prepare(Database::Postgres, &[("SIGNET_TLS__CERT", "/x"), ("SIGNET_TLS__KEY", "/x")]);
    let output = http.cli(&["serve"]).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("https://"), "{output:?}");
}

/// the command line makes a pair, says how to use it, and overwrites nothing unasked.
#[tokio::test]
async fn the_command_line_makes_a_certificate() {
    let signet = Signet::prepare(Database::Postgres, &[]);
    let out = signet.folder().join("made");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(signet_program());
        command.args(["tls", "self-signed"]).args(arguments).arg("--out").arg(&out);
        command.output().expect("the program")
    };
    let made = run(&["--host", "id.example", "--days", "30", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let key = Path::new(flow::member(&json, "key"));
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(key).expect("the key")) & 0o777, 0o600);
    let again = run(&["--host", "id.example"]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("--force"), "{again:?}");
    let forced = run(&["--host", "id.example", "--force"]);
    let text = String::from_utf8_lossy(&forced.stdout).into_owned();
    assert!(forced.status.success() && text.contains("SIGNET_TLS__CERT=") && text.contains("SIGNET_ISSUER="), "{text}");
    assert!(!run(&["--host", "not a host"]).status.success());
    assert_eq!(run(&[]).status.code(), Some(2));
}
