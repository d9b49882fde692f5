//! What a PostgreSQL server does in the background and the embedded one does not: checkpoint and vacuum.

use std::time::{Duration, Instant};

use diesel::sql_types::{BigInt, Text};
use diesel::{OptionalExtension as _, PgConnection, QueryResult, QueryableByName, RunQueryDsl as _};

/// Time between two checkpoints while there is something to write.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(5);
/// WAL since the last checkpoint that calls for one, in bytes.
const CHECKPOINT_WAL: i64 = 128 << 20;
/// WAL that a checkpoint itself leaves behind, in bytes: less means that there is nothing to write.
const IDLE_WAL: i64 = 1 << 10;
/// Time between two searches for a table to vacuum.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What one step of maintenance did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maintenance {
    /// A checkpoint was written.
    Checkpointed {
        /// WAL written since the one before, in bytes.
        wal_bytes: i64,
    },
    /// One table was vacuumed and analysed.
    Vacuumed {
        /// Its quoted name with the schema.
        table: String,
    },
}

/// When the last of each was done.
#[derive(Debug)]
pub(super) struct Schedule {
    checkpointed: Instant,
    looked: Option<Instant>,
}

#[derive(QueryableByName)]
struct Wal {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = Text)]
    name: String,
}

/// The table that needs it most and did not have it within the last minute, by autovacuum's measure: dead rows beyond 50 and a fifth of the table, a
/// tenth of it changed since its statistics were taken, or transaction ids older than 100 million (PostgreSQL
/// in single-user mode does not stop before they wrap).
const MOST_DUE: &str = "
    SELECT format('%I.%I', s.schemaname, s.relname) AS name
    FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND s.schemaname <> 'pg_toast'
      AND coalesce(greatest(s.last_vacuum, s.last_analyze), '-infinity') < now() - interval '1 minute'
      AND (s.n_dead_tup > 50 + 0.2 * greatest(c.reltuples, 0)
        OR s.n_ins_since_vacuum > 1000 + 0.2 * greatest(c.reltuples, 0)
        OR s.n_mod_since_analyze > 50 + 0.1 * greatest(c.reltuples, 0)
        OR age(c.relfrozenxid) > 100000000)
    ORDER BY age(c.relfrozenxid) > 100000000 DESC, s.n_dead_tup DESC, s.n_mod_since_analyze DESC
    LIMIT 1";

impl Schedule {
    pub(super) fn starting(now: Instant) -> Self {
        Self { checkpointed: now, looked: None }
    }

    /// Does the one step that is due.
    pub(super) fn step(&mut self, conn: &mut PgConnection, now: Instant) -> QueryResult<Option<Maintenance>> {
        let wal =
            diesel::sql_query("SELECT (pg_current_wal_lsn() - redo_lsn)::bigint AS bytes FROM pg_control_checkpoint()")
                .get_result::<Wal>(conn)?
                .bytes;
        if self.checkpoint_is_due(wal, now) {
            diesel::sql_query("CHECKPOINT").execute(conn)?;
            self.checkpointed = now;
            return Ok(Some(Maintenance::Checkpointed { wal_bytes: wal }));
        }
        if self.looked.is_some_and(|last| now.saturating_duration_since(last) < LOOK_EVERY) {
            return Ok(None);
        }
        let Some(Due { name: table }) = diesel::sql_query(MOST_DUE).get_result(conn).optional()? else {
            self.looked = Some(now);
            return Ok(None);
        };
        // Several may be due: the next call looks again at once.
        self.looked = None;
        diesel::sql_query(format!("VACUUM (ANALYZE) {table}")).execute(conn)?;
        Ok(Some(Maintenance::Vacuumed { table }))
    }

    fn checkpoint_is_due(&self, wal: i64, now: Instant) -> bool {
        wal > CHECKPOINT_WAL || (wal > IDLE_WAL && now.saturating_duration_since(self.checkpointed) >= CHECKPOINT_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_by_time_or_by_size_and_never_when_idle() {
        let start = Instant::now();
        let schedule = Schedule::starting(start);
        let later = start + CHECKPOINT_EVERY;
        assert!(!schedule.checkpoint_is_due(CHECKPOINT_WAL, start));
        assert!(schedule.checkpoint_is_due(CHECKPOINT_WAL + 1, start));
        assert!(schedule.checkpoint_is_due(IDLE_WAL + 1, later));
        assert!(!schedule.checkpoint_is_due(IDLE_WAL, later));
    }
}
