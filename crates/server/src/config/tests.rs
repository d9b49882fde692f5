mod files;

use std::fs;

use super::*;

/// A folder with files to read.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = env::temp_dir().join(format!("signet-config-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        for (name, text) in files {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn read(&self, pairs: &[(&str, &str)], set: &[&str]) -> Result<Config, String> {
        let environment: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let flags = Flags { set: set.iter().map(|&one| one.to_owned()).collect(), ..Flags::default() };
        Config::read(&flags, &environment, &self.0).map_err(|errors| errors.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
    Folder(PathBuf::from("/nonexistent/signet")).read(pairs, &[])
}

/// R-56: an http issuer that is not on this machine is refused.
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
    for (issuer, alone, with_tls) in [
        ("https://id.example.org", "127.0.0.1:8080", "127.0.0.1:443"),
        ("https://id.example.org:9443", "127.0.0.1:8080", "127.0.0.1:9443"),
        ("https://203.0.113.5:9443", "127.0.0.1:8080", "127.0.0.1:9443"),
    ] {
        assert_eq!(read(&[("SIGNET_ISSUER", issuer)]).unwrap().bind.to_string(), alone);
        let pair = [("SIGNET_ISSUER", issuer), ("SIGNET_TLS__CERT", "a"), ("SIGNET_TLS__KEY", "a")];
        assert_eq!(read(&pair).unwrap().bind.to_string(), with_tls);
    }
}

/// R-64: every error at once, and no secret in any of them.
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

