//! What administrators do: the command line, a file of states, the API.

use serde_json::{Value, json};

use super::{Driver, made};
use crate::scene::admin;
use crate::support::prelude::*;

impl Driver<'_> {
    /// The command line, whose standard error is a log too.
    pub(super) async fn commands(&mut self, client: &Client) {
        let password = made("Command");
        self.hunt.keep("password at the command line", &password);
        let create = ["user", "create", "--password-stdin", "--username", "by-command", "--email", "by@command.test"];
        for good in [true, false] {
            self.silent(&create, &password, good).await;
        }
        for arguments in [
            &["client", "create", "--name", "By command", "--redirect-uri", "https://app.example/callback"][..],
            &["user", "create", "--username", "with-a-made-password", "--email", "made@command.test"],
            &["user", "set-password", "with-a-made-password"],
            &["user", "sign-in-link", "marked-person"],
            &["user", "lock", "with-a-made-password"],
            &["user", "show", "marked-person"],
            &["client", "rotate-secret", &client.id],
            &["client", "rotate-secret", &client.id, "--end-tokens"],
            &["keys", "rotate"],
            &["keys", "list"],
            &["keys", "reseal"],
        ] {
            self.command(arguments).await;
        }
        let again = made("Changed");
        self.hunt.keep("password that was set", &again);
        let set = ["user", "set-password", "by-command", "--password-stdin"];
        self.silent(&set, &again, true).await;
    }

    /// Runs a command that is given a secret, and says it neither when it succeeds nor when it does not.
    async fn silent(&mut self, arguments: &[&str], input: &str, succeeds: bool) {
        let output = self.signet.cli_with_input(arguments, input).await;
        assert_eq!(output.status.success(), succeeds, "{output:?}");
        self.hunt.search("the output of a command", &String::from_utf8_lossy(&output.stdout));
        self.hunt.search("the errors of a command", &String::from_utf8_lossy(&output.stderr));
    }

    /// A file of states whose secrets lie in a file and in the environment: applied, and with mistakes about them.
    pub(super) async fn apply(&mut self) {
        let signet = self.signet;
        let (filed, exported, odd) = (made("filed"), made("exported"), made("in-the-state"));
        let (short, spaced) = ("too-short-secret", format!("{} x", made("spaced")));
        for secret in [&filed, &exported, &odd, &spaced, short] {
            self.hunt.keep("secret of a file of states", secret);
        }
        let write = |name: &str, text: &str| std::fs::write(signet.folder().join(name), text).expect("a file");
        write("filed.secret", &format!("{filed}\n"));
        let clients = |filed: &str, exported: &str| {
            format!(
                "version: 1\nclients:\n  items:\n    - client_id: filed\n      client_name: Filed\n      \
                 grant_types: [client_credentials]\n      {filed}\n    - client_id: exported\n      client_name: \
                 Exported\n      grant_types: [client_credentials]\n      {exported}\n    - client_id: made\n      \
                 client_name: Made\n      redirect_uris: ['https://made.example/']\n"
            )
        };
        let (file, variable) = ("secret_file: filed.secret", "secret_env: MARKED_SECRET");
        write("state.yaml", &clients(file, variable));
        let run = async |further: &[&str], exported: &str| {
            let mut command = signet.command(&[&["apply", "state.yaml", "--json"], further].concat());
            command.env("MARKED_SECRET", exported);
            let run = tokio::task::spawn_blocking(move || command.output().expect("run the command line"));
            run.await.expect("the command line")
        };
        for further in [&["--plan"][..], &["--yes"], &["--yes"]] {
            let output = run(further, &exported).await;
            assert!([0, 3].contains(&output.status.code().expect("a code")), "{output:?}");
            let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            for secret in told["secrets"].as_array().into_iter().flatten() {
                self.delivered("apply", secret);
            }
            let plan = told["plan"].to_string();
            assert!(plan.contains("exported"), "{told}");
            self.hunt.search("the plan", &plan);
            self.hunt.search("the errors of a command", &String::from_utf8_lossy(&output.stderr));
        }
        for (id, secret) in [("filed", &filed), ("exported", &exported)] {
            let client = Client { id: id.to_owned(), secret: Some(secret.clone()), redirect_uri: String::new() };
            self.client_credentials(&client).await;
        }
        for (filed, variable, exported) in [
            (file, variable, short),
            (file, variable, &*spaced),
            (&*format!("client_secret: {odd}"), variable, &*exported),
            (&*format!("secret_file: [{odd}]"), variable, &*exported),
            (&*format!("first_party: {odd}"), variable, &*exported),
            (&*format!("secret_file: {odd}"), variable, &*exported),
            (file, &*format!("secret_env: {odd}"), &*exported),
            (&*format!("application_type: {odd}"), variable, &*exported),
        ] {
            write("state.yaml", &clients(filed, variable));
            let output = run(&["--yes"], exported).await;
            assert_eq!(output.status.code(), Some(1), "{filed}: {output:?}");
            let said = [output.stdout, output.stderr].concat();
            assert!(!said.is_empty());
            self.hunt.search("what a refused file leads to", &String::from_utf8_lossy(&said));
        }
    }

    /// Runs a command that succeeds, and remembers the secrets it prints, which its standard error does not.
    pub(super) async fn command(&mut self, arguments: &[&str]) -> Value {
        let output = self.signet.cli_with_input(&[arguments, &["--json"]].concat(), "").await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        self.delivered(arguments[0], &told);
        self.hunt.search("the errors of a command", &String::from_utf8_lossy(&output.stderr));
        told
    }

    /// Remembers what an answer delivers once.
    fn delivered(&mut self, what: &str, told: &Value) {
        for name in ["client_secret", "password", "code"] {
            if let Some(value) = told[name].as_str() {
                self.hunt.keep(&format!("{name} of {what}"), value);
            }
        }
    }

    /// The API, by an application of the administrator's.
    pub(super) async fn api(&mut self) {
        let audience = format!("{}/api", self.signet.issuer());
        let callback = "https://console.example/callback";
        let create = ["client", "create", "--name", "Console", "--first-party", "--redirect-uri", callback];
        let scopes = ["--audience", &*audience, "--scope", "openid", "--scope", "*:*"];
        let made = self.command(&[&create[..], &scopes[..]].concat()).await;
        let console = Client {
            id: flow::member(&made, "client_id").to_owned(),
            secret: made["client_secret"].as_str().map(str::to_owned),
            redirect_uri: callback.to_owned(),
        };
        let mut browser = Browser::new(self.signet);
        let request = AuthRequest::new(&console).with("scope", "openid *:*");
        let code = flow::code(self.signet, &mut browser, &request, &admin()).await;
        self.browsed(&browser, None);
        self.hunt.keep("code", &code);
        let answer = flow::exchange(self.signet, &console, &code, &request.verifier).await;
        let tokens = self.answered(answer).await;
        let tokens = self.granted(tokens);
        let token = flow::member(&tokens, "access_token").to_owned();
        let signet = self.signet;
        let clients = signet.url("/api/v1/admin/clients");
        let body =
            serde_json::json!({ "client_name": "By the API", "redirect_uris": ["https://app.example/callback"] });
        let created = signet.http().post(&clients).bearer_auth(&token).json(&body).send().await.expect("an answer");
        let (status, created) = self.answered(created).await;
        assert_eq!(status, 201, "{created}");
        let secret = flow::member(&created, "client_secret").to_owned();
        self.delivered("the API", &created);
        // The secret as a field of its own, where the API knows none, and where a number belongs.
        for body in [
            serde_json::json!({ "client_name": "Again", "client_secret": secret, "secret": secret }),
            serde_json::json!({ "client_name": 7, "redirect_uris": secret }),
        ] {
            let answer = signet.http().post(&clients).bearer_auth(&token).json(&body).send().await;
            self.answered(answer.expect("an answer")).await;
        }
        let wrong = signet.http().get(&clients).bearer_auth(format!("{token}x"));
        self.refused(wrong).await;
        let list = signet.http().get(&clients).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(list.status().as_u16(), 200);
        let list = list.text().await.expect("a list");
        self.hunt.search("the list of clients", &list);
        self.api_secrets(&token, flow::member(&created, "client_id")).await;
    }

    /// Passwords and secrets that the API is given, and those it makes.
    async fn api_secrets(&mut self, token: &str, client_id: &str) {
        let signet = self.signet;
        let (first, second) = (made("First-1!"), made("Second-2!"));
        let (weak, odd) = ("marked-weak-by-api", made("odd-in-the-api"));
        for password in [&first, &second, weak, &odd] {
            self.hunt.keep("password given to the API", password);
        }
        let person = |name: &str, password: Value| json!({ "username": name, "email": format!("{name}@api.test"), "password": password });
        let set = "users/by-api/set-password";
        let rotate = &*format!("clients/{client_id}/rotate-secret");
        for (path, body, status) in [
            ("users", person("by-api", json!(first)), 201),
            ("users", person("by-api", json!(first)), 409),
            ("users", person("weak", json!(weak)), 422),
            ("users", person("odd", json!([odd])), 422),
            ("users", person(&odd, json!({ "password": odd })), 422),
            ("users", json!({ "username": "made", "email": "made@api.test" }), 201),
            (set, json!({ "password": second }), 200),
            (set, json!({}), 200),
            (set, json!({ "password": weak }), 422),
            (set, json!({ "password": [odd] }), 422),
            (set, json!({ "secret": odd }), 422),
            (rotate, json!({}), 200),
            (rotate, json!({ "end_tokens": odd }), 422),
        ] {
            let request = signet.http().post(signet.url(&format!("/api/v1/admin/{path}"))).bearer_auth(token);
            let answer = self.answered(request.json(&body).send().await.expect("an answer")).await;
            assert_eq!(answer.0, status, "{path}: {}", answer.1);
            if status < 400 {
                self.delivered("the API", &answer.1);
            }
        }
        for path in ["users", "users/by-api", "audit", &*format!("clients/{client_id}")] {
            let request = signet.http().get(signet.url(&format!("/api/v1/admin/{path}"))).bearer_auth(token);
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), 200, "{path}");
            let shown = answer.text().await.expect("a body");
            self.hunt.search(&format!("what {path} shows"), &shown);
        }
    }
}
