//! Scopes (RFC 6749 §3.3), kept sorted: oxide-auth's own set prints in random order.

use std::{collections::BTreeSet, fmt, str::FromStr};

use oxide_auth::primitives::scope::Scope as EngineScope;
use serde::{Deserialize, Serialize};

/// OIDC Core §3.1.2.1: marks an OpenID Connect request.
pub const OPENID: &str = "openid";
/// OIDC Core §11: asks for a refresh token that outlives the session.
pub const OFFLINE_ACCESS: &str = "offline_access";

/// The scopes every client may ask for, with what consent says of them.
pub const STANDARD: [(&str, &str); 6] = [
    (OPENID, "Know who you are (an identifier for your account)"),
    ("profile", "See your profile: name, picture and the like"),
    ("email", "See your email address"),
    ("address", "See your postal address"),
    ("phone", "See your phone number"),
    (OFFLINE_ACCESS, "Keep access while you are away, until you withdraw it"),
];

/// A sorted set of scope tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Scopes(BTreeSet<String>);

/// A scope parameter held a character outside RFC 6749 §3.3's set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("scope holds a character that is not allowed there")]
pub struct ScopeSyntax;

impl Scopes {
    /// Whether `scope` is in the set.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether every token of `other` is here too.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }

    /// The tokens in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The tokens in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The same set without `scope`.
    #[must_use]
    pub fn without(mut self, scope: &str) -> Self {
        self.0.remove(scope);
        self
    }

    /// The engine's form of this set.
    pub(crate) fn to_engine(&self) -> Option<EngineScope> {
        self.to_string().parse().ok()
    }

    /// Our form of the engine's set.
    pub(crate) fn from_engine(scope: &EngineScope) -> Self {
        scope.iter().collect()
    }
}

impl<'a> FromIterator<&'a str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a str>>(tokens: I) -> Self {
        Self(tokens.into_iter().map(str::to_owned).collect())
    }
}

impl FromIterator<String> for Scopes {
    fn from_iter<I: IntoIterator<Item = String>>(tokens: I) -> Self {
        Self(tokens.into_iter().collect())
    }
}

impl FromStr for Scopes {
    type Err = ScopeSyntax;

    fn from_str(value: &str) -> Result<Self, ScopeSyntax> {
        value.parse::<EngineScope>().map(|scope| Self::from_engine(&scope)).map_err(|_| ScopeSyntax)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, token) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_print_sorted_and_once() {
        let scopes: Scopes = "profile openid  email openid".parse().unwrap();
        assert_eq!(scopes.to_string(), "email openid profile");
    }

    /// A13, T6: what sets have in common, and what they hold together.
    #[test]
    fn sets() {
        let of = |text: &str| text.parse::<Scopes>().unwrap();
        let (few, more) = (of("openid email"), of("openid profile"));
        assert_eq!(few.intersection(&more), of("openid"));
        assert_eq!(few.union(&more), of("email openid profile"));
        assert_eq!(few.clone().without("email"), of("openid"));
        assert_eq!(["openid", "email"].map(str::to_owned).into_iter().collect::<Scopes>(), few);
        assert!(few.covers(&of("email")) && !few.covers(&more) && few.covers(&Scopes::default()));
        assert!(few.contains("email") && !few.contains("Email"));
        assert!(Scopes::default().is_empty() && !few.is_empty());
    }

    #[test]
    fn scopes_refuse_characters_outside_the_grammar() {
        for bad in ["a\"b", "a\\b", "a\nb", "é", "a\tb"] {
            assert_eq!(bad.parse::<Scopes>(), Err(ScopeSyntax), "{bad:?}");
        }
    }
}
