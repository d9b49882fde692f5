//! The executor of oxide-auth's authorization machine. Nothing outside this file sees the machine.

use std::borrow::Cow;

use oxide_auth::{
    code_grant::authorization::{Authorization, Input, Output, Request},
    primitives::{
        grant::Extensions,
        registrar::{BoundClient, ExactUrl, PreGrant, RegisteredUrl},
    },
};

use crate::{client::Client, error::OAuthError, scope::Scopes};

/// What the machine is given: values that our own checks have passed.
struct View<'a> {
    client_id: &'a str,
    redirect_uri: &'a str,
    scope: &'a str,
}

impl Request for View<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.client_id))
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.scope))
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.redirect_uri))
    }
    fn state(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn response_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("code"))
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// Binds client and redirect URI and negotiates the scope; answers the scopes of the machine's pre-grant.
pub(super) fn negotiate(client: &Client, redirect_uri: &str, asked: &Scopes) -> Result<Scopes, OAuthError> {
    let scope = asked.to_string();
    let view = View { client_id: client.id.as_str(), redirect_uri, scope: &scope };
    let refused = || OAuthError::invalid_request("the request could not be processed");
    let mut machine = Authorization::new(&view);
    let mut input = Input::None;
    // Bind, extend, negotiate, done: the machine is never asked again after an error.
    for _ in 0..4 {
        input = match machine.advance(input) {
            Output::Bind { client_id, redirect_uri } => {
                let uri = redirect_uri.filter(|uri| client.accepts_redirect(uri.as_str())).ok_or_else(refused)?;
                if client_id != client.id.as_str() {
                    return Err(refused());
                }
                let uri = ExactUrl::new(uri.as_str().to_owned()).map_err(|_| refused())?;
                let bound_client = BoundClient {
                    client_id: Cow::Owned(client_id),
                    redirect_uri: Cow::Owned(RegisteredUrl::Exact(uri)),
                };
                Input::Bound { request: &view, bound_client }
            }
            Output::Extend => Input::Extended(Extensions::new()),
            Output::Negotiate { bound_client, scope } => {
                let asked = scope.as_ref().map(Scopes::from_engine).unwrap_or_default();
                let permitted = client.permitted(&asked).to_engine().ok_or_else(refused)?;
                let pre_grant = PreGrant {
                    client_id: bound_client.client_id.clone().into_owned(),
                    redirect_uri: bound_client.redirect_uri.clone().into_owned(),
                    scope: permitted,
                };
                Input::Negotiated { pre_grant, state: None }
            }
            Output::Ok { pre_grant, .. } => return Ok(Scopes::from_engine(&pre_grant.scope)),
            Output::Err(_) => return Err(refused()),
        };
    }
    Err(refused())
}
