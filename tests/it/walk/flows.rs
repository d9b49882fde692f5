//! What each change by a person or an application leaves in the audit log.

use std::collections::BTreeSet;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use url::Url;

use super::rows::rows;
use super::{cookies, table};
use crate::scene::header;
use crate::support::prelude::*;

/// The form of a page, posted as it would be; the answer is not followed.
async fn post(browser: &mut Browser, page: &Page, fields: &[(&str, &str)]) -> Response {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let form = page.form(&names).expect("the form").with(fields);
    let answer = browser.request(Method::POST, &form.action).form(&form.fields).send().await.expect("an answer");
    browser.jar.remember(answer.headers());
    answer
}

/// The lines outside of the API, and what they may write that was not seen yet.
struct Walk<'a> {
    signet: &'a Signet,
    declared: BTreeSet<(String, String, String)>,
    unseen: BTreeSet<(String, String, String)>,
}

/// What a row must say: its event, what kind of actor, whose account, which client.
type Expected<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

/// Events of requests that are refused, or of what somebody refuses.
const REFUSED: [&str; 8] = [
    "client_registration.refused",
    "access.refused",
    "sign_in.failed",
    "sign_in_link.refused",
    "consent.denied",
    "code.replayed",
    "refresh_token.replayed",
    "token.refused",
];
/// Events that have no transaction of their own: their rows are written soon after.
const SOON: [&str; 3] = ["client_token.issued", "token.refused", "client_registration.refused"];

impl<'a> Walk<'a> {
    async fn start(signet: &'a Signet) -> Self {
        let mut declared = BTreeSet::new();
        for line in table(signet).await {
            let (method, path) = (flow::member(&line, "method"), flow::member(&line, "path"));
            if path.starts_with("/api/v1/") {
                continue;
            }
            for event in line["writes"].as_array().expect("events").iter().filter_map(Value::as_str) {
                declared.insert((method.to_owned(), path.to_owned(), event.to_owned()));
            }
        }
        Self { signet, unseen: declared.clone(), declared }
    }

    /// The request behind an answer of this line left one row, an event that the line declares, which says this.
    async fn one(&mut self, (method, path): (&str, &str), answer: &Response, expected: Expected<'_>) {
        let (event, actor, subject, client) = expected;
        cookies(answer, path);
        let request = header(answer, "x-request-id");
        let mut written = rows(self.signet, request);
        if SOON.contains(&event) {
            written = eventually(PATIENCE, event, async || {
                let written = rows(self.signet, request);
                (!written.is_empty()).then_some(written)
            })
            .await;
        }
        assert_eq!(written.len(), 1, "{method} {path}: {event}: {written:?}");
        let row = &written[0];
        let line = (method.to_owned(), path.to_owned(), row.event.clone());
        assert!(self.declared.contains(&line), "{line:?} is not in the table");
        assert_eq!((&*row.event, &*row.actor_kind), (event, actor), "{row:?}");
        assert_eq!((row.subject.as_deref(), row.client.as_deref()), (subject, client), "{row:?}");
        let acting = (subject.filter(|_| actor == "user"), client.filter(|_| actor != "anonymous"));
        assert_eq!((row.actor.as_deref(), row.actor_client.as_deref()), acting, "{row:?}");
        assert_eq!(row.result, if REFUSED.contains(&event) { "refused" } else { "success" }, "{row:?}");
        self.unseen.remove(&line);
    }
}

impl Walk<'_> {
    /// A request left these rows of success and no others; those about a client are about this one, by itself.
    fn several(&mut self, (method, path): (&str, &str), request: &str, events: &[&str], client: Option<&str>) {
        let mut written = rows(self.signet, request);
        written.sort_by(|a, b| a.event.cmp(&b.event));
        assert_eq!(written.iter().map(|row| &*row.event).collect::<Vec<_>>(), events, "{written:?}");
        for row in written {
            let about = client.filter(|_| row.event != "key.created");
            let actor = if about.is_none() && method == "POST" { "anonymous" } else { "client" };
            assert_eq!((&*row.actor_kind, row.client.as_deref(), &*row.result), (actor, about, "success"), "{row:?}");
            let line = (method.to_owned(), path.to_owned(), row.event);
            assert!(self.declared.contains(&line), "{line:?} is not in the table");
            self.unseen.remove(&line);
        }
    }
}

/// Where an answer redirects to.
fn target(answer: &Response) -> Url {
    Url::parse(header(answer, "location")).expect("a redirect to a whole address")
}

/// The code in an answer.
fn code(answer: &Response) -> String {
    flow::parameter(&target(answer), "code").expect("a code")
}

