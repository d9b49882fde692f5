//! Waiting for something to become true, always by polling with a limit.

use std::time::{Duration, Instant};

/// The limit for whatever needs a moment: far beyond what a healthy machine takes.
pub const PATIENCE: Duration = Duration::from_mins(1);

const INTERVAL: Duration = Duration::from_millis(20);

/// Polls `probe` until it gives a value and hands that value on.
///
/// Panics naming `what` once `limit` is over.
pub async fn eventually<T>(limit: Duration, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        pause().await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the interval between two probes; every other wait goes through `eventually`"
)]
async fn pause() {
    tokio::time::sleep(INTERVAL).await;
}
