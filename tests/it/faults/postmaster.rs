//! PostgreSQL ends without warning and comes back.

use std::sync::atomic::Ordering;
use std::time::Instant;

use diesel::sql_types::Integer;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use rustix::process::{Pid, Signal, kill_process};

use super::agent::Target;
use super::ends::assert_one_redemption_a_code;
use super::ledger::{check_all, replay_all};
use super::traffic::Traffic;
use crate::support::prelude::*;

/// while PostgreSQL's postmaster is killed and away, answers are 503 and nothing else; once it is back Signet goes
/// on by itself, and nothing acknowledged is lost.
#[tokio::test]
async fn a_killed_postmaster_costs_503_and_nothing_acknowledged() {
    let mut postgres = PrivatePostgres::start().await;
    let signet = Signet::start(Database::At(postgres.url())).await;
    let client = signet.client(ClientSpec::confidential()).await;
    let pid = signet.pid();
    let mut people = Vec::new();
    for round in 0..3 {
        let traffic = Traffic::start(&signet, &client);
        traffic.acknowledged(10 + 7 * round).await;
        let progress = traffic.target.progress.clone();
        let before = progress.unavailable.load(Ordering::Relaxed);
        postgres.kill_postmaster();
        eventually(PATIENCE, "clients are told to wait", async || {
            (progress.unavailable.load(Ordering::Relaxed) >= before + 8).then_some(())
        })
        .await;
        postgres.restart().await;
        let from = Instant::now();
        let reached = progress.count() + 1;
        traffic.acknowledged(reached).await;
        println!(
            "outage {round}: {} answers of 503, first success {:?} after PostgreSQL's",
            progress.unavailable.load(Ordering::Relaxed),
            from.elapsed()
        );
        traffic.acknowledged(reached + 20).await;
        let mut crowd = traffic.finish().await;
        assert_eq!(progress.gone.load(Ordering::Relaxed), 0, "every request was answered");

        let target = Target::new(&signet, &client);
        check_all(&mut crowd, &target).await;
        replay_all(&mut crowd, &target, 1).await;
        people.append(&mut crowd);
    }
    let target = Target::new(&signet, &client);
    check_all(&mut people, &target).await;
    assert_eq!(signet.pid(), pid);
    assert_one_redemption_a_code(&mut signet.database());
}

#[derive(QueryableByName)]
struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

/// the same where one backend is killed, upon which PostgreSQL throws out everybody and recovers, and where
/// an operator ends every connection.
#[tokio::test]
async fn a_killed_backend_costs_503_and_nothing_acknowledged() {
    let postgres = PrivatePostgres::start().await;
    let signet = Signet::start(Database::At(postgres.url())).await;
    let client = signet.client(ClientSpec::confidential()).await;
    let mut people = Vec::new();
    for round in 0..6 {
        let traffic = Traffic::start(&signet, &client);
        traffic.acknowledged(6 + 5 * round).await;
        let progress = traffic.target.progress.clone();
        let mut database = signet.database();
        let others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        if round % 2 == 0 {
            let backend = format!("SELECT pid {others} ORDER BY state_change DESC LIMIT 1");
            let backend: Backend = sql_query(backend).get_result(&mut database).expect("a connection of Signet");
            let pid = Pid::from_raw(backend.pid).expect("process id");
            kill_process(pid, Signal::KILL).expect("kill the backend");
        } else {
            sql_query(format!("SELECT pg_terminate_backend(pid) {others}")).execute(&mut database).expect("an end");
        }
        let reached = progress.count() + 1;
        traffic.acknowledged(reached + 30).await;
        let mut crowd = traffic.finish().await;
        assert_eq!(progress.gone.load(Ordering::Relaxed), 0, "every request was answered");
        println!("round {round}: {} answers of 503", progress.unavailable.load(Ordering::Relaxed));

        let target = Target::new(&signet, &client);
        // A connection that broke unnoticed costs whoever takes it one 503.
        check_all(&mut crowd, &target).await;
        people.append(&mut crowd);
    }
    let target = Target::new(&signet, &client);
    check_all(&mut people, &target).await;
    assert_one_redemption_a_code(&mut signet.database());
}
