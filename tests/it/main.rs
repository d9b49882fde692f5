//! End-to-end tests. They start the built program and know only its URL, command line and mail.
//!
//! Modules mirror the URLs; `browser` drives Chromium, `faults` kills and starves.
//! Run them with `tests/run`, which starts PostgreSQL, Redis and chromedriver.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first thing that is not as expected"
)]
#![expect(unreachable_pub, reason = "an executable has nobody to reach from")]

mod api;
mod apply;
mod audit;
mod browser;
mod budgets;
mod cli;
mod config;
mod doctor;
mod faults;
mod health;
mod limits;
mod nodes;
mod oauth;
mod pages;
mod proxy;
mod relying_party;
mod scene;
mod secrets;
mod support;
mod tls;
mod upkeep;
mod walk;
