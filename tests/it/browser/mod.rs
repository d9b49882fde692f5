//! The pages in Chromium, as people meet them.

mod audit;
mod keyboard;
mod pages;
mod playground;
mod signin;
mod visitor;
