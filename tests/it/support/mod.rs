//! What the tests stand on: services, the program under test, browsers, the flow.

pub mod browser;
pub mod chrome;
pub mod cli;
pub mod flow;
pub mod hosted;
pub mod html;
pub mod jar;
pub mod log;
pub mod port;
pub mod postgres;
pub mod redis;
pub mod services;
pub mod signer;
pub mod signet;
pub mod target;
pub mod wait;

#[cfg(test)]
mod selftest;

pub mod prelude {
    //! What nearly every test uses.

    pub use super::browser::{Browser, Landing, Page};
    pub use super::chrome::Chrome;
    pub use super::cli::{Client, ClientSpec, User};
    pub use super::flow;
    pub use super::flow::AuthRequest;
    pub use super::postgres::PrivatePostgres;
    pub use super::redis::PrivateRedis;
    pub use super::signer::{self, Signer};
    pub use super::signet::{Database, Signet};
    pub use super::target::Target;
    pub use super::wait::{PATIENCE, eventually};
}
