//! The sealer: links rows into the chain.
//!
//! Rows commit out of order, so what is visible and not linked yet is linked in the order of time and id, and a linked
//! row never moves. The end of the chain is a row of its own: who holds its lock is the sealer of that moment, so that
//! two can never continue the same end. A request never waits for it.

use chrono::{DateTime, Utc};
use diesel::{
    OptionalExtension, QueryableByName, RunQueryDsl,
    sql_types::{Array, Bool, Bytea, Int2, Int8, Timestamptz, Uuid as SqlUuid},
};

use uuid::Uuid;

use super::{
    encode,
    row::{COLUMNS, Row, TABLES},
};
use crate::{error::StoreError, store::Tx};

/// The most rows that one round links; on the embedded engine it stays well under 50 ms.
pub const BATCH: usize = 100;

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Head {
    /// The place of the last linked row; 0 before the first.
    #[diesel(sql_type = Int8)]
    pub chain_index: i64,
    /// Its hash.
    #[diesel(sql_type = Bytea)]
    pub chain_hash: Vec<u8>,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    answer: bool,
}

impl Tx<'_> {
    /// Links up to [`BATCH`] rows, if no other node is at it. Answers how many; fewer than [`BATCH`] means that none is
    /// left to this node. Must run in a transaction of its own. One statement where there is nothing to do.
    pub fn seal_audit(&mut self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let waiting: Answer = diesel::sql_query(
            "SELECT EXISTS (SELECT 1 FROM audit WHERE realm_id = $1 AND chain_index IS NULL) AS answer",
        )
        .bind::<Int8, _>(self.realm.0)
        .get_result(self.conn)?;
        if !waiting.answer {
            return Ok(0);
        }
        let Some(mut head) = self.locked_head()? else { return Ok(0) };
        let mut rows = self.unlinked()?;
        let (mut ids, mut indexes, mut hashes, mut encodings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in &mut rows {
            // A personal part is erased only after its row was linked: where it is missing here, Signet wrote neither.
            let fits = row.committed().map(Vec::from) == row.commitment;
            let encoding = if fits { encode::VERSION } else { encode::UNFIT };
            row.encoding = Some(encoding);
            let hash = encode::link(&head.chain_hash, row).to_vec();
            head = Head { chain_index: head.chain_index + 1, chain_hash: hash.clone() };
            ids.push(row.id);
            indexes.push(head.chain_index);
            hashes.push(hash);
            encodings.push(encoding);
        }
        let linked = diesel::sql_query(
            "UPDATE audit SET chain_index = link.chain_index, chain_hash = link.chain_hash, \
             encoding = link.encoding FROM unnest($1, $2, $3, $4) AS link (id, chain_index, chain_hash, encoding) \
             WHERE audit.id = link.id AND audit.chain_index IS NULL",
        )
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Int8>, _>(indexes)
        .bind::<Array<Bytea>, _>(hashes)
        .bind::<Array<Int2>, _>(encodings)
        .execute(self.conn)?;
        if linked != rows.len() {
            return Err(StoreError::Row("audit chain"));
        }
        diesel::sql_query(
            "UPDATE audit_heads SET chain_index = $2, chain_hash = $3, sealed_at = $4 WHERE realm_id = $1",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<Int8, _>(head.chain_index)
        .bind::<Bytea, _>(head.chain_hash)
        .bind::<Timestamptz, _>(now)
        .execute(self.conn)?;
        Ok(linked)
    }

    /// Gives rows that an earlier version wrote the commitment they lack, and begins the chain. Does nothing once it has
    /// begun, which the realm remembers: from then on a row without a commitment was not written by Signet, and an end of
    /// the chain that is missing was taken away.
    pub(crate) fn adopt_audit(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let begun: Answer = diesel::sql_query("SELECT audit_begun IS NOT NULL AS answer FROM realms WHERE id = $1")
            .bind::<Int8, _>(self.realm.0)
            .get_result(self.conn)?;
        if begun.answer {
            return Ok(());
        }
        // Every row has a personal part when it is linked.
        diesel::sql_query(
            "INSERT INTO audit_personal (audit_id, salt) SELECT a.id, ''::bytea FROM audit a \
             WHERE a.realm_id = $1 AND a.commitment IS NULL \
             AND NOT EXISTS (SELECT 1 FROM audit_personal p WHERE p.audit_id = a.id)",
        )
        .bind::<Int8, _>(self.realm.0)
        .execute(self.conn)?;
        let statement = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE a.realm_id = $1 AND a.commitment IS NULL AND a.id > $2 ORDER BY a.id \
             LIMIT 1000"
        );
        let mut after = Uuid::nil();
        loop {
            let rows: Vec<Row> = diesel::sql_query(&statement)
                .bind::<Int8, _>(self.realm.0)
                .bind::<SqlUuid, _>(after)
                .load(self.conn)?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
            let commitments: Vec<Vec<u8>> =
                rows.iter().map(|row| row.committed().map(Vec::from).unwrap_or_default()).collect();
            diesel::sql_query(
                "UPDATE audit SET commitment = given.commitment FROM unnest($1, $2) AS given (id, commitment) \
                 WHERE audit.id = given.id",
            )
            .bind::<Array<SqlUuid>, _>(ids)
            .bind::<Array<Bytea>, _>(commitments)
            .execute(self.conn)?;
        }
        diesel::sql_query(
            "INSERT INTO audit_heads (realm_id, chain_index, chain_hash, sealed_at) VALUES ($1, 0, $2, $3)",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<Bytea, _>(encode::GENESIS.as_slice())
        .bind::<Timestamptz, _>(now)
        .execute(self.conn)?;
        diesel::sql_query("UPDATE realms SET audit_begun = $2 WHERE id = $1")
            .bind::<Int8, _>(self.realm.0)
            .bind::<Timestamptz, _>(now)
            .execute(self.conn)?;
        Ok(())
    }

    /// The end of the chain, as far as this node may continue it.
    fn locked_head(&mut self) -> Result<Option<Head>, StoreError> {
        Ok(diesel::sql_query(
            "SELECT chain_index, chain_hash FROM audit_heads WHERE realm_id = $1 FOR UPDATE SKIP LOCKED",
        )
        .bind::<Int8, _>(self.realm.0)
        .get_result::<Head>(self.conn)
        .optional()?)
    }

    fn unlinked(&mut self) -> Result<Vec<Row>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE a.realm_id = $1 AND a.chain_index IS NULL ORDER BY a.at, a.id \
             LIMIT {BATCH}"
        );
        Ok(diesel::sql_query(statement).bind::<Int8, _>(self.realm.0).load(self.conn)?)
    }

    /// The end of the chain; none only where somebody took it away.
    pub fn audit_head(&mut self) -> Result<Option<Head>, StoreError> {
        Ok(diesel::sql_query("SELECT chain_index, chain_hash FROM audit_heads WHERE realm_id = $1")
            .bind::<Int8, _>(self.realm.0)
            .get_result(self.conn)
            .optional()?)
    }
}
