//! The audit log around requests: what can be in it, and how what has no transaction gets there.

pub mod events;
