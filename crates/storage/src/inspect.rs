//! What a database is like, for whoever looks after it. Nothing is changed.

use chrono::{DateTime, Utc};
use diesel::{
    OptionalExtension as _, PgConnection, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{Bool, Bytea, Int4, Int8, Text},
};
use serde::{Deserialize, Serialize};
use signet_oidc::id::RealmId;

use crate::{
    bootstrap::{self, Schema},
    error::StoreError,
    seal::{Purpose, Sealer},
    store::Tx,
};

/// What a look at the database showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// As PostgreSQL numbers itself: 170002 is 17.2.
    pub version: i32,
    /// Its clock, when it was asked.
    pub clock: DateTime<Utc>,
    /// Its schema.
    pub schema: Migrated,
    /// What the secret key opens; none where nothing is stored yet.
    pub sealed: Option<Sealed>,
    /// Active accounts with the role `admin`; none where there is no schema yet.
    pub administrators: Option<i64>,
    /// A stored key as it is sealed, for who asks a running server and has a secret key of his own to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
}

/// A sealed signing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    kid: String,
    sealed: Vec<u8>,
}

impl Sample {
    /// Whether this sealer opens it.
    pub fn opens(&self, sealer: &Sealer) -> bool {
        sealer.open(Purpose::SigningKey, self.kid.as_bytes(), &self.sealed).is_ok()
    }
}

/// How far the schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Migrated {
    /// Nothing was migrated yet.
    Empty,
    /// Migrations of this version are missing.
    Behind,
    /// Up to date.
    Current,
}

/// Whether the stored keys open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sealed {
    /// They do.
    Open,
    /// They do not: the secret key is another one.
    Closed,
    /// They open, and are not what this version understands.
    Unreadable,
}

#[derive(QueryableByName)]
struct Basics {
    #[diesel(sql_type = Int4)]
    version: i32,
    #[diesel(sql_type = Int8)]
    clock: i64,
    #[diesel(sql_type = Bool)]
    migrated: bool,
}

#[derive(QueryableByName)]
struct RealmRow {
    #[diesel(sql_type = Int8)]
    id: i64,
}

#[derive(QueryableByName)]
struct SealedRow {
    #[diesel(sql_type = Text)]
    kid: String,
    #[diesel(sql_type = Bytea)]
    sealed: Vec<u8>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Int8)]
    n: i64,
}

/// Looks. `sealer` is what the stored keys are opened with.
pub fn inspect(conn: &mut PgConnection, sealer: Option<&Sealer>) -> Result<Inspection, StoreError> {
    let basics: Basics = sql_query(
        "SELECT current_setting('server_version_num')::int4 AS version, \
                (extract(epoch FROM clock_timestamp()) * 1000)::int8 AS clock, \
                to_regclass('__diesel_schema_migrations') IS NOT NULL AS migrated",
    )
    .get_result(conn)?;
    let schema = if basics.migrated { bootstrap::schema(conn)? } else { Schema::Empty };
    let schema = match schema {
        Schema::Empty => Migrated::Empty,
        Schema::Behind => Migrated::Behind,
        Schema::Current => Migrated::Current,
    };
    let realm: Option<RealmRow> = if schema == Migrated::Current {
        sql_query("SELECT id FROM realms WHERE name = 'main'").get_result(conn).optional()?
    } else {
        None
    };
    let (mut keys, mut administrators) = (None, None);
    if let Some(realm) = realm {
        let found: Count = sql_query(
            "SELECT count(DISTINCT u.id) AS n FROM users u JOIN user_roles ur ON ur.user_id = u.id \
             JOIN roles r ON r.id = ur.role_id WHERE r.name = 'admin' AND u.state = 'active' AND u.realm_id = $1",
        )
        .bind::<Int8, _>(realm.id)
        .get_result(conn)?;
        administrators = Some(found.n);
        if let Some(sealer) = sealer {
            let mut tx = Tx { conn, realm: RealmId(realm.id), sealer, notices: Vec::new() };
            keys = Some(match tx.signing_keys() {
                Ok(_) => Sealed::Open,
                Err(StoreError::Seal(_)) => Sealed::Closed,
                Err(StoreError::Row(_) | StoreError::Keys(_)) => Sealed::Unreadable,
                Err(error) => return Err(error),
            });
        }
    }
    Ok(Inspection {
        version: basics.version,
        clock: DateTime::from_timestamp_millis(basics.clock).unwrap_or_default(),
        schema,
        sealed: keys,
        administrators,
        sample: None,
    })
}

impl Tx<'_> {
    /// Looks at the database, keys included.
    pub fn inspect(&mut self) -> Result<Inspection, StoreError> {
        let inspection = inspect(self.conn, Some(self.sealer))?;
        let newest: Option<SealedRow> =
            sql_query("SELECT kid, sealed FROM signing_keys WHERE realm_id = $1 ORDER BY created_at DESC, kid LIMIT 1")
                .bind::<Int8, _>(self.realm.0)
                .get_result(self.conn)
                .optional()?;
        let sample = newest.map(|SealedRow { kid, sealed }| Sample { kid, sealed });
        Ok(Inspection { sample, ..inspection })
    }
}
