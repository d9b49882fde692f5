//! What people allowed applications, as administrators see it (protocol A16).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use signet_identity::UserId;
use signet_oidc::{
    consent::{self, Withdrawal},
    id::{AccountId, ClientId},
};
use signet_storage::consents::GivenConsent;
use utoipa::ToSchema;

use super::{AdminError, Desk, Page, Paging, users};

/// What a person allowed an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentView {
    /// The client's identifier.
    pub client_id: String,
    /// Its name.
    pub client_name: String,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// Claims asked for by name, beyond what the scopes release.
    pub claims: Vec<String>,
    /// Identifiers of APIs.
    pub resources: Vec<String>,
    /// When it was allowed first.
    #[schema(value_type = String, format = "date-time")]
    pub given_at: DateTime<Utc>,
    /// When anything was last added to it.
    #[schema(value_type = String, format = "date-time")]
    pub changed_at: DateTime<Utc>,
}

impl From<GivenConsent> for ConsentView {
    fn from(given: GivenConsent) -> Self {
        Self {
            client_id: given.client_id,
            client_name: given.client_name,
            scope: given.allowed.scopes.to_string(),
            claims: given.allowed.claims.into_iter().collect(),
            resources: given.allowed.resources.into_iter().collect(),
            given_at: given.given_at,
            changed_at: given.changed_at,
        }
    }
}

/// What an account allowed, by the identifiers of the clients.
pub async fn list(desk: &Desk, user: &str, paging: Paging) -> Result<Page<ConsentView>, AdminError> {
    let (user, after, rows) = (user.to_owned(), paging.after()?, paging.rows()?);
    let views = desk
        .act(move |act| {
            let account = AccountId(users::find(act, &user)?.id);
            let found = act.tx.consents_of(account, &after, rows)?;
            Ok(found.into_iter().map(ConsentView::from).collect())
        })
        .await?;
    Ok(Page::of(views, &paging, |view: &ConsentView| view.client_id.clone()))
}

/// Withdraws what an account allowed a client. Everything the client was given by that account ends, offline access too.
pub async fn withdraw(desk: &Desk, user: &str, client_id: &str) -> Result<(), AdminError> {
    let client_id = ClientId::parse(client_id).ok_or_else(unknown)?;
    let user = user.to_owned();
    desk.act(move |act| {
        let id = users::find(act, &user)?.id;
        users::reachable(act, UserId(id))?;
        let (account, at) = (AccountId(id), act.turn.now());
        let client = act.tx.client(&client_id)?.ok_or_else(unknown)?.key;
        let remembered = act.tx.lock_consent(account, client)?;
        let changes = consent::withdraw(Withdrawal { account, client, session: None, remembered }, at);
        if changes.is_empty() {
            return Err(unknown());
        }
        let _ = act.apply(changes)?;
        Ok(())
    })
    .await
}

fn unknown() -> AdminError {
    AdminError::not_found("consent_unknown", "This account has allowed no client with this identifier anything.")
}
