//! A circuit for each target: one that failed several times in a row is left alone for a while, so that what waits
//! for it takes nobody else's turn.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Duration, Utc};

/// So many failures in a row open a circuit.
const FAILURES: u32 = 5;
/// For so long. One try follows; if that fails it is open again.
const OPEN: Duration = Duration::seconds(30);
/// So many targets that failed are remembered.
const TARGETS: usize = 10_000;

/// How a target has fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Circuit {
    /// It is asked; so many tries failed in a row.
    Closed { failures: u32 },
    /// It is not, until then.
    Open { until: DateTime<Utc> },
}

/// Every target that failed lately, by its client and origin.
#[derive(Debug, Default)]
pub(super) struct Circuits(Mutex<HashMap<String, Circuit>>);

impl Circuits {
    /// Takes leave to ask this target; where it is left alone, until when. Of those who come when that time is over the first
    /// may, and the others wait for what comes of it, for as long as a `trial` takes.
    pub(super) fn may_ask(&self, target: &str, now: DateTime<Utc>, trial: Duration) -> Result<(), DateTime<Utc>> {
        match self.known().get_mut(target) {
            Some(Circuit::Open { until }) if *until > now => Err(*until),
            Some(Circuit::Open { until }) => {
                *until = now + trial;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Notes a try.
    pub(super) fn note(&self, target: &str, answered: bool, now: DateTime<Utc>) {
        let mut known = self.known();
        if answered {
            known.remove(target);
            return;
        }
        let failures = match known.get(target) {
            None => 1,
            Some(Circuit::Closed { failures }) => failures + 1,
            // The one try after the time.
            Some(Circuit::Open { .. }) => FAILURES,
        };
        if known.len() >= TARGETS && !known.contains_key(target) {
            known.clear();
        }
        let circuit =
            if failures >= FAILURES { Circuit::Open { until: now + OPEN } } else { Circuit::Closed { failures } };
        known.insert(target.to_owned(), circuit);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Circuit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("a moment")
    }

    /// five failures in a row open the circuit of their target and of no other; one try follows, an answer closes it.
    #[test]
    fn a_target_that_fails_is_left_alone() {
        let circuits = Circuits::default();
        let may_ask = |target: &str, now: DateTime<Utc>| circuits.may_ask(target, now, Duration::seconds(10));
        let (bad, good) = ("https://down.example", "https://up.example");
        for _ in 0..4 {
            circuits.note(bad, false, at(0));
            assert_eq!(may_ask(bad, at(0)), Ok(()));
        }
        circuits.note(bad, false, at(0));
        assert_eq!(may_ask(bad, at(29)), Err(at(30)));
        assert_eq!(may_ask(good, at(0)), Ok(()));
        assert_eq!(may_ask(bad, at(30)), Ok(()));
        assert_eq!(may_ask(bad, at(30)), Err(at(40)), "one try");
        circuits.note(bad, false, at(31));
        assert_eq!(may_ask(bad, at(32)), Err(at(61)));
        assert_eq!((may_ask(bad, at(61)), may_ask(bad, at(70))), (Ok(()), Err(at(71))));
        assert_eq!(may_ask(bad, at(71)), Ok(()), "nothing came of the one try");
        circuits.note(bad, true, at(72));
        circuits.note(bad, false, at(73));
        assert_eq!(may_ask(bad, at(73)), Ok(()), "it counts from the start again");
    }

    /// however many targets fail, few are remembered.
    #[test]
    fn it_stays_small() {
        let circuits = Circuits::default();
        for number in 0..TARGETS + 10 {
            circuits.note(&format!("https://{number}.example"), false, at(0));
        }
        assert!(circuits.known().len() <= TARGETS);
    }
}
