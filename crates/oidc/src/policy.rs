//! Lifetimes and rules of a realm and of a client.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::{
    client::{RESPONSE_TYPES, ResponseType},
    jose::Alg,
};

/// Lifetimes of a realm.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Authorization codes: 60 seconds (protocol A5).
    pub code_lifetime: Duration,
    /// Access tokens: 15 minutes, at most 60; the cap bounds the revocation set.
    pub access_token_lifetime: Duration,
    /// ID tokens.
    pub id_token_lifetime: Duration,
    /// Refresh tokens, counted from the last use.
    pub refresh_token_lifetime: Duration,
    /// How long a lost refresh answer can be repeated: 60 seconds.
    pub refresh_repeat_window: Duration,
    /// How long a person may take from the authorization request to its end.
    pub interaction_lifetime: Duration,
    /// A session ends after this long without use.
    pub session_idle: Duration,
    /// A session ends after this long in any case.
    pub session_absolute: Duration,
}

impl Policy {
    /// No access token lives longer, whatever an API asks for: the cap bounds the revocation set.
    pub const LONGEST_ACCESS_TOKEN: Duration = Duration::minutes(60);
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            code_lifetime: Duration::seconds(60),
            access_token_lifetime: Duration::minutes(15),
            id_token_lifetime: Duration::hours(1),
            refresh_token_lifetime: Duration::days(30),
            refresh_repeat_window: Duration::seconds(60),
            interaction_lifetime: Duration::minutes(30),
            session_idle: Duration::hours(12),
            session_absolute: Duration::days(7),
        }
    }
}

/// The named set of rules a client policy starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// OAuth 2.0 with RFC 9700 applied.
    #[default]
    Baseline,
}

/// A name of this provider that clients may put in `aud` of what they sign for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderName {
    /// The issuer.
    Issuer,
    /// The token endpoint, wherever the client calls.
    TokenEndpoint,
    /// The endpoint that is called.
    CalledEndpoint,
}

/// What a profile lays down for what clients sign, and for what they are answered with.
#[derive(Debug)]
pub struct Rules {
    /// RFC 7523 §3 no. 3, OIDC Core §9: what `aud` of an assertion may name, one of them.
    pub assertion_audiences: &'static [ProviderName],
    /// RFC 8725 §3.1: what clients may sign with, shared secrets included.
    pub algorithms: &'static [&'static [Alg]],
    /// How long after its end an assertion or request object is taken still: clocks differ.
    pub late: Duration,
    /// How far ahead of our clock their beginning may lie. Ten seconds must be accepted, beyond sixty refused.
    pub early: Duration,
    /// OAuth 2.0 Multiple Response Types: what clients may register and ask for.
    pub response_types: &'static [ResponseType],
}

static BASELINE: Rules = Rules {
    assertion_audiences: &[ProviderName::Issuer, ProviderName::TokenEndpoint, ProviderName::CalledEndpoint],
    algorithms: &[&Alg::ACCEPTED, &Alg::MAC],
    late: Duration::seconds(10),
    early: Duration::seconds(60),
    response_types: &RESPONSE_TYPES,
};

impl Profile {
    /// What it lays down.
    pub fn rules(self) -> &'static Rules {
        match self {
            Self::Baseline => &BASELINE,
        }
    }
}

impl Rules {
    /// Whether a client may sign with this.
    pub fn admits(&self, alg: Alg) -> bool {
        self.algorithms.iter().any(|algs| algs.contains(&alg))
    }
}

/// Which PKCE a client must use (RFC 7636, RFC 9700 §2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PkceRule {
    /// S256 on every code request.
    #[default]
    Required,
    /// S256 when the client sends a challenge. Public clients are required all the same.
    Optional,
}

/// How a request object and the parameters beside it go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestObjects {
    /// OIDC Core §6.1: what is inside wins, what is only outside counts too.
    #[default]
    Merge,
    /// RFC 9101 §6.3: what is outside is ignored.
    Exclusive,
}

/// What one client may and must do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientPolicy {
    /// The rules it starts from.
    pub profile: Profile,
    /// PKCE.
    pub pkce: PkceRule,
    /// Protocol T5: whether it may send `plain` challenges.
    pub pkce_plain: bool,
    /// Whether a refresh token is replaced at each use. Public clients always rotate.
    pub refresh_rotation: RefreshRotation,
    /// When a code gives it a refresh token.
    pub refresh_tokens: RefreshTokens,
    /// How its request objects are read.
    pub request_objects: RequestObjects,
}

/// When a code gives a refresh token to a client that has the grant type (protocol T6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshTokens {
    /// Always: without `offline_access` it ends with the session.
    #[default]
    Always,
    /// Only where `offline_access` was granted.
    Offline,
}

/// Whether refresh tokens rotate (RFC 9700 §4.14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshRotation {
    /// Each use gives a successor.
    #[default]
    On,
    /// The token stays; confidential clients only.
    Off,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T2, A14, D2: what the baseline lays down is what is served: every algorithm but `none`, every response type, clocks that
    /// differ by ten seconds and by no more than a minute.
    #[test]
    fn the_baseline() {
        let rules = Profile::Baseline.rules();
        for alg in Alg::ALL {
            assert_eq!(rules.admits(*alg), *alg != Alg::None, "{}", alg.as_str());
        }
        assert_eq!(rules.response_types, RESPONSE_TYPES);
        assert_eq!((rules.late, rules.early), (Duration::seconds(10), Duration::seconds(60)));
        assert_eq!(
            rules.assertion_audiences,
            [ProviderName::Issuer, ProviderName::TokenEndpoint, ProviderName::CalledEndpoint]
        );
    }
}
