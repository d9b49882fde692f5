//! Roles and permissions: their types and the built-in roles.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use signet_identity::UserId;

/// `resource:action`, `*` on either side, optionally narrowed to one instance (`invoice/42:read`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Permission {
    resource: String,
    instance: Option<String>,
    action: String,
}

/// A permission that is not `resource:action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a permission as resource:action or resource/instance:action, with letters, digits, '.', '_', '-' or '*'"
)]
pub struct PermissionSyntax;

impl Permission {
    /// Whether holding this permission allows `wanted`.
    pub fn allows(&self, wanted: &Self) -> bool {
        let resource = self.resource == "*" || self.resource == wanted.resource;
        let instance = self.instance.is_none() || self.instance == wanted.instance;
        let action = self.action == "*" || self.action == wanted.action;
        resource && instance && action
    }
}

impl FromStr for Permission {
    type Err = PermissionSyntax;

    fn from_str(value: &str) -> Result<Self, PermissionSyntax> {
        let word = |text: &str| {
            let good = !text.is_empty()
                && text.len() <= 128
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
            (good || text == "*").then(|| text.to_owned()).ok_or(PermissionSyntax)
        };
        let (target, action) = value.split_once(':').ok_or(PermissionSyntax)?;
        let (resource, instance) = match target.split_once('/') {
            Some((resource, instance)) => (resource, Some(word(instance)?)),
            None => (target, None),
        };
        Ok(Self { resource: word(resource)?, instance, action: word(action)? })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if let Some(instance) = &self.instance {
            write!(f, "/{instance}")?;
        }
        write!(f, ":{}", self.action)
    }
}

/// The roles every installation has, each inheriting the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuiltInRole {
    /// Everybody with an account.
    User,
    /// May look at accounts and lock them.
    Moderator,
    /// May do everything.
    Admin,
}

impl BuiltInRole {
    /// All of them, from least to most.
    pub const ALL: [Self; 3] = [Self::User, Self::Moderator, Self::Admin];

    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }

    /// What the role adds to the one it inherits from.
    pub fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::User => &["account:read", "account:update"],
            Self::Moderator => &["user:read", "user:lock", "user:unlock"],
            Self::Admin => &["*:*"],
        }
    }
}

/// A role given to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// To whom.
    pub user: UserId,
    /// Which.
    pub role: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// wildcards and instances.
    #[test]
    fn permissions() {
        let allows = |held: &str, wanted: &str| {
            held.parse::<Permission>().unwrap().allows(&wanted.parse::<Permission>().unwrap())
        };
        assert!(allows("*:*", "invoice/42:read"));
        assert!(allows("invoice:*", "invoice/42:read"));
        assert!(allows("invoice/42:read", "invoice/42:read"));
        assert!(!allows("invoice/42:read", "invoice:read"));
        assert!(!allows("invoice/42:read", "invoice/43:read"));
        assert!(!allows("*:read", "invoice:write"));
        for bad in ["", "invoice", ":read", "invoice:", "in voice:read", "a/b/c:read"] {
            assert_eq!(bad.parse::<Permission>(), Err(PermissionSyntax), "{bad}");
        }
        assert_eq!("invoice/42:read".parse::<Permission>().unwrap().to_string(), "invoice/42:read");
    }

    /// the built-in roles hold permissions that parse.
    #[test]
    fn built_in_roles() {
        for role in BuiltInRole::ALL {
            for permission in role.permissions() {
                assert!(permission.parse::<Permission>().is_ok(), "{permission}");
            }
        }
    }
}
