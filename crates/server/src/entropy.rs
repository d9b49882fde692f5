//! The one place that reads the clock and the system's random source. Everything else is given a [`Turn`].

use chrono::{DateTime, Utc};
use rand::{TryRngCore, rngs::OsRng};
use signet_oidc::Turn;

/// The operating system gave no randomness: nothing can be done safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's random source does not answer")]
pub struct NoEntropy;

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> DateTime<Utc> {
    // Kept to the millisecond, like sealed values: the database keeps microseconds.
    let now = Utc::now();
    DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}

/// A turn for one request: its moment and 256 bits of seed.
pub fn turn() -> Result<Turn, NoEntropy> {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).map_err(|_| NoEntropy)?;
    Ok(Turn::new(now(), seed))
}
