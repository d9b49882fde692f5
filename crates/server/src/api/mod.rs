//! The REST API, one file for each resource. Handlers are thin: they call `admin` and answer JSON.

pub mod problem;
