//! Migrations run up, down and up again, on PostgreSQL and on the embedded database.
//!
//! PostgreSQL is the one at `SIGNET_TEST_DATABASE_URL`, which `tests/run` sets; each test makes a schema of its own.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test, also in the helpers")]

use chrono::DateTime;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Text;
use diesel::{PgConnection, QueryableByName, RunQueryDsl as _, sql_query};
use signet_oidc::Turn;
use signet_storage::bootstrap::{Direction, complete, connect, migrate};
use signet_storage::seal::Sealer;
use zeroize::Zeroizing;

/// diesel's own table, which outlives a migration down.
const BOOK: &str = "__diesel_schema_migrations";

/// A row in every table, beside those that an installation starts with.
const ROWS: &str = "
    INSERT INTO clients (realm_id, client_id, name, source, auth_method, redirect_uris, post_logout_redirect_uris,
        grant_types, response_types, scopes, first_party, application_type, policy, created_at, updated_at)
    SELECT id, 'app', 'App', 'admin', 'none', '{}', '{}', '{}', '{}', '{}', false, 'web', '{}', now(), now() FROM realms;
    INSERT INTO resources (realm_id, identifier, name, scopes, created_at, updated_at)
    SELECT id, 'https://api.example', 'API', '[]', now(), now() FROM realms;
    INSERT INTO initial_access_tokens (realm_id, id, hash, note, uses_left, created_at, expires_at, created_by)
    SELECT id, gen_random_uuid(), sha256('t'), 'x', 1, now(), now(), 'x' FROM realms;
    INSERT INTO users (id, realm_id, subject, username, username_folded, email, email_folded, state, created_at, updated_at)
    SELECT gen_random_uuid(), id, 's', 'ada', 'ada', 'ada@people.test', 'ada@people.test', 'active', now(), now() FROM realms;
    INSERT INTO user_roles SELECT users.id, roles.id, now() FROM users, roles;
    INSERT INTO client_roles SELECT clients.id, roles.id, now() FROM clients, roles;
    INSERT INTO sign_in_links SELECT realm_id, sha256('l'), id, now(), now(), now() FROM users;
    INSERT INTO sessions (id, realm_id, handle_hash, user_id, state, auth_time, acr, amr, created_at, idle_expires_at, expires_at)
    SELECT gen_random_uuid(), realm_id, sha256('h'), id, 'full', now(), '1', '{}', now(), now(), now() FROM users;
    INSERT INTO session_clients SELECT sessions.id, clients.id, 's', 'sid', now() FROM sessions, clients;
    INSERT INTO deliveries (realm_id, kind, client_key, content, state, due_at, created_at)
    SELECT realm_id, 'x', id, '{}', 'waiting', now(), now() FROM clients;
    INSERT INTO consents (realm_id, user_id, client_key, scopes, created_at, updated_at)
    SELECT users.realm_id, users.id, clients.id, '{openid}', now(), now() FROM users, clients;
    INSERT INTO grants (id, realm_id, kind, client_key, user_id, subject, session_id, scopes, resources, redirect_uri,
        redirect_uri_sent, auth_time, acr, amr, offline, code_hash, ends_at, created_at)
    SELECT gen_random_uuid(), sessions.realm_id, 'authorization_code', clients.id, user_id, 's', sessions.id, '{openid}', '{}',
        'https://app.example/', true, now(), '1', '{}', false, sha256('c'), now(), now() FROM sessions, clients;
    INSERT INTO grants (id, realm_id, kind, parent_id, client_key, subject, scopes, resources, redirect_uri,
        redirect_uri_sent, auth_time, acr, amr, offline, ends_at, created_at)
    SELECT gen_random_uuid(), realm_id, kind, id, client_key, 's', '{}', '{}', '', false, now(), '1', '{}', false, now(), now() FROM grants;
    INSERT INTO refresh_tokens (realm_id, hash, grant_id, client_key, issued_at, expires_at)
    SELECT realm_id, sha256('r'), id, client_key, now(), now() FROM grants WHERE parent_id IS NULL;
    INSERT INTO interactions SELECT id, gen_random_uuid(), 'x', now() FROM realms;
    INSERT INTO spent SELECT id, 'interaction', '', sha256('i'), current_date FROM realms;
    INSERT INTO notices (realm_id, version, kind, key, created_at, expires_at) SELECT id, 1, 'x', 'y', now(), now() FROM realms;
    INSERT INTO audit (id, realm_id, at, event, result, actor_kind)
    SELECT gen_random_uuid(), id, now(), 'x', 'success', 'anonymous' FROM realms;
    INSERT INTO audit_personal (audit_id, salt) SELECT id, 'x' FROM audit ON CONFLICT DO NOTHING;
    INSERT INTO audit_anchors SELECT id, 1, 1, 'x', now(), 'x', 1, 'x', NULL FROM realms;
";

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn lines(conn: &mut PgConnection, sql: &str) -> Vec<String> {
    sql_query(sql).load::<Line>(conn).unwrap().into_iter().map(|row| row.line).collect()
}

