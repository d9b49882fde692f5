//! Administration: what the API, the command line and `signet apply` do, once for all three.
//!
//! A function here takes the [`Desk`] and plain values, checks them, changes what is stored together with its audit row
//! in one transaction, and answers a plain value. It knows nothing of HTTP or of the command line.

mod act;
pub mod apply;
pub mod audit;
pub mod clients;
pub mod consents;
pub mod deliveries;
pub mod keys;
pub mod registration_tokens;
pub mod resources;
pub mod roles;
pub mod users;

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use signet_identity::password::PasswordPolicy;
use signet_oidc::{realm::Realm, secret::Digest};
use signet_rbac::PermissionSet;
use signet_storage::{Origin, Store, StoreError};
use utoipa::{IntoParams, ToSchema};

pub use act::Act;

use crate::{app::App, entropy::NoEntropy, hashing, outbound::Outbound};

/// Where administration is done, and by whom.
#[derive(Clone)]
pub struct Desk {
    /// The database.
    pub store: Store,
    /// Issuer and policy.
    pub realm: Realm,
    /// Password hashing.
    pub hasher: hashing::Hasher,
    /// Which passwords are accepted.
    pub passwords: PasswordPolicy,
    /// Who does it, from where.
    pub origin: Origin,
    /// How long audit rows stay, and where they go then.
    pub audit: crate::audit::Settings,
    /// What fetches from addresses that clients name, or why nothing can.
    pub outbound: Result<Arc<Outbound>, String>,
    /// What the actor may do by roles: nobody gives, or acts on somebody who holds, more than that. None for the
    /// operator of the machine, who may do everything.
    pub held: Option<Arc<PermissionSet>>,
}

impl Desk {
    /// The desk of a running server, for whoever acts from there.
    pub fn of(app: &App, origin: Origin, held: Option<Arc<PermissionSet>>) -> Self {
        Self {
            store: app.store.clone(),
            realm: app.realm().as_ref().clone(),
            hasher: app.hasher.clone(),
            passwords: app.passwords,
            origin,
            audit: crate::audit::Settings::of(&app.config()),
            outbound: Ok(Arc::clone(&app.outbound)),
            held,
        }
    }

    /// Whether the actor may give these permissions, or act on somebody who holds them.
    pub fn reaches(&self, wanted: &PermissionSet) -> bool {
        self.held.as_ref().is_none_or(|held| held.covers(wanted))
    }
}

/// What an administrative act is refused with.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(Refusal),
    /// A value is not acceptable.
    #[error("{0}")]
    Invalid(Refusal),
    /// The actor would reach above what the actor may do.
    #[error("{0}")]
    Forbidden(Refusal),
    /// It clashes with what is stored.
    #[error("{0}")]
    Conflict(Refusal),
    /// What is stored is not what the caller said it is.
    #[error("{0}")]
    Outdated(Refusal),
    /// Worth trying again in a moment.
    #[error("{0}")]
    Busy(Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// Why, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Stable, in `snake_case`.
    pub code: &'static str,
    /// A sentence that says what to change.
    pub message: Cow<'static, str>,
    /// The member of the input that is wrong, as it is named there.
    pub field: Option<&'static str>,
}

impl AdminError {
    /// There is no such thing.
    pub fn not_found(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::NotFound(Refusal { code, message: message.into(), field: None })
    }

    /// A value is not acceptable.
    pub fn invalid(code: &'static str, field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(Refusal { code, message: message.into(), field: Some(field) })
    }

