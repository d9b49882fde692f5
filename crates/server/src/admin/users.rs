//! Accounts: found, made, locked, unlocked, given a new password or a sign-in link (R-44, R-69a).

mod profile;
mod reach;

use std::fmt;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signet_identity::{
    Change, Event, EventKind, UserId, password::Password, profile::Profile, registration, user::UserState,
};
use signet_oidc::secret::Secret;
use signet_storage::{
    StoreError,
    accounts::{AccountFilter, AccountRef, AccountRow},
};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroize;

use super::{
    Act, AdminError, Condition, Desk, Page, Paging,
    roles::{self, HolderRef},
};
use crate::{entropy, pages::register::new_user};

pub use profile::{UserChange, UserDetail, UserMembers, show, update};
pub(super) use reach::{find, reachable};

/// The most characters of a reason.
const MAX_REASON: usize = 200;
/// How long a sign-in link lives when nothing is said, and at most, in minutes.
const LINK_MINUTES: (u32, u32) = (15, 24 * 60);

/// An account to be made.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct NewAccount {
    /// 2 to 64 letters, digits, dots, dashes or underscores.
    pub username: String,
    /// Its email address.
    pub email: String,
    /// Its password. Without one it is made and answered once.
    #[serde(default)]
    pub password: Option<String>,
    /// The address is known to be the person's.
    #[serde(default)]
    pub email_verified: bool,
    /// Gives it the role `admin`.
    #[serde(default)]
    pub admin: bool,
    /// What is known of the person, by the names of its members; unknown ones are refused.
    #[serde(flatten)]
    #[schema(value_type = UserMembers)]
    pub members: Map<String, Value>,
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Drop for NewAccount {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// Its key, for administration only.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// The subject that applications see.
    pub sub: String,
    /// Its username.
    pub username: String,
    /// Its address.
    pub email: String,
    /// Whether the address is known to be the person's.
    pub email_verified: bool,
    /// The person's name.
    pub name: Option<String>,
    /// `active`, `locked` or `deactivated`.
    pub state: String,
    /// Why it is locked.
    pub reason: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: DateTime<Utc>,
    /// When it last signed in.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub last_sign_in_at: Option<DateTime<Utc>>,
}

/// An account that was made or given a password.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct WithPassword {
    /// The account.
    #[serde(flatten)]
    pub user: UserView,
    /// The password that was made, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl fmt::Debug for WithPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithPassword").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A link that signs somebody in once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    /// Whom it signs in.
    pub username: String,
    /// The link. What follows `#` is the code; browsers do not send it to the server, so it is in no log.
    pub url: String,
    /// The code, for browsers that run no script.
    pub code: String,
    /// Its end.
    #[schema(value_type = String, format = "date-time")]
    pub expires_at: DateTime<Utc>,
}

impl fmt::Debug for SignInLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInLink").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Accounts in the order of their usernames: those whose username or address begins with what is searched for, in
/// `state` (`active`, `locked` or `deactivated`) where one is given.
pub async fn list(desk: &Desk, paging: Paging, state: Option<String>) -> Result<Page<UserView>, AdminError> {
    let state = state.map(|text| {
        UserState::parse(&text)
            .ok_or_else(|| AdminError::invalid("invalid_state", "state", "Use active, locked or deactivated."))
    });
    let filter = AccountFilter {
        prefix: paging.search()?.map(|text| text.to_lowercase()),
        state: state.transpose()?,
        after: paging.after()?.to_lowercase(),
        limit: paging.rows()?,
    };
    let rows = desk.store.read(move |tx| tx.accounts(&filter)).await?;
    let views: Vec<UserView> = rows.into_iter().map(view).collect::<Result<_, _>>()?;
    Ok(Page::of(views, &paging, |user: &UserView| user.username.to_lowercase()))
}

