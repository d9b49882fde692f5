//! Roles: named sets of permissions that inherit from others.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Permission;

/// The most permissions one role lists.
pub const MAX_PERMISSIONS: usize = 200;
/// The most roles one role inherits from directly.
pub const MAX_PARENTS: usize = 20;
/// The most characters of a description.
pub const MAX_DESCRIPTION: usize = 500;

/// The internal key of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleId(pub i64);

/// A role's name: 1 to 64 lower-case letters, digits, `.`, `_`, `-`, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName(String);

/// A name that no role can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use 1 to 64 lower-case letters, digits, '.', '_' or '-' for a role's name, starting with a letter")]
pub struct RoleNameSyntax;

impl RoleName {
    /// The name as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleName {
    type Err = RoleNameSyntax;

    fn from_str(value: &str) -> Result<Self, RoleNameSyntax> {
        let characters =
            value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'));
        let start = value.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if value.len() <= 64 && characters && start { Ok(Self(value.to_owned())) } else { Err(RoleNameSyntax) }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A role as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its key.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// What it is for, in words.
    pub description: String,
    /// One of [`BuiltInRole`].
    pub built_in: bool,
    /// What it adds to what it inherits.
    pub permissions: Vec<Permission>,
    /// What it inherits from, directly.
    pub parents: Vec<RoleId>,
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
    pub const fn as_str(self) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// the built-in roles have names and permissions that parse.
    #[test]
    fn built_in_roles() {
        for role in BuiltInRole::ALL {
            assert!(role.as_str().parse::<RoleName>().is_ok());
            for permission in role.permissions() {
                assert!(permission.parse::<Permission>().is_ok(), "{permission}");
            }
        }
    }

    /// names of roles.
    #[test]
    fn names() {
        for good in ["support", "a", "team-1.lead_x", &"a".repeat(64)] {
            assert!(good.parse::<RoleName>().is_ok(), "{good}");
        }
        for bad in ["", "Support", "1st", "-a", "a b", "a:b", "ä", "a\0", &"a".repeat(65)] {
            assert_eq!(bad.parse::<RoleName>(), Err(RoleNameSyntax), "{bad:?}");
        }
    }
}
