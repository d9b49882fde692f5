//! Registering an account.

use crate::{
    password::{Password, PasswordPolicy},
    user::{Email, Username},
};

/// A field of the form and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the field.
    pub field: &'static str,
    /// What to change.
    pub message: String,
}

/// What a person typed, checked.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The username.
    pub username: Username,
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
}

/// Checks the form; every field that is wrong is named at once.
pub fn check(
    username: &str,
    email: &str,
    password: Password,
    policy: PasswordPolicy,
) -> Result<Registration, Vec<Problem>> {
    let mut problems = Vec::new();
    let parsed_username = username.parse::<Username>();
    let parsed_email = email.parse::<Email>();
    if let Err(error) = &parsed_username {
        problems.push(Problem { field: "username", message: error.to_string() });
    }
    if let Err(error) = &parsed_email {
        problems.push(Problem { field: "email", message: error.to_string() });
    }
    if let Err(refusal) = policy.check(&password, username.trim(), email.trim()) {
        problems.push(Problem { field: "password", message: refusal.to_string() });
    }
    match (parsed_username, parsed_email) {
        (Ok(username), Ok(email)) if problems.is_empty() => Ok(Registration { username, email, password }),
        _ => Err(problems),
    }
}

/// Which of the unique names is taken. Said only in development, where no mail can tell the owner instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Taken {
    /// The username.
    #[error("This username is taken. Choose another.")]
    Username,
    /// The address.
    #[error("There is an account with this address. Sign in instead.")]
    Email,
}

impl Taken {
    /// The form field it belongs to.
    pub fn problem(self) -> Problem {
        let field = match self {
            Self::Username => "username",
            Self::Email => "email",
        };
        Problem { field, message: self.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// all wrong fields are named at once.
    #[test]
    fn every_problem_at_once() {
        let problems = check("-", "nobody", Password::new("short"), PasswordPolicy::default()).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["username", "email", "password"]);
    }
}