/// Makes an account.
pub async fn create(desk: &Desk, mut new: NewAccount) -> Result<WithPassword, AdminError> {
    let mut turn = entropy::turn()?;
    let known = profile::with(
        &Profile { email_verified: new.email_verified, ..Profile::default() },
        std::mem::take(&mut new.members),
    )?;
    let made = new.password.is_none().then(|| turn.secret());
    let typed = made.as_ref().map(Secret::expose).or(new.password.as_deref()).unwrap_or_default();
    let checked = registration::check(&new.username, &new.email, Password::new(typed), desk.passwords);
    let registration = checked.map_err(|problems| {
        let field = problems.first().map_or("username", |problem| problem.field);
        let lines: Vec<String> = problems.into_iter().map(|p| format!("{}: {}", p.field, p.message)).collect();
        AdminError::invalid("invalid_account", field, lines.join("\n"))
    })?;
    let hash = desk.hasher.hash(registration.password.clone(), turn.bytes()).await?;
    let mut user = new_user(&registration, hash, &mut turn);
    user.email_verified = new.email_verified;
    user.administrator = new.admin;
    let id = user.id;
    let user = desk
        .act(move |act| {
            if user.administrator {
                let all = act.tx.hold_roles()?;
                let admin = all.named(roles::ADMIN).map(|role| role.id);
                if !act.desk.reaches(&all.permissions(admin)) {
                    return Err(roles::above());
                }
            }
            let event = event(EventKind::Created, id, None);
            let at = user.at;
            let know = Change::SetProfile { user: id, profile: Box::new(known), at };
            act.apply(vec![Change::CreateUser(Box::new(user)), know, Change::Audit(event)])?
                .map_err(|taken| AdminError::conflict("account_exists", taken.to_string()))?;
            let row = act.tx.account(&AccountRef::Id(id))?.ok_or_else(unknown)?;
            Ok(view(row)?)
        })
        .await?;
    Ok(WithPassword { user, password: made.map(|secret| secret.expose().to_owned()) })
}

/// Sets a new password, made here when none is given. Everything the account is signed in to ends, offline access too.
pub async fn set_password(
    desk: &Desk,
    user: &str,
    password: Option<Password>,
    condition: Condition,
) -> Result<WithPassword, AdminError> {
    let mut turn = entropy::turn()?;
    let named = user.to_owned();
    let row = desk.act(move |act| find(act, &named)).await?;
    let made = password.is_none().then(|| turn.secret());
    let password = password.unwrap_or_else(|| Password::new(made.as_ref().map_or("", Secret::expose)));
    desk.passwords
        .check(&password, &row.username, &row.email)
        .map_err(|refusal| AdminError::invalid("invalid_password", "password", refusal.to_string()))?;
    let hash = desk.hasher.hash(password, turn.bytes()).await?;
    let id = UserId(row.id);
    let user = desk
        .act(move |act| {
            reach::reachable_as(act, id, &condition)?;
            let at = act.turn.now();
            let event = event(EventKind::PasswordSet, id, None);
            changed(
                act,
                id,
                vec![
                    Change::EndEverything { user: id, at },
                    Change::SetPassword { user: id, hash, at },
                    Change::Audit(event),
                ],
            )
        })
        .await?;
    Ok(WithPassword { user, password: made.map(|secret| secret.expose().to_owned()) })
}

/// Locks an account: it cannot sign in, and everything it is signed in to ends, offline access too. One that is locked
/// already stays as it is.
pub async fn lock(
    desk: &Desk,
    user: &str,
    reason: Option<String>,
    condition: Condition,
) -> Result<UserView, AdminError> {
    let reason = reason.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if reason.as_ref().is_some_and(|text| text.chars().count() > MAX_REASON || text.chars().any(char::is_control)) {
        return Err(AdminError::invalid(
            "invalid_reason",
            "reason",
            "Use at most 200 characters for a reason, no control characters.",
        ));
    }
    let user = user.to_owned();
    desk.act(move |act| {
        let id = UserId(find(act, &user)?.id);
        let all = act.tx.hold_roles()?;
        let row = reach::reachable_as(act, id, &condition)?;
        match row.state()? {
            UserState::Locked => return Ok(view(row)?),
            UserState::Deactivated => return Err(deactivated()),
            UserState::Active => {}
        }
        roles::keep(act, &all, &all.administrative(), Some((id, None)))?;
        let at = act.turn.now();
        let event = event(EventKind::Locked, id, reason.clone());
        let state = UserState::Locked;
        changed(
            act,
            id,
            vec![
                Change::EndEverything { user: id, at },
                Change::SetState { user: id, state, reason: reason.clone(), at },
                Change::Audit(event),
            ],
        )
    })
    .await
}

