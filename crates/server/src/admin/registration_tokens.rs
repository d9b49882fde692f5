//! Initial access tokens: who has one may register clients (RFC 7591 §3).

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize, Serializer};
use signet_oidc::{change::EventKind, secret::Secret};
use signet_storage::{Actor, Origin, registrations::InitialAccessToken};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{AdminError, Desk, Page, Paging};

/// How long a token is good for where nobody says: a week, in seconds.
const WEEK: i64 = 7 * 24 * 3_600;
/// The longest: a year, in seconds.
const YEAR: i64 = 365 * 24 * 3_600;

/// A token to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewRegistrationToken {
    /// What it is for, for whoever lists tokens: at most 200 characters.
    pub note: String,
    /// How many clients may register with it, 1 to 10000; 1 when not given.
    #[schema(minimum = 1, maximum = 10000)]
    pub uses: Option<i32>,
    /// How many seconds it is good for, 60 to 31536000; a week when not given.
    #[schema(minimum = 60, maximum = 31_536_000)]
    pub expires_in: Option<i64>,
}

/// A token, without the token itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RegistrationTokenView {
    /// Its identifier, which opens nothing.
    #[schema(value_type = String)]
    pub id: Uuid,
    /// What it is for.
    pub note: String,
    /// How many clients may yet register with it.
    pub uses_left: i32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: DateTime<Utc>,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: DateTime<Utc>,
    /// Who made it, as the audit log names actors.
    pub created_by: String,
}

/// A token that was just made, shown this once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RegistrationTokenIssued {
    /// What it is.
    #[serde(flatten)]
    pub about: RegistrationTokenView,
    /// The token: a client sends it as `Authorization: Bearer …`.
    #[schema(value_type = String)]
    #[serde(serialize_with = "shown")]
    pub token: Secret,
}

fn shown<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

impl From<InitialAccessToken> for RegistrationTokenView {
    fn from(stored: InitialAccessToken) -> Self {
        let InitialAccessToken { id, note, uses_left, created_at, expires_at, created_by } = stored;
        Self { id, note, uses_left, created_at, expires_at, created_by }
    }
}

fn wrong(field: &'static str, message: &'static str) -> AdminError {
    AdminError::invalid("invalid_registration_token", field, message)
}

/// Makes a token. It is in the answer and nowhere else.
pub async fn create(desk: &Desk, new: NewRegistrationToken) -> Result<RegistrationTokenIssued, AdminError> {
    let note = new.note.trim().to_owned();
    if note.chars().count() > 200 || note.chars().any(char::is_control) {
        return Err(wrong("note", "Use at most 200 characters, no control characters."));
    }
    let uses_left = new.uses.unwrap_or(1);
    if !(1..=10_000).contains(&uses_left) {
        return Err(wrong("uses", "Give a number from 1 to 10000."));
    }
    let lifetime = new.expires_in.unwrap_or(WEEK);
    if !(60..=YEAR).contains(&lifetime) {
        return Err(wrong("expires_in", "Give 60 to 31536000 seconds: a minute to a year."));
    }
    desk.act(move |act| {
        let (token, created_at) = (act.turn.secret(), act.turn.now());
        let stored = InitialAccessToken {
            id: act.turn.uuid(),
            note,
            uses_left,
            created_at,
            expires_at: created_at + Duration::seconds(lifetime),
            created_by: maker(&act.desk.origin),
        };
        act.tx.put_initial_access_token(&stored, &token.digest())?;
        act.record(EventKind::RegistrationTokenCreated, object(stored.id), None, None)?;
        Ok(RegistrationTokenIssued { about: stored.into(), token })
    })
    .await
}

/// Tokens by age, those that are used up or over among them until they are swept.
pub async fn list(desk: &Desk, paging: Paging) -> Result<Page<RegistrationTokenView>, AdminError> {
    let after = paging.after()?;
    let after = if after.is_empty() {
        None
    } else {
        let read = Uuid::parse_str(&after)
            .map_err(|_| AdminError::invalid("invalid_after", "after", "Give what `next` of the page before said."));
        Some(read?)
    };
    let rows = paging.rows()?;
    let found = desk.store.read(move |tx| tx.initial_access_tokens(after, rows)).await?;
    let views = found.into_iter().map(RegistrationTokenView::from).collect();
    Ok(Page::of(views, &paging, |view: &RegistrationTokenView| view.id.to_string()))
}

/// Takes a token away. Clients that registered with it stay.
pub async fn delete(desk: &Desk, id: &str) -> Result<RegistrationTokenView, AdminError> {
    let missing = || AdminError::not_found("registration_token_not_found", "There is no token with this identifier.");
    let id = Uuid::parse_str(id).map_err(|_| missing())?;
    desk.act(move |act| {
        let gone = act.tx.delete_initial_access_token(id)?.ok_or_else(missing)?;
        act.record(EventKind::RegistrationTokenDeleted, object(id), None, None)?;
        Ok(gone.into())
    })
    .await
}

/// How the audit log names a token.
pub(crate) fn object(id: Uuid) -> String {
    format!("registration_token:{id}")
}

fn maker(origin: &Origin) -> String {
    match (&origin.operator, origin.actor) {
        (Some(operator), _) => format!("operator:{operator}"),
        (None, Some(Actor::User { user, .. })) => format!("user:{user}"),
        (None, Some(Actor::Client(client))) => format!("client:{client}"),
        (None, Some(Actor::System | Actor::Anonymous) | None) => "system".to_owned(),
    }
}
