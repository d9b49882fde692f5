//! `/api` and `/docs`.

mod changes;
mod clients;
mod consents;
mod docs;
mod hostile;
pub mod office;
mod tokens;
mod users;
