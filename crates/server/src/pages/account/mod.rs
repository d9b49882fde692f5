//! The pages about one's own account, below `/account`.

pub mod applications;
