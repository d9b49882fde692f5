//! What stands before the handlers: cookies, form protection, headers.

pub mod cookies;
pub mod csrf;
pub mod headers;
