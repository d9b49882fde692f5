//! `signet user …`

use std::{
    fmt,
    io::{self, Read as _},
};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use signet_identity::password::Password;
use zeroize::{Zeroize, Zeroizing};

use super::command::{Reply, Run, to_value};
use crate::admin::{
    AdminError, Condition, Desk, Paging,
    consents::{self, ConsentView},
    users::{self, NewAccount, UserChange, UserDetail, UserView, WithPassword},
};

/// `signet user …`
#[derive(Debug, Subcommand, Serialize, Deserialize)]
pub enum UserCommand {
    /// Create an account. Without a password option one is made and shown once.
    Create(CreateUser),
    /// List accounts, in the order of their usernames.
    List {
        /// Only those whose username or address begins with this.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only those that are active, locked or deactivated.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// At most so many, up to 200.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=200))]
        limit: i64,
        /// Where the page begins: what the page before told.
        #[arg(long, value_name = "USERNAME")]
        after: Option<String>,
    },
    /// Show an account with its roles, sessions and state.
    Show(Named),
    /// Change what is known of a person: names, picture, phone, address, groups, metadata.
    Update {
        /// Whose.
        #[command(flatten)]
        user: Named,
        /// What changes, as a JSON object: `{"name":"Ada","groups":["engineers"]}`. What is not named stays, `null` clears.
        #[arg(long, value_name = "JSON", value_parser = members)]
        profile: Map<String, Value>,
        /// Only if the account is still as `user show` told it with this revision.
        #[arg(long, value_name = "REVISION", allow_hyphen_values = true)]
        revision: Option<String>,
    },
    /// Set a new password. Everything the account is signed in to ends. Without an option one is made and shown once.
    SetPassword {
        /// Whose.
        #[command(flatten)]
        user: Named,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordInput,
    },
    /// Lock an account: it cannot sign in, and everything it is signed in to ends.
    Lock {
        /// Whose.
        #[command(flatten)]
        user: Named,
        /// Why, for administrators.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Unlock an account.
    Unlock(Named),
    /// Give an account the role `admin`.
    MakeAdmin(Named),
    /// List the applications an account allowed something, what, and since when.
    Consents {
        /// Whose.
        #[command(flatten)]
        user: Named,
        /// At most so many, up to 200.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=200))]
        limit: i64,
        /// Where the page begins: what the page before told.
        #[arg(long, value_name = "CLIENT_ID", allow_hyphen_values = true)]
        after: Option<String>,
    },
    /// Withdraw what an account allowed an application. Everything it was given by that account ends.
    WithdrawConsent {
        /// Whose.
        #[command(flatten)]
        user: Named,
        /// The application's identifier.
        #[arg(allow_hyphen_values = true)]
        client_id: String,
    },
    /// Make a link that signs an account in once.
    SignInLink {
        /// Whose.
        #[command(flatten)]
        user: Named,
        /// How long the link lives, up to 1440 minutes.
        #[arg(long, value_name = "MINUTES", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1440))]
        minutes: u32,
    },
}

/// Which account.
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Named {
    /// The account's username, email address or id.
    #[arg(value_name = "USER", allow_hyphen_values = true)]
    user: String,
}

/// Where a password comes from.
#[derive(Default, Args, Serialize, Deserialize)]
pub struct PasswordInput {
    /// Read the password from standard input.
    #[arg(long, conflicts_with = "password_prompt")]
    password_stdin: bool,
    /// Ask for the password, twice.
    #[arg(long)]
    password_prompt: bool,
    /// What was read.
    #[arg(skip)]
    read: Option<String>,
}

/// `signet user create`
#[derive(Args, Serialize, Deserialize)]
pub struct CreateUser {
    /// Its username.
    #[arg(long)]
    username: String,
    /// Its email address.
    #[arg(long)]
    email: String,
    /// Where the password comes from.
    #[command(flatten)]
    password: PasswordInput,
    /// The password itself. Other users of this machine can see it: prefer --password-stdin.
    #[arg(long = "password", value_name = "PASSWORD", conflicts_with_all = ["password_stdin", "password_prompt"])]
    given: Option<String>,
    /// The address is known to be the person's.
    #[arg(long)]
    email_verified: bool,
    /// Give it the role `admin`.
    #[arg(long)]
    admin: bool,
    /// What is known of the person, as a JSON object: `{"name":"Ada","groups":["engineers"]}`.
    #[arg(long, value_name = "JSON", value_parser = members)]
    profile: Option<Map<String, Value>>,
}

/// Reads a JSON object from the command line.
fn members(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("a JSON object is needed: {error}"))
}

