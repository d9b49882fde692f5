//! Token revocation (RFC 7009): a client gives back what it was given.
//!
//! The answer is always the same. A refresh token ends its grant and all that it gave. An access token ends alone: the
//! person's other tokens may be in use elsewhere in the application.

use chrono::{DateTime, Utc};

use crate::{
    change::{Change, Event, EventKind, EventResult},
    client::Client,
    grant::{Grant, GrantState},
    jose::AccessClaims,
    subject::Holder,
};

/// What was found behind the token.
#[derive(Debug)]
pub enum Facts {
    /// An access token whose signature, kind, issuer and times hold, and that is not revoked.
    Access {
        /// What it says.
        claims: Box<AccessClaims>,
        /// Who stands behind its grant; none for a token of a client itself.
        holder: Option<Holder>,
    },
    /// What a refresh token renews, whosever it is and however old.
    Refresh(Box<Grant>),
    /// Nothing that could be ended.
    Nothing,
}

/// Whether a token with these claims is the client's to give back (RFC 7009 §2.1, protocol U4).
pub fn is_own(client: &Client, claims: &AccessClaims) -> bool {
    claims.client_id == client.id.as_str()
}

/// What is changed: nothing where the token is another client's (protocol U4) or has ended already.
pub fn decide(client: &Client, facts: Facts, at: DateTime<Utc>) -> Vec<Change> {
    match facts {
        Facts::Access { claims, holder } if is_own(client, &claims) => {
            let event = Event {
                kind: EventKind::TokenRevoked,
                result: EventResult::Success,
                account: holder.as_ref().map(|holder| holder.account),
                client: Some(client.key),
                session: holder.and_then(|holder| holder.session),
                grant: claims.grant,
                detail: Some("access_token"),
            };
            let expires = DateTime::from_timestamp(claims.exp, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
            vec![Change::RevokeToken { jti: claims.jti, at, expires }, Change::Audit(event)]
        }
        Facts::Refresh(grant) if grant.client == client.key && grant.state == GrantState::Active => {
            let event = Event::of_grant(EventKind::TokenRevoked, EventResult::Success, &grant);
            let event = Event { detail: Some("refresh_token"), ..event };
            vec![Change::RevokeGrant { grant: grant.id, at }, Change::Audit(event)]
        }
        Facts::Access { .. } | Facts::Refresh(_) | Facts::Nothing => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{access_claims, account, client, grant, now, session},
        id::{ClientId, ClientKey},
    };

    /// U4: an access token ends alone, by `jti`, and the row of the log names whose it was.
    #[test]
    fn an_access_token_ends_alone() {
        let holder = Holder { account: account().id, username: "ada".into(), session: Some(session().id) };
        let facts = Facts::Access { claims: Box::new(access_claims()), holder: Some(holder) };
        let changes = decide(&client(), facts, now());
        let [Change::RevokeToken { jti, at, expires }, Change::Audit(event)] = &changes[..] else {
            panic!("{changes:?}");
        };
        assert_eq!((jti.as_str(), *at, expires.timestamp()), ("jti", now(), access_claims().exp));
        assert_eq!((event.account, event.session), (Some(account().id), Some(session().id)));
        assert_eq!((event.grant, event.detail), (Some(grant().id), Some("access_token")));

        let service = AccessClaims { grant: None, ..access_claims() };
        let changes = decide(&client(), Facts::Access { claims: Box::new(service), holder: None }, now());
        let [Change::RevokeToken { .. }, Change::Audit(event)] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!((event.account, event.client), (None, Some(client().key)));
    }

    /// U4: a refresh token ends its grant, once.
    #[test]
    fn a_refresh_token_ends_its_grant() {
        let changes = decide(&client(), Facts::Refresh(Box::new(grant())), now());
        let [Change::RevokeGrant { grant: ended, at }, Change::Audit(event)] = &changes[..] else {
            panic!("{changes:?}");
        };
        assert_eq!((*ended, *at, event.detail), (grant().id, now(), Some("refresh_token")));
        let over = Grant { state: GrantState::Revoked { at: now() }, ..grant() };
        assert!(decide(&client(), Facts::Refresh(Box::new(over)), now()).is_empty());
    }

    /// U4: what is another client's is left alone, and so is what is nothing.
    #[test]
    fn another_clients_token_is_left_alone() {
        let other = Client { key: ClientKey(2), id: ClientId::parse("other").unwrap(), ..client() };
        let access = || Facts::Access { claims: Box::new(access_claims()), holder: None };
        let refresh = || Facts::Refresh(Box::new(grant()));
        for (facts, expected) in [(access(), 2), (refresh(), 2), (Facts::Nothing, 0)] {
            assert_eq!(decide(&client(), facts, now()).len(), expected);
        }
        for facts in [access(), refresh()] {
            assert!(decide(&other, facts, now()).is_empty());
        }
        // Standing in `aud` does not make it one's own.
        let audience = AccessClaims { aud: vec!["other".into()], ..access_claims() };
        assert!(decide(&other, Facts::Access { claims: Box::new(audience), holder: None }, now()).is_empty());
    }
}