/// The page of sign-in links, filled in and sent.
async fn by_link(signet: &Signet, link: &str) -> Response {
    let mut browser = Browser::new(signet);
    let page = browser.get("/signin/link").await.page();
    post(&mut browser, &page, &[("code", link)]).await
}

/// What follows a sign-in, not followed any further.
async fn onward(browser: &Browser, answer: &Response) -> Response {
    let next = browser.resolve(header(answer, "location"));
    browser.request(Method::GET, &next).send().await.expect("an answer")
}

/// A client that acts for itself, and somebody who is not that client.
async fn services(walk: &mut Walk<'_>) {
    let signet = walk.signet;
    let spec = ClientSpec { grant_types: vec!["client_credentials".to_owned()], ..ClientSpec::confidential() };
    let service = signet.client(spec).await;
    let own = [("grant_type", "client_credentials")];
    let served = flow::token(signet, &service, &own).await;
    walk.one(("POST", "/oauth/token"), &served, ("client_token.issued", "client", None, Some(&service.id))).await;
    let stranger = Client { secret: Some(flow::random()), ..service.clone() };
    let expected = ("token.refused", "anonymous", None, Some(&*service.id));
    let refused = flow::token(signet, &stranger, &own).await;
    walk.one(("POST", "/oauth/token"), &refused, expected).await;
    let refused = flow::revoke(signet, &stranger, &flow::random()).await;
    walk.one(("POST", "/oauth/revoke"), &refused, expected).await;
    let refused = flow::introspect(signet, &stranger, &flow::random()).await;
    walk.one(("POST", "/oauth/introspect"), &refused, expected).await;
}

/// Clients that register themselves, change and remove that, and whoever is refused.
async fn registrations(walk: &mut Walk<'_>) {
    let signet = walk.signet;
    let one = "/oauth/register/{client_id}";
    let made = signet.cli_json(&["client", "registration-token", "create", "--uses", "2", "--json"], "").await;
    let token = flow::member(&made, "token").to_owned();
    let ask = async |method: Method, path: &str, token: &str, body: Value| {
        let request = signet.http().request(method, signet.url(path)).bearer_auth(token);
        request.json(&body).send().await.expect("an answer")
    };
    let body = json!({ "redirect_uris": ["https://app.example/callback"] });
    let stranger = ask(Method::POST, "/oauth/register", &flow::random(), body.clone()).await;
    let nobody = ("client_registration.refused", "anonymous", None, None);
    walk.one(("POST", "/oauth/register"), &stranger, nobody).await;
    let answer = ask(Method::POST, "/oauth/register", &token, body.clone()).await;
    let request = header(&answer, "x-request-id").to_owned();
    let own: Value = answer.json().await.expect("JSON");
    let (id, access) = (flow::member(&own, "client_id"), flow::member(&own, "registration_access_token"));
    walk.several(("POST", "/oauth/register"), &request, &["client_registration.created"], Some(id));
    let keys = json!({ "redirect_uris": ["https://app.example/callback"], "id_token_signed_response_alg": "ES512" });
    let answer = ask(Method::POST, "/oauth/register", &token, keys).await;
    let request = header(&answer, "x-request-id").to_owned();
    let last: Value = answer.json().await.expect("JSON");
    let all = ["client_registration.created", "key.created", "registration_token.used_up"];
    walk.several(("POST", "/oauth/register"), &request, &all, last["client_id"].as_str());

    let path = format!("/oauth/register/{id}");
    for method in ["GET", "PUT", "DELETE"] {
        let answer = ask(method.parse().expect("a method"), &path, &flow::random(), body.clone()).await;
        let expected = ("client_registration.refused", "anonymous", None, Some(id));
        walk.one((method, one), &answer, expected).await;
    }
    let change = json!({
        "client_id": id, "client_name": "B", "redirect_uris": ["https://app.example/callback"],
        "id_token_signed_response_alg": "PS384",
    });
    let answer = ask(Method::PUT, &path, access, change).await;
    let request = header(&answer, "x-request-id").to_owned();
    walk.several(("PUT", one), &request, &["client_registration.updated", "key.created"], Some(id));
    let gone = ask(Method::DELETE, &path, access, Value::Null).await;
    walk.one(("DELETE", one), &gone, ("client_registration.deleted", "client", None, None)).await;
}