/// Every relation of the schema: tables, partitions, indexes, sequences, views.
fn relations(conn: &mut PgConnection) -> Vec<String> {
    lines(
        conn,
        "SELECT concat_ws(' ', relkind, relname) AS line FROM pg_class WHERE relnamespace = current_schema()::regnamespace ORDER BY 1",
    )
}

/// Columns and constraints of the schema, and functions and types of our own.
fn details(conn: &mut PgConnection) -> Vec<String> {
    let mut all = lines(
        conn,
        "SELECT concat_ws(' ', table_name, ordinal_position, column_name, data_type, collation_name, is_nullable, \
         column_default, is_identity) AS line FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1",
    );
    all.extend(lines(
        conn,
        "SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS line FROM pg_constraint \
         WHERE connamespace = current_schema()::regnamespace ORDER BY 1",
    ));
    all.extend(others(conn));
    all
}

/// Functions, and types that belong to no table.
fn others(conn: &mut PgConnection) -> Vec<String> {
    lines(
        conn,
        "SELECT concat_ws(' ', 'function', proname) AS line FROM pg_proc WHERE pronamespace = current_schema()::regnamespace \
         UNION ALL SELECT concat_ws(' ', 'type', t.typname) FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid \
         WHERE t.typnamespace = current_schema()::regnamespace AND t.typelem = 0 AND (c.oid IS NULL OR c.relkind = 'c') ORDER BY 1",
    )
}

fn tables(conn: &mut PgConnection) -> Vec<String> {
    lines(conn, "SELECT tablename::text AS line FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
}

/// Up, down, up; then with a row in every table down and up again.
fn up_and_down(conn: &mut PgConnection) {
    let mut ran = migrate(conn, Direction::Up).unwrap();
    assert!(ran.len() >= 4, "{ran:?}");
    let (first, first_details) = (relations(conn), details(conn));
    assert!(tables(conn).len() > 15, "{first:?}");
    assert_eq!(migrate(conn, Direction::Up).unwrap(), Vec::<String>::new(), "nothing is left to do");

    let mut reverted = migrate(conn, Direction::Down).unwrap();
    ran.sort();
    reverted.sort();
    assert_eq!(reverted, ran);
    assert_empty(conn);

    migrate(conn, Direction::Up).unwrap();
    assert_eq!(relations(conn), first);
    assert_eq!(details(conn), first_details);

    let sealer = Sealer::new(vec![Zeroizing::new(vec![9; 32])]).unwrap();
    complete(conn, &sealer, &mut Turn::new(DateTime::UNIX_EPOCH, [7; 32])).unwrap();
    conn.batch_execute(ROWS).unwrap();
    for table in tables(conn) {
        let rows = lines(conn, &format!("SELECT count(*)::text AS line FROM {table}"));
        assert_ne!(rows, ["0"], "{table} has no row to be dropped with");
    }
    migrate(conn, Direction::Down).unwrap();
    assert_empty(conn);

    migrate(conn, Direction::Up).unwrap();
    assert_eq!(details(conn), first_details);
}

/// Nothing but diesel's own table is left.
fn assert_empty(conn: &mut PgConnection) {
    assert_eq!(tables(conn), [BOOK]);
    let left: Vec<_> = relations(conn).into_iter().filter(|line| !line.contains(BOOK)).collect();
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(others(conn), Vec::<String>::new());
}

/// migrations go up, down and up on PostgreSQL, with rows present too.
#[test]
fn up_down_up_on_postgresql() {
    let url = std::env::var("SIGNET_TEST_DATABASE_URL")
        .expect("SIGNET_TEST_DATABASE_URL is not set: run `tests/run [filter]`, which sets it");
    let schema = Schema::create(&url);
    up_and_down(&mut connect(&format!("{url}?options=-csearch_path%3D{}", schema.name)).unwrap());
}

/// the same on the embedded database.
#[cfg(feature = "embedded")]
#[test]
fn up_down_up_on_the_embedded_database() {
    let dir = tempfile::TempDir::new().unwrap();
    let database = signet_storage::embedded::EmbeddedDatabase::start(dir.path(), &|_| {}).unwrap();
    up_and_down(&mut connect(database.url()).unwrap());
    database.shutdown().unwrap();
}

/// A schema that is dropped at the end.
struct Schema<'a> {
    url: &'a str,
    name: String,
}

impl<'a> Schema<'a> {
    fn create(url: &'a str) -> Self {
        let mut conn = connect(url).unwrap();
        let name = lines(&mut conn, "SELECT 'm' || replace(gen_random_uuid()::text, '-', '') AS line").remove(0);
        conn.batch_execute(&format!("CREATE SCHEMA {name}")).unwrap();
        Self { url, name }
    }
}

impl Drop for Schema<'_> {
    fn drop(&mut self) {
        let statement = format!("SET client_min_messages = warning; DROP SCHEMA {} CASCADE", self.name);
        let dropped = connect(self.url).and_then(|mut conn| Ok(conn.batch_execute(&statement)?));
        if let Err(error) = dropped {
            eprintln!("schema {} stays behind: {error}", self.name);
        }
    }
}
