//! A database that does not answer: locked, slow, frozen, restarted in order.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use reqwest::{Response, StatusCode};

use super::agent::Target;
use super::ledger::check_all;
use super::traffic::Traffic;
use crate::scene::header;
use crate::support::prelude::*;

/// What a request may take at most while the database hangs, on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(25);

/// An instance with a person, a client of its own, and the sign-in page.
struct World {
    signet: Signet,
    service: Client,
    app: Client,
    ada: User,
}

impl World {
    async fn start(database: Database, environment: &[(&str, &str)]) -> Self {
        let signet = Signet::start_with(database, environment).await;
        let spec = ClientSpec { grant_types: vec!["client_credentials".to_owned()], ..ClientSpec::confidential() };
        let service = signet.client(ClientSpec { redirect_uris: Vec::new(), ..spec }).await;
        let app = signet.client(ClientSpec::confidential()).await;
        let ada = signet.user("ada").await;
        Self { signet, service, app, ada }
    }

    /// Posts the sign-in form.
    async fn sign_in(&self) -> Page {
        let mut browser = Browser::new(&self.signet);
        let page = browser.get("/signin").await.page();
        flow::sign_in(&mut browser, &page, &self.ada).await.page()
    }

    async fn token(&self) -> Response {
        flow::token(&self.signet, &self.service, &[("grant_type", "client_credentials")]).await
    }

    /// Tries a code that never was: that takes a look into the database.
    async fn exchange(&self) -> Response {
        flow::exchange(&self.signet, &self.app, "never-was", &flow::random()).await
    }

    async fn discovery(&self) -> StatusCode {
        let url = self.signet.url("/.well-known/openid-configuration");
        self.signet.http().get(url).send().await.expect("an answer").status()
    }
}

/// 503 with `Retry-After`, as a page.
fn assert_busy(page: &Page) {
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.body);
    assert!(page.headers.contains_key("retry-after") && page.body.contains("<h1"), "{page:?}");
}

