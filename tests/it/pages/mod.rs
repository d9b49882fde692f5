//! The pages people see, by their URLs.

mod consent;
mod hostile;
mod interaction;
mod register;
mod signin;
