//! What the fuzz targets in `fuzz/` do with their input, and the replay of their seeds in the tests.
//!
//! Each function takes what an attacker may send, asserts what must hold whatever that is, and says whether it was
//! accepted.

mod authorize;
mod claims;
mod client_assertion;
mod id_token_hint;
mod registration;
#[cfg(test)]
mod replay;
mod request_object;
mod token;

pub use authorize::authorize;
pub use claims::claims;
pub use client_assertion::client_assertion;
pub use id_token_hint::id_token_hint;
pub use registration::registration;
pub use request_object::request_object;
pub use token::token;

use crate::{
    client::{
        ApplicationType, Client, ClientAuth, ClientSecret, GRANT_CLIENT, GRANT_CODE, GRANT_IMPLICIT, GRANT_PASSWORD,
        RESPONSE_TYPES,
    },
    error::OAuthError,
    fixtures,
    id::ClientId,
    policy::{ClientPolicy, PkceRule},
    secret::Digest,
};

/// The clients that input may speak of: a confidential, a native public and a lenient one, and a
/// service of our own, which may send passwords too.
fn clients() -> [Client; 4] {
    let named = |id: &str, auth| Client { id: ClientId::parse(id).unwrap(), auth, ..fixtures::client() };
    let secret = || ClientSecret::Hashed(Digest::of(b"secret"));
    let native = Client {
        application_type: ApplicationType::Native,
        redirect_uris: vec!["http://127.0.0.1/cb".into(), "com.example.app:/cb?kept=1".into()],
        ..named("native", ClientAuth::None)
    };
    let lenient = Client {
        grant_types: vec![GRANT_CODE.into(), GRANT_IMPLICIT.into()],
        response_types: RESPONSE_TYPES.to_vec(),
        policy: ClientPolicy { pkce: PkceRule::Optional, ..ClientPolicy::default() },
        ..named("lenient", ClientAuth::SecretPost(secret()))
    };
    let service = Client {
        grant_types: vec![GRANT_CLIENT.into(), GRANT_PASSWORD.into()],
        first_party: true,
        redirect_uris: Vec::new(),
        ..named("service", ClientAuth::SecretBasic(secret()))
    };
    [fixtures::client(), native, lenient, service]
}

/// A3: a description is ASCII without quotes, backslashes and line breaks.
fn is_plain(error: &OAuthError) {
    let good = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    assert!(!error.description.is_empty() && error.description.chars().all(good), "{error:?}");
}
