//! The applications at `/`, and the way into them (OIDC Core §4).

use reqwest::Method;
use reqwest::header::ACCEPT_LANGUAGE;
use scraper::{Html, Selector};
use serde_json::{Value, json};
use url::Url;

use crate::oauth::register::{OPEN, application_with, client_of, manage_own, registered, sent_back};
use crate::scene::{admin, header};
use crate::support::hosted::Hosted;
use crate::support::prelude::*;

/// Where an application begins a sign-in, in most of these tests.
const BEGIN: &str = "https://app.example/begin";

/// A link to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    host: String,
    href: String,
}

/// The applications that a page shows. Each is one plain link that takes nothing of the page along.
fn entries(body: &str) -> Vec<Entry> {
    let html = Html::parse_document(body);
    let all = |css: &str| Selector::parse(css).expect("a selector");
    let entry = |link: scraper::ElementRef<'_>| {
        let text = |css: &str| link.select(&all(css)).flat_map(|one| one.text()).collect::<String>();
        assert_eq!((link.attr("rel"), link.attr("target")), (Some("noopener noreferrer"), None), "{}", link.html());
        let href = link.attr("href").expect("an address").to_owned();
        Entry { name: text(".name"), host: text(".hint"), href }
    };
    html.select(&all(".launches a")).map(entry).collect()
}

fn names(body: &str) -> Vec<String> {
    entries(body).into_iter().map(|entry| entry.name).collect()
}

/// A browser in which somebody is signed in.
async fn signed_in(signet: &Signet, user: &User) -> Browser {
    let mut browser = Browser::new(signet);
    let page = browser.get("/signin").await.page();
    flow::sign_in(&mut browser, &page, user).await.page();
    browser
}

/// What somebody is shown.
async fn shown(browser: &mut Browser) -> Vec<String> {
    names(&browser.get("/").await.page().body)
}

/// An administrator's client of this name with further members.
async fn made(signet: &Signet, name: &str, members: &Value) -> Client {
    signet.client(ClientSpec { name: name.to_owned(), ..ClientSpec::confidential().with_metadata(members) }).await
}

/// R-68a, R-46: signed in, a person sees the applications that can be started and that the person may use: not those without
/// an address for it, for holders of other roles, or switched off. It takes a handful of statements, however many there are.
#[tokio::test]
async fn each_person_sees_what_can_be_used() {
    let signet = Signet::start(Database::Postgres).await;
    let ada = signet.user("ada").await;
    let (mut hers, mut his) = (signed_in(&signet, &ada).await, signed_in(&signet, &admin()).await);
    let empty = hers.get("/").await.page();
    assert!(names(&empty.body).is_empty() && empty.body.contains("None can be started from here yet."));

    signet.cli_json(&["role", "create", "staff", "--json"], "").await;
    signet.cli_json(&["role", "create", "manager", "--parent", "staff", "--json"], "").await;
    let start = json!({ "initiate_login_uri": BEGIN });
    let limited = json!({ "initiate_login_uri": BEGIN, "access_roles": ["staff", "admin"] });
    made(&signet, "beacon", &start).await;
    made(&signet, "Archive", &start).await;
    made(&signet, "Without an address", &json!({})).await;
    made(&signet, "For staff", &limited).await;
    let off = made(&signet, "Switched off", &start).await;
    signet.cli_json(&["client", "disable", &off.id, "--json"], "").await;

    let page = hers.get("/").await.page();
    assert_eq!(names(&page.body), ["Archive", "beacon"], "in the order of their names");
    assert!(!page.body.contains("None can be started"));
    assert!((1..=5).contains(&flow::statements(&page.headers)), "{}", flow::statements(&page.headers));
    assert_eq!(shown(&mut his).await, ["Archive", "beacon", "For staff"], "who has one of the roles");
    let nobody = Browser::new(&signet).get("/").await.page();
    assert!(names(&nobody.body).is_empty() && !nobody.body.contains("Archive"), "{}", nobody.body);

    let with_role = ["Archive", "beacon", "For staff"];
    let expect = async |browser: &mut Browser, expected: &[&str]| {
        eventually(PATIENCE, "the list", async || (shown(browser).await == expected).then_some(())).await;
    };
    signet.cli_json(&["role", "assign", "manager", "--user", "ada", "--json"], "").await;
    expect(&mut hers, &with_role).await;
    signet.cli_json(&["role", "remove", "manager", "--user", "ada", "--json"], "").await;
    expect(&mut hers, &with_role[..2]).await;
    signet.cli_json(&["client", "enable", &off.id, "--json"], "").await;
    expect(&mut hers, &["Archive", "beacon", "Switched off"]).await;
    signet.cli_json(&["client", "delete", &off.id, "--yes", "--json"], "").await;
    expect(&mut hers, &with_role[..2]).await;
}

