//! What a person allowed a client (protocol A16).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::{
    authorize::AuthorizeRequest,
    change::{Change, Event, EventKind, EventResult},
    claims,
    client::Client,
    id::{AccountId, ClientKey, SessionId},
    scope::{OPENID, Scopes},
};

/// Scopes, single claims and APIs that were agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consented {
    /// Scopes.
    pub scopes: Scopes,
    /// Claims asked for by name, beyond what the scopes release.
    pub claims: BTreeSet<String>,
    /// Identifiers of APIs.
    pub resources: BTreeSet<String>,
}

impl Consented {
    /// What a request asks a person to agree to: what it names, and what the scopes release of the client's own claims
    ///
    pub fn asked_by(request: &AuthorizeRequest, client: &Client) -> Self {
        let own = client
            .metadata
            .claims
            .iter()
            .filter(|(_, mapping)| request.scopes.contains(mapping.scope.as_deref().unwrap_or(OPENID)));
        let asked =
            request.claims.userinfo.keys().chain(request.claims.id_token.keys()).chain(own.map(|(name, _)| name));
        let about_the_person = |name: &&String| !claims::PROTOCOL.contains(&name.as_str());
        let released = |name: &&String| claims::scope_of(name).is_some_and(|scope| request.scopes.contains(scope));
        Self {
            scopes: request.scopes.clone(),
            claims: asked.filter(about_the_person).filter(|name| !released(name)).cloned().collect(),
            resources: request.resources.iter().cloned().collect(),
        }
    }

    /// Whether everything in `asked` was agreed to.
    pub fn covers(&self, asked: &Self) -> bool {
        self.scopes.covers(&asked.scopes)
            && asked.resources.is_subset(&self.resources)
            && asked.claims.iter().all(|name| {
                self.claims.contains(name) || claims::scope_of(name).is_some_and(|scope| self.scopes.contains(scope))
            })
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.claims.is_empty() && self.resources.is_empty()
    }
}

/// What is withdrawn, by whom.
#[derive(Debug, Clone, Copy)]
pub struct Withdrawal {
    /// Who had allowed it.
    pub account: AccountId,
    /// Whom.
    pub client: ClientKey,
    /// The person's session; none where an administrator withdraws.
    pub session: Option<SessionId>,
    /// Whether anything is remembered.
    pub remembered: bool,
}

/// Withdraws what a person allowed a client, and ends what was given under it; nothing where nothing is remembered.
pub fn withdraw(what: Withdrawal, at: DateTime<Utc>) -> Vec<Change> {
    let Withdrawal { account, client, session, remembered } = what;
    if !remembered {
        return Vec::new();
    }
    let event = Event {
        kind: EventKind::ConsentWithdrawn,
        result: EventResult::Success,
        account: Some(account),
        client: Some(client),
        session,
        grant: None,
        detail: None,
    };
    vec![Change::WithdrawConsent { account, client, at }, Change::Audit(event)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{account, client, now, session};

    fn consented(scopes: &str, claims: &[&str], resources: &[&str]) -> Consented {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Consented { scopes: scopes.parse().unwrap(), claims: set(claims), resources: set(resources) }
    }

    /// A16: scopes, single claims and APIs are each agreed to; a scope covers the claims it releases.
    #[test]
    fn what_covers_what() {
        let remembered = consented("openid email", &["birthdate"], &["https://api.example"]);
        for (asked, covered) in [
            (consented("", &[], &[]), true),
            (consented("openid", &[], &[]), true),
            (consented("openid profile", &[], &[]), false),
            (consented("openid", &["birthdate"], &[]), true),
            (consented("openid", &["email_verified"], &[]), true),
            (consented("openid", &["phone_number"], &[]), false),
            (consented("openid", &[], &["https://api.example"]), true),
            (consented("openid", &[], &["https://other.example"]), false),
        ] {
            assert_eq!(remembered.covers(&asked), covered, "{asked:?}");
            let nothing = asked.scopes.is_empty() && asked.claims.is_empty() && asked.resources.is_empty();
            assert_eq!(asked.is_empty(), nothing, "{asked:?}");
        }
        for something in [("openid", &[] as &[&str], &[] as &[&str]), ("", &["name"], &[]), ("", &[], &["urn:api"])] {
            assert!(!consented(something.0, something.1, something.2).is_empty(), "{something:?}");
        }
    }

    /// A16: what is remembered is withdrawn with one row in the log; what is not changes nothing.
    #[test]
    fn withdrawing() {
        let what =
            Withdrawal { account: account().id, client: client().key, session: Some(session().id), remembered: true };
        let changes = withdraw(what, now());
        let [Change::WithdrawConsent { account: who, client: whom, at }, Change::Audit(event)] = &changes[..] else {
            panic!("{changes:?}");
        };
        assert_eq!((*who, *whom, *at), (account().id, client().key, now()));
        assert_eq!((event.account, event.session), (Some(account().id), Some(session().id)));
        assert!(withdraw(Withdrawal { remembered: false, ..what }, now()).is_empty());
    }
}
