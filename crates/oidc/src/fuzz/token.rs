//! Requests of the token endpoint, with the authentication of the client.

use super::{clients, is_plain};
use crate::{
    call::Params,
    fixtures::{self, REDIRECT, VERIFIER},
    subject::Person,
    token::{
        self, GrantRequest, Target,
        authorization_code::{self, CodeRequest, Loaded},
        client_auth::{self, Expected},
        client_credentials, password,
        refresh_token::{self, RefreshRequest, TokenState},
    },
};

/// `data` is the `Authorization` header, which may be empty, a line feed, and the body. Whatever code and refresh token
/// it names stand for the grant of the fixtures.
pub fn token(data: &[u8]) -> bool {
    let (header, body) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()));
    let header = std::str::from_utf8(header).ok().filter(|header| !header.is_empty());
    let params = Params::decode(body.get(1..).unwrap_or_default());
    let (id, credentials) = match client_auth::read(header, &params) {
        Ok(read) => read,
        Err(error) => {
            is_plain(&error);
            return false;
        }
    };
    let clients = clients();
    let named = clients.iter().find(|client| client.id.as_str() == id);
    let realm = fixtures::realm();
    let expected = Expected { realm: &realm, endpoint: "/oauth/token", now: fixtures::now() };
    let client = match client_auth::verify(named, &credentials, expected, None) {
        Ok((client, _)) => client,
        Err(error) => {
            is_plain(&error);
            return false;
        }
    };
    let request = match token::read(&params, client) {
        Ok(request) => request,
        Err(error) => {
            is_plain(&error);
            return false;
        }
    };
    assert!(client.may_use_grant(params.get("grant_type").unwrap()));
    let (realm, mut turn, target) = (fixtures::realm(), fixtures::turn(), Target::default());
    let error = match request {
        GrantRequest::Code(request) => {
            let grant = Box::new(fixtures::grant());
            let loaded = Loaded::First {
                grant,
                account: fixtures::account(),
                person: Box::default(),
                expired: false,
                session_over: false,
            };
            let verdict = authorization_code::decide(&request, client, (loaded, &target), &realm, &mut turn).verdict;
            assert!(verdict.is_err() || fits(&request), "{request:?}");
            verdict.err()
        }
        GrantRequest::Refresh(request) => {
            let loaded = refresh_token::Loaded {
                grant: fixtures::grant(),
                account: fixtures::account(),
                person: Person::default(),
                session_over: false,
                state: TokenState::Fresh,
                expires: fixtures::now() + chrono::Duration::days(1),
            };
            let key = fixtures::key();
            let verdict =
                refresh_token::decide(&request, client, (Some(loaded), &target), &key, (&realm, &mut turn)).verdict;
            assert!(verdict.is_err() || narrows(&request), "{request:?}");
            verdict.err()
        }
        GrantRequest::Client(request) => {
            client_credentials::decide(&request, client, &target, (&realm, &mut turn)).verdict.err()
        }
        GrantRequest::Password(request) => {
            let (account, person) = (fixtures::account(), Person::default());
            let proven = password::Proven { account, person, acr: "1", amr: Vec::new() };
            assert!(client.takes_passwords() && client.scopes.covers(&request.scopes), "{request:?}");
            let key = fixtures::key();
            password::decide(&request, client, (proven, &target), &key, (&realm, &mut turn)).verdict.err()
        }
    };
    error.as_ref().map(is_plain).is_none()
}

/// T4: the redirect URI of the fixtures' grant, and the verifier of its challenge.
fn fits(request: &CodeRequest) -> bool {
    let verifier = request.verifier.as_ref().map(crate::secret::Secret::expose);
    request.redirect_uri.as_deref() == Some(REDIRECT) && verifier == Some(VERIFIER)
}

/// T6: nothing that the fixtures' grant does not hold.
fn narrows(request: &RefreshRequest) -> bool {
    let granted = fixtures::grant().scopes;
    request.scope.as_deref().unwrap_or_default().split(' ').all(|scope| scope.is_empty() || granted.contains(scope))
}
