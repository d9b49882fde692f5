//! The file `signet apply` reads: what is to be there.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signet_oidc::{
    client::ApplicationType,
    policy::{PkceRule, RefreshRotation, RefreshTokens, RequestObjects},
};

use crate::admin::{
    clients::{self, NewClient},
    resources::NewResource,
    roles::NewRole,
};

/// The version of the file this build understands.
pub const VERSION: u32 = 1;
/// The greatest file, in bytes.
pub const MAX_BYTES: usize = 512 * 1024;
/// The most entries of all sections together: they are one transaction.
pub const MAX_ITEMS: usize = 2_000;
/// How deep a file nests.
const MAX_DEPTH: usize = 16;
/// How much aliases may repeat.
const MAX_REPEATED: usize = 10_000;

/// What is to be there. A section that is missing is left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// [`VERSION`].
    pub version: u32,
    /// APIs.
    #[serde(default)]
    pub resources: Option<Section<NewResource>>,
    /// Roles.
    #[serde(default)]
    pub roles: Option<Section<NewRole>>,
    /// Clients.
    #[serde(default)]
    pub clients: Option<Section<ClientState>>,
}

/// Things of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section<T> {
    /// Whether what is not listed goes. Built-in things and clients that registered themselves stay.
    #[serde(default)]
    pub prune: bool,
    /// What is to be there.
    #[serde(default = "Vec::new")]
    pub items: Vec<T>,
}

/// A client as it is to be. What is not given has the default of its member, as with `signet client create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientState {
    /// Its identifier.
    pub client_id: String,
    /// The name people see on the consent page.
    pub client_name: String,
    /// Where people are sent back to.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where people may be sent after signing out.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// Grant types it may use.
    #[serde(default)]
    pub grant_types: Option<Vec<String>>,
    /// Response types it may use.
    #[serde(default)]
    pub response_types: Option<Vec<String>>,
    /// Scopes it may ask for, separated by spaces.
    #[serde(default)]
    pub scope: Option<String>,
    /// How it authenticates.
    #[serde(default)]
    pub token_endpoint_auth_method: Option<String>,
    /// `web` or `native`.
    #[serde(default)]
    pub application_type: Option<ApplicationType>,
    /// Ours: people are not asked for consent.
    #[serde(default)]
    pub first_party: bool,
    /// The audience of its access tokens.
    #[serde(default)]
    pub default_audience: Option<String>,
    /// `required` or `optional`.
    #[serde(default)]
    pub pkce: Option<PkceRule>,
    /// `on` or `off`.
    #[serde(default)]
    pub refresh_rotation: Option<RefreshRotation>,
    /// `always` or `offline`.
    #[serde(default)]
    pub refresh_tokens: Option<RefreshTokens>,
    /// Whether it may send `plain` challenges.
    #[serde(default)]
    pub pkce_plain: bool,
    /// `merge` or `exclusive`.
    #[serde(default)]
    pub request_objects: Option<RequestObjects>,
    /// The file that holds its secret, read by the command line. Without it a secret is made and shown once.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The environment variable of the command line that holds its secret.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// Further members of OIDC Registration §2, by their names; unknown ones are refused.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