/// Unlocks an account. What ended stays ended. One that is active stays as it is.
pub async fn unlock(desk: &Desk, user: &str, condition: Condition) -> Result<UserView, AdminError> {
    let user = user.to_owned();
    desk.act(move |act| {
        let id = UserId(find(act, &user)?.id);
        act.tx.hold_roles()?;
        let row = reach::reachable_as(act, id, &condition)?;
        match row.state()? {
            UserState::Active => return Ok(view(row)?),
            UserState::Deactivated => return Err(deactivated()),
            UserState::Locked => {}
        }
        let at = act.turn.now();
        let event = event(EventKind::Unlocked, id, None);
        let state = UserState::Active;
        changed(act, id, vec![Change::SetState { user: id, state, reason: None, at }, Change::Audit(event)])
    })
    .await
}

/// Gives an account the role `admin`.
pub async fn make_admin(desk: &Desk, user: &str) -> Result<roles::HeldRoles, AdminError> {
    roles::assign(desk, roles::ADMIN, &HolderRef::User(user.to_owned())).await
}

/// Makes a link that signs an active account in, once, within `minutes` (15 when none is given).
pub async fn sign_in_link(desk: &Desk, user: &str, minutes: Option<u32>) -> Result<SignInLink, AdminError> {
    let minutes = minutes.unwrap_or(LINK_MINUTES.0);
    if !(1..=LINK_MINUTES.1).contains(&minutes) {
        return Err(AdminError::invalid("invalid_minutes", "minutes", "Let the link live 1 to 1440 minutes."));
    }
    let user = user.to_owned();
    desk.act(move |act| {
        let id = UserId(find(act, &user)?.id);
        let row = reachable(act, id)?;
        if row.state()? != UserState::Active {
            return Err(AdminError::conflict("account_not_active", "This account may not sign in. Unlock it first."));
        }
        let at = act.turn.now();
        let secret = act.turn.secret();
        let expires = at + Duration::minutes(i64::from(minutes));
        let issue = Change::IssueLink { hash: *secret.digest().as_bytes(), user: id, at, expires };
        let event = event(EventKind::LinkIssued, id, None);
        done(act.apply(vec![issue, Change::Audit(event)])?);
        Ok(SignInLink {
            username: row.username,
            url: format!("{}#{}", act.desk.realm.url("/signin/link"), secret.expose()),
            code: secret.expose().to_owned(),
            expires_at: expires,
        })
    })
    .await
}

/// There is no such account.
pub(super) fn unknown() -> AdminError {
    AdminError::not_found("user_unknown", "There is no account with this id, username or email address.")
}

fn deactivated() -> AdminError {
    AdminError::conflict("account_deactivated", "This account is deactivated; it can be neither locked nor unlocked.")
}

/// Applies, and answers the account as it is then.
fn changed(act: &mut Act<'_, '_>, user: UserId, changes: Vec<Change>) -> Result<UserView, AdminError> {
    done(act.apply(changes)?);
    let row = act.tx.account(&AccountRef::Id(user))?.ok_or_else(unknown)?;
    Ok(view(row)?)
}

/// These changes meet no key.
fn done<V>(_: Result<(), V>) {}

fn event(kind: EventKind, user: UserId, typed: Option<String>) -> Event {
    Event { kind, user: Some(user), session: None, typed, detail: None }
}

fn view(row: AccountRow) -> Result<UserView, StoreError> {
    let state = row.state()?;
    Ok(UserView {
        id: row.id,
        sub: row.subject,
        username: row.username,
        email: row.email,
        email_verified: row.email_verified_at.is_some(),
        name: row.name,
        state: state.as_str().to_owned(),
        reason: row.state_reason,
        created_at: row.created_at,
        last_sign_in_at: row.last_sign_in_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what holds a secret does not show it.
    #[test]
    fn debug_shows_no_secret() {
        let new = NewAccount {
            username: "ada".into(),
            email: "ada@people.test".into(),
            password: Some("hunter2".into()),
            email_verified: false,
            admin: false,
            members: Map::new(),
        };
        let link = SignInLink {
            username: "ada".into(),
            url: "https://id.test/signin/link#hunter2".into(),
            code: "hunter2".into(),
            expires_at: DateTime::UNIX_EPOCH,
        };
        assert!(!format!("{new:?}{link:?}").contains("hunter2"));
    }
}
