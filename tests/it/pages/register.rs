//! `GET` and `POST /register`.

use reqwest::StatusCode;

use crate::scene::{Scene, admin};
use crate::support::cli::PASSWORD;
use crate::support::prelude::*;

/// a person registers on the way to an application, agrees, and the application gets the new account.
#[tokio::test]
async fn a_person_registers_on_the_way_to_an_application() {
    let scene = Scene::start().await;
    let mut browser = scene.browser();
    let request = scene.request();
    let page = browser.get(request.url(&scene.signet)).await.page();
    let link = page.url.as_str().replace("/signin?", "/register?");
    assert!(page.body.contains("/register?interaction="), "sign-in links to registration");
    let page = browser.get(link).await.page();
    let ada = User::named("Ada.L");
    let consent = flow::register(&mut browser, &page, &ada).await.page();
    let callback = browser.submit(&consent, &[("decision", "allow")]).await.left();
    let code = flow::parameter(&callback, "code").expect("a code");
    let tokens = flow::granted(scene.exchange(&code, &request.verifier).await).await;
    let claims = flow::granted(flow::userinfo(&scene.signet, flow::member(&tokens, "access_token")).await).await;
    assert_eq!((&claims["preferred_username"], &claims["email"]), (&"Ada.L".into(), &ada.email.into()));
    assert_eq!(claims["email_verified"], false);
}

/// every wrong field is named at once, what was typed is kept, the password is not.
#[tokio::test]
async fn every_wrong_field_is_named_and_nothing_typed_is_lost() {
    let signet = Signet::start(Database::Postgres).await;
    let mut browser = Browser::new(&signet);
    let page = browser.get("/register").await.page();
    let user = User { username: "-".to_owned(), email: "nobody".to_owned(), password: "short".to_owned() };
    let page = flow::register(&mut browser, &page, &user).await.page();
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["username", "email", "password"] {
        assert!(page.text(&format!("#{field}-error")).is_some_and(|text| !text.is_empty()), "{field}");
    }
    let form = page.form(&["username", "email", "password"]).expect("the form");
    assert_eq!((form.value("username"), form.value("email")), (Some("-"), Some("nobody")));
    assert_eq!(form.value("password"), Some(""));

    // a password that contains the name, and one beyond 1,024 bytes.
    for password in ["Lovelace-lovelace-1!", &"aB3!".repeat(257)] {
        let user = User { password: password.to_owned(), ..User::named("lovelace") };
        let page = flow::register(&mut browser, &page, &user).await.page();
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{password}");
        assert!(page.text("#password-error").is_some(), "{password}");
    }
    let home = flow::register(&mut browser, &page, &User::named("lovelace")).await.page();
    assert_eq!((home.status, home.url.path()), (StatusCode::OK, "/"));
}

/// username and email are unique whatever their case, also when two register at the same moment.
#[tokio::test]
async fn names_are_unique_whatever_their_case() {
    let signet = Signet::start(Database::Postgres).await;
    let taken = admin();
    for user in [
        User { username: "ADMIN".to_owned(), ..User::named("fresh") },
        User { email: taken.email.to_uppercase(), ..User::named("fresh") },
    ] {
        let mut browser = Browser::new(&signet);
        let page = browser.get("/register").await.page();
        let page = flow::register(&mut browser, &page, &user).await.page();
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{user:?}");
        assert!(browser.jar.get("signet").is_none());
    }
    let mut race = tokio::task::JoinSet::new();
    for number in 0..8 {
        let mut browser = Browser::new(&signet);
        let name = if number % 2 == 0 { "racer" } else { "RACER" };
        race.spawn(async move {
            let page = browser.get("/register").await.page();
            let page = flow::register(&mut browser, &page, &User::named(name)).await.page();
            page.status
        });
    }
    let statuses = race.join_all().await;
    let winners = statuses.iter().filter(|status| **status == StatusCode::OK).count();
    let losers = statuses.iter().filter(|status| **status == StatusCode::UNPROCESSABLE_ENTITY).count();
    assert_eq!((winners, losers), (1, 7), "{statuses:?}");
}

/// registration needs the form's token, that of this browser.
#[tokio::test]
async fn a_missing_or_foreign_token_is_refused() {
    let signet = Signet::start(Database::Postgres).await;
    let mut browser = Browser::new(&signet);
    let page = browser.get("/register").await.page();
    let fields = [("username", "newcomer"), ("email", "new@people.test"), ("password", PASSWORD)];
    let form = page.form(&["username", "email", "password"]).expect("the form").with(&fields);
    let foreign = Browser::new(&signet).get("/register").await.page();
    let foreign = foreign.form(&["csrf"]).expect("the form").value("csrf").expect("a token").to_owned();
    for bad in [form.clone().without("csrf"), form.clone().with(&[("csrf", &foreign)])] {
        assert_eq!(browser.send(bad).await.page().status, StatusCode::FORBIDDEN);
    }
    assert_eq!(browser.send(form).await.page().status, StatusCode::OK);
}

/// passwords are stored as Argon2id PHC strings and nowhere else.
#[tokio::test]
async fn passwords_are_stored_as_argon2id() {
    #[derive(diesel::QueryableByName)]
    struct Hash {
        #[diesel(sql_type = diesel::sql_types::Text)]
        password_hash: String,
    }
    let signet = Signet::start(Database::Postgres).await;
    let mut browser = Browser::new(&signet);
    let page = browser.get("/register").await.page();
    flow::register(&mut browser, &page, &User::named("hashed")).await.page();
    let query = diesel::sql_query("SELECT password_hash FROM users WHERE username = 'hashed'");
    let row: Hash = diesel::RunQueryDsl::get_result(query, &mut signet.database()).expect("the account");
    assert!(row.password_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", row.password_hash);
    assert!(!signet.output().contains(PASSWORD), "R-55: no password in the log");
}
