//! What ends with what: after each act that ends something, everything a person and an application can hold is looked at.

use std::collections::BTreeMap;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::api::office::Office;
use crate::support::prelude::*;

/// The API that every access token is for; it asks about each.
const API: &str = "https://api.example";
const SCOPE: &str = "openid profile email";
const OFFLINE: &str = "openid profile email offline_access";

/// What lives on (+) and what ends (-) with what is done, of what Ada has by an application unless its name says otherwise:
/// in this browser or elsewhere, by another client, by one with pairwise subjects, by passwords typed into one, with no
/// person at all. Done are: nothing; a sign-out in this browser; a new password for Ada; a lock of her account; her consent
/// to the application withdrawn; the application switched off; the application removed.
const TABLE: &str = "
                        nothing  sign-out  password  lock  consent  disable  delete
    this-browser           +         -         -       -      +        +        +
    elsewhere              +         +         -       -      +        +        +
    session-grant          +         -         -       -      -        -        -
    offline-grant          +         +         -       -      -        -        -
    grant-elsewhere        +         +         -       -      -        -        -
    front-channel          +         -         -       -      -        -        -
    code                   +         -         -       -      -        -        -
    offline-code           +         +         -       -      -        -        -
    other-client           +         -         -       -      +        +        +
    other-client-offline   +         +         -       -      +        +        +
    other-client-code      +         -         -       -      +        +        +
    pairwise               +         -         -       -      +        +        +
    pairwise-offline       +         +         -       -      +        +        +
    pairwise-front         +         -         -       -      +        +        +
    pairwise-code          +         -         -       -      +        +        +
    password-grant         +         +         -       -      +        +        +
    own-service            +         +         +       +      +        -        -
    other-service          +         +         +       +      +        +        +
    bobs-browser           +         +         +       +      +        +        +
    bobs-grant             +         +         +       +      +        -        -
";

/// What is expected of each thing after an act.
fn expected(act: &str) -> BTreeMap<&'static str, bool> {
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let acts: Vec<&str> = lines.next().expect("the acts").split_whitespace().collect();
    let column = acts.iter().position(|known| *known == act).expect("an act of the table");
    let row = |line: &'static str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.len(), acts.len() + 1, "{line}");
        (words[0], words[column + 1] == "+")
    };
    lines.map(row).collect()
}

/// What somebody holds. Refresh tokens and codes are used up by looking, and give new ones.
#[derive(Default)]
struct Held {
    client: Option<Client>,
    access: Vec<String>,
    refresh: Option<String>,
    /// With their verifiers.
    codes: Vec<(String, String)>,
    browser: Option<Browser>,
}

impl Held {
    fn of(client: &Client) -> Self {
        Self { client: Some(client.clone()), ..Self::default() }
    }

    /// With what a token answer holds.
    fn with(mut self, tokens: &Value) -> Self {
        self.take(tokens);
        self
    }

    fn take(&mut self, tokens: &Value) {
        self.access.push(flow::member(tokens, "access_token").to_owned());
        self.refresh = tokens["refresh_token"].as_str().map(str::to_owned).or(self.refresh.take());
    }
}

/// The tokens, or nothing where the grant, or the client, is over.
async fn taken(answer: Response) -> Option<Value> {
    if answer.status() == StatusCode::OK {
        return Some(answer.json().await.expect("JSON"));
    }
    let refused = flow::refused(answer).await;
    assert!([(400, "invalid_grant".to_owned()), (401, "invalid_client".to_owned())].contains(&refused), "{refused:?}");
    None
}

/// A server where everything of the table is alive.
struct World {
    office: Office,
    application: Client,
    api: Client,
    /// The administrator's token.
    token: String,
    held: BTreeMap<&'static str, Held>,
}