impl ClientState {
    /// The client without the way to its secret.
    pub(super) fn to_new(&self) -> NewClient {
        NewClient {
            client_id: Some(self.client_id.clone()),
            client_name: self.client_name.clone(),
            redirect_uris: self.redirect_uris.clone(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.clone(),
            grant_types: self.grant_types.clone(),
            scope: self.scope.clone(),
            token_endpoint_auth_method: self.token_endpoint_auth_method.clone(),
            application_type: self.application_type,
            first_party: self.first_party,
            default_audience: self.default_audience.clone(),
            pkce: self.pkce,
            refresh_rotation: self.refresh_rotation,
            refresh_tokens: self.refresh_tokens,
            response_types: self.response_types.clone(),
            pkce_plain: self.pkce_plain,
            request_objects: self.request_objects,
            members: self.members.clone(),
        }
    }
}

impl State {
    /// Reads YAML, of which JSON is a part. The error is one line that says where and what.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("the file has more than {MAX_BYTES} bytes; split it"));
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_depth: MAX_DEPTH,
                flow_nesting_limit: MAX_DEPTH,
                max_aliases: 200,
                max_anchors: 200,
                max_documents: 1,
                max_nodes: 100_000,
                max_events: 250_000,
                max_recorded_anchor_events: MAX_REPEATED,
                max_recorded_anchor_bytes: MAX_BYTES,
                max_total_scalar_bytes: 4 * MAX_BYTES,
                max_merge_keys: 100,
            },
            alias_limits: serde_saphyr::alias_limits! {
                max_total_replayed_events: MAX_REPEATED,
                max_replay_stack_depth: 8,
            },
            strict_booleans: true,
            reject_unsupported_tags: true,
            with_snippet: false,
        };
        let state: Self = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let line = without_values(error.to_string().lines().next().unwrap_or_default());
            line.chars().take(400).collect::<String>()
        })?;
        state.check()?;
        Ok(state)
    }

    /// What can be said of it without looking at what is stored.
    pub fn check(&self) -> Result<(), String> {
        if self.version != VERSION {
            return Err(format!("version: this Signet understands {VERSION}, not {}", self.version));
        }
        let names = [
            ("resources", names(self.resources.as_ref(), |one| &one.identifier)),
            ("roles", names(self.roles.as_ref(), |one| &one.name)),
            ("clients", names(self.clients.as_ref(), |one| &one.client_id)),
        ];
        if names.iter().map(|(_, names)| names.len()).sum::<usize>() > MAX_ITEMS {
            return Err(format!("the file has more than {MAX_ITEMS} entries; split it"));
        }
        for (section, mut names) in names {
            names.sort_unstable();
            let twice = names.iter().zip(names.iter().skip(1)).find(|(a, b)| a == b);
            if let Some((twice, _)) = twice {
                return Err(format!("{section}: {twice:?} is there twice"));
            }
        }
        for client in self.clients.iter().flat_map(|section| &section.items) {
            clients::check_members(&client.members).map_err(|error| {
                format!("client {:?}: {}", client.client_id, error.to_string().trim_end_matches('.'))
            })?;
            if client.secret_file.is_some() && client.secret_env.is_some() {
                return Err(format!("client {:?}: give secret_file or secret_env, not both", client.client_id));
            }
        }
        Ok(())
    }
}

/// What serde says, without the values it repeats: one of them may be a secret in the wrong place (R-55).
fn without_values(said: &str) -> String {
    if let Some((_, rest)) = said.strip_prefix("unknown variant `").and_then(|rest| rest.split_once('`')) {
        return format!("a value that is not known{rest}");
    }
    match (said.find('"'), said.rfind('"')) {
        (Some(from), Some(to)) if from < to => {
            let (before, after) = (said.get(..from).unwrap_or_default(), said.get(to + 1..).unwrap_or_default());
            format!("{before}…{after}")
        }
        _ => said.to_owned(),
    }
}

