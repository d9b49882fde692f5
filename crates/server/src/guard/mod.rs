//! What stands before the handlers: cookies, form protection, headers, trusted proxies.

pub mod access;
pub mod cookies;
pub mod csrf;
pub mod headers;
pub mod proxy;
