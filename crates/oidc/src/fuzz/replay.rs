//! The seeds, on stable Rust: `accepted-…` must be accepted, `refused-…` refused, and neither may panic.

use std::{fs, path::Path};

fn replay(target: &str, run: fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut seen = [0, 0];
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let expected = name.starts_with("accepted-");
        assert!(expected || name.starts_with("refused-"), "{name}");
        assert_eq!(run(&fs::read(&path).unwrap()), expected, "{target}/{name}");
        seen[usize::from(expected)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 0), "{target}: {seen:?}");
}

/// A1, A2, A3, A14: the seeds of the authorization endpoint.
#[test]
fn authorize() {
    replay("authorize", super::authorize);
}

/// A12: the seeds of the `claims` parameter.
#[test]
fn claims() {
    replay("claims", super::claims);
}

/// T1, T2: the seeds of clients' assertions.
#[test]
fn client_assertion() {
    replay("client_assertion", super::client_assertion);
}

/// A14: the seeds of request objects.
#[test]
fn request_object() {
    replay("request_object", super::request_object);
}

/// T1, T3, T4, T5, T6, T7: the seeds of the token endpoint.
#[test]
fn token() {
    replay("token", super::token);
}

/// R1, R2, R3: the seeds of registrations.
#[test]
fn registration() {
    replay("registration", super::registration);
}

/// A9, R-35: the seeds of `id_token_hint`.
#[test]
fn id_token_hint() {
    replay("id_token_hint", super::id_token_hint);
}
