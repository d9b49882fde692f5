//! A name and a password, tried: the same for the sign-in page and for applications that send them. A short read, then the
//! hash without a connection; an unknown account takes the same way and the same time. Whoever asks reads the account again
//! within the transaction that acts on it.

use signet_identity::{
    UserId,
    login::AccountFacts,
    password::{Password, PasswordHash},
    user::Identifier,
};
use signet_mfa::{Acr, Amr, Enrolment, NextStep, next_step};
use signet_storage::{StoreError, users::Credential};

use crate::{app::App, hashing::Refusal};

/// What came of a try.
pub struct Tried {
    user: Option<UserId>,
    hash: Option<PasswordHash>,
    matches: bool,
    rehashed: Option<PasswordHash>,
    /// What was typed to name the account, as far as it is kept.
    pub typed: String,
}

/// What a password alone amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The context.
    pub acr: Acr,
    /// The methods used.
    pub amr: Vec<Amr>,
    /// Whether the account has a factor that was not shown.
    pub factor_missing: bool,
}

impl App {
    /// Tries them. `salt` is for a hash at a raised cost.
    pub async fn try_password<E: From<StoreError> + From<Refusal>>(
        &self,
        typed: &str,
        password: Password,
        salt: [u8; 16],
    ) -> Result<Tried, E> {
        let identifier = Identifier::parse(typed);
        // What cannot name an account may be a password in the wrong field: it is not kept.
        let kept = if identifier.is_some() { typed.to_owned() } else { String::new() };
        let stored = match identifier {
            Some(identifier) => self.store.read(move |tx| tx.credential(&identifier)).await?,
            None => None,
        };
        let user = stored.as_ref().map(|credential| credential.user);
        let hash = stored.and_then(|credential| credential.hash);
        let (matches, rehashed) = self.hasher.verify(password, hash.clone(), salt).await?;
        Ok(Tried { user, hash, matches, rehashed, typed: kept })
    }
}

impl Tried {
    /// Whom to read again. An unknown account takes the same statement.
    pub fn user(&self) -> UserId {
        self.user.unwrap_or(UserId(uuid::Uuid::nil()))
    }

    /// The account as it stands now: a password that changed meanwhile did not match.
    pub fn account(&self, again: &Credential) -> AccountFacts {
        AccountFacts {
            user: again.user,
            state: again.state,
            password_matches: self.matches && again.hash == self.hash,
            rehashed: self.hash.clone().zip(self.rehashed.clone()),
        }
    }

    /// What it amounts to.
    pub fn reached(&self) -> Reached {
        reached(self.user(), Enrolment::None)
    }
}

fn reached(user: UserId, enrolment: Enrolment) -> Reached {
    match next_step(user, enrolment, &[Amr::Pwd]) {
        NextStep::Done { acr, amr } => Reached { acr, amr, factor_missing: false },
        NextStep::Factor { .. } => Reached { acr: Acr::Single, amr: vec![Amr::Pwd], factor_missing: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T7: whoever has a second factor has not shown it by a password.
    #[test]
    fn a_second_factor_is_missing() {
        let user = UserId(uuid::Uuid::nil());
        assert!(reached(user, Enrolment::Enrolled).factor_missing);
        let alone = reached(user, Enrolment::None);
        assert_eq!(alone, Reached { acr: Acr::Single, amr: vec![Amr::Pwd], factor_missing: false });
    }
}
