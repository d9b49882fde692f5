//! Secrets that a file of states refers to.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use signet_oidc::secret::Secret;

/// Secrets of clients, by identifier. `Debug` shows nothing; memory is wiped.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// The fewest characters: what is stored is a fast hash, which only a secret of 256 random bits withstands.
    pub const MIN: usize = 43;
    /// The most characters.
    pub const MAX: usize = 512;

    /// Adds the secret of a client. The error says what to change.
    pub fn add(&mut self, client_id: &str, secret: &str) -> Result<(), String> {
        let length = secret.len();
        if !(Self::MIN..=Self::MAX).contains(&length) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "the secret of client {client_id:?} has {length} bytes; give {} to {} characters of ASCII without spaces, \
                 such as `openssl rand -hex 32` makes",
                Self::MIN,
                Self::MAX
            ));
        }
        self.0.insert(client_id.to_owned(), secret.to_owned());
        Ok(())
    }

    /// The secret of a client, where one is given.
    pub(super) fn get(&self, client_id: &str) -> Option<Secret> {
        self.0.get(client_id).map(|secret| Secret::new(secret.as_str()))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.0.values_mut().for_each(zeroize::Zeroize::zeroize);
    }
}
