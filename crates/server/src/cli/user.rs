//! `signet user …`

use std::{
    fmt,
    io::{self, Read as _},
};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signet_identity::{Change, Event, EventKind, password::Password, registration};
use signet_oidc::secret::Secret;
use signet_storage::Apply;
use zeroize::{Zeroize, Zeroizing};

use super::command::{Reply, Run, store_failed};
use crate::{admin::Desk, entropy, pages::register::new_user};

/// `signet user …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum UserCommand {
    /// Create an account. Without a password option one is made and shown once.
    Create(CreateUser),
}

/// `signet user create`
#[derive(Args, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct CreateUser {
    /// Its username.
    #[arg(long)]
    username: String,
    /// Its email address.
    #[arg(long)]
    email: String,
    /// Read the password from standard input.
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
    /// The password. Other users of this machine can see it; prefer --password-stdin.
    #[arg(long)]
    password: Option<String>,
    /// The address is known to be the person's.
    #[arg(long)]
    email_verified: bool,
    /// Give it the role `admin`.
    #[arg(long)]
    admin: bool,
}

impl Run for UserCommand {
    fn prepare(&mut self) -> Result<(), Reply> {
        match self {
            Self::Create(create) if create.password_stdin => {
                let mut text = Zeroizing::new(String::new());
                io::stdin().read_to_string(&mut text).map_err(|_| {
                    Reply::failed("input", "The password could not be read from standard input: is it UTF-8?")
                })?;
                create.password = Some(text.trim_end_matches(['\r', '\n']).to_owned());
                Ok(())
            }
            Self::Create(_) => Ok(()),
        }
    }

    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        match self {
            Self::Create(new) => create(desk, new).await,
        }
    }
}

impl fmt::Debug for CreateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateUser").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Drop for CreateUser {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

async fn create(desk: &Desk, create: CreateUser) -> Result<Reply, Reply> {
    let mut turn = entropy::turn().map_err(|error| Reply::failed("entropy", error))?;
    let made = create.password.is_none().then(|| turn.secret());
    let typed = made.as_ref().map(Secret::expose).or(create.password.as_deref()).unwrap_or_default();
    let policy = signet_identity::password::PasswordPolicy::default();
    let registration =
        registration::check(&create.username, &create.email, Password::new(typed), policy).map_err(|problems| {
            let lines: Vec<String> = problems.into_iter().map(|p| format!("{}: {}", p.field, p.message)).collect();
            Reply::failed("invalid_account", lines.join("\n"))
        })?;
    let salt = turn.bytes();
    let hash =
        desk.hasher.hash(registration.password.clone(), salt).await.map_err(|error| Reply::failed("hashing", error))?;
    let mut user = new_user(&registration, hash, &mut turn);
    user.email_verified = create.email_verified;
    user.administrator = create.admin;
    let (id, subject) = (user.id, user.subject.clone());
    let origin = desk.origin.clone();
    let stored = desk
        .store
        .transaction(move |tx| {
            let event = Event { kind: EventKind::Registered, user: Some(id), session: None, typed: None };
            tx.apply(vec![Change::CreateUser(Box::new(user)), Change::Audit(event)], &mut turn, &origin)
        })
        .await
        .map_err(store_failed)?;
    stored.map_err(|taken| Reply::failed("account_exists", taken))?;
    let mut value = json!({
        "id": id, "sub": subject, "username": registration.username.as_str(), "email": registration.email.as_str(),
    });
    let mut text = format!("Account {} created.", registration.username.as_str());
    if let (Some(made), Value::Object(map)) = (&made, &mut value) {
        map.insert("password".to_owned(), json!(made.expose()));
        text.push_str("\n  password  ");
        text.push_str(made.expose());
        text.push_str("   shown this once");
    }
    Ok(Reply::Done { text, value })
}
