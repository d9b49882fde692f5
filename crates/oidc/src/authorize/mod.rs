//! The authorization endpoint (OIDC Core §3.1.2, RFC 6749 §4.1).
//!
//! [`Envelope`] takes the parameters out of a request object; [`read`] turns parameters into a normalised request or says
//! where the error goes; [`decide`] says what comes next for that request: sign-in, consent, or the answer to the client.

mod checks;
mod engine;
mod prompt;
mod request;
mod request_object;
mod response;
#[cfg(test)]
mod tests;

pub use checks::read;
pub use prompt::{
    Answered, Facts, Next, Question, Stage, consent_denied, decide, needs_consent, turned_away, wants_person,
};
pub use request::{AcrWish, AuthorizeRequest, Once, Prompt, Prompts};
pub use request_object::{Carried, Envelope, Object, Unpacked};
pub use response::{Answer, AuthorizeError, Delivery, ResponseMode};
