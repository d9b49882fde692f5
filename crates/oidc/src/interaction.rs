//! An authorization request that waits for a person (sign-in, registration, consent).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{authorize::AuthorizeRequest, id::InteractionId, secret::Digest};

/// The version of the sealed form. Any other version leads to a page that asks to start again.
pub const VERSION: u8 = 3;

/// Sealed values longer than this are stored, and only their id travels.
pub const SEALED_LIMIT: usize = 3_072;

/// Where the request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A browser redirect.
    Redirect,
}

/// The waiting request. It never says who signed in: that is read from the session row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Interaction {
    /// The version of this form.
    pub version: u8,
    /// Spent when the code is issued.
    pub id: InteractionId,
    /// Where the request came from.
    pub origin: Origin,
    /// The normalised request.
    pub request: AuthorizeRequest,
    /// When it began, to the millisecond: `prompt=login` is met by a later sign-in.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub started: DateTime<Utc>,
    /// When it ends.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub expires: DateTime<Utc>,
    /// The hash of the browser's cookie, base64url.
    pub browser: String,
}

/// Why an interaction cannot go on. Each leads to a page of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not sealed by us, or of another version.
    #[error("this sign-in link is not valid")]
    Invalid,
    /// Too old.
    #[error("this sign-in has expired")]
    Expired,
    /// Begun in another browser (login CSRF).
    #[error("this sign-in was started in another browser")]
    OtherBrowser,
    /// Completed before.
    #[error("this sign-in is already completed")]
    Completed,
}

impl Refusal {
    /// The stable code shown on the page.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "interaction_invalid",
            Self::Expired => "interaction_expired",
            Self::OtherBrowser => "interaction_other_browser",
            Self::Completed => "interaction_completed",
        }
    }
}

impl Interaction {
    /// Whether this interaction may go on in the browser with that cookie at that moment.
    pub fn check(&self, browser_cookie: Option<&str>, now: DateTime<Utc>) -> Result<(), Refusal> {
        if self.version != VERSION {
            return Err(Refusal::Invalid);
        }
        let same_browser = browser_cookie
            .is_some_and(|cookie| crate::secret::same(&Digest::of(cookie.as_bytes()).to_text(), &self.browser));
        if !same_browser {
            return Err(Refusal::OtherBrowser);
        }
        if now >= self.expires {
            return Err(Refusal::Expired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A17: each refusal has a page of its own.
    #[test]
    fn refusals_have_codes() {
        let all = [Refusal::Invalid, Refusal::Expired, Refusal::OtherBrowser, Refusal::Completed];
        let codes =
            ["interaction_invalid", "interaction_expired", "interaction_other_browser", "interaction_completed"];
        assert_eq!(all.map(Refusal::code), codes);
    }
}
