//! The one moment and the one random source of a request.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use crate::secret::Secret;

/// A request's `now` and its random source, seeded once per request.
pub struct Turn {
    now: DateTime<Utc>,
    rng: StdRng,
}

impl Turn {
    /// A turn at `now`, drawing from a generator seeded with `seed` (256 bits from the operating system).
    pub fn new(now: DateTime<Utc>, seed: [u8; 32]) -> Self {
        Self { now, rng: StdRng::from_seed(seed) }
    }

    /// The moment of this request.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// 256 random bits as a base64url secret: a code, a refresh token, a handle.
    pub fn secret(&mut self) -> Secret {
        Secret::from_bytes(&self.bytes::<32>())
    }

    /// 512 random bits as a base64url secret: a key for every HMAC (RFC 7518 §3.2).
    pub fn mac_secret(&mut self) -> Secret {
        Secret::from_bytes(&self.bytes::<64>())
    }

    /// 128 random bits as base64url text: a subject. Never begins with a dash, which a command line would take for an
    /// option.
    pub fn identifier(&mut self) -> String {
        loop {
            let text = URL_SAFE_NO_PAD.encode(self.bytes::<16>());
            if !text.starts_with('-') {
                return text;
            }
        }
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// A `UUIDv7` of this moment: time-ordered, with 74 random bits.
    pub fn uuid(&mut self) -> Uuid {
        let millis = u64::try_from(self.now.timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes::<10>()).into_uuid()
    }

    /// The random source itself, for functions of other crates that take one.
    pub fn rng(&mut self) -> &mut dyn RngCore {
        &mut self.rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_no_option_of_a_command_line() {
        let mut turn = Turn::new(DateTime::UNIX_EPOCH, [0; 32]);
        let all: Vec<_> = (0..1_000).map(|_| turn.identifier()).collect();
        assert!(all.iter().all(|one| one.len() == 22 && !one.starts_with('-')));
        assert!(all.iter().any(|one| one.contains('-')), "only the beginning is special");
    }

    /// A5: how many bits there are, and that no two are alike.
    #[test]
    fn what_is_drawn() {
        let now = DateTime::from_timestamp_millis(1_800_000_000_123).unwrap();
        let mut turn = Turn::new(now, [0; 32]);
        assert_eq!(turn.now(), now);
        let (first, second) = (turn.secret(), turn.secret());
        assert_eq!(first.expose().len(), 43);
        assert_ne!(first, second);
        assert_eq!(turn.mac_secret().expose().len(), 86);
        let (a, b) = (turn.uuid(), turn.uuid());
        assert_ne!(a, b);
        for one in [a, b] {
            let (seconds, nanos) = one.get_timestamp().unwrap().to_unix();
            assert_eq!((one.get_version_num(), seconds, nanos), (7, 1_800_000_000, 123_000_000));
        }
        assert_ne!(turn.bytes::<16>(), [0; 16]);
        let next = turn.rng().next_u64();
        assert_ne!(turn.rng().next_u64(), next);
    }
}
