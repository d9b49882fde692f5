//! `/api` and `/docs`.

mod clients;
mod consents;
mod docs;
mod hostile;
pub mod office;
mod tokens;
