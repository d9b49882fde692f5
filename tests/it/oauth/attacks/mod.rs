//! The attacks of RFC 9700 §4, each played against the program as an attacker would.

mod codes;
mod redirects;
mod tokens;
