//! The protocol endpoints, by their URLs.

mod advertised;
mod algorithms;
mod attacks;
mod authorize;
mod backchannel;
mod claims;
mod client_auth;
mod discovery;
mod encryption;
mod ends;
mod hybrid;
mod introspect;
mod jwks;
mod logout;
mod password;
mod prompt;
mod refresh;
pub mod register;
mod request_object;
mod resources;
mod revoke;
mod token;
mod token_client;
mod token_http;
mod userinfo;
