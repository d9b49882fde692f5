//! Passwords: what is accepted, and Argon2id.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use zeroize::Zeroizing;

/// A password as typed. `Debug` shows nothing; memory is wiped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Wraps what a person typed.
    pub fn new(typed: impl Into<String>) -> Self {
        Self(Zeroizing::new(typed.into()))
    }

    fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A PHC string. `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Reads a stored hash.
    pub fn from_stored(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// The PHC string, for storage.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// The cost of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Default for HashCost {
    /// 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self { memory: 19_456, iterations: 2, parallelism: 1 }
    }
}

/// Hashing failed: the parameters are out of range, or memory could not be had.
#[derive(Debug, thiserror::Error)]
#[error("password hashing failed: {0}")]
pub struct HashError(String);

impl HashCost {
    fn engine(self) -> Result<Argon2<'static>, HashError> {
        let params = Params::new(self.memory, self.iterations, self.parallelism, None)
            .map_err(|error| HashError(error.to_string()))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    /// Hashes with a fresh 128-bit salt. Takes tens of milliseconds of one core.
    pub fn hash(self, password: &Password, salt: [u8; 16]) -> Result<PasswordHash, HashError> {
        let hash: phc::PasswordHash = self
            .engine()?
            .hash_password_with_salt(password.text().as_bytes(), &salt)
            .map_err(|error| HashError(error.to_string()))?;
        Ok(PasswordHash(hash.to_string()))
    }

    /// Whether `password` is the one behind `stored`. Without a stored hash it pays for one all the same, so that an
    /// unknown account takes as long as a known one.
    pub fn verify(self, password: &Password, stored: Option<&PasswordHash>) -> Result<bool, HashError> {
        let Some(stored) = stored else {
            self.hash(password, [0; 16])?;
            return Ok(false);
        };
        let parsed = phc::PasswordHash::new(stored.as_str()).map_err(|error| HashError(error.to_string()))?;
        Ok(self.engine()?.verify_password(password.text().as_bytes(), &parsed).is_ok())
    }

    /// Whether `stored` was made at a lower cost than this.
    pub fn is_raised_over(self, stored: &PasswordHash) -> bool {
        let Ok(parsed) = phc::PasswordHash::new(stored.as_str()) else { return true };
        Params::try_from(&parsed).is_ok_and(|params| params.m_cost() < self.memory || params.t_cost() < self.iterations)
    }
}

/// Which passwords are accepted.
#[derive(Debug, Clone, Copy)]
pub struct PasswordPolicy {
    /// The least length, in characters.
    pub min_length: usize,
}

impl PasswordPolicy {
    /// The greatest length, in bytes.
    pub const MAX_BYTES: usize = 1_024;
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_length: 8 }
    }
}

/// The rule that failed. The message says what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefusal {
    /// Too short.
    #[error("Use at least {min} characters.")]
    TooShort {
        /// The least length.
        min: usize,
    },
    /// Too long.
    #[error("Use at most 1024 bytes.")]
    TooLong,
    /// Holds the username or the address.
    #[error("Choose a password that does not contain your username or email address.")]
    ContainsName,
    /// One character over and over.
    #[error("Choose a password that is not one character repeated.")]
    Repetitive,
    /// Holds a NUL byte.
    #[error("Use a password without control characters.")]
    Control,
}

impl PasswordPolicy {
    /// Checks a new password against the rules and the person's names.
    pub fn check(self, password: &Password, username: &str, email: &str) -> Result<(), PasswordRefusal> {
        let text = password.text();
        if text.len() > Self::MAX_BYTES {
            return Err(PasswordRefusal::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PasswordRefusal::Control);
        }
        if text.chars().count() < self.min_length {
            return Err(PasswordRefusal::TooShort { min: self.min_length });
        }
        let lower = text.to_lowercase();
        let local = email.split('@').next().unwrap_or_default();
        let holds = |name: &str| name.len() >= 4 && lower.contains(&name.to_lowercase());
        if holds(username) || holds(email) || holds(local) {
            return Err(PasswordRefusal::ContainsName);
        }
        let mut characters = text.chars();
        let first = characters.next();
        if characters.all(|c| Some(c) == first) {
            return Err(PasswordRefusal::Repetitive);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost { memory: 8, iterations: 1, parallelism: 1 };

    /// Argon2id PHC strings; a raised cost is noticed.
    #[test]
    fn hashes() {
        let password = Password::new("correct horse");
        let hash = CHEAP.hash(&password, [1; 16]).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert!(CHEAP.verify(&password, Some(&hash)).unwrap());
        assert!(!CHEAP.verify(&Password::new("wrong horse"), Some(&hash)).unwrap());
        assert!(!CHEAP.verify(&password, None).unwrap());
        assert!(!CHEAP.is_raised_over(&hash));
        assert!(HashCost::default().is_raised_over(&hash));
        assert_eq!(format!("{password:?} {hash:?}"), "Password(…) PasswordHash(…)");
    }

    /// each rule refuses by its own name.
    #[test]
    fn rules() {
        let policy = PasswordPolicy::default();
        let check = |text: &str| policy.check(&Password::new(text), "lovelace", "ada@example.org");
        assert_eq!(check("tangible-kite"), Ok(()));
        assert_eq!(check("seven77"), Err(PasswordRefusal::TooShort { min: 8 }));
        assert_eq!(check(&"é".repeat(513)), Err(PasswordRefusal::TooLong));
        assert_eq!(check("my-LOVELACE-1"), Err(PasswordRefusal::ContainsName));
        assert_eq!(check("aaaaaaaaaa"), Err(PasswordRefusal::Repetitive));
        assert_eq!(check("with\0nul-inside"), Err(PasswordRefusal::Control));
    }
}
