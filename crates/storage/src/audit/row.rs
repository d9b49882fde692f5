//! Rows of the audit log as they are read.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, RunQueryDsl,
    sql_types::{Bytea, Int2, Int8, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::encode::{self, Personal};
use crate::{error::StoreError, store::Tx};

/// A row with its personal part, as far as that was not erased. In JSON it is a line of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, QueryableByName, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the columns of the table, which the migrations describe")]
pub struct Row {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Int8)]
    pub realm_id: i64,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub event: String,
    #[diesel(sql_type = Text)]
    pub result: String,
    #[diesel(sql_type = Text)]
    pub actor_kind: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub actor_user: Option<Uuid>,
    #[diesel(sql_type = Nullable<Int8>)]
    pub actor_client: Option<i64>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub subject_user: Option<Uuid>,
    #[diesel(sql_type = Nullable<Int8>)]
    pub client_key: Option<i64>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub session_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub grant_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    pub request_id: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub object: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub detail: Option<String>,
    #[diesel(sql_type = Nullable<Bytea>)]
    #[serde(with = "hex")]
    pub commitment: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Int2>)]
    pub encoding: Option<i16>,
    #[diesel(sql_type = Nullable<Int8>)]
    pub chain_index: Option<i64>,
    #[diesel(sql_type = Nullable<Bytea>)]
    #[serde(with = "hex")]
    pub chain_hash: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Bytea>)]
    #[serde(with = "hex", default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
}

/// The columns of a [`Row`], from `a` and `p`.
pub(super) const COLUMNS: &str = "a.id, a.realm_id, a.at, a.event, a.result, a.actor_kind, a.actor_user, \
     a.actor_client, a.subject_user, a.client_key, a.session_id, a.grant_id, a.request_id, a.object, a.detail, \
     a.commitment, a.encoding, a.chain_index, a.chain_hash, p.salt, p.address, p.user_agent, p.typed, p.operator";

/// The tables of a [`Row`].
pub(super) const TABLES: &str = "audit a LEFT JOIN audit_personal p ON p.audit_id = a.id";

impl Row {
    /// Forgets what identifies a person beyond the ids; the commitment to it stays.
    #[must_use]
    pub fn without_personal(self) -> Self {
        Self { salt: None, address: None, user_agent: None, typed: None, operator: None, ..self }
    }

    /// The commitment to the personal part as it is now; none when that was erased.
    pub fn committed(&self) -> Option<[u8; 32]> {
        let personal = Personal {
            address: self.address.as_deref(),
            user_agent: self.user_agent.as_deref(),
            typed: self.typed.as_deref(),
            operator: self.operator.as_deref(),
        };
        self.salt.as_ref().map(|salt| encode::commitment(salt, personal))
    }
}

impl Tx<'_> {
    /// Linked rows after a place in the chain, in its order. One statement.
    pub fn audit_chain(&mut self, after: i64, limit: i64) -> Result<Vec<Row>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE a.realm_id = $1 AND a.chain_index > $2 ORDER BY a.chain_index LIMIT $3"
        );
        Ok(diesel::sql_query(statement)
            .bind::<Int8, _>(self.realm.0)
            .bind::<Int8, _>(after)
            .bind::<Int8, _>(limit)
            .load(self.conn)?)
    }
}

/// Bytes as lower-case hexadecimal digits.
mod hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, out: S) -> Result<S::Ok, S::Error> {
        match bytes {
            None => out.serialize_none(),
            Some(bytes) => out.serialize_str(&super::to_hex(bytes)),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| super::from_hex(&text).ok_or_else(|| D::Error::custom("not hexadecimal digits"))).transpose()
    }
}

/// Bytes as lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() % 2 == 1 {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a line of an archive reads back as the row it was.
    #[test]
    fn a_line_reads_back() {
        let row = Row {
            id: Uuid::from_u128(7),
            at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            commitment: Some(vec![0, 255, 16]),
            typed: Some("a\"b\u{1F600}".to_owned()),
            ..Row::default()
        };
        let line = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&line).unwrap(), row);
        assert!(serde_json::from_str::<Row>(&line.replace("00ff10", "00ff1")).is_err());
    }
}
