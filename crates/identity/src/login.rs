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
    /// The stored hash and one at the present cost, where the stored one was cheaper.
    pub rehashed: Option<(PasswordHash, PasswordHash)>,
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
    /// The generation of the account under which it was proven: whatever ends everything the account has raises that.
    pub generation: i64,
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
    let account = match admit(facts.account, facts.typed) {
        Ok(account) => account,
        Err(changes) => return (changes, Err(SignInRefused)),
    };
    let (mut changes, session) = begin(account.user, facts.previous, fresh);
    changes.extend(signed_in(account, Some(session)));
    (changes, Ok(session))
}

/// Decides on a name and a password that an application sent (RFC 6749 §4.3): the same, and no session begins. The methods
/// used so far may lack a factor that the account has; that is refused like a wrong password.
pub fn decide_without_session(
    (account, typed): (Option<AccountFacts>, String),
    factor_missing: bool,
    now: DateTime<Utc>,
) -> (Vec<Change>, Result<UserId, SignInRefused>) {
    let account = account
        .map(|account| AccountFacts { password_matches: account.password_matches && !factor_missing, ..account });
    match admit(account, typed) {
        Ok(account) => {
            let user = account.user;
            let mut changes = vec![Change::NoteSignIn { user, at: now }];
            changes.extend(signed_in(account, None));
            (changes, Ok(user))
        }
        Err(changes) => (changes, Err(SignInRefused)),
    }
}

/// The account, if it may sign in by what was shown; else what is recorded.
fn admit(account: Option<AccountFacts>, typed: String) -> Result<AccountFacts, Vec<Change>> {
    let user = account.as_ref().map(|account| account.user);
    account.filter(|account| account.password_matches && account.state == UserState::Active).ok_or_else(|| {
        vec![Change::Audit(Event {
            kind: EventKind::SignInFailed,
            user,
            session: None,
            typed: Some(typed),
            detail: None,
        })]
    })
}

/// What follows from a right password, and what is recorded of it.
fn signed_in(account: AccountFacts, session: Option<SessionId>) -> Vec<Change> {
    let user = account.user;
    let raised = account.rehashed.map(|(from, to)| Change::RaiseHash { user, from, to });
    let event = Event { kind: EventKind::SignedIn, user: Some(user), session, typed: None, detail: None };
    raised.into_iter().chain([Change::Audit(event)]).collect()
}

/// The answer to a sign-in link that is of no use: the same for every reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This link is not valid, or not any more: it works once and for a short time. Ask for a new one.")]
pub struct LinkRefused;

/// Decides on a sign-in link. `user` is whom it signs in: none for a link that is unknown, used before, too old, or of
/// an account that may not sign in. `previous` is the session in the browser's cookie, with its owner.
pub fn decide_link(
    user: Option<UserId>,
    previous: Option<(SessionId, UserId)>,
    fresh: Fresh,
) -> (Vec<Change>, Result<SessionId, LinkRefused>) {
    let event = |kind, session| Change::Audit(Event { kind, user, session, typed: None, detail: None });
    let Some(user) = user else { return (vec![event(EventKind::LinkRefused, None)], Err(LinkRefused)) };
    let (mut changes, session) = begin(user, previous, fresh);
    changes.push(event(EventKind::LinkUsed, Some(session)));
    (changes, Ok(session))
}