impl PasswordInput {
    /// Reads it, where one was announced.
    fn fetch(&mut self) -> Result<(), Reply> {
        if self.password_stdin {
            let mut text = Zeroizing::new(String::new());
            io::stdin().read_to_string(&mut text).map_err(|_| {
                Reply::failed("input", "The password could not be read from standard input: is it UTF-8?")
            })?;
            self.read = Some(text.trim_end_matches(['\r', '\n']).to_owned());
        } else if self.password_prompt {
            let ask = |prompt: &str| {
                let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
                typed.map_err(|_| Reply::failed("input", "There is no terminal to ask at: use --password-stdin."))
            };
            let (first, second) = (ask("Password: ")?, ask("Again: ")?);
            if first != second {
                return Err(Reply::failed("input", "The two passwords differ. Nothing was changed."));
            }
            self.read = Some(first.to_string());
        }
        Ok(())
    }
}

impl fmt::Debug for PasswordInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordInput(…)")
    }
}

impl Drop for PasswordInput {
    fn drop(&mut self) {
        self.read.zeroize();
    }
}

impl fmt::Debug for CreateUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateUser").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Run for UserCommand {
    fn prepare(&mut self) -> Result<(), Reply> {
        match self {
            Self::Create(create) => {
                create.password.read = create.given.take();
                create.password.fetch()
            }
            Self::SetPassword { password, .. } => password.fetch(),
            _ => Ok(()),
        }
    }

    async fn run(self, desk: &Desk) -> Result<Reply, Reply> {
        Ok(answer(self, desk).await?)
    }
}

