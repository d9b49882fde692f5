//! A client that resets its connection in the middle of its request.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{PgConnection, QueryableByName, RunQueryDsl as _, sql_query};
use reqwest::StatusCode;

use crate::support::html::Form;
use crate::support::jar::Jar;
use crate::support::prelude::*;

/// Requests of each kind.
const ROUNDS: usize = 50;
const SCOPE: &str = "openid profile email offline_access";

/// When the connection is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Half of the request was sent.
    Half,
    /// After so many other requests were answered meanwhile.
    After(usize),
    /// The server waits for a lock within its transaction.
    InTransaction,
}

fn point(round: usize) -> Point {
    match round % 6 {
        0 => Point::InTransaction,
        1 => Point::Half,
        other => Point::After(other - 2),
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// An instance, a client of it, and its database.
struct World {
    signet: Signet,
    client: Client,
    user: User,
    browser: Browser,
}

impl World {
    async fn start(database: Database) -> Self {
        let signet = Signet::start(database).await;
        let client = signet.client(ClientSpec::confidential()).await;
        let user = signet.user("rita").await;
        let mut browser = Browser::new(&signet);
        let request = AuthRequest::new(&client).with("scope", SCOPE);
        flow::code(&signet, &mut browser, &request, &user).await;
        Self { signet, client, user, browser }
    }

    /// A code, by the session and consent of the start, and its verifier.
    async fn code(&mut self) -> (String, String) {
        let request = AuthRequest::new(&self.client).with("scope", SCOPE);
        let code = flow::code(&self.signet, &mut self.browser, &request, &self.user).await;
        (code, request.verifier)
    }

    fn exchange(&self, code: &str, verifier: &str) -> Vec<u8> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.client.redirect_uri),
            ("code_verifier", verifier),
        ];
        let secret = self.client.secret.as_deref().expect("a confidential client");
        let credentials = STANDARD.encode(format!("{}:{secret}", self.client.id));
        self.post("/oauth/token", &format!("Authorization: Basic {credentials}\r\n"), &fields)
    }

    fn form(&self, form: &Form, jar: &Jar) -> Vec<u8> {
        let cookies = jar.header(form.action.path()).unwrap_or_default();
        let headers = format!("Cookie: {cookies}\r\nOrigin: {}\r\n", self.signet.issuer());
        self.post(form.action.path(), &headers, &form.fields)
    }

    fn post<K: AsRef<str>, V: AsRef<str>>(&self, path: &str, headers: &str, fields: &[(K, V)]) -> Vec<u8> {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            body.append_pair(name.as_ref(), value.as_ref());
        }
        let (body, port) = (body.finish(), self.signet.port());
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Sends the request and resets its connection at that point. `lock` makes the request's transaction wait.
    async fn send_and_reset(&self, request: &[u8], point: Point, lock: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.signet.port())).expect("a connection");
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("SO_LINGER");
        match point {
            Point::Half => {
                stream.write_all(&request[..request.len() - 20]).expect("half of the request");
                self.trips(2).await;
            }
            Point::After(trips) => {
                stream.write_all(request).expect("the request");
                self.trips(trips).await;
            }
            Point::InTransaction => {
                let mut holder = self.signet.database();
                holder.batch_execute("BEGIN").expect("a transaction");
                assert!(sql_query(lock).execute(&mut holder).expect("a lock") > 0, "nothing to lock: {lock}");
                stream.write_all(request).expect("the request");
                let waiting =
                    "SELECT count(*) AS n FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))";
                eventually(PATIENCE, "the request waits for the lock", async || {
                    (number(&mut holder, waiting) > 0).then_some(())
                })
                .await;
                drop(stream);
                self.trips(5).await;
                holder.batch_execute("ROLLBACK").expect("the end of the lock");
                return;
            }
        }
        drop(stream);
    }

    /// Other requests, answered one after the other.
    async fn trips(&self, count: usize) {
        for _ in 0..count {
            let request = self.signet.http().get(self.signet.url("/.well-known/openid-configuration"));
            assert_eq!(request.send().await.expect("an answer").status(), StatusCode::OK);
        }
    }
}

fn number(database: &mut PgConnection, sql: &str) -> i64 {
    sql_query(sql).get_result::<Number>(database).expect("a number").n
}

/// The row of the grant that a code stands for.
fn grant_of(code: &str) -> String {
    format!("FROM grants WHERE code_hash = sha256('{code}')")
}

