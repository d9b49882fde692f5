//! What is hashed: a row and its personal part as bytes, in one form only.
//!
//! A value is a byte that says whether there is one, its length in four bytes, and its bytes: text in UTF-8, numbers in
//! eight bytes, times in microseconds since 1970, all big endian. Values follow each other in the order of this file,
//! after a label with the version. Another form gets another version, which the row carries in `encoding`.

use sha2::{Digest as _, Sha256};

use super::row::Row;

/// The form that this build writes.
pub const VERSION: i16 = 1;

/// What a row gets instead of [`VERSION`] when its personal part did not fit as it was linked: Signet writes both at once.
/// Its link has a label of its own, so that the mark cannot be taken off later.
pub const UNFIT: i16 = 0;

/// The hash before the first row.
pub const GENESIS: [u8; 32] = [0; 32];

const ROW: &[u8] = b"signet audit row 1\0";
const LINK: &[u8] = b"signet audit link 1\0";
const LINK_UNFIT: &[u8] = b"signet audit link 0\0";
const PERSONAL: &[u8] = b"signet audit personal 1\0";

/// Values one after the other.
struct Writer(Vec<u8>);

impl Writer {
    fn value(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.0.push(0),
            Some(value) => {
                self.0.push(1);
                self.0.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
                self.0.extend(value);
            }
        }
    }

    fn text(&mut self, value: Option<&str>) {
        self.value(value.map(str::as_bytes));
    }

    fn number(&mut self, value: Option<i64>) {
        self.value(value.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    }

    fn uuid(&mut self, value: Option<uuid::Uuid>) {
        self.value(value.as_ref().map(|id| id.as_bytes().as_slice()));
    }
}

/// A row without its place in the chain.
pub fn row(row: &Row) -> Vec<u8> {
    let mut out = Writer(ROW.to_vec());
    out.uuid(Some(row.id));
    out.number(Some(row.realm_id));
    out.number(Some(row.at.timestamp_micros()));
    out.text(Some(&row.event));
    out.text(Some(&row.result));
    out.text(Some(&row.actor_kind));
    out.uuid(row.actor_user);
    out.number(row.actor_client);
    out.uuid(row.subject_user);
    out.number(row.client_key);
    out.uuid(row.session_id);
    out.uuid(row.grant_id);
    out.text(row.request_id.as_deref());
    out.text(row.object.as_deref());
    out.text(row.detail.as_deref());
    out.value(row.commitment.as_deref());
    out.0
}

/// The hash that links a row to the one before it.
pub fn link(previous: &[u8], linked: &Row) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(if linked.encoding == Some(UNFIT) { LINK_UNFIT } else { LINK });
    hash.update(Sha256::digest(previous));
    hash.update(row(linked));
    hash.finalize().into()
}

/// What a personal row says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Personal<'a> {
    /// The caller's address.
    pub address: Option<&'a str>,
    /// The caller's agent.
    pub user_agent: Option<&'a str>,
    /// What was typed.
    pub typed: Option<&'a str>,
    /// The operating system's user.
    pub operator: Option<&'a str>,
}

/// The commitment to a personal row. Without the salt, which goes with that row, it tells nothing of it.
pub fn commitment(salt: &[u8], personal: Personal<'_>) -> [u8; 32] {
    let mut out = Writer(PERSONAL.to_vec());
    out.value(Some(salt));
    out.text(personal.address);
    out.text(personal.user_agent);
    out.text(personal.typed);
    out.text(personal.operator);
    Sha256::digest(&out.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Row {
        Row {
            id: uuid::Uuid::from_u128(7),
            realm_id: 1,
            event: "code.issued".to_owned(),
            result: "success".to_owned(),
            actor_kind: "user".to_owned(),
            ..Row::default()
        }
    }

    /// whatever column changes, the bytes change; a value moved to its neighbour is another row.
    #[test]
    fn every_column_counts() {
        type Change = fn(&mut Row);
        let changes: [(&str, Change); 16] = [
            ("id", |row| row.id = uuid::Uuid::from_u128(9)),
            ("realm_id", |row| row.realm_id = 2),
            ("at", |row| row.at += chrono::Duration::microseconds(1)),
            ("event", |row| row.event.push('x')),
            ("result", |row| row.result = "refused".to_owned()),
            ("actor_kind", |row| row.actor_kind = "system".to_owned()),
            ("actor_user", |row| row.actor_user = Some(uuid::Uuid::from_u128(9))),
            ("actor_client", |row| row.actor_client = Some(3)),
            ("subject_user", |row| row.subject_user = Some(uuid::Uuid::from_u128(9))),
            ("client_key", |row| row.client_key = Some(3)),
            ("session_id", |row| row.session_id = Some(uuid::Uuid::from_u128(9))),
            ("grant_id", |row| row.grant_id = Some(uuid::Uuid::from_u128(9))),
            ("request_id", |row| row.request_id = Some("x".to_owned())),
            ("object", |row| row.object = Some("x".to_owned())),
            ("detail", |row| row.detail = Some("x".to_owned())),
            ("commitment", |row| row.commitment = Some(vec![1])),
        ];
        let mut seen = vec![row(&sample())];
        for (name, change) in changes {
            let mut other = sample();
            change(&mut other);
            let bytes = row(&other);
            assert!(!seen.contains(&bytes), "{name}");
            seen.push(bytes);
        }
        let mut empty = sample();
        empty.detail = Some(String::new());
        assert!(!seen.contains(&row(&empty)), "empty is not absent");
    }

    /// the form is fixed. These values were worked out apart from this code, by Python's `hashlib` and `struct`.
    #[test]
    fn the_form_is_fixed() {
        let hex = crate::audit::to_hex;
        assert_eq!(hex(&link(&GENESIS, &sample())), LINK_OF_SAMPLE);
        let personal = Personal { address: Some("192.0.2.7"), typed: Some("ada"), ..Personal::default() };
        assert_eq!(hex(&commitment(&[5; 16], personal)), COMMITMENT_OF_SAMPLE);
        let unfit = Row { encoding: Some(UNFIT), ..sample() };
        assert_ne!(link(&GENESIS, &unfit), link(&GENESIS, &sample()), "the mark counts");
        assert_ne!(commitment(&[6; 16], personal), commitment(&[5; 16], personal));
    }

    const LINK_OF_SAMPLE: &str = "eb27981e315f25cc80e88bdb8f73b21cf48b07310472f9b46e4d71388d621d0f";
    const COMMITMENT_OF_SAMPLE: &str = "7f9958629605744b5b6865e6e138ef3e2243d163d1361067fdbf763604cf5d48";
}