    /// The actor would reach above what the actor may do.
    pub fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Forbidden(Refusal { code, message: message.into(), field: None })
    }

    /// It clashes with what is stored.
    pub fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Conflict(Refusal { code, message: message.into(), field: None })
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(refusal)
            | Self::Invalid(refusal)
            | Self::Forbidden(refusal)
            | Self::Conflict(refusal)
            | Self::Outdated(refusal)
            | Self::Busy(refusal) => refusal.code,
            Self::Store(StoreError::Unavailable(_)) => "unavailable",
            Self::Store(_) | Self::Entropy(_) => "internal",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::Invalid(_) => 422,
            Self::Forbidden(_) => 403,
            Self::Conflict(_) => 409,
            Self::Outdated(_) => 412,
            Self::Busy(_) | Self::Store(StoreError::Unavailable(_)) => 503,
            Self::Store(_) | Self::Entropy(_) => 500,
        }
    }
}

impl From<hashing::Refusal> for AdminError {
    fn from(error: hashing::Refusal) -> Self {
        Self::Busy(Refusal { code: "busy", message: error.to_string().into(), field: None })
    }
}

/// RFC 9110 §13.1.1 `If-Match`: what must be stored for a change to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// Whatever there is.
    #[default]
    Any,
    /// What has one of these revisions.
    OneOf(Vec<String>),
}

impl Condition {
    /// Refuses where something else is stored.
    pub(crate) fn check(&self, revision: &str) -> Result<(), AdminError> {
        match self {
            Self::OneOf(known) if !known.iter().any(|known| known == revision) => Err(AdminError::Outdated(Refusal {
                code: "changed_meanwhile",
                message: "Somebody else changed it meanwhile. Read it again and repeat the change.".into(),
                field: None,
            })),
            Self::Any | Self::OneOf(_) => Ok(()),
        }
    }
}

/// A fingerprint of what is shown of something.
pub(crate) fn revision<T: Serialize>(shown: &T) -> String {
    let text = Digest::of(&serde_json::to_vec(shown).unwrap_or_default()).to_text();
    text.get(..22).unwrap_or(&text).to_owned()
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct Paging {
    /// At most so many, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<i64>,
    /// What [`Page::next`] of the page before said.
    pub after: Option<String>,
    /// Part of the identifier or of the name, in any case.
    pub search: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to give as `after` for the next page; absent on the last.
    pub next: Option<String>,
}

impl Paging {
    /// The greatest page.
    pub const MAX: i64 = 200;

    /// How many are shown.
    fn shown(&self) -> i64 {
        self.limit.unwrap_or(50)
    }

    /// How many entries, one more than shown: the last one tells that there is a next page.
    pub(crate) fn rows(&self) -> Result<i64, AdminError> {
        let shown = self.shown();
        if !(1..=Self::MAX).contains(&shown) {
            return Err(AdminError::invalid("invalid_limit", "limit", "Give a number from 1 to 200."));
        }
        Ok(shown + 1)
    }

    /// What is searched for, if anything.
    pub(crate) fn search(&self) -> Result<Option<String>, AdminError> {
        let search = self.search.as_deref().map(str::trim).filter(|search| !search.is_empty());
        if search.is_some_and(|search| search.len() > 256 || search.chars().any(char::is_control)) {
            return Err(AdminError::invalid("invalid_search", "search", "Search for at most 256 bytes of plain text."));
        }
        Ok(search.map(str::to_owned))
    }

    /// Where the page begins.
    pub(crate) fn after(&self) -> Result<String, AdminError> {
        let after = self.after.clone().unwrap_or_default();
        if after.len() > 2_048 || after.contains('\0') {
            return Err(AdminError::invalid("invalid_after", "after", "Give what `next` of the page before said."));
        }
        Ok(after)
    }
}

impl<T> Page<T> {
    /// From one entry more than is shown; `key` is what the list is ordered by.
    pub(crate) fn of(mut rows: Vec<T>, paging: &Paging, key: impl Fn(&T) -> String) -> Self {
        let shown = usize::try_from(paging.shown()).unwrap_or(usize::MAX);
        let more = rows.len() > shown;
        rows.truncate(shown);
        let next = rows.last().filter(|_| more).map(key);
        Self { items: rows, next }
    }
}