/// An application that is given its tokens without a code, after a sign-in and without one.
async fn straight_to_tokens(walk: &mut Walk<'_>, ada: &User) {
    let signet = walk.signet;
    let spec =
        ClientSpec { first_party: true, ..ClientSpec::confidential().with_response_types(&["code", "id_token"]) };
    let app = signet.client(spec).await;
    let url = AuthRequest::new(&app).with("response_type", "id_token").url(signet);
    let expected = ("tokens.issued", "user", Some("ada"), Some(&*app.id));
    let mut browser = Browser::new(signet);
    let page = browser.get(&url).await.page();
    let signed_in = post(&mut browser, &page, &[("username", "ada"), ("password", &ada.password)]).await;
    walk.one(("GET", "/continue"), &onward(&browser, &signed_in).await, expected).await;
    let direct = browser.request(Method::GET, &url).send().await.expect("an answer");
    walk.one(("GET", "/oauth/authorize"), &direct, expected).await;
}

/// An application for others: after a sign-in, without one, and where the role goes while consent is read.
async fn turned_away(walk: &mut Walk<'_>, ada: &User) {
    let signet = walk.signet;
    let limit = json!({ "access_roles": ["moderator"] });
    let app = signet.client(ClientSpec::confidential().with_metadata(&limit)).await;
    let url = AuthRequest::new(&app).url(signet);
    let expected = ("access.refused", "user", Some("ada"), Some(&*app.id));
    let mut browser = Browser::new(signet);
    let page = browser.get(&url).await.page();
    let signed_in = post(&mut browser, &page, &[("username", "ada"), ("password", &ada.password)]).await;
    walk.one(("GET", "/continue"), &onward(&browser, &signed_in).await, expected).await;
    let direct = browser.request(Method::GET, &url).send().await.expect("an answer");
    walk.one(("GET", "/oauth/authorize"), &direct, expected).await;

    signet.cli_json(&["role", "assign", "moderator", "--user", "ada", "--json"], "").await;
    let consent = leads_to(&mut browser, &url, "/consent").await;
    signet.cli_json(&["role", "remove", "moderator", "--user", "ada", "--json"], "").await;
    leads_to(&mut browser, &url, "/no-access").await;
    let refused = post(&mut browser, &consent, &[("decision", "allow")]).await;
    walk.one(("POST", "/consent"), &refused, expected).await;
}

/// A person who goes on with the account that is signed in: to a code, to tokens, or to a page that turns them away.
async fn accounts_chosen(walk: &mut Walk<'_>, ada: &User) {
    let signet = walk.signet;
    let own = ClientSpec { first_party: true, ..ClientSpec::confidential() };
    let limit = json!({ "access_roles": ["moderator"] });
    let mut browser = Browser::new(signet);
    let page = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &page, ada).await.page();
    for (spec, response_type, event) in [
        (own.clone(), "code", "code.issued"),
        (own.with_response_types(&["code", "id_token"]), "id_token", "tokens.issued"),
        (ClientSpec::confidential().with_metadata(&limit), "code", "access.refused"),
    ] {
        let app = signet.client(spec).await;
        let request = AuthRequest::new(&app).with("prompt", "select_account").with("response_type", response_type);
        let page = leads_to(&mut browser, &request.url(signet), "/select-account").await;
        let chosen = post(&mut browser, &page, &[("decision", "continue")]).await;
        walk.one(("POST", "/select-account"), &chosen, (event, "user", Some("ada"), Some(&*app.id))).await;
    }
}

/// Waits until a request leads to the page with this path.
async fn leads_to(browser: &mut Browser, url: &Url, path: &str) -> Page {
    eventually(PATIENCE, path, async || {
        let page = browser.get(url).await.page();
        (page.url.path() == path).then_some(page)
    })
    .await
}

