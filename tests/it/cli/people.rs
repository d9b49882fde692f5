//! `signet user …` and `signet role …`.

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _};
use reqwest::StatusCode;
use serde_json::Value;

use crate::scene::{Scene, admin};
use crate::support::prelude::*;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// How many audit rows meet a condition.
fn audited(signet: &Signet, condition: &str) -> i64 {
    let query = format!("SELECT count(*) AS n FROM audit LEFT JOIN audit_personal ON audit_id = id WHERE {condition}");
    let found: Count = diesel::sql_query(query).get_result(&mut signet.database()).expect("a count");
    found.n
}

/// Exit code and, for scripts, `error` of a command that must not succeed.
async fn refused(signet: &Signet, arguments: &[&str]) -> (i32, String) {
    let output = signet.cli(&[arguments, &["--json"]].concat()).await;
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().expect("an exit code"), json["error"].as_str().unwrap_or_default().to_owned())
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|one| one.as_str().expect("text")).collect()
}

/// Status and page of a sign-in.
async fn try_sign_in(signet: &Signet, user: &User) -> (StatusCode, String) {
    let mut browser = Browser::new(signet);
    let page = browser.get("/signin").await.page();
    let page = flow::sign_in(&mut browser, &page, user).await.page();
    (page.status, page.body)
}

/// locking ends sessions, grants of offline access and tokens; the answer of the sign-in page is that of a
/// wrong password; after unlocking what ended stays ended. On both databases, while serving.
#[tokio::test]
async fn locking_ends_everything() {
    for database in [Database::Postgres, Database::Embedded] {
        let scene = Scene::on(database, ClientSpec::confidential()).await;
        let ada = scene.signet.user("ada").await;
        let scene = Scene { user: ada.clone(), ..scene };
        let mut browser = scene.browser();
        let offline = scene.request().with("scope", "openid profile email offline_access").and("prompt", "consent");
        let tokens = scene.grant(&mut browser, &offline).await;
        assert!(scene.accepts(&tokens).await);

        let locked =
            scene.signet.cli_json(&["user", "lock", "ADA", "--reason", "left the company", "--json"], "").await;
        assert_eq!((&locked["state"], &locked["reason"]), (&"locked".into(), &"left the company".into()));
        eventually(PATIENCE, "the token is refused", async || (!scene.accepts(&tokens).await).then_some(())).await;
        let refresh = || async { flow::refused(scene.refresh(&tokens).await).await };
        assert_eq!(refresh().await, (400, "invalid_grant".to_owned()));
        let home = browser.get("/").await.page();
        assert!(!home.body.contains("ada@people.test"), "the session is over");
        let wrong = User { password: "Wrong-Password-1!".to_owned(), ..ada.clone() };
        let (status, page) = try_sign_in(&scene.signet, &ada).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let plain = |page: &str| page.lines().filter(|line| !line.contains("csrf")).collect::<Vec<_>>().join("\n");
        assert_eq!(plain(&page), plain(&try_sign_in(&scene.signet, &wrong).await.1), "no oracle");

        // A second time changes nothing.
        scene.signet.cli_json(&["user", "lock", "ada", "--json"], "").await;
        let unlocked = scene.signet.cli_json(&["user", "unlock", "ada", "--json"], "").await;
        assert_eq!((&unlocked["state"], &unlocked["reason"]), (&"active".into(), &Value::Null));
        assert_eq!(try_sign_in(&scene.signet, &ada).await.0, StatusCode::OK);
        // On PostgreSQL the command is another process, whose news travels.
        eventually(PATIENCE, "the token stays over", async || (!scene.accepts(&tokens).await).then_some(())).await;
        assert_eq!(refresh().await, (400, "invalid_grant".to_owned()));
        assert!(scene.accepts(&scene.tokens().await).await);
    }
}

