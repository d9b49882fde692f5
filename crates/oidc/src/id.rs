//! Identifiers. Each has its own type, so that a grant's id is never taken for a session's.

use std::fmt;

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
