//! Tokens for a client itself (RFC 6749 §4.4), by oxide-auth's `client_credentials` machine.

use std::borrow::Cow;

use oxide_auth::{
    code_grant::client_credentials::{ClientCredentials, Input, Output, Request},
    primitives::{
        grant::Extensions,
        registrar::{BoundClient, ExactUrl, PreGrant, RegisteredUrl},
    },
};

use super::issue::{Issue, Target};
use crate::{
    call::Params,
    change::{Event, EventKind, EventResult, Outcome},
    client::{Client, GRANT_CLIENT},
    error::{ErrorCode, OAuthError},
    realm::Realm,
    scope::{STANDARD, Scopes},
    turn::Turn,
};

/// RFC 6749 §4.4.2: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRequest {
    /// The scopes it wants; all of its own when absent.
    pub scope: Option<String>,
}

impl ClientRequest {
    pub(super) fn read(params: &Params) -> Self {
        Self { scope: params.get("scope").map(str::to_owned) }
    }
}

/// Decides; all that follows is a row of the audit log. RFC 6749 §4.4: confidential clients only; protocol T7: no refresh token, no scope about a person.
pub fn decide(
    request: &ClientRequest,
    client: &Client,
    target: &Target,
    (realm, turn): (&Realm, &mut Turn),
) -> Outcome<Event, Issue> {
    if client.is_public() {
        return Outcome::refuse(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "a public client cannot use client_credentials",
        ));
    }
    let scopes = match negotiate_with_engine(request, client, realm) {
        Ok(scopes) => scopes,
        Err(error) => return Outcome::refuse(error),
    };
    let issue = Issue::for_client(client, &scopes, target, (realm, turn));
    if request.scope.is_some() && *issue.scopes() != scopes {
        // Protocol T7: what the API does not know is refused, not left out.
        return Outcome::refuse(OAuthError::new(ErrorCode::InvalidScope, "scope asks for what this API does not know"));
    }
    let event = Event {
        kind: EventKind::ClientTokenIssued,
        result: EventResult::Success,
        account: None,
        client: Some(client.key),
        session: None,
        grant: None,
        detail: None,
    };
    Outcome { changes: vec![event], verdict: Ok(issue) }
}

/// The scopes of the client itself: those of its registration that say nothing of a person.
fn own_scopes(client: &Client) -> Scopes {
    client.scopes.iter().filter(|scope| !STANDARD.iter().any(|(name, _)| name == scope)).collect()
}

struct View<'a> {
    request: &'a ClientRequest,
    client_id: &'a str,
}

impl Request for View<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        // The client is authenticated already; the machine is given its id only.
        Some((Cow::Borrowed(self.client_id), Cow::Borrowed(&[])))
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        self.request.scope.as_deref().map(Cow::Borrowed)
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(GRANT_CLIENT))
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Runs the machine. Whatever it refuses is about the scope: the client is known good.
fn negotiate_with_engine(request: &ClientRequest, client: &Client, realm: &Realm) -> Result<Scopes, OAuthError> {
    let refused = || OAuthError::new(ErrorCode::InvalidScope, "scope asks for what this client is not registered for");
    let own = own_scopes(client);
    let view = View { request, client_id: client.id.as_str() };
    let mut machine = ClientCredentials::new(&view);
    let mut input = Input::None;
    // Authenticate, bind, extend, negotiate, done: the machine is never asked again after an error.
    for _ in 0..6 {
        input = match machine.advance(input) {
            Output::Authenticate { client: named, .. } if named == client.id.as_str() => Input::Authenticated,
            Output::Binding { client_id } => {
                // The machine wants a redirect URI; this grant has none, and it is not used.
                let unused = ExactUrl::new(realm.issuer.clone()).map_err(|_| refused())?;
                let bound_client = BoundClient {
                    client_id: Cow::Owned(client_id.to_owned()),
                    redirect_uri: Cow::Owned(RegisteredUrl::Exact(unused)),
                };
                Input::Bound { bound_client }
            }
            Output::Extend => Input::Extended { extensions: Extensions::new() },
            Output::Negotiate { bound_client, scope } => {
                let granted = match scope.as_ref().map(Scopes::from_engine) {
                    Some(asked) if own.covers(&asked) => asked,
                    Some(_) => return Err(refused()),
                    None => own.clone(),
                };
                let pre_grant = PreGrant {
                    client_id: bound_client.client_id.clone().into_owned(),
                    redirect_uri: bound_client.redirect_uri.clone().into_owned(),
                    scope: granted.to_engine().ok_or_else(refused)?,
                };
                Input::Negotiated { pre_grant }
            }
            Output::Ok { pre_grant, .. } => return Ok(Scopes::from_engine(&pre_grant.scope)),
            Output::Authenticate { .. } | Output::Err(_) => return Err(refused()),
        };
    }
    Err(refused())
}
