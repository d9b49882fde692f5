//! The command line of the program, and what tests create with it.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;

use super::signet::Signet;

/// A password that meets every policy.
pub const PASSWORD: &str = "Meadow-Anchor-47!";

/// What a client is created with.
#[derive(Clone, Debug)]
pub struct ClientSpec {
    /// Name people see.
    pub name: String,
    /// Registered redirect URIs.
    pub redirect_uris: Vec<String>,
    /// Grant types; empty leaves the program's default.
    pub grant_types: Vec<String>,
    /// Scopes it may ask for; empty leaves the program's default.
    pub scopes: Vec<String>,
    /// Token endpoint authentication method; absent leaves the program's default.
    pub auth_method: Option<String>,
    /// Whether consent is not asked for.
    pub first_party: bool,
    /// Response types; empty leaves what follows from the grant types.
    pub response_types: Vec<String>,
    /// Further members of the registration, a JSON object; `null` for none.
    pub metadata: Value,
}

impl ClientSpec {
    /// A confidential client with one redirect URI that nothing listens on.
    pub fn confidential() -> Self {
        Self {
            name: "Test application".to_owned(),
            redirect_uris: vec!["https://app.example/callback".to_owned()],
            grant_types: Vec::new(),
            scopes: Vec::new(),
            auth_method: None,
            first_party: false,
            response_types: Vec::new(),
            metadata: Value::Null,
        }
    }

    /// The same without a secret.
    pub fn public() -> Self {
        Self { auth_method: Some("none".to_owned()), ..Self::confidential() }
    }

    /// With further members of the registration, a JSON object.
    #[must_use]
    pub fn with_metadata(self, members: &Value) -> Self {
        Self { metadata: members.clone(), ..self }
    }

    /// That may use these response types, and the grant types they need.
    #[must_use]
    pub fn with_response_types(self, types: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            grant_types: owned(&["authorization_code", "refresh_token", "implicit"]),
            response_types: owned(types),
            ..self
        }
    }

    /// The command that creates it.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["client", "create", "--json", "--name", &self.name];
        let lists = [
            ("--redirect-uri", &self.redirect_uris),
            ("--grant-type", &self.grant_types),
            ("--response-type", &self.response_types),
            ("--scope", &self.scopes),
        ];
        for (option, values) in lists {
            for value in values {
                arguments.extend([option, value]);
            }
        }
        if let Some(method) = &self.auth_method {
            arguments.extend(["--auth-method", method]);
        }
        if self.first_party {
            arguments.push("--first-party");
        }
        let mut arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        if !self.metadata.is_null() {
            arguments.extend(["--metadata".to_owned(), self.metadata.to_string()]);
        }
        arguments
    }
}

/// A client that exists.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its identifier.
    pub id: String,
    /// Its secret, when it is confidential.
    pub secret: Option<String>,
    /// The first of its redirect URIs.
    pub redirect_uri: String,
}

/// An account that exists.
#[derive(Clone, Debug)]
pub struct User {
    /// User name.
    pub username: String,
    /// Email address.
    pub email: String,
    /// Password.
    pub password: String,
}

impl User {
    /// Values for an account of this name, which need not exist yet.
    pub fn named(username: &str) -> Self {
        Self { username: username.to_owned(), email: format!("{username}@people.test"), password: PASSWORD.to_owned() }
    }
}

impl Signet {
    /// Runs `signet` with these arguments and this instance's settings to its end.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        self.cli_with_input(arguments, "").await
    }

    /// The same with text on standard input.
    pub async fn cli_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = input.to_owned();
        let run = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().expect("start the command line");
            let mut stdin = child.stdin.take().expect("its input");
            // A program that has ended without reading is judged by its status.
            let _ = stdin.write_all(input.as_bytes());
            drop(stdin);
            child.wait_with_output().expect("its output")
        });
        run.await.expect("the command line")
    }

    /// The JSON that a command prints. Panics unless it succeeds.
    pub async fn cli_json(&self, arguments: &[&str], input: &str) -> Value {
        let output = self.cli_with_input(arguments, input).await;
        let words = arguments.join(" ");
        assert!(output.status.success(), "signet {words}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("signet {words}: {error}: {output:?}"))
    }

    /// Creates a client.
    pub async fn client(&self, spec: ClientSpec) -> Client {
        let arguments = spec.arguments();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let made = self.cli_json(&arguments, "").await;
        let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
        Client {
            id: text("client_id").expect("client_id in the JSON"),
            secret: text("client_secret"),
            redirect_uri: spec.redirect_uris.into_iter().next().unwrap_or_default(),
        }
    }

    /// Creates an account with the values of `User::named`.
    pub async fn user(&self, username: &str) -> User {
        let user = User::named(username);
        let mut arguments = vec!["user", "create", "--password-stdin", "--json"];
        arguments.extend(["--username", &user.username, "--email", &user.email]);
        self.cli_json(&arguments, &user.password).await;
        user
    }
}
