//! Parameters of the authorization endpoint.

use super::{clients, is_plain};
use crate::{
    authorize::{self, Answer, AuthorizeError, AuthorizeRequest, Delivery, ResponseMode},
    call::Params,
    client::Client,
    fixtures,
    policy::PkceRule,
};

/// `data` is a query string.
pub fn authorize(data: &[u8]) -> bool {
    let params = Params::decode(data);
    let accepted: Vec<bool> = clients().iter().map(|client| read(&params, client)).collect();
    accepted.contains(&true)
}

/// The parameters as a request of that client, if they name it.
pub(super) fn read(params: &Params, client: &Client) -> bool {
    let named = params.get("client_id") == Some(client.id.as_str());
    match authorize::read(params, Some(client).filter(|_| named), Ok(None), &fixtures::realm()) {
        Ok(request) => {
            assert!(named && client.accepts_redirect(&request.redirect_uri), "{request:?}");
            assert!(client.response_types.contains(&request.response_type), "{request:?}");
            assert!(client.scopes.covers(&request.scopes), "{request:?}");
            let tokens = request.response_type.is_front_channel();
            assert!(!tokens || request.response_mode != ResponseMode::Query, "{request:?}");
            assert!(!request.response_type.id_token || request.nonce.is_some(), "{request:?}");
            let bound = client.is_public() || client.policy.pkce == PkceRule::Required;
            assert!(request.challenge.is_some() || !bound || !request.response_type.code, "{request:?}");
            let printed = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<AuthorizeRequest>(&printed).unwrap(), request);
            true
        }
        Err(error) => is_safe(client, &error),
    }
}

/// A2, A3: an error goes to a registered address, or stays here. Never true.
pub(super) fn is_safe(client: &Client, error: &AuthorizeError) -> bool {
    match error {
        AuthorizeError::Redirect(delivery, error) => {
            is_plain(error);
            assert!(client.accepts_redirect(&delivery.redirect_uri), "{delivery:?}");
            goes_to_the_redirect_uri(delivery, &delivery.error(error));
        }
        AuthorizeError::Page(error) => is_plain(error),
    }
    false
}

fn goes_to_the_redirect_uri(delivery: &Delivery, answer: &Answer) {
    match answer {
        Answer::Redirect { location } => {
            assert!(location.starts_with(&delivery.redirect_uri), "{location}");
            assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{location}");
        }
        Answer::Form { action, .. } => assert_eq!(action, &delivery.redirect_uri),
    }
}
