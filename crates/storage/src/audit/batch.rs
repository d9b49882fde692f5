//! Rows of what has no transaction of its own, many by one statement.

use diesel::{
    RunQueryDsl,
    sql_types::{Array, Bytea, Int8, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};

use super::{Entry, InsertAudit, Origin};
use crate::{error::StoreError, store::Tx};

const STATEMENT: &str = "WITH rows AS (SELECT * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
     $15, $16, $17, $18, $19, $20, $21) AS rows (id, at, event, result, actor_kind, actor_user, actor_client, \
     subject_user, client_key, session_id, grant_id, request_id, object, detail, commitment, salt, address, user_agent, \
     typed, operator)), \
     entries AS (INSERT INTO audit (id, realm_id, at, event, result, actor_kind, actor_user, actor_client, \
     subject_user, client_key, session_id, grant_id, request_id, object, detail, commitment) \
     SELECT id, $1, at, event, result, actor_kind, actor_user, actor_client, subject_user, client_key, session_id, \
     grant_id, request_id, object, detail, commitment FROM rows ON CONFLICT (id) DO NOTHING RETURNING id) \
     INSERT INTO audit_personal (audit_id, salt, address, user_agent, typed, operator) \
     SELECT rows.id, salt, address, user_agent, typed, operator FROM rows JOIN entries ON entries.id = rows.id";

impl Tx<'_> {
    /// Writes many audit rows. One statement. A row that is there already, because an earlier try was carried out
    /// although its answer was lost, is left alone.
    pub fn audit_batch(&mut self, entries: &[(Entry, Origin)]) -> Result<(), StoreError> {
        let realm = self.realm.0;
        let rows: Vec<_> =
            entries.iter().map(|(entry, origin)| InsertAudit::new(realm, entry.clone(), origin)).collect();
        macro_rules! column {
            ($field:ident) => {
                rows.iter().map(|row| &row.$field).collect::<Vec<_>>()
            };
        }
        diesel::sql_query(STATEMENT)
            .bind::<Int8, _>(realm)
            .bind::<Array<SqlUuid>, _>(column!(id))
            .bind::<Array<Timestamptz>, _>(column!(at))
            .bind::<Array<Text>, _>(column!(event))
            .bind::<Array<Text>, _>(column!(result))
            .bind::<Array<Text>, _>(column!(actor_kind))
            .bind::<Array<Nullable<SqlUuid>>, _>(column!(actor))
            .bind::<Array<Nullable<Int8>>, _>(column!(actor_client))
            .bind::<Array<Nullable<SqlUuid>>, _>(column!(subject))
            .bind::<Array<Nullable<Int8>>, _>(column!(client))
            .bind::<Array<Nullable<SqlUuid>>, _>(column!(session))
            .bind::<Array<Nullable<SqlUuid>>, _>(column!(grant))
            .bind::<Array<Nullable<Text>>, _>(column!(request))
            .bind::<Array<Nullable<Text>>, _>(column!(object))
            .bind::<Array<Nullable<Text>>, _>(column!(detail))
            .bind::<Array<Bytea>, _>(column!(commitment))
            .bind::<Array<Bytea>, _>(column!(salt))
            .bind::<Array<Nullable<Text>>, _>(column!(address))
            .bind::<Array<Nullable<Text>>, _>(column!(agent))
            .bind::<Array<Nullable<Text>>, _>(column!(typed))
            .bind::<Array<Nullable<Text>>, _>(column!(operator))
            .execute(self.conn)?;
        Ok(())
    }
}