/// each request by a person or an application that changes something, in the browser or at the token endpoint,
/// writes one row, an event that its line of the table declares; and whatever a line declares is seen there.
#[tokio::test]
async fn each_change_by_a_flow_writes_one_row() {
    let settings = [("SIGNET_REGISTRATION__CLIENTS", "token")];
    let signet = Signet::start_with(Database::Postgres, &settings).await;
    let mut walk = Walk::start(&signet).await;
    let client = signet.client(ClientSpec::confidential()).await;
    let ada = User::named("ada");
    let (person, app) = (Some("ada"), Some(&*client.id));
    let request = AuthRequest::new(&client).with("scope", "openid offline_access");
    let url = request.url(&signet);

    let mut browser = Browser::new(&signet);
    let page = browser.get("/register").await.page();
    let fields = [("username", &*ada.username), ("email", &*ada.email), ("password", &*ada.password)];
    let registered = post(&mut browser, &page, &fields).await;
    walk.one(("POST", "/register"), &registered, ("account.registered", "user", person, None)).await;

    let mut browser = Browser::new(&signet);
    let page = browser.get(&url).await.page();
    let wrong = post(&mut browser, &page, &[("username", "ada"), ("password", "wrong")]).await;
    walk.one(("POST", "/signin"), &wrong, ("sign_in.failed", "anonymous", person, None)).await;
    let right = post(&mut browser, &page, &[("username", "ada"), ("password", &ada.password)]).await;
    walk.one(("POST", "/signin"), &right, ("sign_in.succeeded", "user", person, None)).await;
    let consent = browser.get(&url).await.page();
    let denied = post(&mut browser, &consent, &[("decision", "deny")]).await;
    walk.one(("POST", "/consent"), &denied, ("consent.denied", "user", person, app)).await;
    let consent = browser.get(&url).await.page();
    let allowed = post(&mut browser, &consent, &[("decision", "allow")]).await;
    walk.one(("POST", "/consent"), &allowed, ("consent.given", "user", person, app)).await;
    let direct = browser.request(Method::GET, &url).send().await.expect("an answer");
    walk.one(("GET", "/oauth/authorize"), &direct, ("code.issued", "user", person, app)).await;

    let token = ("POST", "/oauth/token");
    let redeemed = flow::exchange(&signet, &client, &code(&direct), &request.verifier).await;
    walk.one(token, &redeemed, ("code.redeemed", "user", person, app)).await;
    let tokens = flow::granted(redeemed).await;
    let first = flow::member(&tokens, "refresh_token");
    let refreshed = flow::refresh(&signet, &client, first).await;
    walk.one(token, &refreshed, ("token.refreshed", "user", person, app)).await;
    let second = flow::granted(refreshed).await;
    flow::granted(flow::refresh(&signet, &client, flow::member(&second, "refresh_token")).await).await;
    let replayed = flow::refresh(&signet, &client, first).await;
    walk.one(token, &replayed, ("refresh_token.replayed", "client", person, app)).await;
    flow::granted(flow::exchange(&signet, &client, &code(&allowed), &request.verifier).await).await;
    let replayed = flow::exchange(&signet, &client, &code(&allowed), &request.verifier).await;
    walk.one(token, &replayed, ("code.replayed", "client", person, app)).await;
    let given = flow::code(&signet, &mut browser, &request, &ada).await;
    let given = flow::granted(flow::exchange(&signet, &client, &given, &request.verifier).await).await;
    for kind in ["access_token", "refresh_token"] {
        let revoked = flow::revoke(&signet, &client, flow::member(&given, kind)).await;
        walk.one(("POST", "/oauth/revoke"), &revoked, ("token.revoked", "user", person, app)).await;
    }
    services(&mut walk).await;
    registrations(&mut walk).await;

    let mut logout = Url::parse(&signet.url("/oauth/logout")).expect("a URL");
    logout.query_pairs_mut().append_pair("id_token_hint", flow::member(&tokens, "id_token"));
    let ended = browser.request(Method::GET, &logout).send().await.expect("an answer");
    walk.one(("GET", "/oauth/logout"), &ended, ("session.ended", "user", person, None)).await;

    let page = browser.get(&url).await.page();
    let again = post(&mut browser, &page, &[("username", "ada"), ("password", &ada.password)]).await;
    let on = onward(&browser, &again).await;
    walk.one(("GET", "/continue"), &on, ("code.issued", "user", person, app)).await;

    straight_to_tokens(&mut walk, &ada).await;

    let home = browser.get("/").await.page();
    let ended = post(&mut browser, &home, &[("decision", "signout")]).await;
    walk.one(("POST", "/oauth/logout"), &ended, ("session.ended", "user", person, None)).await;

    turned_away(&mut walk, &ada).await;
    accounts_chosen(&mut walk, &ada).await;

    let page = browser.get(&url).await.page();
    flow::sign_in(&mut browser, &page, &ada).await.left();
    let applications = browser.get("/account/applications").await.page();
    let withdrawn = post(&mut browser, &applications, &[("client_id", &client.id)]).await;
    walk.one(("POST", "/account/applications"), &withdrawn, ("consent.withdrawn", "user", person, app)).await;

    let link = signet.cli_json(&["user", "sign-in-link", "ada", "--json"], "").await;
    let used = by_link(&signet, flow::member(&link, "code")).await;
    walk.one(("POST", "/signin/link"), &used, ("sign_in_link.used", "user", person, None)).await;
    let refused = by_link(&signet, flow::member(&link, "code")).await;
    walk.one(("POST", "/signin/link"), &refused, ("sign_in_link.refused", "anonymous", None, None)).await;
    assert!(walk.unseen.is_empty(), "declared, and seen by no request: {:?}", walk.unseen);
}
