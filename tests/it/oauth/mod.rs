//! The protocol endpoints, by their URLs.

mod authorize;
mod discovery;
mod introspect;
mod logout;
mod prompt;
mod refresh;
mod revoke;
mod token;
mod token_client;
mod token_http;
mod userinfo;