impl World {
    async fn new() -> Self {
        let office = Office::open().await;
        let signet = &office.signet;
        let pairwise = json!({ "subject_type": "pairwise" });
        let application = client(signet, interactive()).await;
        let other = client(signet, interactive()).await;
        let pairwise = client(signet, interactive().with_metadata(&pairwise)).await;
        let desk = client(signet, ClientSpec { first_party: true, ..of_grants(&["password", "refresh_token"]) }).await;
        let service = client(signet, of_grants(&["client_credentials"])).await;
        let api = server(signet).await;
        let (ada, bob) = (signet.user("ada").await, signet.user("bob").await);
        let (mut here, mut there, mut bobs) = (Browser::new(signet), Browser::new(signet), Browser::new(signet));

        let mut held = BTreeMap::new();
        for (name, client, scope) in [
            ("session-grant", &application, SCOPE),
            ("offline-grant", &application, OFFLINE),
            ("other-client", &other, SCOPE),
            ("other-client-offline", &other, OFFLINE),
            ("pairwise", &pairwise, SCOPE),
            ("pairwise-offline", &pairwise, OFFLINE),
        ] {
            held.insert(name, Held::of(client).with(&granted(signet, (&mut here, &ada), client, scope).await));
        }
        let elsewhere = granted(signet, (&mut there, &ada), &application, SCOPE).await;
        held.insert("grant-elsewhere", Held::of(&application).with(&elsewhere));
        let bobs_grant = granted(signet, (&mut bobs, &bob), &application, SCOPE).await;
        held.insert("bobs-grant", Held::of(&application).with(&bobs_grant));

        let typed = [("grant_type", "password"), ("username", "ada"), ("password", &*ada.password), ("scope", SCOPE)];
        let typed = flow::granted(flow::token(signet, &desk, &typed).await).await;
        assert!(typed["refresh_token"].is_string(), "{typed}");
        held.insert("password-grant", Held::of(&desk).with(&typed));
        for (name, client) in [("own-service", &application), ("other-service", &service)] {
            let fields = [("grant_type", "client_credentials"), ("scope", "reports:read")];
            held.insert(name, Held::of(client).with(&flow::granted(flow::token(signet, client, &fields).await).await));
        }
        for (name, client) in [("front-channel", &application), ("pairwise-front", &pairwise)] {
            let request = AuthRequest::new(client).with("response_type", "id_token token");
            let callback = flow::sign_in_and_consent(&mut here, &request.url(signet), &ada).await;
            let token = flow::parameter(&callback, "access_token").expect("an access token");
            held.insert(name, Held { access: vec![token], ..Held::of(client) });
        }
        let token = office.administrator().await;
        // The last ones: they live for a minute.
        for (name, client, scope) in [
            ("code", &application, SCOPE),
            ("offline-code", &application, OFFLINE),
            ("other-client-code", &other, SCOPE),
            ("pairwise-code", &pairwise, SCOPE),
        ] {
            let mut codes = Vec::new();
            for _ in 0..2 {
                let request = AuthRequest::new(client).with("scope", scope);
                codes.push((flow::code(signet, &mut here, &request, &ada).await, request.verifier));
            }
            held.insert(name, Held { codes, ..Held::of(client) });
        }
        for (name, browser) in [("this-browser", here), ("elsewhere", there), ("bobs-browser", bobs)] {
            held.insert(name, Held { browser: Some(browser), ..Held::default() });
        }
        Self { office, application, api, token, held }
    }

    /// Whether something is alive, by each way to look at it.
    async fn look(&mut self, name: &str) -> Vec<(&'static str, bool)> {
        let signet = &self.office.signet;
        let held = self.held.get_mut(name).unwrap_or_else(|| panic!("no {name}"));
        let mut found = Vec::new();
        if let Some(browser) = &mut held.browser {
            found.push(("page", browser.get("/").await.page().form(&["decision"]).is_some()));
        }
        for token in &held.access {
            let told = flow::granted(flow::introspect(signet, &self.api, token).await).await;
            found.push(("introspection", told["active"] == true));
            if flow::member(&flow::jwt_payload(token), "scope").contains("openid") {
                let status = flow::userinfo(signet, token).await.status();
                assert!(matches!(status.as_u16(), 200 | 401), "{name}: {status}");
                found.push(("userinfo", status == StatusCode::OK));
            }
        }
        let Some(client) = held.client.clone() else { return found };
        let refreshed = match &held.refresh {
            Some(token) => Some(("refresh", taken(flow::refresh(signet, &client, token).await).await)),
            None => None,
        };
        let redeemed = match held.codes.pop() {
            Some((code, verifier)) => {
                Some(("redeem", taken(flow::exchange(signet, &client, &code, &verifier).await).await))
            }
            None => None,
        };
        for (how, tokens) in refreshed.into_iter().chain(redeemed) {
            found.push((how, tokens.is_some()));
            if let Some(tokens) = tokens {
                held.take(&tokens);
            }
        }
        found
    }

    /// Compares everything with the table.
    async fn compare(&mut self, act: &str, when: &str) {
        let expected = expected(act);
        assert!(expected.keys().eq(self.held.keys()), "{:?}", self.held.keys());
        let mut wrong = Vec::new();
        for (name, alive) in expected {
            let found = self.look(name).await;
            assert!(!found.is_empty(), "{name}");
            wrong.extend(found.into_iter().filter(|(_, seen)| *seen != alive).map(|(how, seen)| (name, how, seen)));
        }
        assert!(wrong.is_empty(), "{act}, {when}: the table says otherwise of what is seen here: {wrong:?}");
    }

    /// A call of the API by the administrator.
    async fn call(&self, method: &str, path: &str, body: &Value) {
        let path = path.replace("{client}", &self.application.id);
        let mut call = self.office.call(method, &format!("/api/v1/admin/{path}"), &self.token);
        if !body.is_null() {
            call = call.json(body);
        }
        let answer = call.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{method} {path}: {}", answer.text().await.expect("a body"));
    }
}

