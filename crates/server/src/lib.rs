//! Everything HTTP: the provider's endpoints, pages and command line.
//!
//! `routes.rs` is the whole route map; a handler of `POST /oauth/token` lives in `oauth/token.rs`.

pub mod admin;
pub mod api;
pub mod app;
pub mod audit;
pub mod call;
pub mod channel;
pub mod cli;
pub mod config;
pub mod control;
pub mod deliveries;
pub mod doctor;
pub mod entropy;
pub mod guard;
pub mod hashing;
pub mod oauth;
pub mod outbound;
pub mod pages;
pub mod playground;
pub mod reload;
pub mod routes;
pub mod serve;
pub mod startup;
mod sweep;
pub mod telemetry;
pub mod tls;
