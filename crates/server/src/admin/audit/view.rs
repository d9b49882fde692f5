//! Questions to the audit log, and its rows, as they are told.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use signet_storage::audit::query::Named;
use utoipa::ToSchema;
use uuid::Uuid;

/// What is asked for; what is absent does not matter.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditQuery {
    /// The event's code, or its beginning up to a dot: `client` finds `client.created`.
    pub event: Option<String>,
    /// `success` or `refused`.
    pub result: Option<String>,
    /// The account it is about.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub account: Option<Uuid>,
    /// The account that did it.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub actor: Option<Uuid>,
    /// The client it was done with, by its `client_id`.
    pub client: Option<String>,
    /// What it was done to, such as `role:editor`.
    pub object: Option<String>,
    /// The request it was done in.
    pub request_id: Option<String>,
    /// Not before this moment.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub to: Option<DateTime<Utc>>,
    /// Where the page before ended: its `next`.
    pub after: Option<String>,
    /// The oldest first, instead of the newest.
    pub ascending: bool,
    /// Rows of a page, 1 to 500; 50 when absent.
    pub limit: Option<i64>,
}

/// Who did something.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActorView {
    /// `user`, `client`, `operator`, `system` or `anonymous`.
    pub kind: String,
    /// The account.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub user: Option<Uuid>,
    /// Its username.
    pub username: Option<String>,
    /// The client: by itself, or as the bearer of the person's token.
    pub client_id: Option<String>,
    /// The operating system's user.
    pub operator: Option<String>,
}

/// A row of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// Its key.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// When.
    #[schema(value_type = String, format = "date-time")]
    pub at: DateTime<Utc>,
    /// The event's code.
    pub event: String,
    /// `success` or `refused`.
    pub result: String,
    /// Who did it.
    pub actor: ActorView,
    /// Whose account.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub account: Option<Uuid>,
    /// Its username.
    pub username: Option<String>,
    /// With which client.
    pub client_id: Option<String>,
    /// In which session.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub session: Option<Uuid>,
    /// Under which grant.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub grant: Option<Uuid>,
    /// What it was done to, where that is none of these.
    pub object: Option<String>,
    /// A code that says more.
    pub detail: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// From which address; erased with the person's data.
    pub address: Option<String>,
    /// By which agent; erased with the person's data.
    pub user_agent: Option<String>,
    /// What was typed to name an account or a client; erased with the person's data.
    pub typed: Option<String>,
    /// The place in the chain; absent for a moment after it was written.
    pub chain_index: Option<i64>,
}

/// A page of rows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The rows.
    pub items: Vec<AuditView>,
    /// Give it as `after` for the page after this one; absent on the last.
    pub next: Option<String>,
}

impl From<Named> for AuditView {
    fn from(named: Named) -> Self {
        let Named { entry, client_id, client_name: _, actor_client_id, subject_name, actor_name } = named;
        Self {
            id: entry.id,
            at: entry.at,
            event: entry.event,
            result: entry.result,
            actor: ActorView {
                kind: entry.actor_kind,
                user: entry.actor_user,
                username: actor_name,
                client_id: actor_client_id,
                operator: entry.operator,
            },
            account: entry.subject_user,
            username: subject_name,
            client_id,
            session: entry.session_id,
            grant: entry.grant_id,
            object: entry.object,
            detail: entry.detail,
            request_id: entry.request_id,
            address: entry.address,
            user_agent: entry.user_agent,
            typed: entry.typed,
            chain_index: entry.chain_index,
        }
    }
}
