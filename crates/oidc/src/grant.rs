//! What a person allowed a client: the truth behind codes and tokens.

use chrono::{DateTime, Utc};
use oxide_auth::primitives::grant::{Extensions, Grant as EngineGrant};
use url::Url;

use crate::{
    claims::ClaimsRequest,
    id::{AccountId, ClientKey, GrantId, SessionId},
    pkce::Challenge,
    scope::Scopes,
};

/// What binds tokens to a sender (RFC 9449, RFC 8705). Bearer tokens today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// A bearer token.
    None,
    /// RFC 9449 §6: the thumbprint of the proof key.
    Dpop(String),
    /// RFC 8705 §3: the thumbprint of the certificate.
    Mtls(String),
}

/// How the grant came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantKind {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// OIDC Core §3.2: tokens straight from the authorization endpoint.
    Implicit,
    /// RFC 6749 §4.3.
    Password,
}

impl GrantKind {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::Implicit => "implicit",
            Self::Password => "password",
        }
    }

    /// Reads the stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::AuthorizationCode, Self::Implicit, Self::Password].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Where a grant stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantState {
    /// Its tokens are good.
    Active,
    /// Everything it gave is dead.
    Revoked {
        /// Since when.
        at: DateTime<Utc>,
    },
}

/// A grant. oxide-auth's own is built from it at the edge, for one call.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its key.
    pub id: GrantId,
    /// How it came to be.
    pub kind: GrantKind,
    /// To whom it was given.
    pub client: ClientKey,
    /// Who gave it.
    pub account: AccountId,
    /// OIDC Core §8: the subject its tokens carry.
    pub subject: String,
    /// The session it ends with; none for an offline grant whose session is gone, and for one that never had any.
    pub session: Option<SessionId>,
    /// OIDC Front-Channel Logout §3: the session id its tokens carry.
    pub sid: Option<String>,
    /// What was allowed; narrowing a refresh never narrows it.
    pub scopes: Scopes,
    /// RFC 8707: the resources its access tokens are for.
    pub resources: Vec<String>,
    /// OIDC Core §5.5: single claims asked for and allowed.
    pub claims: ClaimsRequest,
    /// RFC 6749 §4.1.3: the redirect URI used, as sent; empty where there was none.
    pub redirect_uri: String,
    /// Whether the request named the redirect URI, so that the exchange must repeat it.
    pub redirect_uri_sent: bool,
    /// RFC 7636 §4.4.
    pub challenge: Option<Challenge>,
    /// OIDC Core §3.1.2.1.
    pub nonce: Option<String>,
    /// When the person signed in.
    pub auth_time: DateTime<Utc>,
    /// The context reached.
    pub acr: String,
    /// The methods used.
    pub amr: Vec<String>,
    /// OIDC Core §11: survives the end of the session.
    pub offline: bool,
    /// What binds its tokens.
    pub confirmation: Confirmation,
    /// Where it stands.
    pub state: GrantState,
}

impl Grant {
    /// oxide-auth's form. Expiry is ours to check, so it never expires there.
    pub(crate) fn to_engine(&self, client_id: &str) -> Option<EngineGrant> {
        let mut extensions = Extensions::new();
        if let Some(challenge) = &self.challenge {
            extensions.set(&challenge.engine(), challenge.to_engine()?);
        }
        // The engine wants a redirect URI; without one there is no code that it could be compared for.
        let redirect_uri = if self.redirect_uri.is_empty() { "about:blank" } else { &*self.redirect_uri };
        Some(EngineGrant {
            owner_id: self.subject.clone(),
            client_id: client_id.to_owned(),
            scope: self.scopes.to_engine()?,
            redirect_uri: Url::parse(redirect_uri).ok()?,
            until: DateTime::<Utc>::MAX_UTC,
            extensions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::grant;

    /// What is stored of a grant's kind is read again.
    #[test]
    fn kinds_are_read_again() {
        let all = [GrantKind::AuthorizationCode, GrantKind::Implicit, GrantKind::Password];
        assert_eq!(all.map(GrantKind::as_str), ["authorization_code", "implicit", "password"]);
        assert_eq!(all.map(|kind| GrantKind::parse(kind.as_str())), all.map(Some));
        assert_eq!(GrantKind::parse("magic"), None);
    }

    /// The engine compares the redirect URI it was given; a grant that never had one gives it one of nobody.
    #[test]
    fn the_engines_form() {
        let stored = grant();
        let engine = stored.to_engine("app").unwrap();
        assert_eq!((engine.client_id.as_str(), engine.owner_id.as_str()), ("app", &*stored.subject));
        assert_eq!(engine.redirect_uri.as_str(), stored.redirect_uri);
        let without = Grant { redirect_uri: String::new(), ..stored };
        assert_eq!(without.to_engine("app").unwrap().redirect_uri.as_str(), "about:blank");
    }
}
