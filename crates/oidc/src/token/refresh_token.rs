//! Refreshing (RFC 6749 §6, RFC 9700 §4.14), by oxide-auth's `refresh` machine.
//!
//! The successor of a token is a keyed hash of it. So until the successor is used, and for a short while at most,
//! the predecessor is answered with the same successor again: a lost answer can be repeated, and only hashes are
//! stored. Any later use of the predecessor revokes the grant.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use oxide_auth::code_grant::refresh::{Input, Output, Refresh, Request};

use super::issue::{Issue, Target};
use crate::{
    call::Params,
    change::{Change, Event, EventKind, EventResult, NewRefresh, Outcome},
    client::{Client, GRANT_REFRESH},
    error::{ErrorCode, OAuthError},
    grant::{Grant, GrantState},
    realm::Realm,
    scope::Scopes,
    secret::{DerivationKey, Secret},
    subject::{Account, Person},
    turn::Turn,
};

/// RFC 6749 §6: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshRequest {
    /// The token.
    pub token: Secret,
    /// A narrower scope, for this answer only.
    pub scope: Option<String>,
}

impl RefreshRequest {
    pub(super) fn read(params: &Params) -> Result<Self, OAuthError> {
        let token = params.get("refresh_token");
        let token = token.ok_or_else(|| OAuthError::invalid_request("refresh_token is missing"))?;
        Ok(Self { token: Secret::new(token), scope: params.get("scope").map(str::to_owned) })
    }
}

/// Where a stored token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// Not used yet.
    Fresh,
    /// Used; its successor was not.
    Spent {
        /// When it was used.
        at: DateTime<Utc>,
    },
    /// Used, and its successor too.
    Superseded,
}

/// A token of this client, loaded and locked.
#[derive(Debug)]
pub struct Loaded {
    /// What it renews.
    pub grant: Grant,
    /// Whose it is.
    pub account: Account,
    /// What claims of the person are made of.
    pub person: Person,
    /// Whether the session it ends with is over. Never for an offline grant.
    pub session_over: bool,
    /// Where the token stands.
    pub state: TokenState,
    /// When it ends.
    pub expires: DateTime<Utc>,
}

/// Decides on a refresh token; `loaded` is none when it is unknown or another client's.
pub fn decide(
    request: &RefreshRequest,
    client: &Client,
    (loaded, target): (Option<Loaded>, &Target),
    successor_key: &DerivationKey,
    (realm, turn): (&Realm, &mut Turn),
) -> Outcome<Change, Issue> {
    let unknown = || OAuthError::invalid_grant("the refresh token is not valid");
    let Some(loaded) = loaded else { return Outcome::refuse(unknown()) };
    let Loaded { grant, account, .. } = &loaded;
    let now = turn.now();
    let alive = account.active && grant.state == GrantState::Active && client.admits(&loaded.person.roles);
    if !alive || loaded.session_over {
        return Outcome::refuse(unknown());
    }
    let repeated = match loaded.state {
        TokenState::Fresh => false,
        TokenState::Spent { at } if now - at <= realm.policy.refresh_repeat_window => true,
        TokenState::Spent { .. } | TokenState::Superseded => return replayed(grant, turn),
    };
    if now >= loaded.expires {
        return Outcome::refuse(unknown());
    }
    let scopes = match narrow_with_engine(request, client, grant) {
        Ok(scopes) => scopes,
        Err(error) => return Outcome::refuse(error),
    };

    let access_until = now + target.apis.lifetime(realm.policy.access_token_lifetime);
    let mut changes = Vec::new();
    // A refresh is use, of the session too.
    let seen = grant.session.map(|session| (session, now + realm.policy.session_idle));
    let lasting = |digest| NewRefresh {
        grant: grant.id,
        client: client.key,
        digest,
        at: now,
        expires: now + realm.policy.refresh_token_lifetime,
    };
    let token = if client.rotates() {
        let successor = Secret::new(successor_key.text(&[b"refresh", request.token.expose().as_bytes()]));
        changes.push(if repeated {
            Change::RepeatRefresh { grant: grant.id, access_until }
        } else {
            let (spent, successor) = (request.token.digest(), lasting(successor.digest()));
            Change::RotateRefresh { spent, successor, access_until, seen }
        });
        successor
    } else {
        changes.push(Change::UseRefresh { used: lasting(request.token.digest()), access_until, seen });
        request.token.clone()
    };
    changes.push(Change::Audit(Event::of_grant(EventKind::TokenRefreshed, EventResult::Success, grant)));
    let issue = Issue::new(client, grant, (&scopes, target), account, (realm, turn)).with_refresh(Some(token));
    let issue = issue.with_person(client, grant, &loaded.person);
    Outcome { changes, verdict: Ok(issue) }
}

/// RFC 9700 §4.14.2: a token used twice has leaked; its whole family ends.
fn replayed(grant: &Grant, turn: &Turn) -> Outcome<Change, Issue> {
    let event = Event::of_grant(EventKind::RefreshReplayed, EventResult::Refused, grant);
    Outcome {
        changes: vec![Change::RevokeGrant { grant: grant.id, at: turn.now() }, Change::Audit(event)],
        verdict: Err(OAuthError::invalid_grant("the refresh token was used before; everything it gave is revoked")),
    }
}

struct View<'a> {
    request: &'a RefreshRequest,
    client_id: &'a str,
}

impl Request for View<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn refresh_token(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.request.token.expose()))
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.request.scope.as_deref().map(Cow::Borrowed)
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(GRANT_REFRESH))
    }
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        // The client is authenticated already. Giving its id here binds the token to it.
        Some((Cow::Borrowed(self.client_id), Cow::Borrowed(&[])))
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Runs the machine; answers the scopes for this one answer (RFC 6749 §6: narrower or equal).
fn narrow_with_engine(request: &RefreshRequest, client: &Client, grant: &Grant) -> Result<Scopes, OAuthError> {
    let refused = || OAuthError::invalid_grant("the refresh token is not valid");
    let engine_grant = grant.to_engine(client.id.as_str()).ok_or_else(refused)?;
    let view = View { request, client_id: client.id.as_str() };
    let mut machine = Refresh::new(&view);
    let mut input = Input::None;
    // Authenticate, recover, refresh: the machine is never asked again after an error.
    for _ in 0..4 {
        input = match machine.advance(input) {
            Output::Unauthenticated { client: named, .. } if named == client.id.as_str() => {
                Input::Authenticated { scope: view.scope() }
            }
            Output::RecoverRefresh { .. } => {
                Input::Recovered { scope: view.scope(), grant: Some(Box::new(engine_grant.clone())) }
            }
            // Its `until` is the machine's own clock; ours decides.
            Output::Refresh { grant, .. } => return Ok(Scopes::from_engine(&grant.scope)),
            Output::Err(_) if request.scope.is_some() => {
                return Err(OAuthError::new(ErrorCode::InvalidScope, "scope asks for more than was granted"));
            }
            Output::Unauthenticated { .. } | Output::Ok(_) | Output::Err(_) => return Err(refused()),
        };
    }
    Err(refused())
}