async fn answer(command: UserCommand, desk: &Desk) -> Result<Reply, AdminError> {
    Ok(match command {
        UserCommand::Create(mut create) => {
            let new = NewAccount {
                username: create.username,
                email: create.email,
                password: create.password.read.take(),
                email_verified: create.email_verified,
                admin: create.admin,
                members: create.profile.take().unwrap_or_default(),
            };
            with_password("created", &users::create(desk, new).await?)
        }
        UserCommand::List { search, state, limit, after } => {
            let page = users::list(desk, Paging { limit: Some(limit), after, search }, state).await?;
            let mut lines: Vec<String> = page.items.iter().map(line).collect();
            if lines.is_empty() {
                lines.push("No accounts.".to_owned());
            }
            if let Some(next) = &page.next {
                lines.push(format!("There are more: go on with --after {next}"));
            }
            Reply::done(lines.join("\n"), to_value(&page))
        }
        UserCommand::Show(named) => {
            let detail = users::show(desk, &named.user).await?;
            Reply::done(describe(&detail), to_value(&detail))
        }
        UserCommand::Update { user, profile, revision } => {
            let change = UserChange { revision, members: profile };
            let (detail, changed) = users::update(desk, &user.user, change, Condition::Any).await?;
            let news = if changed.is_empty() {
                "is so already".to_owned()
            } else {
                format!("changed: {}", changed.join(", "))
            };
            Reply::done(format!("Account {} {news}.", detail.user.username), to_value(&detail))
        }
        UserCommand::SetPassword { user, mut password } => {
            let password = password.read.take().map(Password::new);
            with_password("has a new password", &users::set_password(desk, &user.user, password, Condition::Any).await?)
        }
        UserCommand::Lock { user, reason } => {
            told("locked", &users::lock(desk, &user.user, reason, Condition::Any).await?)
        }
        UserCommand::Unlock(named) => told("unlocked", &users::unlock(desk, &named.user, Condition::Any).await?),
        UserCommand::MakeAdmin(named) => {
            let held = users::make_admin(desk, &named.user).await?;
            let news = if held.changed { "is an administrator now" } else { "is an administrator already" };
            Reply::done(format!("Account {} {news}.", named.user), to_value(&held))
        }
        UserCommand::Consents { user, limit, after } => {
            let paging = Paging { limit: Some(limit), after, search: None };
            let page = consents::list(desk, &user.user, paging).await?;
            let mut lines: Vec<String> = page.items.iter().map(allowed).collect();
            if lines.is_empty() {
                lines.push(format!("Account {} has allowed no application anything.", user.user));
            }
            if let Some(next) = &page.next {
                lines.push(format!("There are more: go on with --after {next}"));
            }
            Reply::done(lines.join("\n"), to_value(&page))
        }
        UserCommand::WithdrawConsent { user, client_id } => {
            consents::withdraw(desk, &user.user, &client_id).await?;
            let text = format!("What account {} had allowed {client_id} is withdrawn.", user.user);
            Reply::done(text, json!({ "user": user.user, "client_id": client_id, "withdrawn": true }))
        }
        UserCommand::SignInLink { user, minutes } => {
            let link = users::sign_in_link(desk, &user.user, Some(minutes)).await?;
            let text = format!(
                "A link that signs {} in, once, until {}. Whoever has it can use it.\n  {}",
                link.username,
                link.expires_at.format("%Y-%m-%d %H:%M UTC"),
                link.url
            );
            Reply::done(text, to_value(&link))
        }
    })
}

fn told(what: &str, user: &UserView) -> Reply {
    Reply::done(format!("Account {} {what}.", user.username), to_value(user))
}

fn with_password(what: &str, made: &WithPassword) -> Reply {
    let mut text = format!("Account {} {what}.", made.user.username);
    if let Some(password) = &made.password {
        text.push_str("\n  password  ");
        text.push_str(password);
        text.push_str("   shown this once");
    }
    Reply::done(text, to_value(made))
}

fn line(user: &UserView) -> String {
    format!("{}  {}  {}  {}", user.id, user.username, user.email, user.state)
}

fn allowed(consent: &ConsentView) -> String {
    let mut what = vec![consent.scope.clone()];
    what.extend(consent.claims.iter().chain(&consent.resources).cloned());
    let since = consent.given_at.format("%Y-%m-%d %H:%M UTC");
    format!("{}  {}  since {since}\n  {}", consent.client_id, consent.client_name, what.join(" "))
}

fn describe(detail: &UserDetail) -> String {
    let user = &detail.user;
    let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let mut lines = vec![
        format!("{}  {}", user.username, user.email),
        format!("  id           {}", user.id),
        format!("  subject      {}", user.sub),
        format!("  state        {}", user.state),
    ];
    if let Some(reason) = &user.reason {
        lines.push(format!("  reason       {reason}"));
    }
    let none = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    if let Some(name) = &user.name {
        lines.push(format!("  name         {name}"));
    }
    lines.extend(detail.members.iter().map(|(name, value)| match value {
        Value::String(text) => format!("  {name:<12} {}", text.replace(['\r', '\n'], " ")),
        other => format!("  {name:<12} {other}"),
    }));
    lines.extend([
        format!("  roles        {}", none(&detail.roles)),
        format!("  permissions  {}", none(&detail.effective_permissions)),
        format!("  sessions     {}", detail.sessions),
        format!("  created      {}", time(user.created_at)),
        format!("  last sign-in {}", user.last_sign_in_at.map_or_else(|| "never".to_owned(), time)),
        format!("  revision     {}", detail.revision),
    ]);
    lines.join("\n")
}
