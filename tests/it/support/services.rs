//! What `tests/run` started for the whole run, read from the environment.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A setting that `tests/run` hands on. Panics with the way out when it is absent.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `tests/run [filter]`, which sets it"))
}

/// URL of the shared PostgreSQL's database, without a query part.
pub fn database_url() -> String {
    setting("SIGNET_TEST_DATABASE_URL")
}

/// URL of the shared Redis.
pub fn redis_url() -> String {
    setting("SIGNET_TEST_REDIS_URL")
}

/// URL of the running chromedriver.
pub fn chromedriver_url() -> String {
    setting("SIGNET_TEST_CHROMEDRIVER")
}

/// A PostgreSQL program (`initdb`, `postgres`) by name.
pub fn postgres_program(name: &str) -> PathBuf {
    Path::new(&setting("SIGNET_TEST_PG_BIN")).join(name)
}

/// User and group ids PostgreSQL runs under, where the tests run as root.
pub fn postgres_owner() -> Option<(u32, u32)> {
    let number = |name| std::env::var(name).ok()?.parse().ok();
    Some((number("SIGNET_TEST_PG_UID")?, number("SIGNET_TEST_PG_GID")?))
}

/// The built program: `SIGNET_TEST_BIN`, or the one two folders above this test.
pub fn signet_program() -> PathBuf {
    if let Ok(path) = std::env::var("SIGNET_TEST_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("path of the running test");
    let folder = test.ancestors().nth(2).expect("target folder");
    folder.join("signet")
}

/// The root of the checkout.
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("workspace").to_path_buf()
}

/// A new empty directory of short path that every local user may enter, removed on drop.
pub fn scratch() -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;

    let mut builder = tempfile::Builder::new();
    builder.prefix("t-").permissions(std::fs::Permissions::from_mode(0o755));
    match std::env::var("SIGNET_TEST_DIR") {
        Ok(parent) => builder.tempdir_in(parent),
        Err(_) => builder.tempdir(),
    }
    .expect("scratch directory")
}
