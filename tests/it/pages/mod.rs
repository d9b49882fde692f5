//! The pages people see, by their URLs.

mod activity;
mod applications;
mod consent;
mod home;
mod hostile;
mod interaction;
mod language;
mod no_access;
mod register;
mod select_account;
mod signin;