fn names<T>(section: Option<&Section<T>>, name: impl Fn(&T) -> &String) -> Vec<&str> {
    section.iter().flat_map(|section| &section.items).map(|one| name(one).as_str()).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const GOOD: &str = "version: 1\nclients:\n  items:\n    - client_id: app\n      client_name: App\n";

    /// R-69a: YAML and JSON are read; what is unknown, missing, twice or of another version is told with its line.
    #[test]
    fn files_are_read() {
        assert_eq!(State::parse(GOOD).unwrap().clients.unwrap().items[0].client_id, "app");
        let json = r#"{"version": 1, "resources": {"prune": true, "items": []}}"#;
        assert!(State::parse(json).unwrap().resources.unwrap().prune);
        for (text, words) in [
            ("", ["line 1", ""]),
            ("version: 2", ["version", "understands 1"]),
            ("version: 1\nclient:\n  items: []\n", ["client", "line 2"]),
            (
                "version: 1\nclients:\n  items:\n    - client_id: a\n      client_name: A\n      colour: red\n",
                ["colour", "\"a\""],
            ),
            (
                "version: 1\nclients:\n  items:\n    - client_id: a\n      client_name: A\n      client_secret: x\n",
                ["client_secret", "\"a\""],
            ),
            (
                "version: 1\nclients:\n  items:\n    - client_id: a\n      client_name: A\n      first_party: yes\n",
                ["", "line 6"],
            ),
            ("version: 1\nversion: 1\n", ["", "line 2"]),
            ("version: 1\nroles:\n  items:\n    - name: a\n    - name: a\n", ["roles", "twice"]),
            ("version: 1\n---\nversion: 1\n", ["", ""]),
            ("version: [", ["", "line 1"]),
        ] {
            let error = State::parse(text).expect_err(text);
            assert_eq!(error.lines().count(), 1, "{error}");
            for word in words {
                assert!(error.contains(word), "{text:?}: {error}");
            }
        }
    }

    /// R-55: a value in the wrong place, which may be a secret, is not repeated; where it stands and what belongs there is
    /// told.
    #[test]
    fn values_are_not_repeated() {
        let client = |line: &str| GOOD.replace("client_name: App", &format!("client_name: App\n      {line}"));
        for (text, words) in [
            (client("application_type: hunter2"), ["web", "line 6"]),
            (client("pkce: hunter2"), ["required", "line 6"]),
            (client("first_party: hunter2"), ["", "line 6"]),
            (client("redirect_uris: hunter2"), ["", "line 6"]),
            (client("grant_types: {hunter2: hunter2}"), ["", "line 6"]),
            ("version: hunter2".to_owned(), ["", "line 1"]),
            ("version: 1\nclients: hunter2".to_owned(), ["", "line 2"]),
            ("version: 1\nclients: {items: hunter2}".to_owned(), ["", "line 2"]),
            ("hunter2".to_owned(), ["", "line 1"]),
            ("\"hunter2\"".to_owned(), ["", "line 1"]),
        ] {
            let error = State::parse(&text).expect_err(&text);
            assert!(!error.contains("hunter2"), "{text}: {error}");
            assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
        let said = "invalid type: string \"a \\\"b\\\" hunter2\", expected a map at line 1";
        assert_eq!(without_values(said), "invalid type: string …, expected a map at line 1");
    }

    /// R-69a: a file cannot make the command line or the server work without bound.
    #[test]
    fn hostile_files_are_refused() {
        let mut bomb =
            "version: 1\nroles:\n  items:\n    - name: a\n      permissions: &a [x, x, x, x, x, x, x, x]\n".to_owned();
        for (new, old) in ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip("abcdefgh".chars()) {
            let list = vec![format!("*{old}"); 8].join(", ");
            writeln!(bomb, "    - name: {new}\n      permissions: &{new} [{list}]").unwrap();
        }
        let deep = format!("version: {}1{}", "[".repeat(5_000), "]".repeat(5_000));
        let mut blocks = String::from("version:\n");
        for depth in 1..200 {
            writeln!(blocks, "{}a:", " ".repeat(depth)).unwrap();
        }
        let mut many = "version: 1\nroles:\n  items:\n".to_owned();
        for number in 0..=MAX_ITEMS {
            writeln!(many, "    - name: r{number}").unwrap();
        }
        let huge = format!("version: 1 # {}", "x".repeat(MAX_BYTES));
        let merged = "a: &a {<<: *a}\nversion: 1";
        for text in [&*bomb, &deep, &blocks, &many, &huge, merged, "version: 1\u{0}", "version: !!binary x"] {
            let error = State::parse(text).expect_err("refused");
            assert!(error.len() < 1_700 && error.lines().count() == 1, "{error}");
        }
    }
}
