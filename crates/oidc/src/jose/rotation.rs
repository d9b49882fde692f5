//! How signing keys come and go: next → active → retiring → retired → gone.
//!
//! A key is published before it signs, and stays published until the last token it signed has ended.

use chrono::{DateTime, Duration, Utc};

use super::{Alg, KeyState};
use crate::policy::Policy;

/// A retiring key stays published for this much longer than a token lives: clocks differ a little.
const RETIRING_MARGIN: Duration = Duration::minutes(10);
/// A retired key is kept this long, unpublished, to read old hints.
pub const RETIRED_FOR: Duration = Duration::days(365);
/// A scheduled rotation leaves a key published for this long before it signs: caches of the key set live for hours.
pub const PUBLISHED_AHEAD: Duration = Duration::hours(24);

/// What a rotation needs to know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with.
    pub alg: Alg,
    /// Where it stands.
    pub state: KeyState,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Since when it stands there.
    pub changed: DateTime<Utc>,
}

/// The keys of an algorithm that move at a rotation; a fresh one becomes the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// Signs from now on; it was published before.
    pub activate: String,
    /// Signs no more. None where no key signed.
    pub retire: Option<String>,
}

/// The rotation of an algorithm. None where no key was published ahead: then there is nothing to change to.
pub fn rotation(keys: &[KeyInfo], alg: Alg) -> Option<Rotation> {
    let find = |state| keys.iter().find(|key| key.alg == alg && key.state == state).map(|key| key.kid.clone());
    Some(Rotation { activate: find(KeyState::Next)?, retire: find(KeyState::Active) })
}

/// Whether the schedule asks for a rotation: the key signs for `every` or longer, and the next one has been published
/// for long enough.
pub fn is_due(keys: &[KeyInfo], alg: Alg, every: Duration, now: DateTime<Utc>) -> bool {
    let stands_for = |state, least: Duration| {
        keys.iter().any(|key| key.alg == alg && key.state == state && key.changed + least <= now)
    };
    stands_for(KeyState::Active, every) && stands_for(KeyState::Next, PUBLISHED_AHEAD)
}

/// What time does to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ageing {
    /// It is published no more.
    Retire,
    /// It is deleted.
    Delete,
}

/// Protocol D4: a retiring key stays published for this long, until the last token it signed has ended, be it an access
/// token or an ID token of the lifetime that is set now.
pub fn retiring_for(policy: &Policy) -> Duration {
    Policy::LONGEST_ACCESS_TOKEN.max(policy.id_token_lifetime) + RETIRING_MARGIN
}

/// What time has done to a key by `now`, if anything, where a retiring one stays for `retiring`.
pub fn ageing(key: &KeyInfo, retiring: Duration, now: DateTime<Utc>) -> Option<Ageing> {
    match key.state {
        KeyState::Retiring if key.changed + retiring <= now => Some(Ageing::Retire),
        KeyState::Retired if key.changed + RETIRED_FOR <= now => Some(Ageing::Delete),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn key(kid: &str, alg: Alg, state: KeyState) -> KeyInfo {
        KeyInfo { kid: kid.to_owned(), alg, state, created: start(), changed: start() }
    }

    /// As storage carries a rotation out.
    fn rotate(keys: &mut Vec<KeyInfo>, alg: Alg, fresh: &str, now: DateTime<Utc>) -> Rotation {
        let rotation = rotation(keys, alg).unwrap();
        for key in keys.iter_mut() {
            if Some(&key.kid) == rotation.retire.as_ref() {
                (key.state, key.changed) = (KeyState::Retiring, now);
            } else if key.kid == rotation.activate {
                (key.state, key.changed) = (KeyState::Active, now);
            }
        }
        keys.push(KeyInfo { created: now, changed: now, ..key(fresh, alg, KeyState::Next) });
        rotation
    }

    /// R-38, D4: at each rotation the key that was published ahead signs, the one before stays published, another one is
    /// published; other algorithms stay as they are.
    #[test]
    fn a_key_is_published_before_it_signs() {
        let mut keys = vec![
            key("a", Alg::Es256, KeyState::Active),
            key("b", Alg::Es256, KeyState::Next),
            key("r", Alg::Rs256, KeyState::Active),
            key("s", Alg::Rs256, KeyState::Next),
        ];
        let mut published: Vec<String> = vec!["a".into(), "b".into()];
        for (round, fresh) in ["c", "d", "e"].into_iter().enumerate() {
            let now = start() + Duration::days(i64::try_from(round).unwrap() + 1);
            let done = rotate(&mut keys, Alg::Es256, fresh, now);
            assert!(published.contains(&done.activate), "{done:?}");
            published.push(fresh.to_owned());
            for state in [KeyState::Active, KeyState::Next] {
                let standing: Vec<_> = keys.iter().filter(|key| key.alg == Alg::Es256 && key.state == state).collect();
                assert_eq!(standing.len(), 1, "{state:?}");
            }
        }
        let states: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.state)).collect();
        assert_eq!(
            states,
            [
                ("a", KeyState::Retiring),
                ("b", KeyState::Retiring),
                ("r", KeyState::Active),
                ("s", KeyState::Next),
                ("c", KeyState::Retiring),
                ("d", KeyState::Active),
                ("e", KeyState::Next),
            ]
        );
    }

    /// R-38, D4: without a key that was published ahead there is no rotation.
    #[test]
    fn nothing_signs_that_was_not_published() {
        assert_eq!(rotation(&[key("a", Alg::Es256, KeyState::Active)], Alg::Es256), None);
        assert_eq!(rotation(&[key("a", Alg::Es256, KeyState::Next)], Alg::Rs256), None);
    }

    /// D4: the longest token decides, be it an access token or an ID token.
    #[test]
    fn how_long_a_key_retires() {
        for (hours, minutes) in [(1, 70), (24, 24 * 60 + 10)] {
            let policy = Policy { id_token_lifetime: Duration::hours(hours), ..Policy::default() };
            assert_eq!(retiring_for(&policy), Duration::minutes(minutes));
        }
        let short = Policy { id_token_lifetime: Duration::minutes(1), ..Policy::default() };
        assert_eq!(retiring_for(&short), Duration::minutes(70), "an API may want an hour");
    }

    /// R-38, D4: what the schedule and time ask for.
    #[test]
    fn when_keys_move() {
        let every = Duration::days(90);
        let keys = |next: DateTime<Utc>| {
            [key("a", Alg::Es256, KeyState::Active), KeyInfo { changed: next, ..key("b", Alg::Es256, KeyState::Next) }]
        };
        let due = start() + every;
        for (next, now, expected) in [
            (start(), due - Duration::seconds(1), false),
            (start(), due, true),
            (due, due, false),
            (due, due + PUBLISHED_AHEAD, true),
        ] {
            assert_eq!(is_due(&keys(next), Alg::Es256, every, now), expected, "{next} {now}");
            assert!(!is_due(&keys(next), Alg::Rs256, every, now));
        }

        let (second, retiring) = (Duration::seconds(1), Duration::minutes(70));
        for (state, after, expected) in [
            (KeyState::Next, RETIRED_FOR * 2, None),
            (KeyState::Active, RETIRED_FOR * 2, None),
            (KeyState::Retiring, retiring - second, None),
            (KeyState::Retiring, retiring, Some(Ageing::Retire)),
            (KeyState::Retired, RETIRED_FOR - second, None),
            (KeyState::Retired, RETIRED_FOR, Some(Ageing::Delete)),
        ] {
            assert_eq!(ageing(&key("a", Alg::Es256, state), retiring, start() + after), expected, "{state:?} {after}");
        }
    }
}
