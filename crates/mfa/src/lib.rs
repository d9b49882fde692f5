//! Authentication factors: the vocabulary of `acr` and `amr`, and the next step of a sign-in.
//!
//! TOTP, backup codes, passkeys and the emergency bypass join here.

use serde::{Deserialize, Serialize};
use signet_identity::UserId;

/// RFC 8176 §2: a method by which a person proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amr {
    /// A password.
    Pwd,
    /// A one-time code.
    Otp,
    /// A key held in hardware.
    Hwk,
    /// More than one factor.
    Mfa,
    /// A one-time link that an operator made. Not registered: no registered method says that.
    Link,
}

impl Amr {
    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pwd => "pwd",
            Self::Otp => "otp",
            Self::Hwk => "hwk",
            Self::Mfa => "mfa",
            Self::Link => "link",
        }
    }
}

/// OIDC Core §2 `acr`: how sure Signet is, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    /// One factor.
    Single,
    /// Two factors.
    Multi,
}

impl Acr {
    /// The value in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Single => "urn:signet:acr:1fa",
            Self::Multi => "urn:signet:acr:2fa",
        }
    }

    /// The contexts a person can reach with the factors this build offers; discovery lists them.
    pub const REACHABLE: [Self; 1] = [Self::Single];

    /// The context that methods amount to.
    pub fn reached(methods: &[Amr]) -> Self {
        let possession = methods.iter().any(|method| matches!(method, Amr::Otp | Amr::Hwk));
        if possession && methods.contains(&Amr::Pwd) { Self::Multi } else { Self::Single }
    }
}

/// What a sign-in needs next once the password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing: the session is full.
    Done {
        /// The context reached.
        acr: Acr,
        /// The methods used.
        amr: Vec<Amr>,
    },
    /// A second factor of that account.
    Factor {
        /// Whose.
        user: UserId,
    },
}

/// What an account has enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolment {
    /// A password only.
    None,
    /// A second factor.
    Enrolled,
}

/// Decides on the next step after the methods used so far.
pub fn next_step(user: UserId, enrolment: Enrolment, methods: &[Amr]) -> NextStep {
    let acr = Acr::reached(methods);
    if enrolment == Enrolment::Enrolled && acr < Acr::Multi {
        NextStep::Factor { user }
    } else {
        NextStep::Done { acr, amr: methods.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a second factor is asked of those who have one, and of nobody twice.
    #[test]
    fn steps() {
        let user = UserId(uuid::Uuid::nil());
        let done = |acr, amr: &[Amr]| NextStep::Done { acr, amr: amr.to_vec() };
        assert_eq!(next_step(user, Enrolment::None, &[Amr::Pwd]), done(Acr::Single, &[Amr::Pwd]));
        assert_eq!(next_step(user, Enrolment::Enrolled, &[Amr::Pwd]), NextStep::Factor { user });
        let both = [Amr::Pwd, Amr::Otp];
        assert_eq!(next_step(user, Enrolment::Enrolled, &both), done(Acr::Multi, &both));
    }
}
