//! Signing in: what is the next step?

use chrono::{DateTime, Utc};

use crate::{
    SessionId, UserId,
    change::{Change, Event, EventKind},
    password::PasswordHash,
    session::{NewSession, SessionState},
    user::UserState,
};

/// What was loaded and verified about the account named. The hash was computed before the transaction; the row is
/// read again within it.
#[derive(Debug)]
pub struct Facts {
    /// The account, if there is one.
    pub account: Option<AccountFacts>,
    /// The session in the browser's cookie, which the new one replaces.
    pub previous: Option<(SessionId, UserId)>,
    /// What was typed.
    pub typed: String,
}

/// An account as it stands within the transaction.
#[derive(Debug)]
pub struct AccountFacts {
    /// Its key.
    pub user: UserId,
    /// Where it stands.
    pub state: UserState,
    /// Whether the password was right for the hash that is stored now.
    pub password_matches: bool,
    /// A hash at the present cost, where the stored one was cheaper.
    pub rehashed: Option<PasswordHash>,
}

/// The new session's values.
#[derive(Debug)]
pub struct Fresh {
    /// Its key.
    pub session: SessionId,
    /// SHA-256 of its cookie.
    pub handle: [u8; 32],
    /// Now.
    pub now: DateTime<Utc>,
    /// End without use.
    pub idle_expires: DateTime<Utc>,
    /// End in any case.
    pub expires: DateTime<Utc>,
    /// The context a password reaches.
    pub acr: &'static str,
    /// The methods used.
    pub amr: Vec<String>,
}

/// The answer to a person who could not be signed in: the same for every reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The username, email address or password is not right.")]
pub struct SignInRefused;

/// Decides. The answer does not tell an unknown account, a wrong password and a locked account apart.
pub fn decide(facts: Facts, fresh: Fresh) -> (Vec<Change>, Result<SessionId, SignInRefused>) {
    let admitted =
        facts.account.as_ref().filter(|account| account.password_matches && account.state == UserState::Active);
    let Some(account) = admitted else {
        let event = Event {
            kind: EventKind::SignInFailed,
            user: facts.account.map(|account| account.user),
            session: None,
            typed: Some(facts.typed),
        };
        return (vec![Change::Audit(event)], Err(SignInRefused));
    };
    let mut changes = Vec::new();
    let renewed = facts.previous.filter(|(_, owner)| *owner == account.user).map(|(session, _)| session);
    let session = renewed.unwrap_or(fresh.session);
    let values = Box::new(NewSession {
        id: session,
        handle: fresh.handle,
        user: account.user,
        state: SessionState::Full,
        auth_time: fresh.now,
        acr: fresh.acr.to_owned(),
        amr: fresh.amr,
        idle_expires: fresh.idle_expires,
        expires: fresh.expires,
    });
    if renewed.is_some() {
        changes.push(Change::RenewSession(values));
    } else {
        if let Some((previous, _)) = facts.previous {
            changes.push(Change::EndSession { session: previous, at: fresh.now });
        }
        changes.push(Change::StartSession(values));
    }
    changes.push(Change::NoteSignIn { user: account.user, at: fresh.now, rehashed: account.rehashed.clone() });
    changes.push(Change::Audit(Event {
        kind: EventKind::SignedIn,
        user: Some(account.user),
        session: Some(session),
        typed: None,
    }));
    (changes, Ok(session))
}
