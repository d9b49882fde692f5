//! Identifiers. Each has its own type, so that a grant's id is never taken for a session's.

use std::fmt;

use icu_properties::{CodePointMapData, CodePointMapDataBorrowed, props::GeneralCategory as Category};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

uuid_id! {
    /// A person's account, as the protocol sees it: an opaque key.
    AccountId,
    /// A browser session.
    SessionId,
    /// What a person allowed a client.
    GrantId,
    /// An authorization request that waits for a person.
    InteractionId,
}

/// A realm: the unit of issuer, keys, policy and uniqueness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RealmId(pub i64);

/// The internal key of a client; rows refer to it, never to the public identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientKey(pub i64);

/// What kind a character is of.
const KINDS: CodePointMapDataBorrowed<'static, Category> = CodePointMapData::new();

/// RFC 6749 §2.2: the public identifier of a client, up to 2,048 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// The greatest length, in bytes.
    pub const MAX_BYTES: usize = 2_048;

    /// `None` when empty, too long, or holding a control character.
    pub fn parse(value: &str) -> Option<Self> {
        let fits = !value.is_empty() && value.len() <= Self::MAX_BYTES && !value.chars().any(char::is_control);
        fits.then(|| Self(value.to_owned()))
    }

    /// Whether a new client may have it. Paths swallow `.` and `..` (RFC 3986 §5.2.4); what nobody sees, such as a
    /// character that turns the direction of text round, makes one identifier look like another.
    pub fn may_be_given(&self) -> bool {
        let seen = |c: char| {
            !matches!(KINDS.get(c), Category::Format | Category::LineSeparator | Category::ParagraphSeparator)
        };
        self.0 != "." && self.0 != ".." && self.0.chars().all(seen)
    }

    /// The identifier as sent on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// identifiers that paths swallow or nobody sees are not given; those that were given once can be read.
    #[test]
    fn identifiers_that_deceive_are_not_given() {
        for (text, given) in [
            ("app", true),
            ("https://app.example/a b", true),
            ("наш-клиент", true),
            ("...", true),
            (".", false),
            ("..", false),
            ("a\u{202E}b", false),
            ("a\u{200B}b", false),
            ("\u{FEFF}a", false),
            ("a\u{2066}b", false),
            ("a\u{AD}b", false),
            ("a\u{2028}b", false),
        ] {
            assert_eq!(ClientId::parse(text).map(|id| id.may_be_given()), Some(given), "{text:?}");
        }
        assert_eq!(ClientId::parse("a\u{7}"), None);
        assert_eq!(ClientId::parse(&"a".repeat(2_048)).map(|id| id.to_string()), Some("a".repeat(2_048)));
        assert_eq!(ClientId::parse(&"a".repeat(2_049)), None);
    }
}
