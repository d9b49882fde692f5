//! What operators see: logs, the trace of a request, metrics, health.

pub mod logs;
pub mod panics;
