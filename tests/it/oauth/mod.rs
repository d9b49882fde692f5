//! The protocol endpoints, by their URLs.

mod authorize;
mod discovery;
mod logout;
mod prompt;
mod refresh;
mod token;
mod token_client;
mod token_http;
mod userinfo;
