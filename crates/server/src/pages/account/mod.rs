//! The pages about one's own account, below `/account`.

pub mod activity;
pub mod applications;
