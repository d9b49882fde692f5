//! Sweeping: rows that have expired go, in small batches.

use chrono::{DateTime, Utc};
use diesel::{
    RunQueryDsl,
    sql_types::{Bool, Int8, Timestamptz},
};

use crate::{error::StoreError, store::Tx};

/// What is swept, and how many rows at a time. Each statement stays well under 50 ms.
const SWEEPS: [&str; 5] = [
    "DELETE FROM interactions WHERE ctid = ANY (ARRAY(SELECT ctid FROM interactions WHERE expires_at < $1 LIMIT 500))",
    "DELETE FROM notices WHERE seq = ANY (ARRAY(SELECT seq FROM notices WHERE expires_at < $1 LIMIT 500))",
    "DELETE FROM sessions WHERE id = ANY (ARRAY(SELECT id FROM sessions WHERE expires_at < $1 LIMIT 200))",
    "DELETE FROM refresh_tokens WHERE ctid = ANY \
     (ARRAY(SELECT ctid FROM refresh_tokens WHERE expires_at < $1 - interval '1 day' LIMIT 500))",
    "DELETE FROM spent WHERE expires_on < ($1 - interval '1 day')::date",
];

#[derive(diesel::QueryableByName)]
struct Elected {
    #[diesel(sql_type = Bool)]
    elected: bool,
}

impl Tx<'_> {
    /// One round of sweeping, if no other node is at it. Answers how many rows went.
    pub fn sweep(&mut self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let elected: Elected = diesel::sql_query("SELECT pg_try_advisory_xact_lock($1) AS elected")
            .bind::<Int8, _>(0x5357_4545_5000)
            .get_result(self.conn)?;
        if !elected.elected {
            return Ok(0);
        }
        let mut gone = 0;
        for statement in SWEEPS {
            gone += diesel::sql_query(statement).bind::<Timestamptz, _>(now).execute(self.conn)?;
        }
        Ok(gone)
    }
}