/// The session of a person who proved who they are: their own goes on under a new cookie, another person's ends.
fn begin(user: UserId, previous: Option<(SessionId, UserId)>, fresh: Fresh) -> (Vec<Change>, SessionId) {
    let mut changes = Vec::new();
    let renewed = previous.filter(|(_, owner)| *owner == user).map(|(session, _)| session);
    let session = renewed.unwrap_or(fresh.session);
    let values = Box::new(NewSession {
        id: session,
        handle: fresh.handle,
        user,
        generation: fresh.generation,
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
        if let Some((previous, _)) = previous {
            changes.push(Change::EndSession { session: previous, at: fresh.now });
        }
        changes.push(Change::StartSession(values));
    }
    (changes, session)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn fresh() -> Fresh {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Fresh {
            session: SessionId(Uuid::from_u128(9)),
            handle: [1; 32],
            now,
            idle_expires: now,
            expires: now,
            generation: 3,
            acr: "1",
            amr: vec!["pwd".into()],
        }
    }

    fn run(
        account: Option<(UserState, bool)>,
        previous: Option<(u128, u128)>,
    ) -> (Vec<Change>, Result<SessionId, SignInRefused>) {
        let facts = Facts {
            account: account.map(|(state, password_matches)| AccountFacts {
                user: UserId(Uuid::from_u128(1)),
                state,
                password_matches,
                rehashed: None,
            }),
            previous: previous
                .map(|(session, user)| (SessionId(Uuid::from_u128(session)), UserId(Uuid::from_u128(user)))),
            typed: "ada".into(),
        };
        decide(facts, fresh())
    }

    /// an unknown account, a wrong password and a locked account are answered alike and change nothing.
    #[test]
    fn refusals_do_not_differ() {
        for account in [
            None,
            Some((UserState::Active, false)),
            Some((UserState::Locked, true)),
            Some((UserState::Deactivated, true)),
        ] {
            let (changes, verdict) = run(account, Some((7, 1)));
            assert_eq!(verdict, Err(SignInRefused), "{account:?}");
            assert!(matches!(changes.as_slice(), [Change::Audit(event)] if event.kind == EventKind::SignInFailed));
        }
    }

    /// T7, R-50: an application that sends a password gets the page's answers, a missing factor is refused like a wrong
    /// password, and no session begins.
    #[test]
    fn without_a_session() {
        let now = fresh().now;
        let run = |account: Option<(UserState, bool)>, factor_missing: bool| {
            let account = account.map(|(state, password_matches)| AccountFacts {
                user: UserId(Uuid::from_u128(1)),
                state,
                password_matches,
                rehashed: None,
            });
            decide_without_session((account, "ada".into()), factor_missing, now)
        };
        for (account, factor_missing) in [
            (None, false),
            (Some((UserState::Active, false)), false),
            (Some((UserState::Active, true)), true),
            (Some((UserState::Locked, true)), false),
            (Some((UserState::Deactivated, true)), false),
        ] {
            let (changes, verdict) = run(account, factor_missing);
            assert_eq!(verdict, Err(SignInRefused), "{account:?}");
            assert!(matches!(changes.as_slice(), [Change::Audit(event)] if event.kind == EventKind::SignInFailed));
        }
        let (changes, verdict) = run(Some((UserState::Active, true)), false);
        assert_eq!(verdict, Ok(UserId(Uuid::from_u128(1))));
        let [Change::NoteSignIn { at, .. }, Change::Audit(event)] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((*at, event.kind, event.session), (now, EventKind::SignedIn, None));
    }

    /// the same person keeps the session under a new cookie; someone else's ends first.
    #[test]
    fn whose_session_goes_on() {
        let good = Some((UserState::Active, true));
        let (changes, verdict) = run(good, None);
        assert_eq!(verdict, Ok(SessionId(Uuid::from_u128(9))));
        assert!(matches!(changes.first(), Some(Change::StartSession(_))));
        let (changes, verdict) = run(good, Some((7, 1)));
        assert_eq!(verdict, Ok(SessionId(Uuid::from_u128(7))));
        assert!(matches!(changes.first(), Some(Change::RenewSession(session)) if session.handle == [1; 32]));
        let (changes, verdict) = run(good, Some((7, 2)));
        assert_eq!(verdict, Ok(SessionId(Uuid::from_u128(9))));
        assert!(
            matches!(changes.first(), Some(Change::EndSession { session, .. }) if *session == SessionId(Uuid::from_u128(7)))
        );
        assert!(matches!(changes.get(1), Some(Change::StartSession(_))));
    }

    /// R-69a: a link signs in whom it was made for, takes over no other person's session, and leaves a trace when it is
    /// refused.
    #[test]
    fn links() {
        let ada = UserId(Uuid::from_u128(1));
        let (changes, verdict) = decide_link(None, Some((SessionId(Uuid::from_u128(7)), ada)), fresh());
        assert_eq!(verdict, Err(LinkRefused));
        assert!(matches!(changes.as_slice(), [Change::Audit(event)] if event.kind == EventKind::LinkRefused));
        for (owner, session) in [(1, 7), (2, 9)] {
            let previous = (SessionId(Uuid::from_u128(7)), UserId(Uuid::from_u128(owner)));
            let (changes, verdict) = decide_link(Some(ada), Some(previous), fresh());
            assert_eq!(verdict, Ok(SessionId(Uuid::from_u128(session))));
            let ended = matches!(changes.first(), Some(Change::EndSession { session, .. }) if *session == previous.0);
            assert_eq!(ended, owner == 2);
            assert!(matches!(changes.last(), Some(Change::Audit(event)) if event.kind == EventKind::LinkUsed));
        }
    }
}
