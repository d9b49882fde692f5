//! Unmodified libraries as the application: they know the issuer, its credentials, and nothing else.

mod authlib;
mod keys;
mod openid_client;
mod openidconnect;
mod party;
mod registration;
mod sign_out;