/// R-68a, A16: an application that registered itself is shown to the people who allowed it something, until they withdraw
/// that or it changes where it is started.
#[tokio::test]
async fn who_registered_itself_is_shown_to_who_allowed_it() {
    let signet = Signet::start_with(Database::Postgres, &[OPEN]).await;
    let (ada, start) = (signet.user("ada").await, json!({ "initiate_login_uri": BEGIN }));
    let own = registered(&signet, &application_with(&start)).await;
    registered(&signet, &application_with(&json!({ "initiate_login_uri": BEGIN, "client_name": "Stranger" }))).await;
    let request = AuthRequest::new(&client_of(&own)).url(&signet);
    let (mut hers, mut his) = (signed_in(&signet, &ada).await, signed_in(&signet, &admin()).await);
    assert!(shown(&mut hers).await.is_empty());
    flow::sign_in_and_consent(&mut hers, &request, &ada).await;
    assert_eq!(shown(&mut hers).await, ["Reports"]);
    assert!(shown(&mut his).await.is_empty(), "somebody else's consent counts for nobody");

    let allowed = hers.get("/account/applications").await.page();
    hers.submit(&allowed, &[("client_id", flow::member(&own, "client_id"))]).await.page();
    assert!(shown(&mut hers).await.is_empty(), "withdrawn");
    flow::sign_in_and_consent(&mut hers, &request, &ada).await;
    assert_eq!(shown(&mut hers).await, ["Reports"]);

    let elsewhere = sent_back(&own, &json!({ "initiate_login_uri": "https://elsewhere.example/begin" }));
    flow::granted(manage_own(&signet, "PUT", &own, Some(&elsewhere)).await).await;
    assert!(shown(&mut hers).await.is_empty(), "it leads elsewhere");
}

/// R4, OIDC Core §4: the address has the issuer behind the registered query and nothing else of ours; names come in the
/// person's language. Names and addresses stay what they are, and an address that no registration has is no link.
#[tokio::test]
async fn the_address_is_the_registered_one_and_the_issuer() {
    let signet = Signet::start(Database::Postgres).await;
    let hostile = "\"><script>alert(1)</script>&amp;";
    let members = json!({
        "initiate_login_uri": "https://app.example:8443/begin?tenant=a%20b&x=\"><script>alert(1)</script>'#part",
        "localized": { "client_name#de": "Zeitung" },
    });
    made(&signet, hostile, &members).await;
    let plain = made(&signet, "Plain", &json!({ "initiate_login_uri": "https://plain.example" })).await;
    let mut browser = signed_in(&signet, &admin()).await;
    let page = browser.get("/").await.page();
    assert!(!page.body.contains("<script"), "{}", page.body);
    let iss: String = url::form_urlencoded::byte_serialize(signet.issuer().as_bytes()).collect();
    let first = Entry {
        name: hostile.to_owned(),
        host: "app.example:8443".to_owned(),
        href: format!(
            "https://app.example:8443/begin?tenant=a%20b&x=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%27&iss={iss}#part"
        ),
    };
    let second = Entry {
        name: "Plain".to_owned(),
        host: "plain.example".to_owned(),
        href: format!("https://plain.example/?iss={iss}"),
    };
    assert_eq!(entries(&page.body), [first, second]);
    for entry in entries(&page.body) {
        let url = Url::parse(&entry.href).expect("an address");
        assert_eq!(flow::parameter(&url, "iss").as_deref(), Some(signet.issuer()));
    }
    for (language, expected) in [("de-AT,de;q=0.9", ["Plain", "Zeitung"]), ("fr", [hostile, "Plain"])] {
        let request = browser.request(Method::GET, &browser.resolve("/")).header(ACCEPT_LANGUAGE, language);
        let answer = request.send().await.expect("an answer");
        assert_eq!(names(&answer.text().await.expect("a page")), expected, "{language}");
    }

    let mut database = signet.database();
    for odd in ["javascript:alert(1)", "data:text/html,x", "http://plain.example/", "//plain.example", "", "begin"] {
        let statement = "UPDATE clients SET metadata = jsonb_set(metadata, '{initiate_login_uri}', to_jsonb($1::text)) \
                         WHERE client_id = $2";
        let statement = diesel::sql_query(statement)
            .bind::<diesel::sql_types::Text, _>(odd)
            .bind::<diesel::sql_types::Text, _>(&plain.id);
        assert_eq!(diesel::RunQueryDsl::execute(statement, &mut database).expect("a change"), 1);
        assert_eq!(shown(&mut browser).await, [hostile], "{odd}");
    }
}

