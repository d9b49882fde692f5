//! The audit log: one row in the transaction of what it records, personal fields in a row that can be erased.

use chrono::{DateTime, Utc};
use diesel::{
    RunQueryDsl,
    sql_types::{Bytea, Int8, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::{error::StoreError, statement::statement, store::Tx};

/// From where a request came, for the audit log.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The caller's address.
    pub address: Option<String>,
    /// The caller's agent, cut to 256 characters.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The operating system's user, for the command line.
    pub operator: Option<String>,
}

/// A row about to be written.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// Its key.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// The event's code.
    pub event: &'static str,
    /// `success` or `refused`.
    pub result: &'static str,
    /// Whose account.
    pub account: Option<Uuid>,
    /// Which client.
    pub client: Option<i64>,
    /// Which session.
    pub session: Option<Uuid>,
    /// Which grant.
    pub grant: Option<Uuid>,
    /// A code that says more.
    pub detail: Option<String>,
    /// What was typed.
    pub typed: Option<String>,
    /// 128 random bits for the commitment to the personal row.
    pub salt: [u8; 16],
}

statement! {
    /// One audit row and its personal row.
    InsertAudit {
        id: Uuid => SqlUuid,
        realm: i64 => Int8,
        at: DateTime<Utc> => Timestamptz,
        event: &'static str => Text,
        result: &'static str => Text,
        actor_kind: &'static str => Text,
        actor: Option<Uuid> => Nullable<SqlUuid>,
        subject: Option<Uuid> => Nullable<SqlUuid>,
        client: Option<i64> => Nullable<Int8>,
        session: Option<Uuid> => Nullable<SqlUuid>,
        grant: Option<Uuid> => Nullable<SqlUuid>,
        request: Option<String> => Nullable<Text>,
        detail: Option<String> => Nullable<Text>,
        salt: Vec<u8> => Bytea,
        address: Option<String> => Nullable<Text>,
        agent: Option<String> => Nullable<Text>,
        typed: Option<String> => Nullable<Text>,
        operator: Option<String> => Nullable<Text>,
    }
    "WITH entry AS (INSERT INTO audit (id, realm_id, at, event, result, actor_kind, actor_user, subject_user, client_key, \
     session_id, grant_id, request_id, detail) VALUES ({id}, {realm}, {at}, {event}, {result}, {actor_kind}, {actor}, \
     {subject}, {client}, {session}, {grant}, {request}, {detail}) RETURNING id) \
     INSERT INTO audit_personal (audit_id, salt, address, user_agent, typed, operator) \
     SELECT entry.id, {salt}, {address}, {agent}, {typed}, {operator} FROM entry"
}

impl Tx<'_> {
    /// Writes an audit row. One statement.
    pub fn audit(&mut self, entry: Entry, origin: &Origin) -> Result<(), StoreError> {
        let actor_kind = match (&origin.operator, entry.account, entry.client) {
            (Some(_), ..) => "operator",
            (None, Some(_), _) if entry.result == "success" => "user",
            (None, _, Some(_)) => "client",
            _ => "anonymous",
        };
        let row = InsertAudit {
            id: entry.id,
            realm: self.realm.0,
            at: entry.at,
            event: entry.event,
            result: entry.result,
            actor_kind,
            actor: if actor_kind == "user" { entry.account } else { None },
            subject: entry.account,
            client: entry.client,
            session: entry.session,
            grant: entry.grant,
            request: origin.request_id.clone(),
            detail: entry.detail,
            salt: entry.salt.to_vec(),
            address: origin.address.clone(),
            agent: origin.user_agent.as_ref().map(|agent| agent.chars().take(256).collect()),
            typed: entry.typed.map(|typed| typed.chars().filter(|c| !c.is_control()).take(256).collect()),
            operator: origin.operator.clone(),
        };
        row.execute(self.conn)?;
        Ok(())
    }
}
