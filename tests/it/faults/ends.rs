//! Signet ends in the middle of traffic, by force or in order, and starts again on its data.

use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use diesel::sql_types::BigInt;
use diesel::{PgConnection, QueryableByName, RunQueryDsl as _, sql_query};
use rustix::process::{Pid, Signal, kill_process};

use super::agent::Target;
use super::ledger::{Person, check_all, replay_all};
use super::traffic::Traffic;
use crate::support::prelude::*;

/// How Signet ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// SIGKILL.
    Kill,
    /// SIGTERM, and exit status 0.
    Terminate,
}

/// R-65, T4, R-07: ten kills in the middle of traffic on PostgreSQL lose nothing acknowledged and redeem no code twice.
#[tokio::test]
async fn ten_kills_on_postgresql_lose_nothing_acknowledged() {
    let (signet, people) = ten_times(Database::Postgres, End::Kill).await;
    assert!(people.len() > 10, "{} people only", people.len());
    assert_one_redemption_a_code(&mut signet.database());
}

/// R-65, T4, R-07: the same on the embedded database.
#[tokio::test]
async fn ten_kills_on_the_embedded_database_lose_nothing_acknowledged() {
    let (_signet, people) = ten_times(Database::Embedded, End::Kill).await;
    assert!(people.len() > 10, "{} people only", people.len());
}

/// R-65: ten clean restarts in the middle of traffic on the embedded database: exit status 0, data intact.
#[tokio::test]
async fn ten_clean_restarts_on_the_embedded_database_keep_everything() {
    let (_signet, people) = ten_times(Database::Embedded, End::Terminate).await;
    assert!(people.len() > 10, "{} people only", people.len());
}

async fn ten_times(database: Database, end: End) -> (Signet, Vec<Person>) {
    let mut signet = Signet::start(database).await;
    let client = signet.client(ClientSpec::confidential()).await;
    let issuer = signet.issuer().to_owned();
    let (mut people, mut in_flight) = (Vec::new(), 0);
    let (mut ending, mut starting) = (Duration::ZERO, Duration::ZERO);
    let begun = Instant::now();
    for round in 0..10 {
        let traffic = Traffic::start(&signet, &client);
        // Each round ends elsewhere on the way.
        traffic.acknowledged(5 + 8 * round).await;
        let from = Instant::now();
        match end {
            End::Kill => signet.kill9(),
            End::Terminate => {
                let status = signet.terminate().await;
                assert_eq!(status.code(), Some(0), "{}", signet.output());
            }
        }
        ending = ending.max(from.elapsed());
        let progress = traffic.target.progress.clone();
        let mut crowd = traffic.finish().await;
        in_flight += progress.gone.load(Ordering::Relaxed);
        let from = Instant::now();
        signet.restart().await;
        starting = starting.max(from.elapsed());
        assert_eq!(signet.issuer(), issuer, "the port is the same");

        let target = Target::new(&signet, &client);
        check_all(&mut crowd, &target).await;
        // One code each now; the others stay good over the ends to come.
        replay_all(&mut crowd, &target, 1).await;
        people.append(&mut crowd);
    }
    let target = Target::new(&signet, &client);
    check_all(&mut people, &target).await;
    replay_all(&mut people, &target, 9).await;
    assert!(in_flight >= 10, "{in_flight} requests were under way when it ended");
    println!(
        "{end:?}: {} people, {in_flight} requests cut off, longest end {ending:?}, longest start {starting:?}, {:?} in all",
        people.len(),
        begun.elapsed()
    );
    (signet, people)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// T4: in the audit log no grant has its code redeemed twice.
pub fn assert_one_redemption_a_code(database: &mut PgConnection) {
    let mut number = |sql: &str| sql_query(sql).get_result::<Number>(database).expect("a number").n;
    let redeemed = "SELECT grant_id FROM audit WHERE event = 'code.redeemed' AND result = 'success'";
    assert!(number(&format!("SELECT count(*) AS n FROM ({redeemed}) r")) > 10);
    let twice = format!("SELECT count(*) AS n FROM ({redeemed} GROUP BY grant_id HAVING count(*) > 1) r");
    assert_eq!(number(&twice), 0, "a code was redeemed twice");
}

/// R-65: a stop is heard while the database keeps the start waiting.
#[tokio::test]
async fn a_stop_while_starting_is_heard() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("its address").port();
    let signet = Signet::prepare(Database::At(format!("postgres://nobody@127.0.0.1:{port}/none?sslmode=disable")), &[]);
    let mut program = signet.command(&["serve"]).stderr(Stdio::piped()).spawn().expect("the program");
    // It asks for the database, and gets no answer.
    let asked = tokio::task::spawn_blocking(move || silent.accept()).await.expect("the end of waiting");
    let pid = i32::try_from(program.id()).ok().and_then(Pid::from_raw).expect("its id");
    kill_process(pid, Signal::TERM).expect("the signal");
    let ended = eventually(PATIENCE, "the program ends", async || program.try_wait().expect("its state")).await;
    drop(asked);
    let mut said = String::new();
    program.stderr.take().expect("its messages").read_to_string(&mut said).expect("text");
    assert!(ended.success() && said.contains("Stopped while starting."), "{ended}: {said}");
}

/// R-65: where what it says cannot be written, it serves, and stops in order.
#[tokio::test]
async fn a_full_disk_for_its_output_ends_nothing() {
    let signet = Signet::prepare(Database::Postgres, &[]);
    let full = || File::options().write(true).open("/dev/full").expect("/dev/full");
    let mut program = signet.command(&["serve"]).stdout(full()).stderr(full()).spawn().expect("the program");
    let discovery = signet.url("/.well-known/openid-configuration");
    eventually(PATIENCE, "discovery answers", async || {
        assert_eq!(program.try_wait().expect("its state"), None, "it ended");
        signet.http().get(&discovery).send().await.ok().filter(|answer| answer.status().is_success())
    })
    .await;
    let pid = i32::try_from(program.id()).ok().and_then(Pid::from_raw).expect("its id");
    kill_process(pid, Signal::TERM).expect("the signal");
    let ended = eventually(PATIENCE, "the program ends", async || program.try_wait().expect("its state")).await;
    assert!(ended.success(), "{ended}");
}
