//! What a client may take up: connections, heads, time.
//!
//! The head of a first request and the handshake have `http.head_timeout`, a body `http.body_timeout`, a handler
//! `http.request_timeout`, an idle connection `http.keep_alive`. What outlasts these is for [`super::connections`].

use std::{num::NonZero, thread::available_parallelism};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More connections than this are never open at once.
const MOST_CONNECTIONS: u64 = 16_384;

/// Files that are not connections of clients: the database, Redis, logs, sockets.
const RESERVE: u64 = 128;

/// Files a connection takes: the socket, and the same again for [`super::connections`].
const FILES_EACH: u64 = 2;

/// Raises the number of files this process may open as far as it may itself, and answers how many connections of
/// clients fit. Beyond them the kernel queues; nothing that is open is hurt.
pub fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = MOST_CONNECTIONS * FILES_EACH + RESERVE;
    let wanted = limit.maximum.map_or(most, |maximum| maximum.min(most));
    let raised = limit.current.is_none_or(|now| now >= wanted)
        || setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_ok();
    let files = if raised { wanted } else { limit.current.unwrap_or(wanted) };
    usize::try_from((files.saturating_sub(RESERVE) / FILES_EACH).clamp(16, MOST_CONNECTIONS)).unwrap_or(16)
}

/// Threads that serve: as configured, else one for each core.
pub fn workers(configured: Option<u32>) -> usize {
    let configured = configured.and_then(|workers| usize::try_from(workers).ok()).filter(|workers| *workers > 0);
    configured.unwrap_or_else(|| available_parallelism().map_or(2, NonZero::get))
}
