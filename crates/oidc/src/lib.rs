//! The OpenID Connect protocol as pure functions.
//!
//! Nothing here waits, reads a clock, draws ambient randomness, or knows of HTTP types or SQL. A caller loads
//! facts, asks a `decide` function, applies the [`Change`]s it answers, and signs what it grants.

pub mod authorize;
pub mod call;
pub mod change;
pub mod claims;
pub mod client;
pub mod consent;
pub mod discovery;
pub mod error;
#[cfg(any(test, fuzzing))]
#[cfg_attr(test, expect(clippy::unwrap_used, reason = "a value that cannot be made ends the test"))]
mod fixtures;
#[cfg(any(test, fuzzing))]
#[cfg_attr(test, expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "it is there to panic"))]
pub mod fuzz;
pub mod grant;
pub mod id;
pub mod interaction;
pub mod introspect;
pub mod jose;
pub mod logout;
pub mod pkce;
pub mod policy;
#[cfg(test)]
mod properties;
pub mod realm;
pub mod registration;
pub mod resource;
pub mod revoke;
pub mod scope;
pub mod secret;
pub mod session_state;
pub mod subject;
pub mod token;
pub mod turn;
pub mod userinfo;

pub use call::{Call, Params};
pub use change::{Change, Event, Outcome};
pub use error::{ErrorCode, OAuthError};
pub use turn::Turn;
