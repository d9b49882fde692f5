//! The embedded database keeps its rules, on the real engine.
#![cfg(feature = "embedded")]
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test, also in the helpers")]

#[path = "embedded/support.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use diesel::{Connection as _, RunQueryDsl as _, sql_query};
use signet_storage::data_dir::DataDirError;
use signet_storage::embedded::{Durability, EmbeddedDatabase, EmbeddedError, Maintenance};
use support::{answer_after_fault, connect, copy_of, ids, number, part, pg_wal, run, socket, start, wal_on_disk};
use tempfile::TempDir;

/// What a fault of the engine may cost.
const FAULT_LIMIT: Duration = Duration::from_secs(2);
/// The environment variables that make a copy of this program play a part.
const WRITER: &str = "SIGNET_TEST_EMBEDDED_WRITER";
const INTRUDER: &str = "SIGNET_TEST_EMBEDDED_INTRUDER";
/// The user id of `nobody`.
const NOBODY: u32 = 65534;

#[test]
fn starts_on_an_empty_directory() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let db = start(&data);
    let mut conn = connect(&db);
    let version = number(&mut conn, "SELECT current_setting('server_version_num')::bigint AS n");
    assert!((170_000..180_000).contains(&version), "{version}");
    assert_eq!(
        number(&mut conn, "SELECT (current_database() = 'postgres' AND current_user = 'postgres')::int::bigint AS n"),
        1
    );
    assert_eq!(
        number(
            &mut conn,
            "SELECT count(*) AS n FROM pg_settings WHERE (name, setting) IN (('fsync', 'off'), ('synchronous_commit', 'on'), ('full_page_writes', 'on'), ('shared_buffers', '2048'))"
        ),
        4
    );
    for part in ["", "run", "run/pg", "postgresql"] {
        let mode = fs::metadata(data.join(part)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o700, "{part}");
    }
    drop(conn);
    db.shutdown().unwrap();
    assert!(!data.join("run/pg/.s.PGSQL.5432").exists(), "the socket is removed");
}

#[test]
fn a_second_start_on_the_same_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let db = start(dir.path());
    let refused = EmbeddedDatabase::start(dir.path(), &|_| {}).unwrap_err();
    assert!(matches!(refused, EmbeddedError::DataDir(DataDirError::Locked { .. })), "{refused}");
    let line = refused.to_string();
    assert!(line.contains(&*dir.path().to_string_lossy()) && !line.contains('\n'), "{line}");
    assert_eq!(number(&mut connect(&db), "SELECT 1::bigint AS n"), 1, "the first is not disturbed");
}

#[test]
fn a_data_directory_whose_path_is_too_long_for_a_socket_works() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("d".repeat(120));
    let db = start(&data);
    assert_eq!(number(&mut connect(&db), "SELECT 1::bigint AS n"), 1);
    let elsewhere = socket(&db).parent().unwrap().to_owned();
    assert!(!elsewhere.starts_with(&data));
    assert_eq!(fs::metadata(&elsewhere).unwrap().mode() & 0o777, 0o700);
    db.shutdown().unwrap();
    fs::remove_dir(elsewhere).unwrap();
}

/// The durability that is told is the one of the files: of the WAL and of what PostgreSQL makes later.
#[cfg(target_os = "linux")]
#[test]
fn the_synchronous_flag_is_on_every_file_when_durability_says_so() {
    use rustix::fs::{IFlags, ioctl_getflags};

    let dir = TempDir::new().unwrap();
    let db = start(dir.path());
    let mut conn = connect(&db);
    run(&mut conn, "CREATE TABLE later (id bigint PRIMARY KEY)");
    run(&mut conn, "SELECT pg_switch_wal()");
    run(&mut conn, "INSERT INTO later VALUES (1)");
    let base = dir.path().join("postgresql/tmp/pglite/base");
    let mut files = vec![base.join("global/pg_control"), base.join("pg_xact/0000")];
    files.extend(fs::read_dir(base.join("pg_wal")).unwrap().map(|entry| entry.unwrap().path()));
    let node = number(&mut conn, "SELECT relfilenode::bigint AS n FROM pg_class WHERE relname = 'later'");
    let database = number(&mut conn, "SELECT oid::bigint AS n FROM pg_database WHERE datname = 'postgres'");
    files.push(base.join(format!("base/{database}/{node}")));
    let all = files
        .iter()
        .filter(|path| !path.is_dir())
        .all(|path| ioctl_getflags(File::open(path).unwrap()).is_ok_and(|flags| flags.contains(IFlags::SYNC)));
    assert_eq!(all, db.durability() == Durability::Synchronous, "{files:?}");
}