/// each act leaves one row that names the operator and the account; the reason is in the part that can be erased.
#[tokio::test]
async fn acts_on_accounts_leave_one_row_each() {
    let signet = Signet::start(Database::Postgres).await;
    signet.user("ada").await;
    for arguments in [
        &["user", "lock", "ada", "--reason", "away"][..],
        &["user", "lock", "ada"],
        &["user", "unlock", "ada"],
        &["user", "unlock", "ada"],
        &["user", "set-password", "ada"],
        &["user", "make-admin", "ada"],
        &["user", "make-admin", "ada"],
        &["user", "sign-in-link", "ada"],
    ] {
        let output = signet.cli(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    let of_ada = "subject_user = (SELECT id FROM users WHERE username = 'ada')";
    let by_operator = "actor_kind = 'operator' AND operator LIKE 'uid:%' AND result = 'success'";
    for event in [
        "account.created",
        "account.locked",
        "account.unlocked",
        "account.password_set",
        "role.assigned",
        "sign_in_link.issued",
    ] {
        assert_eq!(audited(&signet, &format!("event = '{event}' AND {of_ada} AND {by_operator}")), 1, "{event}");
        assert_eq!(audited(&signet, &format!("event = '{event}' AND detail IS NULL")), 1, "{event}");
    }
    assert_eq!(audited(&signet, "event = 'account.locked' AND typed = 'away'"), 1);
    assert_eq!(audited(&signet, "event = 'role.assigned' AND object = 'role:admin'"), 1);
}

/// a password set by an operator ends everything; the old one is of no use, the new one signs in.
#[tokio::test]
async fn a_set_password_ends_everything() {
    let scene = Scene::start().await;
    let ada = scene.signet.user("ada").await;
    let scene = Scene { user: ada.clone(), ..scene };
    let offline = scene.request().with("scope", "openid profile email offline_access").and("prompt", "consent");
    let tokens = scene.grant(&mut scene.browser(), &offline).await;
    let set = ["user", "set-password", "ada", "--password-stdin", "--json"];
    let answer = scene.signet.cli_json(&set, "Lantern-Harbour-58?\n").await;
    assert!(answer.get("password").is_none(), "what was given is not shown: {answer}");
    eventually(PATIENCE, "the token is refused", async || (!scene.accepts(&tokens).await).then_some(())).await;
    assert_eq!(flow::refused(scene.refresh(&tokens).await).await, (400, "invalid_grant".to_owned()));
    assert_eq!(try_sign_in(&scene.signet, &ada).await.0, StatusCode::UNAUTHORIZED);
    let renewed = User { password: "Lantern-Harbour-58?".to_owned(), ..ada.clone() };
    assert_eq!(try_sign_in(&scene.signet, &renewed).await.0, StatusCode::OK);

    let made = scene.signet.cli_json(&["user", "set-password", &ada.email, "--json"], "").await;
    let made = User { password: flow::member(&made, "password").to_owned(), ..ada };
    assert_eq!(try_sign_in(&scene.signet, &made).await.0, StatusCode::OK);
    let output = scene.signet.cli_with_input(&["user", "set-password", "ada", "--password-stdin"], "ada").await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let output = scene.signet.cli(&["user", "set-password", "ada", "--password", "Lantern-Harbour-58?"]).await;
    assert_eq!(output.status.code(), Some(2), "a password is no argument: {output:?}");
}

/// the last administrator can be neither locked nor stripped of the role, whichever way.
#[tokio::test]
async fn the_last_administrator_stays() {
    for database in [Database::Postgres, Database::Embedded] {
        let signet = Signet::start(database).await;
        signet.user("ada").await;
        let last = (1, "last_administrator".to_owned());
        let remove_admin = ["role", "remove", "admin", "--user", "admin"];
        assert_eq!(refused(&signet, &["user", "lock", "admin"]).await, last);
        assert_eq!(refused(&signet, &remove_admin).await, last);

        // By a role of one's own that inherits from it.
        signet.cli_json(&["role", "create", "owner", "--parent", "admin", "--json"], "").await;
        let held = signet.cli_json(&["role", "assign", "owner", "--user", "ada", "--json"], "").await;
        assert_eq!(texts(&held["roles"]), ["owner", "user"]);
        signet.cli_json(&[&remove_admin[..], &["--json"]].concat(), "").await;
        assert_eq!(refused(&signet, &["user", "lock", "ada"]).await, last);
        assert_eq!(refused(&signet, &["role", "delete", "owner", "--yes"]).await, last);
        assert_eq!(refused(&signet, &["role", "update", "owner", "--parent", "user"]).await, last);
        assert_eq!(refused(&signet, &["role", "update", "owner", "--clear", "parents"]).await, last);

        // An administrator who is locked does not count.
        signet.cli_json(&["user", "make-admin", "admin", "--json"], "").await;
        signet.cli_json(&["user", "lock", "ada", "--json"], "").await;
        assert_eq!(refused(&signet, &remove_admin).await, last);
        assert!(try_sign_in(&signet, &admin()).await.0.is_success());
    }
}

/// two removals at the same moment leave one administrator.
#[tokio::test]
async fn removals_at_the_same_moment_leave_an_administrator() {
    let signet = Signet::start(Database::Postgres).await;
    signet.user("ada").await;
    for _ in 0..3 {
        for name in ["admin", "ada"] {
            signet.cli_json(&["user", "unlock", name, "--json"], "").await;
            signet.cli_json(&["user", "make-admin", name, "--json"], "").await;
        }
        let (one, other) = tokio::join!(
            signet.cli(&["role", "remove", "admin", "--user", "admin", "--json"]),
            signet.cli(&["user", "lock", "ada", "--json"]),
        );
        let done = [&one, &other].into_iter().filter(|output| output.status.success()).count();
        assert_eq!(done, 1, "{one:?}\n{other:?}");
    }
}

/// roles are made, inherit, are changed, given to people and services, and go; cycles and
/// nonsense are refused, built-in roles stay; each change leaves one row.
#[tokio::test]
async fn roles_are_made_changed_and_deleted() {
    let signet = Signet::start(Database::Postgres).await;
    let client = signet.client(ClientSpec::confidential()).await;
    signet.user("ada").await;
    let json = async |arguments: &[&str]| signet.cli_json(&[arguments, &["--json"]].concat(), "").await;
    let create = ["role", "create", "support", "--parent", "moderator", "--permission", "ticket:*"];
    let made =
        json(&[&create[..], &["--permission", "invoice/42:read", "--description", "The help desk"]].concat()).await;
    assert_eq!(texts(&made["permissions"]), ["invoice/42:read", "ticket:*"]);
    let allowed = texts(&made["effective_permissions"]);
    assert!(allowed.contains(&"user:lock") && allowed.contains(&"account:read"), "{allowed:?}");
    json(&["role", "create", "lead", "--parent", "support"]).await;

    for (arguments, expected) in [
        (&["role", "update", "moderator", "--parent", "lead"][..], (1, "role_cycle")),
        (&["role", "update", "support", "--parent", "support"], (1, "role_cycle")),
        (&["role", "update", "admin", "--permission", "user:read"], (1, "role_admin_fixed")),
        (&["role", "delete", "user", "--yes"], (1, "role_built_in")),
        (&["role", "delete", "support", "--yes"], (1, "role_inherited")),
        (&["role", "delete", "lead"], (5, "unconfirmed")),
        (&["role", "create", "support"], (1, "role_exists")),
        (&["role", "create", "Support"], (1, "invalid_role_name")),
        (&["role", "create", "x", "--parent", "nobody"], (1, "role_unknown")),
        (&["role", "create", "x", "--permission", "invoice"], (1, "invalid_permission")),
        (&["role", "show", "nobody"], (4, "role_unknown")),
        (&["role", "assign", "lead", "--user", "nobody"], (4, "user_unknown")),
        (&["role", "assign", "lead", "--client", "nobody"], (4, "client_unknown")),
        (&["role", "assign", "lead"], (2, "usage")),
    ] {
        assert_eq!(refused(&signet, arguments).await, (expected.0, expected.1.to_owned()), "{arguments:?}");
    }

    let held = json(&["role", "assign", "lead", "--user", "ada@people.test"]).await;
    assert!(texts(&held["effective_permissions"]).contains(&"ticket:*"), "{held}");
    assert_eq!(json(&["role", "assign", "lead", "--user", "ada"]).await["changed"], false);
    json(&["role", "assign", "support", "--client", &client.id]).await;
    let detail = json(&["role", "show", "lead"]).await;
    assert_eq!((&detail["users"], &detail["clients"]), (&1.into(), &0.into()));
    let changed = json(&["role", "update", "support", "--permission", "ticket:read"]).await;
    assert_eq!(texts(&changed["parents"]), ["moderator"], "what is not named stays");
    json(&["role", "update", "support", "--permission", "ticket:read"]).await;
    let shown = json(&["user", "show", "ada"]).await;
    assert!(texts(&shown["effective_permissions"]).contains(&"ticket:read"), "{shown}");
    json(&["role", "remove", "support", "--client", &client.id]).await;
    json(&["role", "delete", "lead", "--yes"]).await;
    assert_eq!(texts(&json(&["user", "show", "ada"]).await["roles"]), ["user"]);
    let names: Vec<String> =
        json(&["role", "list"]).await.as_array().expect("a list").iter().map(|role| role["name"].to_string()).collect();
    assert_eq!(names, ["\"admin\"", "\"moderator\"", "\"support\"", "\"user\""]);

    for (event, object, rows) in [
        ("role.created", "support", 1),
        ("role.created", "lead", 1),
        ("role.updated", "support", 1),
        ("role.updated", "moderator", 0),
        ("role.assigned", "lead", 1),
        ("role.assigned", "support", 1),
        ("role.removed", "support", 1),
        ("role.deleted", "lead", 1),
    ] {
        let condition = format!("event = '{event}' AND object = 'role:{object}' AND actor_kind = 'operator'");
        assert_eq!(audited(&signet, &condition), rows, "{event} {object}");
    }
    assert_eq!(audited(&signet, "event = 'role.assigned' AND client_key IS NOT NULL AND subject_user IS NULL"), 1);
}

/// accounts are listed in pages, searched by what their names begin with, and shown without secrets.
#[tokio::test]
async fn accounts_are_listed_and_shown() {
    let signet = Signet::start(Database::Postgres).await;
    for name in ["ada", "adam", "a_b", "bob"] {
        signet.user(name).await;
    }
    let names = async |arguments: &[&str]| {
        let page = signet.cli_json(&[&["user", "list", "--json"], arguments].concat(), "").await;
        let items = page["items"].as_array().expect("a list").clone();
        let names: Vec<String> = items.iter().map(|user| flow::member(user, "username").to_owned()).collect();
        (names, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(names(&[]).await, (["a_b", "ada", "adam", "admin", "bob"].map(str::to_owned).to_vec(), None));
    let (first, next) = names(&["--limit", "2"]).await;
    assert_eq!((first.len(), next.as_deref()), (2, Some("ada")));
    assert_eq!(names(&["--limit", "2", "--after", "ada"]).await.0, ["adam", "admin"]);
    assert_eq!(names(&["--search", "ADA"]).await.0, ["ada", "adam"]);
    assert_eq!(names(&["--search", "adam@people"]).await.0, ["adam"]);
    assert_eq!(names(&["--search", "a_"]).await.0, ["a_b"], "a search is text, not a pattern");
    assert_eq!(names(&["--search", "%"]).await.0, [""; 0]);
    signet.cli_json(&["user", "lock", "bob", "--json"], "").await;
    assert_eq!(names(&["--state", "locked"]).await.0, ["bob"]);
    assert_eq!(refused(&signet, &["user", "list", "--state", "asleep"]).await, (1, "invalid_state".to_owned()));

    let shown = signet.cli_json(&["user", "show", "ada", "--json"], "").await;
    assert!(!shown.to_string().contains("argon2"), "{shown}");
    let by_id = signet.cli_json(&["user", "show", flow::member(&shown, "id"), "--json"], "").await;
    assert_eq!(by_id, shown);
    assert_eq!(refused(&signet, &["user", "show", "nobody"]).await, (4, "user_unknown".to_owned()));
    assert_eq!(refused(&signet, &["user", "show", "00000000-0000-0000-0000-000000000000"]).await.0, 4);
}

/// A page of the browser after the code of a link was posted.
async fn use_link(browser: &mut Browser, link: &Value) -> Page {
    // The fragment stays in the browser.
    let page = browser.get("/signin/link").await.page();
    browser.submit(&page, &[("code", flow::member(link, "code"))]).await.page()
}

/// R-69a: a sign-in link signs in once, and not by being opened; not after the account was locked; and not without the
/// form of this browser. The secret is in no URL that reaches the server.
#[tokio::test]
async fn a_sign_in_link_signs_in_once() {
    for database in [Database::Postgres, Database::Embedded] {
        let signet = Signet::start(database.clone()).await;
        signet.user("ada").await;
        let link = signet.cli_json(&["user", "sign-in-link", "ada", "--json"], "").await;
        let url = flow::member(&link, "url");
        assert_eq!(url, format!("{}#{}", signet.url("/signin/link"), flow::member(&link, "code")));

        // Opening it, as a mail scanner does, spends nothing.
        for _ in 0..2 {
            assert_eq!(Browser::new(&signet).get("/signin/link").await.page().status, StatusCode::OK);
        }
        let forged = signet.http().post(signet.url("/signin/link")).form(&[("code", flow::member(&link, "code"))]);
        assert_eq!(forged.send().await.expect("an answer").status(), StatusCode::FORBIDDEN);

        let mut browser = Browser::new(&signet);
        let home = use_link(&mut browser, &link).await;
        assert!(home.status.is_success() && home.body.contains("ada@people.test"), "{}", home.body);
        let mut second = Browser::new(&signet);
        let again = use_link(&mut second, &link).await;
        assert_eq!(again.status, StatusCode::UNAUTHORIZED);
        assert!(!second.get("/").await.page().body.contains("ada@people.test"));

        let unused = signet.cli_json(&["user", "sign-in-link", "ada", "--json"], "").await;
        signet.cli_json(&["user", "lock", "ada", "--json"], "").await;
        assert_eq!(refused(&signet, &["user", "sign-in-link", "ada"]).await, (1, "account_not_active".to_owned()));
        assert_eq!(use_link(&mut Browser::new(&signet), &unused).await.status, StatusCode::UNAUTHORIZED);
        signet.cli_json(&["user", "unlock", "ada", "--json"], "").await;
        assert_eq!(use_link(&mut Browser::new(&signet), &unused).await.status, StatusCode::UNAUTHORIZED);

        if matches!(database, Database::Postgres) {
            let late = signet.cli_json(&["user", "sign-in-link", "ada", "--minutes", "1", "--json"], "").await;
            diesel::sql_query("UPDATE sign_in_links SET expires_at = now() - interval '1 second'")
                .execute(&mut signet.database())
                .expect("a statement");
            assert_eq!(use_link(&mut Browser::new(&signet), &late).await.status, StatusCode::UNAUTHORIZED);
            assert_eq!(audited(&signet, "event = 'sign_in_link.used' AND result = 'success'"), 1);
            assert_eq!(audited(&signet, "event = 'sign_in_link.refused' AND result = 'refused'"), 4);
        }
    }
}

/// A16: what a person allowed applications is listed and withdrawn; what is not there is told.
#[tokio::test]
async fn consents_are_listed_and_withdrawn() {
    for database in [Database::Postgres, Database::Embedded] {
        let scene = Scene::on(database, ClientSpec::confidential()).await;
        let tokens = scene.tokens().await;
        let listed = scene.signet.cli_json(&["user", "consents", "admin", "--json"], "").await;
        let items = listed["items"].as_array().expect("items");
        assert_eq!(items.len(), 1, "{listed}");
        assert_eq!(
            (&items[0]["client_id"], &items[0]["scope"]),
            (&(*scene.client.id).into(), &"email openid profile".into())
        );
        let output = scene.signet.cli(&["user", "consents", "admin"]).await;
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.contains("Test application") && text.contains("since 20"), "{text}");

        let withdraw = ["user", "withdraw-consent", "admin", &scene.client.id];
        scene.signet.cli_json(&[&withdraw[..], &["--json"]].concat(), "").await;
        eventually(PATIENCE, "the token is refused", async || (!scene.accepts(&tokens).await).then_some(())).await;
        assert_eq!(flow::refused(scene.refresh(&tokens).await).await, (400, "invalid_grant".to_owned()));
        assert_eq!(refused(&scene.signet, &withdraw).await, (4, "consent_unknown".to_owned()));
        let nobody = ["user", "withdraw-consent", "nobody", &scene.client.id];
        assert_eq!(refused(&scene.signet, &nobody).await, (4, "user_unknown".to_owned()));
        let listed = scene.signet.cli_json(&["user", "consents", "admin", "--json"], "").await;
        assert_eq!(listed["items"], Value::Array(Vec::new()));
    }
}
