//! The audit log: one row in the transaction of what it records, personal fields in a row that can be erased.
//!
//! A row is written with a commitment to its personal part. Within a second one node links it into the chain
//! ([`chain`]); [`verify`] follows the chain; [`archive`] moves its oldest part into files.

pub mod archive;
mod batch;
pub mod chain;
pub mod encode;
pub mod query;
mod row;
pub mod verify;

use chrono::{DateTime, Utc};
use diesel::{
    RunQueryDsl,
    sql_types::{Bytea, Int8, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use signet_oidc::Turn;
use uuid::Uuid;

use self::encode::Personal;
pub use self::row::{Row, to_hex};
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
    /// Signet itself: a schedule, or a start.
    System,
    /// Nobody known, although the entry names a client or an account.
    Anonymous,
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

impl Origin {
    /// Signet itself, by a schedule or at a start.
    pub fn system() -> Self {
        Self { actor: Some(Actor::System), ..Self::default() }
    }
}

impl Entry {
    /// The row of an event of the protocol.
    #[expect(clippy::needless_pass_by_value, reason = "what is recorded is recorded once")]
    pub fn of(event: signet_oidc::Event, turn: &mut Turn) -> Self {
        Self {
            id: turn.uuid(),
            at: turn.now(),
            event: event.kind.as_str(),
            result: event.result.as_str(),
            account: event.account.map(|account| account.0),
            client: event.client.map(|client| client.0),
            session: event.session.map(|session| session.0),
            grant: event.grant.map(|grant| grant.0),
            object: None,
            detail: event.detail.map(str::to_owned),
            typed: None,
            salt: turn.bytes(),
        }
    }
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
        commitment: Vec<u8> => Bytea,
        salt: Vec<u8> => Bytea,
        address: Option<String> => Nullable<Text>,
        agent: Option<String> => Nullable<Text>,
        typed: Option<String> => Nullable<Text>,
        operator: Option<String> => Nullable<Text>,
    }
    "WITH entry AS (INSERT INTO audit (id, realm_id, at, event, result, actor_kind, actor_user, \
     actor_client, subject_user, client_key, session_id, grant_id, request_id, object, detail, commitment) VALUES ({id}, {realm}, \
     {at}, {event}, {result}, {actor_kind}, {actor}, {actor_client}, {subject}, {client}, {session}, {grant}, {request}, \
     {object}, {detail}, {commitment}) RETURNING id) \
     INSERT INTO audit_personal (audit_id, salt, address, user_agent, typed, operator) \
     SELECT entry.id, {salt}, {address}, {agent}, {typed}, {operator} FROM entry"
}

/// Text as it is stored: without control characters, which the database would refuse, and not longer than `most`.
fn clean(text: Option<&str>, most: usize) -> Option<String> {
    text.map(|text| text.chars().filter(|c| !c.is_control()).take(most).collect())
}

impl InsertAudit {
    /// The row of an entry, with the commitment to what can be erased of it.
    #[expect(clippy::needless_pass_by_value, reason = "what is recorded is recorded once")]
    fn new(realm: i64, entry: Entry, origin: &Origin) -> Self {
        // Done by the person, or refused by the person in a session: what is refused under a grant is its client's doing.
        let by_person = entry.result == "success" || (entry.session.is_some() && entry.grant.is_none());
        let (actor_kind, actor, actor_client) = match (&origin.operator, origin.actor) {
            (Some(_), _) => ("operator", None, None),
            (None, Some(Actor::User { user, client })) => ("user", Some(user), client),
            (None, Some(Actor::Client(client))) => ("client", None, Some(client)),
            (None, Some(Actor::System)) => ("system", None, None),
            (None, Some(Actor::Anonymous)) => ("anonymous", None, None),
            (None, None) => match (entry.account, entry.client) {
                (Some(user), client) if by_person => ("user", Some(user), client),
                (_, Some(client)) => ("client", None, Some(client)),
                _ => ("anonymous", None, None),
            },
        };
        let address = clean(origin.address.as_deref(), 64);
        let agent = clean(origin.user_agent.as_deref(), 256);
        let typed = clean(entry.typed.as_deref(), 256);
        let operator = clean(origin.operator.as_deref(), 256);
        let personal = Personal {
            address: address.as_deref(),
            user_agent: agent.as_deref(),
            typed: typed.as_deref(),
            operator: operator.as_deref(),
        };
        Self {
            id: entry.id,
            realm,
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
            request: clean(origin.request_id.as_deref(), 128),
            object: clean(entry.object.as_deref(), 512),
            detail: clean(entry.detail.as_deref(), 512),
            commitment: encode::commitment(&entry.salt, personal).to_vec(),
            salt: entry.salt.to_vec(),
            address,
            agent,
            typed,
            operator,
        }
    }
}

impl Tx<'_> {
    /// Writes an audit row. One statement.
    pub fn audit(&mut self, entry: Entry, origin: &Origin) -> Result<(), StoreError> {
        InsertAudit::new(self.realm.0, entry, origin).execute(self.conn)?;
        Ok(())
    }

    /// Writes the row of what Signet did by itself to `object`; `what` is the event's code and its result. One statement.
    pub(crate) fn audit_own(
        &mut self,
        what: (&'static str, &'static str),
        object: String,
        turn: &mut Turn,
    ) -> Result<(), StoreError> {
        let (event, result) = what;
        let (id, at, salt) = (turn.uuid(), turn.now(), turn.bytes());
        let entry = Entry { id, at, event, result, object: Some(object), salt, ..Entry::default() };
        self.audit(entry, &Origin::system())
    }

    /// Erases what the audit log keeps of a person beyond its ids: the personal part of the rows about the account and
    /// of what it did. The chain stays verifiable. Answers how many went; call it until none is left. Rows that are
    /// not linked yet keep theirs until they are: link them first.
    pub fn erase_audit_of(&mut self, user: Uuid) -> Result<usize, StoreError> {
        Ok(diesel::sql_query(
            "DELETE FROM audit_personal WHERE audit_id = ANY (ARRAY(SELECT a.id FROM audit a JOIN audit_personal p \
             ON p.audit_id = a.id WHERE a.realm_id = $1 AND a.chain_index IS NOT NULL \
             AND (a.subject_user = $2 OR a.actor_user = $2) LIMIT 500))",
        )
        .bind::<Int8, _>(self.realm.0)
        .bind::<SqlUuid, _>(user)
        .execute(self.conn)?)
    }
}
