//! What the playground remembers of a browser, in memory and bounded.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use openidconnect::{AccessToken, CsrfToken, Nonce, RefreshToken, SubjectIdentifier, core::CoreIdToken};

use super::{recorder::Exchange, relying_party::Metadata, verify::Check};

/// How many exchanges a session keeps; the oldest give way.
const MAX_EXCHANGES: usize = 16;

/// Sessions by cookie value, oldest first.
#[derive(Debug)]
pub(super) struct Sessions {
    entries: Mutex<VecDeque<(String, Session)>>,
    limit: usize,
}

/// One browser.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// Token that every form of this session carries.
    pub(super) csrf: String,
    /// A sign-in under way.
    pub(super) pending: Option<Pending>,
    /// The person who is signed in.
    pub(super) signed_in: Option<SignedIn>,
    /// `state` of a sign-out under way.
    pub(super) leaving: Option<String>,
    /// What has just been done, shown once.
    pub(super) notice: Option<&'static str>,
    /// What went over the wire, oldest first.
    pub(super) exchanges: Vec<Exchange>,
}

/// What must be remembered from the authorization request until the callback.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// The issuer as discovery described it.
    pub(super) metadata: Arc<Metadata>,
    /// Comes back in the callback: ties it to this browser.
    pub(super) state: CsrfToken,
    /// Comes back in the ID token: ties it to this request.
    pub(super) nonce: Nonce,
    /// The PKCE verifier, whose hash the authorization request carried.
    pub(super) verifier: String,
}

/// The outcome of a sign-in.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    /// The issuer as discovery described it.
    pub(super) metadata: Arc<Metadata>,
    /// Nonce of the sign-in.
    pub(super) nonce: Nonce,
    /// Who it is.
    pub(super) subject: SubjectIdentifier,
    /// The newest ID token, verified.
    pub(super) id_token: CoreIdToken,
    /// What was verified about it.
    pub(super) checks: Vec<Check>,
    /// The newest access token.
    pub(super) access_token: AccessToken,
    /// The newest refresh token, if there is one.
    pub(super) refresh_token: Option<RefreshToken>,
    /// Lifetime of the access token in seconds, as the token answer gave it.
    pub(super) expires_in: Option<u64>,
    /// Scopes granted, as the token answer gave them.
    pub(super) scopes: Vec<String>,
    /// The last `UserInfo` answer.
    pub(super) userinfo: Option<String>,
}

impl Session {
    /// Adds exchanges; the oldest give way.
    pub(super) fn record(&mut self, exchanges: impl IntoIterator<Item = Exchange>) {
        self.exchanges.extend(exchanges);
        let surplus = self.exchanges.len().saturating_sub(MAX_EXCHANGES);
        self.exchanges.drain(..surplus);
    }
}

impl Sessions {
    /// No sessions yet, and never more than `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: Mutex::default(), limit }
    }

    /// Starts a session; answers its cookie value and its content.
    pub(super) fn open(&self) -> (String, Session) {
        let session = Session { csrf: random_value(), ..Session::default() };
        let id = random_value();
        let mut entries = self.entries();
        entries.push_back((id.clone(), session.clone()));
        let surplus = entries.len().saturating_sub(self.limit);
        entries.drain(..surplus);
        (id, session)
    }

    /// A copy of a session.
    pub(super) fn get(&self, id: &str) -> Option<Session> {
        self.update(id, |session| session.clone())
    }

    /// Changes a session, if it is still there.
    pub(super) fn update<T>(&self, id: &str, change: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut entries = self.entries();
        let (_, session) = entries.iter_mut().find(|(key, _)| key == id)?;
        Some(change(session))
    }

    /// Gives a session a new cookie value and CSRF token, as after a sign-in.
    pub(super) fn rotate(&self, id: &str) -> Option<String> {
        let mut entries = self.entries();
        let (key, session) = entries.iter_mut().find(|(key, _)| key == id)?;
        *key = random_value();
        session.csrf = random_value();
        Some(key.clone())
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<(String, Session)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 random bits as base64url, from the generator of the relying party's library.
fn random_value() -> String {
    CsrfToken::new_random_len(32).secret().clone()
}
