//! Names of a person: username and email address, each with the folded form that must be unique.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use email_address::{EmailAddress, Options};

/// Why a name is not accepted. The message says what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Username syntax.
    #[error(
        "Choose a username of 2 to 64 letters, digits, dots, dashes or underscores, starting with a letter or digit."
    )]
    Username,
    /// Email syntax.
    #[error("Enter an email address such as name@example.org.")]
    Email,
}

/// A username as typed: ASCII letters, digits, `.`, `_`, `-`. Never an email address, so that one sign-in field can
/// take both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// The name as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that is unique in a realm.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for Username {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let value = value.trim();
        let length = (2..=64).contains(&value.len());
        let characters = value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        let start = value.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if length && characters && start { Ok(Self(value.to_owned())) } else { Err(NameError::Username) }
    }
}

/// An email address as typed, checked for syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// The address as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that is unique in a realm: lower case, folded here and not by the database.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = NameError;

    fn from_str(value: &str) -> Result<Self, NameError> {
        let value = value.trim();
        let options = Options::default().without_display_text().without_domain_literal();
        if value.len() > 254 || value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(NameError::Email);
        }
        EmailAddress::parse_with_options(value, options).map_err(|_| NameError::Email)?;
        Ok(Self(value.to_owned()))
    }
}

/// What a person typed to say who they are: one field takes both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// Folded username.
    Username(String),
    /// Folded email address.
    Email(String),
}

impl Identifier {
    /// Reads and folds; none when it can be neither.
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.contains('@') {
            typed.parse().ok().map(|email: Email| Self::Email(email.folded()))
        } else {
            typed.parse().ok().map(|username: Username| Self::Username(username.folded()))
        }
    }
}

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserState {
    /// May sign in.
    Active,
    /// Locked by an administrator.
    Locked,
    /// Switched off by its owner or an administrator.
    Deactivated,
}

impl UserState {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Deactivated => "deactivated",
        }
    }

    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Locked, Self::Deactivated].into_iter().find(|state| state.as_str() == name)
    }
}

/// An account about to be stored.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Its key.
    pub id: crate::UserId,
    /// The public subject identifier: 128 random bits, base64url.
    pub subject: String,
    /// Its username.
    pub username: Username,
    /// Its address.
    pub email: Email,
    /// Whether the address is proven.
    pub email_verified: bool,
    /// The hash, a PHC string.
    pub password: crate::password::PasswordHash,
    /// Built-in role given at creation, `user` aside.
    pub administrator: bool,
    /// When.
    pub at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// username and email syntax; both fold to one form.
    #[test]
    fn names() {
        for good in ["ada", "Ada.Lovelace", "a1", "0-x_y"] {
            assert!(good.parse::<Username>().is_ok(), "{good}");
        }
        for bad in ["", "a", "-a", "a b", "a@b", "é1", "a\0b", &"a".repeat(65)] {
            assert_eq!(bad.parse::<Username>(), Err(NameError::Username), "{bad:?}");
        }
        for good in ["ada@example.org", "a.b+c@sub.example.org"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        for bad in ["", "ada", "a@b@c", "Ada <ada@example.org>", "a@[127.0.0.1]", "a b@example.org", "a@\0.org"] {
            assert_eq!(bad.parse::<Email>(), Err(NameError::Email), "{bad:?}");
        }
        assert_eq!(Identifier::parse(" Ada "), Some(Identifier::Username("ada".into())));
        assert_eq!(Identifier::parse("ADA@Example.org"), Some(Identifier::Email("ada@example.org".into())));
        assert_eq!(Identifier::parse("a\0b"), None);
    }
}
