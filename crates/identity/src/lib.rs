//! Accounts as pure values and decisions: who a person is, what they may call themselves, how they sign in.
//!
//! Nothing here waits, reads a clock, or knows of HTTP or SQL.

pub mod change;
pub mod id;
pub mod login;
pub mod password;
pub mod profile;
pub mod registration;
pub mod session;
pub mod user;

pub use change::{Change, Event, EventKind};
pub use id::{SessionId, UserId};