/// a table that somebody locks costs 503 to who needs it, within the limit; tokens go on meanwhile, and it
/// passes by itself.
#[tokio::test]
async fn a_lock_holds_up_only_who_needs_it() {
    let world = World::start(Database::Postgres, &[]).await;
    assert_eq!(world.token().await.status(), StatusCode::OK);
    let mut database = world.signet.database();
    database.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").expect("a lock");
    let begun = Instant::now();
    let (page, ()) = tokio::join!(world.sign_in(), async {
        for _ in 0..5 {
            assert_eq!(world.token().await.status(), StatusCode::OK, "tokens do not need that table");
            assert_eq!(world.discovery().await, StatusCode::OK);
        }
    });
    assert_busy(&page);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    database.batch_execute("ROLLBACK").expect("the end of the lock");
    assert_eq!(world.sign_in().await.status, StatusCode::OK);
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Makes every new session take two minutes.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                    $$ BEGIN PERFORM pg_sleep(120); RETURN NEW; END $$; \
                    CREATE TRIGGER slow BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION slow()";

/// statements that take too long, more of them than there are connections, are ended on the server, so that they
/// hold no connection and with it the node: they answer 503, and so at worst does whoever comes meanwhile; once they are
/// ended others are served, although the cause is still there.
#[tokio::test]
async fn a_slow_statement_is_ended() {
    let limits = [("SIGNET_DATABASE__STATEMENT_TIMEOUT", "1s"), ("SIGNET_DATABASE__POOL_SIZE", "8")];
    let world = World::start(Database::Postgres, &limits).await;
    assert_eq!(world.exchange().await.status(), StatusCode::BAD_REQUEST);
    let mut database = world.signet.database();
    database.batch_execute(SLOW).expect("a trigger");
    let begun = Instant::now();
    let mut meanwhile = (0, 0);
    let others = async {
        loop {
            let from = Instant::now();
            match world.exchange().await.status() {
                StatusCode::BAD_REQUEST => meanwhile.0 += 1,
                StatusCode::SERVICE_UNAVAILABLE => meanwhile.1 += 1,
                other => panic!("a code is answered {other}"),
            }
            assert!(from.elapsed() < BOUND, "{:?}", from.elapsed());
        }
    };
    let pages = tokio::select! {
        pages = futures_util::future::join_all((0..16).map(|_| world.sign_in())) => pages,
        () = others => unreachable!("they go on"),
    };
    pages.iter().for_each(assert_busy);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    println!(
        "16 slow ones ended after {:?}; meanwhile {} answers and {} of 503",
        begun.elapsed(),
        meanwhile.0,
        meanwhile.1
    );
    assert!(meanwhile.0 + meanwhile.1 > 0, "others came meanwhile");
    let served = async || (world.exchange().await.status() == StatusCode::BAD_REQUEST).then_some(());
    eventually(BOUND, "others are served while the cause is there", served).await;
    assert_busy(&world.sign_in().await);
    let sleeping = sql_query(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%\"sessions\"%'",
    );
    assert_eq!(sleeping.get_result::<Number>(&mut database).expect("a number").n, 0, "none goes on in the server");
    database.batch_execute("DROP TRIGGER slow ON sessions").expect("no trigger");
    assert_eq!(world.sign_in().await.status, StatusCode::OK);
}

/// a handler that takes longer than its limit answers 503, with the headers of every answer.
#[tokio::test]
async fn a_request_has_a_limit() {
    let limits = [("SIGNET_DATABASE__STATEMENT_TIMEOUT", "60s"), ("SIGNET_HTTP__REQUEST_TIMEOUT", "1s")];
    let world = World::start(Database::Postgres, &limits).await;
    world.signet.database().batch_execute(SLOW).expect("a trigger");
    let begun = Instant::now();
    let page = world.sign_in().await;
    assert_busy(&page);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    for name in ["content-security-policy", "x-content-type-options", "x-request-id"] {
        assert!(page.headers.contains_key(name), "{name}: {page:?}");
    }
}

/// while PostgreSQL is frozen every request that needs it answers 503 within the limit, the others go on;
/// when it thaws everything is as before.
#[tokio::test]
async fn a_frozen_postgresql_costs_503_within_the_limit() {
    let postgres = PrivatePostgres::start().await;
    let limit = [("SIGNET_DATABASE__STATEMENT_TIMEOUT", "1s")];
    let world = World::start(Database::At(postgres.url()), &limit).await;
    // Both clients are known from here on.
    assert_eq!(world.exchange().await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(world.token().await.status(), StatusCode::OK);
    postgres.freeze();
    for round in 0..2 {
        let begun = Instant::now();
        let codes = futures_util::future::join_all((0..12).map(|_| world.exchange()));
        let (page, codes, token) = tokio::join!(world.sign_in(), codes, world.token());
        assert_busy(&page);
        for answer in codes {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(!header(&answer, "retry-after").is_empty(), "{answer:?}");
        }
        assert_eq!(token.status(), StatusCode::OK, "a service's token takes no statement");
        assert_eq!(world.discovery().await, StatusCode::OK);
        println!("frozen, round {round}: 503 within {:?}", begun.elapsed());
        assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    }
    postgres.thaw();
    let begun = Instant::now();
    let refused = async || (world.exchange().await.status() == StatusCode::BAD_REQUEST).then_some(());
    eventually(PATIENCE, "codes again", refused).await;
    eventually(PATIENCE, "sign-in again", async || world.sign_in().await.status.is_success().then_some(())).await;
    println!("thawed: back after {:?}", begun.elapsed());
}

/// PostgreSQL that is restarted in order under traffic costs only 503s, and nothing acknowledged.
#[tokio::test]
async fn a_restarted_postgresql_costs_only_503() {
    let mut postgres = PrivatePostgres::start().await;
    let signet = Signet::start(Database::At(postgres.url())).await;
    let client = signet.client(ClientSpec::confidential()).await;
    let (mut people, mut unavailable) = (Vec::new(), 0);
    for round in 0..3 {
        let traffic = Traffic::start(&signet, &client);
        traffic.acknowledged(8 + 6 * round).await;
        let progress = traffic.target.progress.clone();
        postgres.shut_down().await;
        postgres.restart().await;
        let reached = progress.count() + 20;
        traffic.acknowledged(reached).await;
        people.append(&mut traffic.finish().await);
        assert_eq!(progress.gone.load(Ordering::Relaxed), 0, "every request was answered");
        println!("restart {round}: {} answers of 503", progress.unavailable.load(Ordering::Relaxed));
        unavailable += progress.unavailable.load(Ordering::Relaxed);
    }
    assert!(unavailable > 0, "somebody asked while it was away");
    check_all(&mut people, &Target::new(&signet, &client)).await;
}
