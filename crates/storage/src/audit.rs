//! The audit log: one row in the transaction of what it records, personal fields in a row that can be erased.

use chrono::{DateTime, Utc};
use diesel::{
    RunQueryDsl,
    sql_types::{Bytea, Int8, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use crate::{error::StoreError, statement::statement, store::Tx};

/// Who did what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A person, perhaps through a client.
    User {
        /// Whose account.
        user: Uuid,
        /// The client that carried the person's token.
        client: Option<i64>,
    },
    /// A client on its own behalf.
    Client(i64),
    /// Signet itself: a schedule.
    System,
}

/// From where a request came, for the audit log.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Who acts, where that is not the account or the client the entry is about.
    pub actor: Option<Actor>,
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
    /// What was changed, where that is neither an account nor a session nor a grant: `kind:identifier`.
    pub object: Option<String>,
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
        actor_client: Option<i64> => Nullable<Int8>,
        subject: Option<Uuid> => Nullable<SqlUuid>,
        client: Option<i64> => Nullable<Int8>,
        session: Option<Uuid> => Nullable<SqlUuid>,
        grant: Option<Uuid> => Nullable<SqlUuid>,
        request: Option<String> => Nullable<Text>,
        object: Option<String> => Nullable<Text>,
        detail: Option<String> => Nullable<Text>,
        salt: Vec<u8> => Bytea,
        address: Option<String> => Nullable<Text>,
        agent: Option<String> => Nullable<Text>,
        typed: Option<String> => Nullable<Text>,
        operator: Option<String> => Nullable<Text>,
    }
    "WITH entry AS (INSERT INTO audit (id, realm_id, at, event, result, actor_kind, actor_user, \
     actor_client, subject_user, client_key, session_id, grant_id, request_id, object, detail) VALUES ({id}, {realm}, \
     {at}, {event}, {result}, {actor_kind}, {actor}, {actor_client}, {subject}, {client}, {session}, {grant}, {request}, \
     {object}, {detail}) RETURNING id) \
     INSERT INTO audit_personal (audit_id, salt, address, user_agent, typed, operator) \
     SELECT entry.id, {salt}, {address}, {agent}, {typed}, {operator} FROM entry"
}

impl Tx<'_> {
    /// Writes an audit row. One statement.
    pub fn audit(&mut self, entry: Entry, origin: &Origin) -> Result<(), StoreError> {
        let (actor_kind, actor, actor_client) = match (&origin.operator, origin.actor) {
            (Some(_), _) => ("operator", None, None),
            (None, Some(Actor::User { user, client })) => ("user", Some(user), client),
            (None, Some(Actor::Client(client))) => ("client", None, Some(client)),
            (None, Some(Actor::System)) => ("system", None, None),
            (None, None) => match (entry.account, entry.client) {
                (Some(user), client) if entry.result == "success" => ("user", Some(user), client),
                (_, Some(client)) => ("client", None, Some(client)),
                _ => ("anonymous", None, None),
            },
        };
        let row = InsertAudit {
            id: entry.id,
            realm: self.realm.0,
            at: entry.at,
            event: entry.event,
            result: entry.result,
            actor_kind,
            actor,
            actor_client,
            subject: entry.account,
            client: entry.client,
            session: entry.session,
            grant: entry.grant,
            request: origin.request_id.clone(),
            object: entry.object.map(|object| object.chars().filter(|c| !c.is_control()).take(512).collect()),
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
