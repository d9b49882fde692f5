//! What is known of a person: shown, and changed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signet_identity::{
    Change, Event, EventKind, UserId,
    profile::{Profile, ProfileError},
};
use signet_rbac::Holder;
use signet_storage::accounts::{AccountRef, AccountRow};
use utoipa::ToSchema;

use super::{
    UserView, done, find,
    reach::{named, within_reach},
    roles, unknown, view,
};
use crate::admin::{Act, AdminError, Condition, Desk, Refusal, revision};

/// What is known of a person: the claims of OIDC Core §5.1, groups and metadata.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserMembers {
    /// The whole name, as it is shown.
    pub name: Option<String>,
    /// Given names.
    pub given_name: Option<String>,
    /// Family names.
    pub family_name: Option<String>,
    /// Middle names.
    pub middle_name: Option<String>,
    /// What the person is called.
    pub nickname: Option<String>,
    /// The address of a page about the person.
    pub profile: Option<String>,
    /// The address of a picture.
    pub picture: Option<String>,
    /// The address of the person's own pages.
    pub website: Option<String>,
    /// `female`, `male` or another word.
    pub gender: Option<String>,
    /// `YYYY-MM-DD`, `YYYY`, or `0000-MM-DD`.
    pub birthdate: Option<String>,
    /// A name of the time zone database: `Europe/Paris`.
    pub zoneinfo: Option<String>,
    /// A language tag: `en-GB`.
    pub locale: Option<String>,
    /// Whether the email address is known to be the person's.
    pub email_verified: bool,
    /// In international form: `+44 20 7946 0000`.
    pub phone_number: Option<String>,
    /// Whether the number is known to be the person's; a new number is not, unless that is said with it.
    pub phone_number_verified: bool,
    /// `formatted`, `street_address`, `locality`, `region`, `postal_code`, `country`.
    #[schema(value_type = Option<Object>)]
    pub address: Option<Map<String, Value>>,
    /// At most 100 names of groups, for applications that ask for them.
    pub groups: Option<Vec<String>>,
    /// What else is kept of the account: an object of at most 8 KiB and 8 levels, for applications that map it to claims.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
}

/// What is changed of an account; members that are not given stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserChange {
    /// The `revision` this change is based on. With another one stored it is refused.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What changes, by the names of its members; `null` clears one, and unknown ones are refused. Objects are merged
    /// (RFC 7396).
    #[serde(flatten)]
    #[schema(value_type = UserMembers)]
    pub members: Map<String, Value>,
}

/// An account with what is known of the person and what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserDetail {
    /// The account.
    #[serde(flatten)]
    pub user: UserView,
    /// Whether it has a password.
    pub has_password: bool,
    /// The roles it was given.
    pub roles: Vec<String>,
    /// All that they allow together, while the account is active.
    pub effective_permissions: Vec<String>,
    /// How many sessions are alive.
    pub sessions: i64,
    /// Changes with every change of what is known of the person; give it to change only what was read.
    pub revision: String,
    /// What is known of the person; what is not known is left out.
    #[serde(flatten)]
    #[schema(value_type = UserMembers)]
    pub members: Map<String, Value>,
}

/// One account, by its id, username or address.
pub async fn show(desk: &Desk, user: &str) -> Result<UserDetail, AdminError> {
    let user = user.to_owned();
    desk.act(move |act| {
        let (row, known) = act.tx.account_with_profile(&named(&user)?)?.ok_or_else(unknown)?;
        detail(act, row, &known)
    })
    .await
}

/// Changes what the change names; answers the account as it is then, and the names of what changed.
pub async fn update(
    desk: &Desk,
    user: &str,
    change: UserChange,
    condition: Condition,
) -> Result<(UserDetail, Vec<String>), AdminError> {
    let user = user.to_owned();
    desk.act(move |act| {
        let id = UserId(find(act, &user)?.id);
        act.tx.hold_roles()?;
        let (row, before) = act.tx.lock_account_with_profile(id)?.ok_or_else(unknown)?;
        within_reach(act, id)?;
        condition.check(&revision(&before))?;
        if change.revision.is_some_and(|expected| expected != revision(&before)) {
            return Err(AdminError::conflict(
                "changed_meanwhile",
                "Somebody else changed the account meanwhile. Read it again and repeat the change.",
            ));
        }
        let after = with(&before, change.members)?;
        let changed = before.differences(&after);
        if changed.is_empty() {
            return Ok((detail(act, row, &before)?, changed));
        }
        let (at, named) = (act.turn.now(), Some(changed.join(",")));
        let event = Event { kind: EventKind::Updated, user: Some(id), session: None, typed: None, detail: named };
        let set = Change::SetProfile { user: id, profile: Box::new(after), at };
        done(act.apply(vec![set, Change::Audit(event)])?);
        // As it was stored: the order of members there is the database's, and the revision is made of it.
        let (row, known) = act.tx.account_with_profile(&AccountRef::Id(id))?.ok_or_else(unknown)?;
        Ok((detail(act, row, &known)?, changed))
    })
    .await
}

/// What is known, with what is given put over it.
pub(super) fn with(before: &Profile, given: Map<String, Value>) -> Result<Profile, AdminError> {
    before.with(given).map_err(|error| {
        let field = match &error {
            ProfileError::Unknown(_) => None,
            ProfileError::Value { member, .. } => Some(*member),
        };
        AdminError::Invalid(Refusal { code: "invalid_profile", message: error.to_string().into(), field })
    })
}

fn detail(act: &mut Act<'_, '_>, row: AccountRow, known: &Profile) -> Result<UserDetail, AdminError> {
    let id = UserId(row.id);
    let all = act.tx.hierarchy()?;
    let held = act.tx.roles_of(Holder::User(id))?;
    let mut members = known.to_members();
    // They stand with the account.
    members.retain(|name, _| !matches!(name.as_str(), "name" | "email_verified"));
    Ok(UserDetail {
        has_password: row.has_password,
        roles: roles::names(&all, &held),
        effective_permissions: act.tx.permissions_of(Holder::User(id))?.to_texts(),
        sessions: act.tx.living_sessions(id, act.turn.now())?,
        revision: revision(known),
        members,
        user: view(row)?,
    })
}