#[test]
fn another_local_user_can_neither_connect_nor_read_the_files() {
    if let Some(dir) = part(INTRUDER) {
        return intrude(&dir);
    }
    let dir = TempDir::new().unwrap();
    // Only Signet's own directory stands in the way.
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    let db = start(&data);
    for shut in [data.clone(), data.join("run"), data.join("run/pg"), data.join("postgresql")] {
        let found = fs::metadata(&shut).unwrap();
        assert_eq!(found.mode() & 0o777, 0o700, "{}", shut.display());
        assert_eq!(found.uid(), rustix::process::geteuid().as_raw());
    }
    if !rustix::process::geteuid().is_root() {
        // Only root can become somebody else; the modes above are then what can be seen.
        return;
    }
    let program = dir.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let name = "another_local_user_can_neither_connect_nor_read_the_files";
    let ours = copy_of(&program, name, INTRUDER, &data).output().unwrap();
    assert_eq!(
        told(&ours.stdout),
        ["connect ok", "control ok", "wal ok"],
        "the owner can, so the question is a good one"
    );
    let theirs = copy_of(&program, name, INTRUDER, &data).uid(NOBODY).gid(NOBODY).current_dir("/").output().unwrap();
    assert_eq!(told(&theirs.stdout), ["connect denied", "control denied", "wal denied"]);
    assert_eq!(number(&mut connect(&db), "SELECT 1::bigint AS n"), 1);
}

fn told(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    text.lines().filter_map(|line| line.strip_prefix("intruder: ")).map(str::to_owned).collect()
}

/// Tries the socket, PostgreSQL's control file and the WAL.
fn intrude(data: &Path) {
    fn tell(what: &str, outcome: std::io::Result<()>) {
        let word = match outcome {
            Ok(()) => "ok".to_owned(),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => "denied".to_owned(),
            Err(error) => error.to_string(),
        };
        println!("\nintruder: {what} {word}");
    }
    tell("connect", UnixStream::connect(data.join("run/pg/.s.PGSQL.5432")).map(drop));
    tell("control", fs::read(data.join("postgresql/tmp/pglite/base/global/pg_control")).map(drop));
    tell("wal", fs::read_dir(pg_wal(data)).map(drop));
}

#[test]
fn garbage_on_the_socket_costs_no_row_and_two_seconds_at_most() {
    let dir = TempDir::new().unwrap();
    let db = start(dir.path());
    let mut conn = connect(&db);
    run(&mut conn, "CREATE TABLE kept (id bigint PRIMARY KEY)");
    drop(conn);
    for round in 0..5 {
        let mut conn = connect(&db);
        run(&mut conn, &format!("INSERT INTO kept VALUES ({round})"));
        drop(conn);
        let mut hostile = UnixStream::connect(socket(&db)).unwrap();
        hostile.write_all(&[b'?', 0, 0, 0, 0, 0xff, 0xff]).unwrap();
        let mut rest = Vec::new();
        // The engine lets go of it: its thread has ended, or is about to.
        let _ = hostile.read_to_end(&mut rest);
        let (rows, took) = answer_after_fault(&db, "SELECT count(*) AS n FROM kept");
        println!("garbage {round}: answered again after {took:?}");
        assert_eq!(rows, round + 1);
        assert!(took < FAULT_LIMIT, "{took:?}");
    }
}

#[test]
fn garbage_behind_an_open_connection_does_not_disturb_it() {
    let dir = TempDir::new().unwrap();
    let db = start(dir.path());
    let mut conn = connect(&db);
    run(&mut conn, "CREATE TABLE kept (id bigint PRIMARY KEY)");
    let mut hostile = UnixStream::connect(socket(&db)).unwrap();
    hostile.write_all(b"\xff\xff\xff\xff\xff\xff\xff\xff").unwrap();
    run(&mut conn, "INSERT INTO kept VALUES (1)");
    drop(conn);
    drop(hostile);
    let (rows, took) = answer_after_fault(&db, "SELECT count(*) AS n FROM kept");
    assert_eq!(rows, 1);
    assert!(took < FAULT_LIMIT, "{took:?}");
}