/// T4: a reset token request spends its code once and completely, or not at all.
#[tokio::test]
async fn a_reset_exchange_spends_the_code_once() {
    let mut world = World::start(Database::Postgres).await;
    let mut database = world.signet.database();
    let mut spent_by_reset = 0;
    for round in 0..ROUNDS {
        let point = point(round);
        let (code, verifier) = world.code().await;
        let grant = grant_of(&code);
        let request = world.exchange(&code, &verifier);
        world.send_and_reset(&request, point, &format!("SELECT 1 {grant} FOR UPDATE")).await;
        if point == Point::InTransaction {
            eventually(PATIENCE, "the transaction commits without its client", async || {
                let spent = format!("SELECT count(code_spent_at) AS n {grant}");
                (number(&mut database, &spent) == 1).then_some(())
            })
            .await;
        }
        let answer = flow::exchange(&world.signet, &world.client, &code, &verifier).await;
        let good = answer.status() == StatusCode::OK;
        match point {
            Point::Half => assert!(good, "half a request spent the code"),
            Point::InTransaction => assert!(!good, "the code was good twice"),
            Point::After(_) => {}
        }
        if !good {
            assert_eq!(flow::refused(answer).await, (400, "invalid_grant".to_owned()));
            spent_by_reset += 1;
        }
        let of_grant = format!("(SELECT id {grant})");
        let tokens = format!("SELECT count(*) AS n FROM refresh_tokens WHERE grant_id = {of_grant}");
        let redeemed = format!(
            "SELECT count(*) AS n FROM audit WHERE event = 'code.redeemed' AND result = 'success' AND grant_id = {of_grant}"
        );
        assert_eq!(number(&mut database, &tokens), 1, "{point:?}: one refresh token");
        assert_eq!(number(&mut database, &redeemed), 1, "{point:?}: one redemption in the log");
    }
    println!("{spent_by_reset} of {ROUNDS} codes were spent by a request whose client was gone");
    assert!(spent_by_reset >= ROUNDS / 6, "{spent_by_reset}");
}

/// T4, R-06: a code replayed by a request that is reset revokes its grant, and this node refuses the access token.
#[tokio::test]
async fn a_reset_replay_revokes_the_grant_on_postgresql() {
    let mut world = World::start(Database::Postgres).await;
    let mut database = world.signet.database();
    let mut revoked_by_reset = 0;
    for round in 0..ROUNDS / 2 {
        let point = point(round);
        let (code, verifier) = world.code().await;
        let tokens = flow::granted(flow::exchange(&world.signet, &world.client, &code, &verifier).await).await;
        let access = flow::member(&tokens, "access_token").to_owned();
        let grant = grant_of(&code);
        let request = world.exchange(&code, &verifier);
        world.send_and_reset(&request, point, &format!("SELECT 1 {grant} FOR UPDATE")).await;
        let revoked = format!("SELECT count(revoked_at) AS n {grant}");
        if point == Point::InTransaction {
            eventually(PATIENCE, "the transaction commits without its client", async || {
                (number(&mut database, &revoked) == 1).then_some(())
            })
            .await;
        }
        if number(&mut database, &revoked) == 1 {
            assert_ne!(point, Point::Half);
            revoked_by_reset += 1;
            eventually(PATIENCE, "the access token is refused", async || {
                let status = flow::userinfo(&world.signet, &access).await.status();
                (status == StatusCode::UNAUTHORIZED).then_some(())
            })
            .await;
        }
    }
    println!("{revoked_by_reset} of {} replays revoked although their client was gone", ROUNDS / 2);
    assert!(revoked_by_reset >= ROUNDS / 12, "{revoked_by_reset}");
}

/// T4, R-06: the same on the embedded database, where nothing but the request itself can tell this node: as soon as
/// the grant is seen revoked, its access token is refused.
#[tokio::test]
async fn a_reset_replay_is_effective_at_once() {
    let mut world = World::start(Database::Embedded).await;
    let mut revoked_by_reset = 0;
    for round in 0..ROUNDS {
        let (code, verifier) = world.code().await;
        let tokens = flow::granted(flow::exchange(&world.signet, &world.client, &code, &verifier).await).await;
        let access = flow::member(&tokens, "access_token").to_owned();
        let mut refresh = flow::member(&tokens, "refresh_token").to_owned();
        let request = world.exchange(&code, &verifier);
        world.send_and_reset(&request, Point::After(round % 4), "").await;
        // The request may have been thrown away with its connection before it was read; then nothing is revoked.
        for _ in 0..3 {
            let answer = flow::refresh(&world.signet, &world.client, &refresh).await;
            if answer.status() == StatusCode::OK {
                refresh = flow::member(&flow::granted(answer).await, "refresh_token").to_owned();
                continue;
            }
            assert_eq!(flow::refused(answer).await, (400, "invalid_grant".to_owned()));
            let status = flow::userinfo(&world.signet, &access).await.status();
            assert_eq!(status, StatusCode::UNAUTHORIZED, "the grant is revoked and its access token good");
            revoked_by_reset += 1;
            break;
        }
    }
    println!("{revoked_by_reset} of {ROUNDS} replays revoked although their client was gone");
    assert!(revoked_by_reset >= ROUNDS / 10, "{revoked_by_reset}");
}

