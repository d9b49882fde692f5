//! no password, token, code, key or cookie reaches a log, the audit tables, a metric or an error answer.
//!
//! One instance logs everything it can, every flow is driven through it with values that are remembered, and then
//! whatever it said is searched for them, in the forms they might have taken on the way.

mod flows;
mod hunt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use diesel::sql_types::{Bytea, Text};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use serde_json::Value;
use signet_storage::seal::{Purpose, Sealer};
use uuid::Uuid;

use crate::support::prelude::*;
use crate::support::redis;
use crate::support::services::{database_url, redis_url};
use crate::support::signet::ADMIN_PASSWORD;
use hunt::Hunt;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct StoredKey {
    #[diesel(sql_type = Text)]
    kid: String,
    #[diesel(sql_type = Bytea)]
    sealed: Vec<u8>,
}

/// A Redis user of one test, so that there is a password to look for.
struct RedisUser {
    name: String,
    password: String,
}

impl RedisUser {
    async fn create() -> Self {
        let user = Self { name: format!("u{}", Uuid::new_v4().simple()), password: flow::random() };
        let password = format!(">{}", user.password);
        let said = redis::command(&["ACL", "SETUSER", &user.name, "on", &password, "~*", "&*", "+@all"]).await;
        assert_eq!(said, "+OK");
        user
    }

    fn url(&self) -> String {
        redis_url().replacen("redis://", &format!("redis://{}:{}@", self.name, self.password), 1)
    }
}

/// Every row of every table as text, by table.
fn tables(signet: &Signet) -> Vec<(String, String)> {
    let mut database = signet.database();
    let names = "SELECT table_name::text AS text FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1";
    let names: Vec<Row> = sql_query(names).load(&mut database).expect("the tables");
    let dump = |Row { text: name }: Row| {
        let rows = sql_query(format!("SELECT row_to_json(t)::text AS text FROM \"{name}\" t"));
        let rows: Vec<Row> = rows.load(&mut database).expect("the rows");
        (name, rows.into_iter().map(|row| row.text + "\n").collect())
    };
    names.into_iter().map(dump).collect()
}

/// The private members of every signing key.
fn private_members(signet: &Signet, secret_key: &[u8], hunt: &mut Hunt) {
    let sealer = Sealer::new(vec![secret_key.to_vec().into()]).expect("a key");
    let keys: Vec<StoredKey> =
        sql_query("SELECT kid, sealed FROM signing_keys").load(&mut signet.database()).expect("the keys");
    assert!(keys.len() >= 4);
    for key in keys {
        let opened = sealer.open(Purpose::SigningKey, key.kid.as_bytes(), &key.sealed).expect("it opens");
        let jwk: Value = serde_json::from_slice(&opened).expect("a JWK");
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            if let Some(value) = jwk[member].as_str() {
                hunt.keep(&format!("private member {member}"), value);
            }
        }
    }
}

/// see above.
#[tokio::test]
async fn no_secret_is_told() {
    let mut hunt = Hunt::default();
    let redis_user = RedisUser::create().await;
    hunt.keep("password of Redis", &redis_user.password);
    let secret_key = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    hunt.keep("secret key", &STANDARD.encode(&secret_key));
    hunt.keep("password of the administrator", ADMIN_PASSWORD);
    let database = url::Url::parse(&database_url()).expect("URL");
    hunt.keep("password of the database", database.password().expect("a password"));
    let redis_url = redis_user.url();
    let mut signet = Signet::prepare(
        Database::Postgres,
        &[
            // Everything, those included that are quiet by default.
            ("SIGNET_LOG__LEVEL", "trace,actix_http=trace,actix_server=trace"),
            ("SIGNET_LOG__FORMAT", "json"),
            ("REDIS_URL", &redis_url),
            ("SIGNET_SECRET_KEY", &STANDARD.encode(&secret_key)),
            ("SIGNET_REGISTRATION__CLIENTS", "token"),
        ],
    );
    signet.restart().await;
    private_members(&signet, &secret_key, &mut hunt);

    flows::drive(&signet, &mut hunt).await;
    private_members(&signet, &secret_key, &mut hunt);

    let metrics = signet.http().get(signet.url("/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    let arguments = std::fs::read(format!("/proc/{}/cmdline", signet.pid())).expect("its arguments");
    assert!(signet.terminate().await.success());
    let output = signet.output();
    // What is searched is there, or finding nothing would mean nothing.
    assert!(output.contains("signet::access") && output.contains("\"level\":\"DEBUG\""), "{output}");
    assert!(output.contains(flows::MARK_TRACE), "{output}");
    assert!(metrics.contains("signet_tokens_issued_total"), "{metrics}");
    let dumped = tables(&signet);
    let dump = |name: &str| dumped.iter().find(|(table, _)| table == name).map(|(_, rows)| rows.as_str());
    assert!(dump("audit_personal").is_some_and(|rows| rows.contains(flows::MARK_AGENT)), "{dumped:?}");
    assert!(dump("audit").is_some_and(|rows| rows.contains("sign_in.failed")), "{dumped:?}");

    hunt.search("the log", &output);
    hunt.search("the metrics", &metrics);
    hunt.search("the arguments", &String::from_utf8_lossy(&arguments));
    for (table, rows) in &dumped {
        hunt.search(&format!("table {table}"), rows);
    }
    redis::command(&["ACL", "DELUSER", &redis_user.name]).await;
    println!("{} secrets in {} forms, {} places", hunt.secrets(), hunt.forms(), hunt.places());
    assert!(hunt.secrets() > 150, "{}", hunt.secrets());
    hunt.end();
}

/// the same over https and HTTP/2: neither what is sent nor the key of the certificate is told.
#[tokio::test]
async fn no_secret_is_told_over_https() {
    let mut hunt = Hunt::default();
    hunt.keep("password of the administrator", ADMIN_PASSWORD);
    let level = [("SIGNET_LOG__LEVEL", "trace,h2=trace,rustls=trace,actix_http=trace"), ("SIGNET_LOG__FORMAT", "json")];
    let mut signet = Signet::start_tls(Database::Postgres, &level).await;
    let key = std::fs::read_to_string(signet.folder().join("tls/tls.key")).expect("the key");
    for line in key.lines().filter(|line| line.len() > 40) {
        hunt.keep("key of the certificate", line);
    }
    let answer = signet.http().get(signet.url("/signin")).send().await.expect("an answer");
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    flows::drive_https(&signet, &mut hunt).await;
    assert!(signet.terminate().await.success());
    let output = signet.output();
    assert!(output.contains("signet::access") && output.contains("\"level\":\"DEBUG\""), "{output}");
    hunt.search("the log", &output);
    for (table, rows) in &tables(&signet) {
        hunt.search(&format!("table {table}"), rows);
    }
    assert!(hunt.secrets() > 50, "{}", hunt.secrets());
    hunt.end();
}