/// An application of the code flow, which may use the implicit one, and do things of its own.
fn interactive() -> ClientSpec {
    let scopes = format!("{OFFLINE} reports:read").split(' ').map(str::to_owned).collect();
    let spec = ClientSpec { scopes, ..ClientSpec::confidential() };
    let mut spec = spec.with_response_types(&["code", "id_token token"]);
    spec.grant_types.push("client_credentials".to_owned());
    spec
}

/// One without a front channel.
fn of_grants(grants: &[&str]) -> ClientSpec {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let scopes: &[&str] =
        if grants.contains(&"password") { &["openid", "profile", "email"] } else { &["reports:read"] };
    ClientSpec {
        grant_types: owned(grants),
        scopes: owned(scopes),
        redirect_uris: Vec::new(),
        ..ClientSpec::confidential()
    }
}

/// A client whose access tokens are for the API.
async fn client(signet: &Signet, spec: ClientSpec) -> Client {
    let mut arguments = spec.arguments();
    arguments.extend(["--audience", API].map(str::to_owned));
    let made = signet.cli_json(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "").await;
    let text = |name: &str| flow::member(&made, name).to_owned();
    let redirect_uri = spec.redirect_uris.into_iter().next().unwrap_or_default();
    Client { id: text("client_id"), secret: Some(text("client_secret")), redirect_uri }
}

/// The API itself, as a client that may ask about tokens.
async fn server(signet: &Signet) -> Client {
    let arguments = ["client", "create", "--json", "--name", "API", "--client-id", API];
    let made = signet.cli_json(&[&arguments[..], &["--grant-type", "client_credentials"]].concat(), "").await;
    let secret = flow::member(&made, "client_secret").to_owned();
    Client { id: API.to_owned(), secret: Some(secret), redirect_uri: String::new() }
}

async fn granted(signet: &Signet, (browser, user): (&mut Browser, &User), client: &Client, scope: &str) -> Value {
    let request = AuthRequest::new(client).with("scope", scope);
    let code = flow::code(signet, browser, &request, user).await;
    let tokens = flow::granted(flow::exchange(signet, client, &code, &request.verifier).await).await;
    assert!(tokens["refresh_token"].is_string(), "{tokens}");
    tokens
}

/// An act of an administrator at this very node, and what the table says of it: at once, and still when the act was taken
/// back, also of what was refreshed and redeemed since.
async fn administrator(act: &str, (method, path): (&str, &str), undone: Option<&str>) {
    let mut world = World::new().await;
    let body = match act {
        "password" => json!({ "password": "Quarry-Lantern-62!" }),
        "lock" => json!({ "reason": "test" }),
        _ => Value::Null,
    };
    world.call(method, path, &body).await;
    world.compare(act, "at once").await;
    if let Some(path) = undone {
        world.call("POST", path, &Value::Null).await;
    }
    world.compare(act, "later").await;
}

/// T4, T6, U1, U3: what the table names works as long as nothing ends it.
#[tokio::test]
async fn nothing_ends_by_itself() {
    let mut world = World::new().await;
    world.compare("nothing", "at once").await;
    world.compare("nothing", "later").await;
}

/// R-06, L1: a sign-out ends this browser's session, its grants, and what came of them, and nothing else; offline access
/// stays, also where its code is not yet redeemed.
#[tokio::test]
async fn what_a_sign_out_ends() {
    let mut world = World::new().await;
    let browser = world.held.get_mut("this-browser").and_then(|held| held.browser.as_mut()).expect("a browser");
    let home = browser.get("/").await.page();
    browser.submit(&home, &[("decision", "signout")]).await.page();
    world.compare("sign-out", "at once").await;
    world.compare("sign-out", "later").await;
}

/// a new password ends all that the account has.
#[tokio::test]
async fn what_a_new_password_ends() {
    administrator("password", ("POST", "users/ada/set-password"), None).await;
}

/// a lock ends all that the account has, for good.
#[tokio::test]
async fn what_a_lock_ends() {
    administrator("lock", ("POST", "users/ada/lock"), Some("users/ada/unlock")).await;
}

/// a consent that is withdrawn ends what the application has of that account.
#[tokio::test]
async fn what_a_withdrawn_consent_ends() {
    administrator("consent", ("DELETE", "users/ada/consents/{client}"), None).await;
}

/// an application that is switched off loses all it has, for good; nobody else loses anything.
#[tokio::test]
async fn what_switching_a_client_off_ends() {
    administrator("disable", ("POST", "clients/{client}/disable"), Some("clients/{client}/enable")).await;
}

/// an application that is removed loses all it has.
#[tokio::test]
async fn what_removing_a_client_ends() {
    administrator("delete", ("DELETE", "clients/{client}"), None).await;
}
