//! The pages people see, by their URLs.

mod applications;
mod consent;
mod hostile;
mod interaction;
mod no_access;
mod register;
mod signin;
