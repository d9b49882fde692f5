//! Everything SQL: schema, pool, transactions, sealing, the embedded database.
//!
//! [`store::Store::transaction`] is the one door. Its closure gets a [`store::Tx`], whose methods are spread over
//! one file per table family.

pub mod accounts;
pub mod apply;
pub mod audit;
pub mod bootstrap;
pub mod clients;
pub mod consents;
pub mod data_dir;
pub mod deliveries;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod error;
pub mod feed;
mod grants;
pub mod inspect;
mod interactions;
pub mod keys;
pub mod load;
pub mod notices;
mod people;
pub mod pool;
mod profiles;
mod refresh_tokens;
pub mod registrations;
pub mod resources;
pub mod roles;
pub mod rotation;
pub mod schema;
pub mod seal;
mod sessions;
pub mod sign_in_links;
pub mod startable;
mod statement;
pub mod store;
pub mod sweep;
pub mod users;

pub use apply::Apply;
pub use audit::{Actor, Origin};
pub use error::StoreError;
pub use store::{Store, Tx};