/// R-64: each kind of mistake gives one line: where it is, what is wrong, what to write.
#[test]
fn a_mistake_gives_the_line_a_person_needs() {
    let cases: &[(&str, &str)] = &[
        // Environment.
        (
            "SIGNET_BIND=here",
            r#"SIGNET_BIND: "here" is not an address with a port, such as 127.0.0.1:8080 or [::]:8080"#,
        ),
        (
            "SIGNET_TOKENS__ACESS=5m",
            "SIGNET_TOKENS__ACESS: there is no such setting; did you mean SIGNET_TOKENS__ACCESS?",
        ),
        ("SIGNET_DATABASE_URL=x", "SIGNET_DATABASE_URL: there is no such setting; did you mean DATABASE_URL?"),
        ("SIGNET_ISSUR=x", "SIGNET_ISSUR: there is no such setting; did you mean SIGNET_ISSUER?"),
        ("SIGNET_QQ=x", "SIGNET_QQ: there is no such setting; `signet config example` lists them all"),
        (
            "SIGNET_DATABASE__POOL_SIZE=many",
            r#"SIGNET_DATABASE__POOL_SIZE: this is string "many"; write a whole number that is not negative"#,
        ),
        ("SIGNET_DATABASE__POOL_SIZE=0", "SIGNET_DATABASE__POOL_SIZE: 0 is out of bounds; write 1 to 200"),
        (
            "SIGNET_RATE_LIMITS__ENABLED=maybe",
            r#"SIGNET_RATE_LIMITS__ENABLED: this is string "maybe"; write true or false"#,
        ),
        (
            "SIGNET_REGISTRATION__ACCOUNTS=opne",
            r#"SIGNET_REGISTRATION__ACCOUNTS: "opne" is not possible; write one of open, closed, invitation, domains"#,
        ),
        (
            "SIGNET_REGISTRATION__ACCOUNTS=domains",
            "SIGNET_REGISTRATION__ACCOUNTS: registration.domains is empty; name the domains",
        ),
        (
            "SIGNET_PROXY__TRUSTED=10.0.0.0/8,proxy",
            r#"SIGNET_PROXY__TRUSTED: "proxy" is not a network; write an address or a range: 10.0.0.5 or 10.0.0.0/8"#,
        ),
        ("SIGNET_ADMIN_EMAIL=nobody", r#"SIGNET_ADMIN_EMAIL: "nobody" is not an email address"#),
        (
            "SIGNET_SECRET_KEY=c2hvcnQ=",
            "SIGNET_SECRET_KEY: shorter than 32 bytes; make one with `openssl rand -base64 32`",
        ),
        (
            "SIGNET_SECRET_KEY_FILE=nowhere",
            "SIGNET_SECRET_KEY_FILE: nowhere cannot be read: No such file or directory (os error 2)",
        ),
        (
            "SIGNET_SECRET_KEY_FILE=/dev/zero",
            "SIGNET_SECRET_KEY_FILE: /dev/zero cannot be read: it is longer than 64 KiB",
        ),
        ("DATABASE_URL=mysql://a:hunter2@b/c", "DATABASE_URL: it must begin with postgres:// or postgresql://"),
        ("SIGNET_CONFIG=other.toml", "other.toml: the file cannot be read: No such file or directory (os error 2)"),
        ("SIGNET_HTTP__KEEP_ALIVE=0s", "SIGNET_HTTP__KEEP_ALIVE: 0s is out of bounds; write 1s to 10m"),
        // The file.
        ("[tokens]\naccess = \"2h\"", "config/signet.toml:2: tokens.access: 2h is out of bounds; write 1m to 1h"),
        (
            "[tokens]\n\naccess = \"soon\"",
            r#"config/signet.toml:3: tokens.access: "soon" is not a length of time; write a number and a unit: 90s, 15m, 12h or 30d"#,
        ),
        ("tokens.access = 15", "config/signet.toml:1: tokens.access: this is signed int `15`; write text in quotes"),
        (
            "[rate_limits]\nsign_in = \"5\"",
            r#"config/signet.toml:2: rate_limits.sign_in: "5" is not a rate; write how many and within how long: 5/1m or 3/1h"#,
        ),
        (
            "issuer = \"https://a.example\"\n[tls]\ncert = \"a.pem\"",
            "config/signet.toml:3: tls.cert: tls.key is missing; give both",
        ),
        (
            "[sesions]\nidle = \"1h\"",
            "config/signet.toml:1: sesions: there is no such setting; did you mean sessions.idle?",
        ),
        (
            "[sessions]\nidel = \"1h\"",
            "config/signet.toml:2: sessions.idel: there is no such setting; did you mean sessions.idle?",
        ),
        (
            "[sessions]\nidle = \"10d\"\nabsolute = \"1d\"",
            "config/signet.toml:3: sessions.absolute: 1d is less than sessions.idle (10d); make it longer",
        ),
        ("tokens = 5", "config/signet.toml:1: tokens: this is a section; write [tokens] and settings below it"),
        ("secret_key = 12345678", "config/signet.toml:1: secret_key: this is not text; write text in quotes"),
        (
            "issuer = \"http://localhost:1\"\nbind",
            "config/signet.toml:2: this is not TOML: key with no value, expected `=`",
        ),
        (
            "[log]\nlevel = \"loud\"",
            r#"config/signet.toml:2: log.level: "loud" is no log level; write off, error, warn, info, debug or trace, or a list by target such as "warn,signet=info""#,
        ),
    ];
    let mut wrong = Vec::new();
    for (index, (written, expected)) in cases.iter().enumerate() {
        let name = format!("mistake-{index}");
        let capitals = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let result = match written.split_once('=').filter(|(name, _)| capitals(name)) {
            Some(pair) => Folder::new(&name, &[]).read(&[pair], &[]),
            None => Folder::new(&name, &[("config/signet.toml", written)]).read(&[], &[]),
        };
        let said = result.unwrap_err();
        if said != *expected {
            wrong.push(format!("{written}\n  said     {said}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// R-64: flags and `.env` name themselves too; a value that is given twice in different words is refused.
#[test]
fn every_place_is_named() {
    let folder = Folder::new("places", &[(".env", "SIGNET_BIND=here\nOTHER=1\nSIGNET_NOPE=1\n")]);
    let errors = folder.read(&[], &["tokens.access=1s", "tokens.acces=1m", "hunter2"]).unwrap_err();
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 5, "{errors}");
    assert!(errors.contains(".env: SIGNET_BIND: "), "{errors}");
    assert!(errors.contains(".env: SIGNET_NOPE: there is no such setting"), "{errors}");
    assert!(errors.contains("--set tokens.access: 1s is out of bounds"), "{errors}");
    assert!(
        errors.contains("--set tokens.acces: there is no such setting; did you mean --set tokens.access?"),
        "{errors}"
    );
    assert!(errors.contains("--set: write a setting and its value") && !errors.contains("hunter2"), "{errors}");

    // What is before the first `=` of an address is no name of a setting.
    for secret in ["postgres://u:hunter2@h/d?sslmode=x", "HUNTER2=1", "hunter2xyz=1", "hunter 2="] {
        let errors = folder.read(&[], &[secret]).unwrap_err().to_lowercase();
        assert!(errors.contains("--set: there is no such setting") && !errors.contains("hunter"), "{errors}");
    }

    let twice = read(&[("DATABASE_URL", "postgres://a"), ("SIGNET_DATABASE__URL", "postgres://b")]).unwrap_err();
    assert!(twice.contains("SIGNET_DATABASE__URL: DATABASE_URL says the same thing otherwise"), "{twice}");
}

/// R-64: defaults, file, `.env`, environment, flags: the later wins, and each tells where it stands.
#[test]
fn the_later_place_wins() {
    let file = "[tokens]\naccess = \"1m\"\nid = \"1m\"\ncode = \"11s\"\nrefresh = \"1h\"\n";
    let dotenv = "SIGNET_TOKENS__ID=2m\nSIGNET_TOKENS__CODE=12s\nSIGNET_TOKENS__REFRESH=2h\n";
    let folder = Folder::new("layers", &[("config/signet.toml", file), (".env", dotenv)]);
    let environment = [("SIGNET_TOKENS__CODE", "13s"), ("SIGNET_TOKENS__REFRESH", "3h"), ("SIGNET_TEST_RUN", "7")];
    let config = folder.read(&environment, &["tokens.refresh=4h"]).unwrap();
    let shown = |key: &str| {
        let entry = config.entries().into_iter().find(|entry| entry.key == key).unwrap();
        (entry.value.as_str().unwrap().to_owned(), entry.source)
    };
    for (key, value, source) in [
        ("tokens.interaction", "30m", "default"),
        ("tokens.access", "1m", "config/signet.toml:2"),
        ("tokens.id", "2m", ".env: SIGNET_TOKENS__ID"),
        ("tokens.code", "13s", "SIGNET_TOKENS__CODE"),
        ("tokens.refresh", "4h", "--set tokens.refresh"),
    ] {
        assert_eq!(shown(key), (value.to_owned(), source.to_owned()));
    }
}

/// Empty values count as absent; what Kubernetes puts beside a service called `signet` is no setting.
#[test]
fn what_counts_as_absent() {
    let config = read(&[
        ("SIGNET_ISSUER", ""),
        ("SIGNET_ADMIN_PASSWORD", ""),
        ("SIGNET_PORT", "tcp://10.0.0.1:8080"),
        ("SIGNET_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("SIGNET_SERVICE_HOST", "10.0.0.1"),
        ("SIGNET_REDIS_SERVICE_HOST", "10.0.0.1"),
        ("SIGNET_REDIS_SERVICE_PORT_TCP_REDIS", "6379"),
        ("SIGNET_REDIS_PORT", "tcp://10.0.0.1:6379"),
        ("SIGNET_POSTGRESQL_PORT_5432_TCP", "tcp://10.0.0.1:5432"),
        ("SIGNET_POSTGRESQL_PORT_5432_TCP_PROTO", "tcp"),
    ])
    .unwrap();
    for unknown in ["SIGNET_REDIS__PORT", "SIGNET_REDIS_PORT_NAME", "SIGNET_PORTS"] {
        assert!(read(&[(unknown, "1")]).unwrap_err().contains("there is no such setting"), "{unknown}");
    }
    assert_eq!(config.issuer, "http://localhost:8080");
    assert!(config.admin_password.is_none());
}

/// R-15: without a word about it registration is open in development only.
#[test]
fn registration_is_open_in_development_only() {
    assert_eq!(read(&[]).unwrap().accounts(), Accounts::Open);
    assert_eq!(read(&[("SIGNET_ISSUER", "https://id.example.org")]).unwrap().accounts(), Accounts::Closed);
}

/// What `x-live` says is what a reload takes over.
#[test]
fn live_settings_are_the_ones_marked() {
    let url = Some(SecretText("postgres://a".to_owned().into()));
    let text = r#"{
        "issuer": "https://b.example", "bind": "[::]:1", "data_dir": "b", "admin_email": "b@b.example",
        "secret_key_file": "b", "admin_password_file": "b",
        "database": { "url_file": "b", "pool_size": 3, "connect_timeout": "3s", "checkout_timeout": "3s", "statement_timeout": "3s" },
        "redis": { "url_file": "b", "prefix": "b", "timeout": "3s" },
        "tls": { "cert": "b", "key": "b" },
        "http": { "workers": 3, "head_timeout": "3s", "body_timeout": "3s", "request_timeout": "3s", "keep_alive": "3s", "drain": "3s", "shutdown_timeout": "3s" },
        "proxy": { "trusted": ["10.0.0.0/8"] },
        "outbound": { "allow_private": true, "trusted_ca": "b", "timeout": "3s" },
        "registration": { "accounts": "domains", "domains": ["b.example"], "clients": "token", "max_clients": 7, "unused_after": "7d" },
        "rate_limits": { "enabled": false, "sign_in": "7/7m", "registration": "7/7m", "client_registration": "7/7m", "reset": "7/7m", "second_factor": "7/7m", "user": "7/7m", "address": "7/7m", "token_failures": "7/7m" },
        "tokens": { "access": "7m", "id": "7m", "refresh": "7h", "refresh_repeat": "7s", "code": "17s", "interaction": "7m" },
        "sessions": { "idle": "7m", "absolute": "7h" },
        "hashing": { "memory_kib": 8, "iterations": 7, "parallelism": 7, "threads": 7, "queue": 7 },
        "keys": { "rotation_days": 7 }, "audit": { "retention_days": 7, "archive_dir": "b" },
        "metrics": { "allow": [] }, "log": { "level": "trace", "format": "json" }
    }"#;
    let mut other: Settings = serde_json::from_str(text).unwrap();
    (other.secret_key, other.admin_password) = (url.clone(), url.clone());
    (other.database.url, other.redis.url) = (url.clone(), url);
    let before =
        read(&[("SIGNET_ISSUER", "https://a.example"), ("SIGNET_TLS__CERT", "a"), ("SIGNET_TLS__KEY", "a")]).unwrap();
    let new = Config { settings: other, ..before.clone() };
    let differences = before.differences(&new);
    assert_eq!(differences.len(), Keys::new().iter().count(), "each setting differs: {differences:?}");
    let taken = before.differences(&before.with_live_of(&new));
    let marked: Vec<_> = differences.iter().filter(|entry| entry.live).map(|entry| &entry.key).collect();
    assert_eq!(taken.iter().map(|entry| &entry.key).collect::<Vec<_>>(), marked);
}

/// R-64: `config/` holds what the types generate. `signet config schema > config/signet.schema.json` and
/// `signet config example > config/signet.example.toml` write it.
#[test]
fn the_files_are_what_the_types_generate() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    for (name, generated) in [("signet.schema.json", example::schema()), ("signet.example.toml", example::example())] {
        let kept = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(kept == generated, "config/{name} is not what the types generate: write it with `signet config`");
    }
}

/// R-64: every line of the example is right once its # is gone.
#[test]
fn the_example_is_valid() {
    let lines = example::example();
    let keep = |line: &&str| line.starts_with('[') || line.starts_with('#') && !line.starts_with("# ") && *line != "#";
    let twice = ["_file", "secret_key ", "admin_password ", "url =", "cert ", "key =", "_ca "];
    let text: Vec<&str> = lines.lines().filter(keep).map(|line| line.trim_start_matches('#')).collect();
    let (all, good): (Vec<&str>, Vec<&str>) =
        (text.clone(), text.into_iter().filter(|line| !twice.iter().any(|part| line.contains(part))).collect());
    assert!(all.len() > 60, "{all:?}");
    let folder = Folder::new("example", &[("config/signet.toml", &good.join("\n"))]);
    folder.read(&[], &[]).unwrap();
    let (_, wrong) = toml::de::DeTable::parse_recoverable(&all.join("\n"));
    assert!(wrong.is_empty(), "{wrong:?}");
}