/// A16: a reset consent is remembered together with its code and its spent interaction, or not at all.
#[tokio::test]
async fn a_reset_consent_is_complete_or_nothing() {
    let mut world = World::start(Database::Postgres).await;
    let mut database = world.signet.database();
    let mut given_by_reset = 0;
    for round in 0..ROUNDS {
        let point = point(round);
        let client = world.signet.client(ClientSpec::confidential()).await;
        let request = AuthRequest::new(&client).with("scope", SCOPE);
        let page = world.browser.get(request.url(&world.signet)).await.page();
        let form = page.form(&["decision"]).expect("a consent form").with(&[("decision", "allow")]);
        let bytes = world.form(&form, &world.browser.jar);
        let of_client = format!("(SELECT id FROM clients WHERE client_id = '{}')", client.id);
        world.send_and_reset(&bytes, point, &format!("SELECT 1 FROM clients WHERE id = {of_client} FOR UPDATE")).await;
        let mut count = |table: &str| {
            number(&mut database, &format!("SELECT count(*) AS n FROM {table} WHERE client_key = {of_client}"))
        };
        if point == Point::InTransaction {
            eventually(PATIENCE, "the consent commits without its client", async || {
                (count("consents") == 1).then_some(())
            })
            .await;
        }
        // The page once more: whoever comes second is told that it is done.
        let landing = world.browser.send(form).await;
        let first = match &landing {
            Landing::Left(callback) => flow::parameter(callback, "code").is_some(),
            Landing::Page(page) => {
                assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.body);
                false
            }
        };
        assert_ne!((point, first), (Point::Half, false), "half a request consented");
        assert_ne!((point, first), (Point::InTransaction, true), "one interaction gave two codes");
        given_by_reset += usize::from(!first);
        assert_eq!((count("consents"), count("grants")), (1, 1), "{point:?}: one consent and one code");
    }
    println!("{given_by_reset} of {ROUNDS} consents were given by a request whose client was gone");
    assert!(given_by_reset >= ROUNDS / 6, "{given_by_reset}");
}

/// a reset sign-in starts a session with its row in the log, or nothing, and the next one is answered.
#[tokio::test]
async fn a_reset_sign_in_is_complete_or_nothing() {
    let world = World::start(Database::Postgres).await;
    let mut database = world.signet.database();
    let of_user = format!("(SELECT id FROM users WHERE username = '{}')", world.user.username);
    let sessions = format!("SELECT count(*) AS n FROM sessions WHERE user_id = {of_user}");
    let logged =
        format!("SELECT count(*) AS n FROM audit WHERE event = 'sign_in.succeeded' AND subject_user = {of_user}");
    let lock = format!("SELECT 1 FROM users WHERE id = {of_user} FOR UPDATE");
    let mut before = number(&mut database, &sessions);
    let mut started_by_reset = 0;
    for round in 0..ROUNDS {
        let point = point(round);
        let mut browser = Browser::new(&world.signet);
        let page = browser.get("/signin").await.page();
        let fields = [("username", &*world.user.username), ("password", &*world.user.password)];
        let form = page.form(&["username", "password"]).expect("a sign-in form").with(&fields);
        world.send_and_reset(&world.form(&form, &browser.jar), point, &lock).await;
        if point == Point::InTransaction {
            eventually(PATIENCE, "the session is committed without its client", async || {
                (number(&mut database, &sessions) > before).then_some(())
            })
            .await;
        }
        let now = number(&mut database, &sessions);
        started_by_reset += now - before;
        before = now;
    }
    let request = AuthRequest::new(&world.client).with("scope", SCOPE);
    flow::code(&world.signet, &mut Browser::new(&world.signet), &request, &world.user).await;
    let difference = format!("SELECT ({sessions}) - ({logged}) AS n");
    assert_eq!(number(&mut database, &difference), 0, "each session has its row in the log");
    println!("{started_by_reset} of {ROUNDS} sessions were started by a request whose client was gone");
}
