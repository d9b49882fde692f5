//! When a delivery that failed is tried again.

use chrono::{DateTime, Duration, Utc};
use signet_oidc::Turn;

/// The longest wait.
const LONGEST: i64 = 3_600;
/// The number of tries after which it is given up: about a day.
const LAST: i32 = 35;

/// What follows a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Another one, then.
    Again(DateTime<Utc>),
    /// Nothing.
    GiveUp,
}

/// After `attempts` tries: one second, two, four … up to an hour, each up to a fifth longer, so that what failed together
/// is not tried together.
pub(super) fn after(attempts: i32, turn: &mut Turn) -> Verdict {
    if attempts >= LAST {
        return Verdict::GiveUp;
    }
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(20);
    let seconds = 1_i64.checked_shl(doublings).unwrap_or(LONGEST).min(LONGEST);
    let [byte, ..] = turn.bytes::<32>();
    let stretch = seconds * 200 * i64::from(byte) / 255;
    Verdict::Again(turn.now() + Duration::milliseconds(seconds * 1_000 + stretch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(seed: u8) -> Turn {
        Turn::new(DateTime::from_timestamp(1_800_000_000, 0).expect("a moment"), [seed; 32])
    }

    /// L2: each wait is twice the one before, up to an hour; after a day nothing follows.
    #[test]
    fn waits() {
        for (attempts, seconds) in [(0, 1), (1, 1), (2, 2), (3, 4), (12, 2_048), (13, 3_600), (34, 3_600)] {
            for seed in 0..20 {
                let mut turn = turn(seed);
                let Verdict::Again(due) = after(attempts, &mut turn) else { panic!("given up after {attempts}") };
                let waits = (due - turn.now()).num_milliseconds();
                assert!((seconds * 1_000..=seconds * 1_200).contains(&waits), "{attempts}: {waits}");
            }
        }
        for attempts in [35, 36, i32::MAX] {
            assert_eq!(after(attempts, &mut turn(1)), Verdict::GiveUp);
        }
        let all: i64 = (1..35).map(|attempts| 1_i64 << (attempts - 1).min(20)).map(|one| one.min(3_600)).sum();
        assert!((80_000..90_000).contains(&all), "about a day: {all} s");
    }
}