#[test]
fn an_engine_trap_costs_no_row_and_two_seconds_at_most() {
    let dir = TempDir::new().unwrap();
    let db = start(dir.path());
    let mut conn = connect(&db);
    run(&mut conn, "CREATE TABLE kept (id bigint PRIMARY KEY)");
    for round in 0..3 {
        run(&mut conn, &format!("INSERT INTO kept VALUES ({round})"));
        let trapped = Instant::now();
        let broken = sql_query("SELECT repeat('[', 20000)::jsonb").execute(&mut conn);
        assert!(broken.is_err(), "the engine takes it now: this test needs another trap");
        let broke = trapped.elapsed();
        drop(conn);
        let (rows, took) = answer_after_fault(&db, "SELECT count(*) AS n FROM kept");
        println!("trap {round}: connection lost after {broke:?}, answered again after {took:?}");
        assert_eq!(rows, round + 1);
        assert!(broke + took < FAULT_LIMIT, "{broke:?} and {took:?}");
        conn = connect(&db);
    }
}

#[test]
fn ten_clean_restarts_keep_everything() {
    let dir = TempDir::new().unwrap();
    for round in 0..10 {
        let from = Instant::now();
        let db = start(dir.path());
        println!("start {round}: {:?}", from.elapsed());
        let mut conn = connect(&db);
        run(&mut conn, "CREATE TABLE IF NOT EXISTS kept (id bigint PRIMARY KEY)");
        run(&mut conn, &format!("INSERT INTO kept VALUES ({round})"));
        assert_eq!(ids(&mut conn), (0..=round).collect());
        EmbeddedDatabase::checkpoint(&mut conn).unwrap();
        drop(conn);
        db.shutdown().unwrap();
    }
}

