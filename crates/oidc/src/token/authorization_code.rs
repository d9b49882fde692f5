//! Redeeming an authorization code (RFC 6749 §4.1.3), by oxide-auth's `accesstoken` machine.

use std::borrow::Cow;

use oxide_auth::{
    code_grant::{
        accesstoken::{AccessToken, Authorization, Input, Output, Request},
        extensions::Pkce,
    },
    primitives::grant::Extensions,
};

use super::issue::{Issue, Target};
use crate::{
    call::Params,
    change::{Change, Event, EventKind, EventResult, NewRefresh, Outcome},
    client::Client,
    error::OAuthError,
    grant::{Grant, GrantState},
    id::{AccountId, GrantId},
    pkce::{Challenge, is_verifier},
    realm::Realm,
    scope::Scopes,
    secret::Secret,
    subject::{Account, Person},
    turn::Turn,
};

/// RFC 6749 §4.1.3: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRequest {
    /// The code.
    pub code: Secret,
    /// The redirect URI, raw.
    pub redirect_uri: Option<String>,
    /// RFC 7636 §4.5.
    pub verifier: Option<Secret>,
}

impl CodeRequest {
    pub(super) fn read(params: &Params) -> Result<Self, OAuthError> {
        let code = params.get("code").ok_or_else(|| OAuthError::invalid_request("code is missing"))?;
        Ok(Self {
            code: Secret::new(code),
            redirect_uri: params.get("redirect_uri").map(str::to_owned),
            verifier: params.get("code_verifier").map(Secret::new),
        })
    }
}

/// What loading the code, which spends it, found.
#[derive(Debug)]
pub enum Loaded {
    /// Spent by this very request.
    First {
        /// What it stands for.
        grant: Box<Grant>,
        /// Whose it is.
        account: Account,
        /// What claims of the person are made of.
        person: Box<Person>,
        /// Whether its time was over.
        expired: bool,
        /// Whether the session it came from is over.
        session_over: bool,
    },
    /// Spent before, by the same client.
    Replay {
        /// What it stood for.
        grant: GrantId,
        /// Whose it was.
        account: AccountId,
    },
    /// Never issued, long gone, or another client's.
    Unknown,
}

/// Decides on a code. A replay is refused and ends what the code had given (RFC 6749 §4.1.2, protocol T4).
pub fn decide(
    request: &CodeRequest,
    client: &Client,
    (loaded, target): (Loaded, &Target),
    realm: &Realm,
    turn: &mut Turn,
) -> Outcome<Change, Issue> {
    let unknown = || OAuthError::invalid_grant("the code is not valid");
    match loaded {
        Loaded::Unknown => Outcome::refuse(unknown()),
        Loaded::Replay { grant, account } => {
            let event = Event {
                kind: EventKind::CodeReplayed,
                result: EventResult::Refused,
                account: Some(account),
                client: Some(client.key),
                session: None,
                grant: Some(grant),
                detail: None,
            };
            Outcome {
                changes: vec![Change::RevokeGrant { grant, at: turn.now() }, Change::Audit(event)],
                verdict: Err(unknown()),
            }
        }
        Loaded::First { grant, account, person, expired, session_over } => {
            let alive = account.active && grant.state == GrantState::Active && client.admits(&person.roles);
            let dead = expired || session_over || !alive;
            let checked = if dead { Err(unknown()) } else { check(request, client, &grant) };
            match checked {
                Ok(scopes) => redeem(client, &grant, (&scopes, target), (&account, &person), (realm, turn)),
                Err(error) => {
                    // The code is spent, so what it stood for can never be used.
                    let event = Event::of_grant(EventKind::CodeRedeemed, EventResult::Refused, &grant);
                    Outcome {
                        changes: vec![Change::RevokeGrant { grant: grant.id, at: turn.now() }, Change::Audit(event)],
                        verdict: Err(error),
                    }
                }
            }
        }
    }
}

/// The checks in order: redirect URI, verifier, then the machine's own.
fn check(request: &CodeRequest, client: &Client, grant: &Grant) -> Result<Scopes, OAuthError> {
    redirect_uri_is_the_one_authorised(request, grant)?;
    verifier_is_expected_and_well_formed(request, grant)?;
    redeem_with_engine(request, client, grant)
}

