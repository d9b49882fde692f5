//! What stands before the handlers: the requirement of their route, cookies, form protection, headers, trusted proxies.

pub mod access;
pub mod bearer;
pub mod connections;
pub mod cookies;
pub mod csrf;
pub mod gate;
pub mod headers;
pub mod limits;
pub mod password;
pub mod proxy;
pub mod rate_limits;
pub mod route;