/// R3, R4, OIDC Core §4: a sign-in begins over https; at an administrator's client also on this machine, in development.
/// The address is told, and its query has no `iss` of its own.
#[tokio::test]
async fn where_a_sign_in_may_begin() {
    let (near, far) = (Signet::start(Database::Postgres).await, Signet::start_tls(Database::Postgres, &[]).await);
    for (uri, in_development, elsewhere) in [
        ("https://app.example/begin?x=1", true, true),
        ("http://127.0.0.1:3000/begin", true, false),
        ("http://app.example/begin", false, false),
        ("https://app.example/begin?iss=https://other.example", false, false),
        ("javascript:alert(1)", false, false),
    ] {
        for (signet, expected) in [(&near, in_development), (&far, elsewhere)] {
            let members = json!({ "initiate_login_uri": uri });
            let spec = ClientSpec::confidential().with_metadata(&members);
            let arguments = spec.arguments();
            let output = signet.cli(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.success(), expected, "{uri}: {said}");
            if expected {
                let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
                let id = flow::member(&made, "client_id");
                let told = signet.cli_json(&["client", "show", id, "--json"], "").await;
                assert_eq!(told["initiate_login_uri"], uri, "{told}");
            } else {
                assert!(said.contains("se an https address") || said.contains("Leave iss out"), "{uri}: {said}");
            }
        }
    }
}

/// R-68a, OIDC Core §4: from the start page into an application, which asks for a sign-in, and the person arrives there with
/// a code and without another question.
#[tokio::test]
async fn a_person_starts_an_application() {
    let signet = Signet::start(Database::Postgres).await;
    let (app, ada) = (Hosted::start(), signet.user("ada").await);
    let spec = ClientSpec {
        name: "Meadow".to_owned(),
        redirect_uris: vec![app.url("/callback")],
        first_party: true,
        ..ClientSpec::confidential()
    };
    let members = json!({ "initiate_login_uri": app.url("/begin?tenant=7") });
    let client = signet.client(spec.with_metadata(&members)).await;
    let request = AuthRequest::new(&client);
    app.answer("/begin", &format!("302 Found\r\nLocation: {}", request.url(&signet)), "");

    let mut browser = signed_in(&signet, &ada).await;
    let found = entries(&browser.get("/").await.page().body);
    let [entry] = &found[..] else { panic!("{found:?}") };
    let url = Url::parse(&entry.href).expect("an address");
    let query: Vec<_> = url.query_pairs().into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        query,
        [pair("tenant", "7"), pair("iss", signet.issuer())],
        "the query is kept, and the issuer is named"
    );
    // The application finds out whom to ask by `iss`.
    let discovery = format!("{}/.well-known/openid-configuration", query[1].1);
    let told = flow::granted(signet.http().get(discovery).send().await.expect("an answer")).await;
    assert!(request.url(&signet).as_str().starts_with(flow::member(&told, "authorization_endpoint")));
    let begun = signet.http().get(url).send().await.expect("an answer");
    assert_eq!((begun.status().as_u16(), app.hits("/begin")), (302, 1));

    let callback = browser.get(header(&begun, "location")).await.left();
    assert!(callback.as_str().starts_with(&app.url("/callback")), "{callback}");
    assert_eq!(flow::parameter(&callback, "state").as_deref(), Some(request.get("state")));
    let code = flow::parameter(&callback, "code").expect("a code");
    let tokens = flow::granted(flow::exchange(&signet, &client, &code, &request.verifier).await).await;
    let claims = flow::jwt_payload(flow::member(&tokens, "id_token"));
    assert_eq!((&claims["iss"], &claims["nonce"]), (&json!(signet.issuer()), &json!(request.get("nonce"))));
    let person = flow::granted(flow::userinfo(&signet, flow::member(&tokens, "access_token")).await).await;
    assert_eq!(person["email"], json!(ada.email));
}

/// R-68a: a long list is bounded, and what the person may not use takes no place in it.
#[tokio::test]
async fn a_long_list_is_bounded() {
    let signet = Signet::start(Database::Postgres).await;
    let ada = signet.user("ada").await;
    for (names, members) in [
        ("Another", json!({ "initiate_login_uri": BEGIN, "access_roles": ["admin"] })),
        ("Open", json!({ "initiate_login_uri": BEGIN })),
    ] {
        let clients = "INSERT INTO clients (realm_id, client_id, name, source, auth_method, redirect_uris, \
                       post_logout_redirect_uris, grant_types, response_types, scopes, first_party, application_type, \
                       policy, metadata, created_at, updated_at) SELECT (SELECT min(id) FROM realms), $1 || n, \
                       $1 || ' ' || lpad(n::text, 3, '0'), 'admin', 'none', '{}', '{}', '{authorization_code}', '{code}', \
                       '{openid}', false, 'web', '{}', $2::jsonb, now(), now() FROM generate_series(1, 120) AS n";
        let clients = diesel::sql_query(clients)
            .bind::<diesel::sql_types::Text, _>(names)
            .bind::<diesel::sql_types::Text, _>(members.to_string());
        assert_eq!(diesel::RunQueryDsl::execute(clients, &mut signet.database()).expect("clients"), 120);
    }
    let page = signed_in(&signet, &ada).await.get("/").await.page();
    let found = names(&page.body);
    assert_eq!((found.len(), &*found[0], &*found[99]), (100, "Open 001", "Open 100"));
    assert!((1..=5).contains(&flow::statements(&page.headers)), "{}", flow::statements(&page.headers));
}
