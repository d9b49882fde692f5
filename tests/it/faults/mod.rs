//! What ends, breaks or leaves in the middle of a request: Signet, PostgreSQL, the engine, the client.

mod agent;
mod embedded;
mod ends;
mod ledger;
mod postmaster;
mod reset;
mod stall;
mod sweep;
mod traffic;
