//! `/api` and `/docs`.

mod clients;
mod docs;
mod hostile;
pub mod office;
mod tokens;
