//! The rows that a request leaves in the audit log.

use diesel::sql_types::{Int8, Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};

use crate::support::prelude::*;

/// A row with names in place of keys.
#[derive(Debug, QueryableByName)]
pub struct Row {
    /// Its code.
    #[diesel(sql_type = Text)]
    pub event: String,
    /// `success` or `refused`.
    #[diesel(sql_type = Text)]
    pub result: String,
    /// What kind of actor.
    #[diesel(sql_type = Text)]
    pub actor_kind: String,
    /// Who did it.
    #[diesel(sql_type = Nullable<Text>)]
    pub actor: Option<String>,
    /// The client that did it, or carried the token of who did.
    #[diesel(sql_type = Nullable<Text>)]
    pub actor_client: Option<String>,
    /// About whom.
    #[diesel(sql_type = Nullable<Text>)]
    pub subject: Option<String>,
    /// About which client, or with which.
    #[diesel(sql_type = Nullable<Text>)]
    pub client: Option<String>,
    /// About what else.
    #[diesel(sql_type = Nullable<Text>)]
    pub object: Option<String>,
}

/// The audit rows of the request behind an answer.
pub fn rows(signet: &Signet, request: &str) -> Vec<Row> {
    assert_eq!(request.len(), 32);
    let statement = format!(
        "SELECT event, result, actor_kind, actors.username AS actor, bearers.client_id AS actor_client, \
         subjects.username AS subject, clients.client_id AS client, object FROM audit \
         LEFT JOIN users actors ON actors.id = actor_user LEFT JOIN users subjects ON subjects.id = subject_user \
         LEFT JOIN clients bearers ON bearers.id = actor_client LEFT JOIN clients ON clients.id = client_key \
         WHERE request_id = '{request}'"
    );
    sql_query(statement).load(&mut signet.database()).expect("audit rows")
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Int8)]
    count: i64,
}

/// How many rows there are of what somebody did: what the program does by itself has its own.
pub fn count(signet: &Signet) -> i64 {
    let counted = sql_query("SELECT count(*) AS count FROM audit WHERE actor_kind <> 'system'")
        .get_result::<Count>(&mut signet.database());
    counted.expect("a count").count
}