#[test]
fn ten_kills_lose_no_acknowledged_row() {
    if let Some(dir) = part(WRITER) {
        return write_until_killed(&dir);
    }
    let dir = TempDir::new().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..10 {
        let mut writer =
            copy_of(&std::env::current_exe().unwrap(), "ten_kills_lose_no_acknowledged_row", WRITER, dir.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut next = || lines.next().and_then(Result::ok);
        let mut seen = 0;
        // Each round stops elsewhere, the first ones soon after the tables were made.
        while seen < 1 + round * 97 {
            let line = next().expect("the writer goes on until it is killed");
            if let Some(id) = line.strip_prefix("acknowledged ") {
                acknowledged.insert(id.parse::<i64>().unwrap());
                seen += 1;
            }
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        // What it had said before it died counts too.
        while let Some(line) = next() {
            if let Some(id) = line.strip_prefix("acknowledged ").and_then(|id| id.parse().ok()) {
                acknowledged.insert(id);
            }
        }
    }
    let db = start(dir.path());
    let mut conn = connect(&db);
    let found = ids(&mut conn);
    println!("{} acknowledged, {} found", acknowledged.len(), found.len());
    assert!(acknowledged.len() > 4000, "{}", acknowledged.len());
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
    // Every index entry and every page can be read.
    assert_eq!(
        number(&mut conn, "SELECT count(*) AS n FROM kept k JOIN kept_detail d USING (id)"),
        i64::try_from(found.len()).unwrap()
    );
}

/// Adds rows in transactions over two tables, with a checkpoint now and then, and tells each commit.
fn write_until_killed(dir: &Path) {
    let db = start(dir);
    let mut conn = connect(&db);
    run(&mut conn, "CREATE TABLE IF NOT EXISTS kept (id bigint PRIMARY KEY, filler text)");
    run(&mut conn, "CREATE TABLE IF NOT EXISTS kept_detail (id bigint PRIMARY KEY REFERENCES kept, at timestamptz)");
    let from = number(&mut conn, "SELECT coalesce(max(id), 0) AS n FROM kept");
    for id in from + 1.. {
        conn.transaction(|conn| {
            sql_query(format!("INSERT INTO kept VALUES ({id}, repeat('x', 300))")).execute(conn)?;
            sql_query(format!("INSERT INTO kept_detail VALUES ({id}, now())")).execute(conn)
        })
        .unwrap();
        // On a line of its own, whatever the test harness has written.
        println!("\nacknowledged {id}");
        if id % 50 == 0 {
            EmbeddedDatabase::checkpoint(&mut conn).unwrap();
        }
    }
}

/// Maintenance keeps far less than 1 GB: 128 MiB since the last checkpoint and what is kept for reuse.
/// The updates write more than that. About 25 s on a machine with nothing else to do.
#[test]
fn a_million_updates_leave_less_than_a_gigabyte_of_wal() {
    let dir = TempDir::new().unwrap();
    let db = start(dir.path());
    let mut conn = connect(&db);
    run(
        &mut conn,
        "CREATE TABLE counter (id bigint PRIMARY KEY, n bigint NOT NULL, filler text NOT NULL) WITH (fillfactor = 50)",
    );
    run(&mut conn, "INSERT INTO counter SELECT i, 0, repeat('a', 300) FROM generate_series(1, 5000) i");
    let from = Instant::now();
    let (mut highest, mut checkpoints, mut vacuums) = (0, 0, 0);
    let mut longest = Duration::ZERO;
    for round in 0..200 {
        run(&mut conn, "UPDATE counter SET n = n + 1, filler = repeat(chr(98 + (n % 20)::int), 300)");
        highest = highest.max(wal_on_disk(dir.path()));
        if round % 4 == 0 {
            let step = Instant::now();
            // Every ten seconds, by the clock it is given.
            match db.maintain(&mut conn, from + Duration::from_secs(10) * round).unwrap() {
                Some(Maintenance::Checkpointed { .. }) => checkpoints += 1,
                Some(Maintenance::Vacuumed { .. }) => vacuums += 1,
                None => {}
            }
            longest = longest.max(step.elapsed());
        }
    }
    let written = number(&mut conn, "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint AS n");
    println!(
        "1,000,000 updates in {:?}: {written} bytes of WAL, at most {highest} on disk, {checkpoints} checkpoints, {vacuums} vacuums, longest step {longest:?}",
        from.elapsed()
    );
    assert_eq!(number(&mut conn, "SELECT sum(n)::bigint AS n FROM counter"), 1_000_000);
    assert!(written > 384 << 20, "too little to tell: {written}");
    assert!(highest < 256 << 20, "{highest}");
    assert!(vacuums > 0, "dead rows call for a vacuum");
}

#[test]
fn a_checkpoint_follows_after_five_minutes_unless_nothing_was_written() {
    let dir = TempDir::new().unwrap();
    let db = start(dir.path());
    let mut conn = connect(&db);
    run(&mut conn, "CREATE TABLE kept (id bigint PRIMARY KEY)");
    let started = Instant::now();
    let mut at = |minutes| {
        let now = started + Duration::from_mins(minutes);
        db.maintain(&mut conn, now).unwrap()
    };
    assert!(!matches!(at(1), Some(Maintenance::Checkpointed { .. })));
    assert!(matches!(at(6), Some(Maintenance::Checkpointed { wal_bytes }) if wal_bytes > 0));
    assert!(!matches!(at(12), Some(Maintenance::Checkpointed { .. })));
}

/// The engine ends with its connection: a stop does not wait for ever, and the data is free afterwards.
#[test]
fn a_connection_left_open_delays_the_stop_by_ten_seconds_at_most() {
    let dir = TempDir::new().unwrap();
    let db = start(dir.path());
    let conn = connect(&db);
    let from = Instant::now();
    let refused = db.shutdown().unwrap_err();
    assert!(matches!(refused, EmbeddedError::StillConnected), "{refused}");
    assert!(from.elapsed() < Duration::from_secs(15));
    drop(conn);
    let from = Instant::now();
    let db = loop {
        match EmbeddedDatabase::start(dir.path(), &|_| {}) {
            Ok(db) => break db,
            Err(error) => assert!(from.elapsed() < Duration::from_secs(30), "{error}"),
        }
        std::thread::yield_now();
    };
    db.shutdown().unwrap();
}
