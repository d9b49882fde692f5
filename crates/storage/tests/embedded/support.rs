//! What the tests of the embedded database share.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use diesel::sql_types::BigInt;
use diesel::{Connection as _, PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query};
use signet_storage::embedded::EmbeddedDatabase;

#[derive(QueryableByName)]
pub(crate) struct Number {
    #[diesel(sql_type = BigInt)]
    pub(crate) n: i64,
}

pub(crate) fn start(dir: &Path) -> EmbeddedDatabase {
    EmbeddedDatabase::start(dir, &|_| {}).unwrap()
}

pub(crate) fn connect(db: &EmbeddedDatabase) -> PgConnection {
    PgConnection::establish(db.url()).unwrap()
}

pub(crate) fn run(conn: &mut PgConnection, sql: &str) {
    sql_query(sql).execute(conn).unwrap();
}

pub(crate) fn try_number(conn: &mut PgConnection, sql: &str) -> QueryResult<i64> {
    sql_query(sql).get_result::<Number>(conn).map(|row| row.n)
}

pub(crate) fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    try_number(conn, sql).unwrap()
}

pub(crate) fn ids(conn: &mut PgConnection) -> BTreeSet<i64> {
    sql_query("SELECT id AS n FROM kept").load::<Number>(conn).unwrap().into_iter().map(|row| row.n).collect()
}

/// Connects and asks until there is an answer, as the pool does, and says how long that took.
pub(crate) fn answer_after_fault(db: &EmbeddedDatabase, sql: &str) -> (i64, Duration) {
    let from = Instant::now();
    loop {
        let answer = PgConnection::establish(db.url()).ok().and_then(|mut conn| try_number(&mut conn, sql).ok());
        if let Some(answer) = answer {
            return (answer, from.elapsed());
        }
        assert!(from.elapsed() < Duration::from_secs(30), "no answer after a fault");
        std::thread::yield_now();
    }
}

pub(crate) fn socket(db: &EmbeddedDatabase) -> PathBuf {
    let (_, host) = db.url().split_once("host=").unwrap();
    let (dir, _) = host.split_once('&').unwrap();
    Path::new(dir).join(".s.PGSQL.5432")
}

pub(crate) fn pg_wal(dir: &Path) -> PathBuf {
    dir.join("postgresql/tmp/pglite/base/pg_wal")
}

pub(crate) fn wal_on_disk(dir: &Path) -> u64 {
    fs::read_dir(pg_wal(dir)).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

/// A copy of this program that runs one test, playing the part that `name` says.
pub(crate) fn copy_of(program: &Path, test: &str, name: &str, value: &Path) -> Command {
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(name, value);
    command
}

pub(crate) fn part(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}