/// RFC 6749 §4.1.3: `redirect_uri` must equal the one authorised, byte by byte; required when it was sent then.
fn redirect_uri_is_the_one_authorised(request: &CodeRequest, grant: &Grant) -> Result<(), OAuthError> {
    let good = match &request.redirect_uri {
        Some(sent) => *sent == grant.redirect_uri,
        None => !grant.redirect_uri_sent,
    };
    if good { Ok(()) } else { Err(OAuthError::invalid_grant("redirect_uri is not the one the code was issued for")) }
}

/// RFC 7636 §4.5, RFC 9700 §4.8.2: a verifier exactly where a challenge was sent.
fn verifier_is_expected_and_well_formed(request: &CodeRequest, grant: &Grant) -> Result<(), OAuthError> {
    match (&grant.challenge, &request.verifier) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(OAuthError::invalid_grant("code_verifier is missing")),
        (None, Some(_)) => Err(OAuthError::invalid_grant("code_verifier was sent but no code_challenge was")),
        (Some(_), Some(verifier)) if is_verifier(verifier.expose()) => Ok(()),
        (Some(_), Some(_)) => Err(OAuthError::invalid_grant("code_verifier must be 43 to 128 unreserved characters")),
    }
}

struct View<'a> {
    request: &'a CodeRequest,
    client_id: &'a str,
    redirect_uri: &'a str,
}

impl Request for View<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.request.code.expose()))
    }
    fn authorization(&self) -> Authorization<'_> {
        // The client is authenticated already; the machine is given its id only.
        Authorization::Username(Cow::Borrowed(self.client_id))
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.redirect_uri))
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("authorization_code"))
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Runs the machine; answers the scopes it would issue for. Every refusal of its own becomes `invalid_grant`.
fn redeem_with_engine(request: &CodeRequest, client: &Client, grant: &Grant) -> Result<Scopes, OAuthError> {
    let refused = || OAuthError::invalid_grant("the code or its verifier is not valid");
    let engine_grant = grant.to_engine(client.id.as_str()).ok_or_else(refused)?;
    let view = View { request, client_id: client.id.as_str(), redirect_uri: &grant.redirect_uri };
    let pkce = grant.challenge.as_ref().map_or_else(Pkce::optional, Challenge::engine);
    let mut machine = AccessToken::new(&view);
    let mut input = Input::None;
    // Authenticate, recover, extend, issue: the machine is never asked again after an error.
    for _ in 0..5 {
        input = match machine.advance(input) {
            Output::Authenticate { client: named, .. } if named == client.id.as_str() => Input::Authenticated,
            Output::Recover { .. } => Input::Recovered(Some(Box::new(engine_grant.clone()))),
            Output::Extend { extensions } => {
                let verifier = request.verifier.as_ref().map(|verifier| Cow::Borrowed(verifier.expose()));
                pkce.verify(extensions.remove(&pkce), verifier).map_err(|()| refused())?;
                Input::Extended { access_extensions: Extensions::new() }
            }
            Output::Issue { grant } => return Ok(Scopes::from_engine(&grant.scope)),
            Output::Authenticate { .. } | Output::Ok(_) | Output::Err(_) => return Err(refused()),
        };
    }
    Err(refused())
}

fn redeem(
    client: &Client,
    grant: &Grant,
    (scopes, target): (&Scopes, &Target),
    (account, person): (&Account, &Person),
    (realm, turn): (&Realm, &mut Turn),
) -> Outcome<Change, Issue> {
    let mut changes = Vec::new();
    let refresh = client.is_given_refresh(grant.offline).then(|| {
        let token = turn.secret();
        changes.push(Change::IssueRefresh(NewRefresh {
            grant: grant.id,
            client: client.key,
            digest: token.digest(),
            at: turn.now(),
            expires: turn.now() + realm.policy.refresh_token_lifetime,
        }));
        token
    });
    changes.push(Change::Audit(Event::of_grant(EventKind::CodeRedeemed, EventResult::Success, grant)));
    let issue =
        Issue::new(client, grant, (scopes, target), account, (realm, turn)).with_nonce(grant).with_refresh(refresh);
    let issue = issue.with_person(client, grant, person);
    Outcome { changes, verdict: Ok(issue) }
}
