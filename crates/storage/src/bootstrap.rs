//! Migrations, and what every installation has: its realm, roles and keys.

use diesel::{
    Connection, PgConnection, connection::SimpleConnection, migration::MigrationSource, pg::Pg, prelude::*,
    sql_types::Int8,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use signet_oidc::{Turn, id::RealmId};
use signet_rbac::{BuiltInRole, EventKind};

use crate::{
    error::StoreError,
    schema::{realms, role_parents, roles},
    seal::Sealer,
    store::Tx,
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// Any number: nodes that start together take turns under this advisory lock.
const LOCK: i64 = 0x5349_474E_4554;

/// A direction of migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the newest schema.
    Up,
    /// Back to an empty one. Everything is lost.
    Down,
}

/// Connects, for the work before there is a pool. One try.
pub fn connect(url: &str) -> Result<PgConnection, StoreError> {
    PgConnection::establish(url).map_err(|error| StoreError::Unavailable(reason(&error.to_string())))
}

/// What the server or the network said. Never the address, which may hold a password.
fn reason(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let said = ["FATAL:", "failed:"].into_iter().find_map(|sign| line.split_once(sign)).map(|(_, said)| said.trim());
    said.unwrap_or("check DATABASE_URL, and write special characters of the password as %XX").to_owned()
}

/// Whether the schema is empty, behind this version, or up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Nothing was migrated yet.
    Empty,
    /// Migrations of this version are missing.
    Behind,
    /// Nothing to do.
    Current,
}

/// Looks at the schema without changing it.
pub fn schema(conn: &mut PgConnection) -> Result<Schema, StoreError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migrations(error.to_string());
    if conn.applied_migrations().map_err(failed)?.is_empty() {
        return Ok(Schema::Empty);
    }
    Ok(if conn.has_pending_migration(MIGRATIONS).map_err(failed)? { Schema::Behind } else { Schema::Current })
}

#[derive(diesel::QueryableByName)]
struct Ran {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

/// Runs migrations; answers the names of those that ran.
pub fn migrate(conn: &mut PgConnection, direction: Direction) -> Result<Vec<String>, StoreError> {
    // A migration takes the time it needs, whatever the role's or the database's setting says.
    conn.batch_execute("SET client_min_messages = warning; SET statement_timeout = 0; SET lock_timeout = 0")?;
    diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<Int8, _>(LOCK).execute(conn)?;
    let ran = match direction {
        Direction::Up => conn.run_pending_migrations(MIGRATIONS),
        Direction::Down => conn.revert_all_migrations(MIGRATIONS),
    };
    let ran = ran.map(|versions| versions.iter().map(ToString::to_string).collect());
    diesel::sql_query("SELECT pg_advisory_unlock($1)").bind::<Int8, _>(LOCK).execute(conn)?;
    ran.map_err(|error| StoreError::Migrations(error.to_string()))
}

/// Makes what is missing: the realm, the built-in roles, keys. Safe to run at every start, on many nodes at once.
pub fn complete(conn: &mut PgConnection, sealer: &Sealer, turn: &mut Turn) -> Result<RealmId, StoreError> {
    conn.transaction(|conn| {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<Int8, _>(LOCK).execute(conn)?;
        let realm = realm(conn, turn)?;
        let mut tx = Tx { conn, realm, sealer, notices: Vec::new() };
        tx.complete_roles(turn)?;
        tx.complete_keys(turn)?;
        tx.adopt_audit(turn.now())?;
        // A wrong secret key is met here, before anything is served.
        tx.signing_keys()?;
        Ok(realm)
    })
}

fn realm(conn: &mut PgConnection, turn: &Turn) -> Result<RealmId, StoreError> {
    diesel::insert_into(realms::table)
        .values((realms::name.eq("main"), realms::created_at.eq(turn.now())))
        .on_conflict_do_nothing()
        .execute(conn)?;
    Ok(RealmId(realms::table.filter(realms::name.eq("main")).select(realms::id).first(conn)?))
}

impl Tx<'_> {
    /// Looks at the schema with one reading statement. A newer one, of a node that is updated already, counts as current.
    pub fn schema_state(&mut self) -> Result<Schema, StoreError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Migrations(error.to_string());
        let ran: Vec<Ran> = diesel::sql_query("SELECT version FROM __diesel_schema_migrations").load(self.conn)?;
        let ours = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(failed)?;
        let missing = ours.iter().any(|ours| {
            let version = ours.name().version().to_string();
            ran.iter().all(|ran| ran.version != version)
        });
        Ok(if missing { Schema::Behind } else { Schema::Current })
    }

    fn complete_roles(&mut self, turn: &mut Turn) -> Result<(), StoreError> {
        let mut parent: Option<i64> = None;
        for role in BuiltInRole::ALL {
            let written = diesel::insert_into(roles::table)
                .values((
                    roles::realm_id.eq(self.realm.0),
                    roles::name.eq(role.as_str()),
                    roles::built_in.eq(true),
                    roles::permissions.eq(role.permissions()),
                    roles::created_at.eq(turn.now()),
                ))
                .on_conflict_do_nothing()
                .execute(self.conn)?;
            if written > 0 {
                let event = EventKind::RoleCreated;
                let object = format!("role:{}", role.as_str());
                self.audit_own((event.as_str(), event.outcome()), object, turn)?;
            }
            let id: i64 = roles::table
                .filter(roles::realm_id.eq(self.realm.0))
                .filter(roles::name.eq(role.as_str()))
                .select(roles::id)
                .first(self.conn)?;
            if let Some(parent) = parent {
                diesel::insert_into(role_parents::table)
                    .values((role_parents::role_id.eq(id), role_parents::parent_id.eq(parent)))
                    .on_conflict_do_nothing()
                    .execute(self.conn)?;
            }
            parent = Some(id);
        }
        Ok(())
    }
}
