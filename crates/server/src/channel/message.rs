//! A notice as Redis carries it: versioned JSON, sealed under the secret key, so that who can write to Redis can neither
//! forge a notice nor read one.

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use signet_storage::{
    notices::Notice,
    seal::{Purpose, SealError, Sealer},
};

/// The version this build writes and understands.
const VERSION: u8 = 1;
/// Longer ones are not ours.
pub(super) const LONGEST: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
struct Message {
    v: u8,
    seq: i64,
    kind: String,
    key: String,
    generation: i64,
    /// Seconds since 1970.
    expires: i64,
}

/// Writes a notice. `name` is the name of the channel: a message of one installation is none of another.
pub(super) fn write(sealer: &Sealer, name: &str, notice: Notice, nonce: [u8; 24]) -> Result<Vec<u8>, SealError> {
    let Notice { seq, kind, key, generation, expires_at } = notice;
    // Rounded up: an entry may live a second longer than needed, never shorter.
    let message = Message { v: VERSION, seq, kind, key, generation, expires: expires_at.timestamp().saturating_add(1) };
    let json = serde_json::to_vec(&message).map_err(|_| SealError::Closed)?;
    sealer.seal(Purpose::Notice, name.as_bytes(), &json, nonce)
}

/// Reads a notice; nothing where the message is not one of ours, or of another version.
pub(super) fn read(sealer: &Sealer, name: &str, bytes: &[u8]) -> Option<Notice> {
    if bytes.len() > LONGEST {
        return None;
    }
    let json = sealer.open(Purpose::Notice, name.as_bytes(), bytes).ok()?;
    let message: Message = serde_json::from_slice(&json).ok()?;
    if message.v != VERSION {
        return None;
    }
    Some(Notice {
        seq: message.seq,
        kind: message.kind,
        key: message.key,
        generation: message.generation,
        expires_at: DateTime::from_timestamp(message.expires, 0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(vec![Zeroizing::new(vec![byte; 32])]).unwrap()
    }

    fn notice() -> Notice {
        Notice {
            seq: 7,
            kind: "revoked.client".to_owned(),
            key: "app".to_owned(),
            generation: 3,
            expires_at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    /// R-65: a message is read as it was written; one from another channel, under another key, changed, or too long is
    /// none.
    #[test]
    fn only_our_own_messages_are_read() {
        let bytes = write(&sealer(1), "a", notice(), [9; 24]).unwrap();
        let read_back = read(&sealer(1), "a", &bytes).unwrap();
        assert_eq!((read_back.seq, read_back.generation, read_back.key.as_str()), (7, 3, "app"));
        assert!(read_back.expires_at >= notice().expires_at);
        assert!(read(&sealer(1), "b", &bytes).is_none(), "another installation");
        assert!(read(&sealer(2), "a", &bytes).is_none(), "another key");
        assert!(
            read(
                &sealer(1),
                "a",
                br#"{"v":1,"seq":1,"kind":"revoked.client","key":"app","generation":9,"expires":4000000000}"#
            )
            .is_none()
        );
        assert!(read(&sealer(1), "a", &vec![0; LONGEST + 1]).is_none());
        let mut changed = bytes;
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
        }
        assert!(read(&sealer(1), "a", &changed).is_none());
    }
}
