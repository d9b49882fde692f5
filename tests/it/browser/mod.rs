//! The pages in Chromium, as people meet them.

mod applications;
mod audit;
mod docs;
mod keyboard;
mod link;
mod logout;
mod pages;
mod playground;
mod signin;
mod visitor;
