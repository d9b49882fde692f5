//! APIs that tokens are for.
