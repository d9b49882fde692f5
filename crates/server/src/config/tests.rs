use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
    let environment: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let nowhere = std::path::Path::new("/nonexistent");
    Config::read(&Flags::default(), &environment, nowhere).map_err(|errors| errors.to_string())
}

/// an http issuer that is not on this machine is refused.
#[test]
fn issuers() {
    for good in ["http://localhost:9000", "http://127.0.0.1:9000", "https://id.example.org", "https://id.example.org/"]
    {
        assert!(read(&[("SIGNET_ISSUER", good)]).is_ok(), "{good}");
    }
    for bad in [
        "http://id.example.org",
        "http://127.0.0.1.example.org",
        "id.example.org",
        "https://a/?q",
        "ftp://a",
        "https://a/b",
    ] {
        assert!(read(&[("SIGNET_ISSUER", bad)]).is_err(), "{bad}");
    }
    assert_eq!(read(&[("SIGNET_ISSUER", "https://id.example.org/")]).unwrap().issuer, "https://id.example.org");
    assert_eq!(read(&[("SIGNET_ISSUER", "http://localhost:9000")]).unwrap().bind.port(), 9000);
}

/// every error at once, and no secret in any of them.
#[test]
fn every_error_at_once() {
    let errors = read(&[
        ("SIGNET_ISSUER", "http://id.example.org"),
        ("SIGNET_BIND", "here"),
        ("DATABASE_URL", "mysql://user:hunter2@host/db"),
        ("SIGNET_SECRET_KEY", "aHVudGVyMg=="),
    ])
    .unwrap_err();
    assert_eq!(errors.lines().count(), 4, "{errors}");
    assert!(!errors.contains("hunter2") && !errors.contains("aHVudGVyMg"), "{errors}");
}
