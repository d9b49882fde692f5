//! What is read from files: `.env`, and secrets with a file of their own.

use super::*;

/// each line of a `.env` that cannot be read is named by its number, and hides neither settings nor mistakes after
/// it.
#[test]
fn wrong_lines_of_a_dotenv_are_counted() {
    let text = "\u{FEFF}# one\nnonsense\nSIGNET_BIND=here\n\nOTHER=\"two\nlines\"\nhunter2 more words\r\n\
                export SIGNET_ISSUER='http://localhost:9000'\nSIGNET_NOPE=1\nOPEN=\"hunter2\nSIGNET_TOKENS__ACCESS=2h";
    let errors = Folder::new("dotenv", &[(".env", text)]).read(&[], &[]).unwrap_err();
    let mut starts: Vec<&str> = errors.lines().map(|line| line.split(": ").take(2).last().unwrap()).collect();
    starts.sort_unstable();
    let said = "this is not NAME=value; put a value with spaces in quotes, and close them";
    assert_eq!(starts, ["SIGNET_BIND", "SIGNET_NOPE", "SIGNET_TOKENS__ACCESS", said, said, said], "{errors}");
    for line in [2, 7, 10] {
        assert!(errors.contains(&format!(".env:{line}: {said}")), "{errors}");
    }
    assert!(!errors.contains("hunter2"), "{errors}");
    let good = "A=1\nSIGNET_ISSUER=http://localhost:${A}234\nSIGNET_LOG='warn' # and so on\n";
    let config = Folder::new("dotenv-good", &[(".env", good)]).read(&[], &[]).unwrap();
    assert_eq!((&*config.issuer, config.bind.port()), ("http://localhost:1234", 1234));
}

/// secrets from files; never both; never shown.
#[test]
fn secrets_come_from_files() {
    let url = "postgres://signet:hunter2@db/signet";
    let files =
        [("key", "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnRlcjI=\n"), ("db", &format!("{url}\n")), ("empty", "\n")];
    let folder = Folder::new("secrets", &files);
    let pairs = [("SIGNET_SECRET_KEY_FILE", "key"), ("DATABASE_URL_FILE", "db"), ("SIGNET_ADMIN_PASSWORD", "hunter2")];
    let config = folder.read(&pairs, &[]).unwrap();
    assert_eq!(config.database_url.as_ref().unwrap().as_str(), url);
    assert_eq!(config.secret_keys.as_ref().unwrap()[0].as_slice(), b"hunter2".repeat(5).as_slice());
    let shown = serde_json::to_string(&config.entries()).unwrap();
    assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMm"), "{shown}");
    assert_eq!(shown.matches("(hidden)").count(), 3);
    assert!(!format!("{config:?} {:?}", *config).contains("hunter2"));

    let both = folder.read(&[("DATABASE_URL_FILE", "db"), ("DATABASE_URL", url)], &[]).unwrap_err();
    assert_eq!(
        both,
        "DATABASE_URL_FILE: database.url is given too (DATABASE_URL); give the value or the file, not both"
    );
    let empty = folder.read(&[("SIGNET_REDIS__URL_FILE", "empty")], &[]).unwrap_err();
    assert_eq!(empty, "SIGNET_REDIS__URL_FILE: empty is empty");
}

/// a secret and its file are one setting: what a later place says replaces both.
#[test]
fn a_later_secret_replaces_an_earlier_file() {
    let (below, above) = ("postgres://below/signet", "postgres://above/signet");
    let file = |text: &str| [("config/signet.toml", text.to_owned()), ("db", above.to_owned())];
    for (index, (text, pairs, set)) in [
        ("database.url_file = \"gone\"", &[("DATABASE_URL", above)][..], &[][..]),
        ("database.url = \"postgres://below/signet\"", &[("DATABASE_URL_FILE", "db")], &[]),
        ("database.url = \"postgres://below/signet\"", &[("DATABASE_URL", below)], &["database.url_file=db"]),
        ("database.url_file = \"gone\"", &[("DATABASE_URL_FILE", "gone")], &["database.url=postgres://above/signet"]),
    ]
    .into_iter()
    .enumerate()
    {
        let files = file(text);
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let folder = Folder::new(&format!("later-{index}"), &files);
        let config = folder.read(pairs, set).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(config.database_url.as_ref().unwrap().as_str(), above, "{text}");
        assert!(!config.places.values().any(|place| place.label.starts_with("config/")), "{text}");
    }
    let folder = Folder::new(
        "later-both",
        &file("database.url_file = \"db\"\ndatabase.url = \"postgres://a\"")
            .each_ref()
            .map(|(name, text)| (*name, text.as_str())),
    );
    assert!(folder.read(&[], &[]).unwrap_err().contains("not both"));
}

/// a `.env` that is there and cannot be read is an error, and so is what it cannot say.
#[test]
fn a_dotenv_is_read_or_refused() {
    let folder = Folder::new("dotenv-loop", &[]);
    std::os::unix::fs::symlink(".env", folder.0.join(".env")).unwrap();
    let said = folder.read(&[], &[]).unwrap_err();
    assert!(said.starts_with(".env: the file cannot be read: ") && said.lines().count() == 1, "{said}");
    let folder = Folder::new("dotenv-config", &[(".env", "SIGNET_CONFIG=other.toml\n")]);
    let said = folder.read(&[], &[]).unwrap_err();
    assert_eq!(said, ".env: SIGNET_CONFIG: this is not read here; give it in the environment or by --config");
}

/// files that cannot be used are named with all other mistakes, each by the place that names it.
#[test]
fn files_that_cannot_be_used() {
    let text = "issuer = \"https://id.example\"\n[tls]\ncert = \"/nonexistent/a\"\n";
    let folder = Folder::new("files", &[("config/signet.toml", text)]);
    let environment = [
        ("SIGNET_TLS__KEY", "/nonexistent/b"),
        ("SIGNET_OUTBOUND__TRUSTED_CA", "/nonexistent/c"),
        ("SIGNET_TOKENS__ACCESS", "9d"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let errors = Config::read_and(&Flags::default(), &environment, &folder.0, true).unwrap_err().to_string();
    let lines: Vec<_> = errors.lines().collect();
    let beginnings = [
        "SIGNET_TOKENS__ACCESS: ",
        "config/signet.toml:3: tls.cert: /nonexistent/a cannot be read: ",
        "SIGNET_TLS__KEY: /nonexistent/b cannot be read: ",
        "SIGNET_OUTBOUND__TRUSTED_CA: /nonexistent/c cannot be read: ",
    ];
    assert_eq!(lines.len(), beginnings.len(), "{errors}");
    for (line, begins) in lines.iter().zip(beginnings) {
        assert!(line.starts_with(begins), "{begins}\n{errors}");
    }
    // Only where it is asked for: the doctor and the start say it of themselves.
    let none = Config::read_and(&Flags::default(), &environment[..2], &folder.0, false);
    assert!(none.is_ok());
}
