//! `GET /`.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use signet_identity::UserId;
use signet_oidc::{client::initiation, realm::Realm};
use signet_storage::startable::Startable;
use url::Url;

use super::{
    PageError, answer, html, language,
    signin::browser,
    view::{Home, HomeAccount, Launch, Page},
};
use crate::{
    app::App,
    entropy,
    guard::{access::Subject, csrf},
    oauth::logout,
};

/// How many applications are shown.
const SHOWN: i64 = 100;

/// Signed in: the person's applications, and the account. Signed out: sign-in.
pub async fn get(app: Data<App>, http: HttpRequest) -> HttpResponse {
    let result = async {
        let now = entropy::now();
        let idle = now + app.realm().policy.session_idle;
        let shared = app.clone();
        let found = match app.cookies.session(&http) {
            None => None,
            Some(handle) => {
                app.store
                    .transaction(move |tx| {
                        let Some(session) = tx.session(&handle.digest(), now, idle)? else { return Ok(None) };
                        let account = session.account.id;
                        let Some(summary) = tx.account_summary(account.0, now)? else { return Ok(None) };
                        let held = shared.held_within(tx, Subject::User(UserId(account.0)))?;
                        Ok(Some((summary, tx.startable(account, &held.roles, SHOWN)?)))
                    })
                    .await?
            }
        };
        let (browser, fresh) = browser(&app, &http)?;
        let wanted = language::wanted(&http, &[]);
        let nobody = found.is_none();
        let view = Home {
            page: Page::plain(if found.is_some() { "Your account" } else { "Sign in" }, &app.issuer_host),
            csrf: csrf::token(&app.csrf_key, &browser, logout::PURPOSE),
            account: found.map(|((username, email, sessions), startable)| HomeAccount {
                username,
                email,
                sessions: usize::try_from(sessions).unwrap_or_default(),
                applications: launches(startable, &wanted, &app.realm()),
            }),
            playground: app.realm().development,
        };
        let mut response = html(&view)?;
        if nobody {
            app.cookies.found_nobody(&http, &mut response);
        }
        if fresh {
            let _ = response.add_cookie(&app.cookies.set_browser(&browser));
        }
        Ok(response)
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

/// The applications as they are shown, by the names that people see. One whose address no browser is sent to is left out.
fn launches(startable: Vec<Startable>, languages: &[String], realm: &Realm) -> Vec<Launch> {
    let launch = |one: Startable| {
        let url = initiation(&one.initiate_login_uri, realm)?;
        let name = one.metadata.in_language("client_name", languages).unwrap_or(&one.name).to_owned();
        Some(Launch { initial: initial(&name), host: host(&url)?, href: url.into(), name })
    };
    let mut all: Vec<Launch> = startable.into_iter().filter_map(launch).collect();
    all.sort_by_cached_key(|one| one.name.to_lowercase());
    all
}

/// Host and port, as a browser shows them.
fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// The first letter or digit, large; empty where a name has none.
fn initial(name: &str) -> String {
    name.chars().find(|c| c.is_alphanumeric()).map(|c| c.to_uppercase().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use signet_oidc::{client::ClientMetadata, id::RealmId, policy::Policy};

    use super::*;

    fn realm() -> Realm {
        Realm {
            id: RealmId(1),
            issuer: "https://id.example".to_owned(),
            development: false,
            registration_open: false,
            clients_register: false,
            policy: Policy::default(),
        }
    }

    fn startable(name: &str, german: &str, uri: &str) -> Startable {
        let localized = [("client_name#de".to_owned(), german.to_owned())].into();
        Startable {
            client_id: name.to_owned(),
            name: name.to_owned(),
            initiate_login_uri: uri.to_owned(),
            metadata: ClientMetadata { localized, ..ClientMetadata::default() },
        }
    }

    /// R-68a, R4: by the name in the person's language, whatever the case; what no browser is sent to is not there.
    #[test]
    fn names_and_their_order() {
        let all = || {
            vec![
                startable("alpha", "Zeit", "https://a.example/begin"),
                startable("Beta", "Arbeit", "https://b.example:8443/?x=1"),
                startable("none", "keine", "javascript:alert(1)"),
                startable("near", "nah", "http://127.0.0.1/begin"),
            ]
        };
        for (languages, expected) in [
            (&[] as &[&str], [("alpha", "A", "a.example"), ("Beta", "B", "b.example:8443")]),
            (&["de-AT"], [("Arbeit", "A", "b.example:8443"), ("Zeit", "Z", "a.example")]),
        ] {
            let languages: Vec<String> = languages.iter().map(|&one| one.to_owned()).collect();
            let found = launches(all(), &languages, &realm());
            let found: Vec<_> = found.iter().map(|one| (&*one.name, &*one.initial, &*one.host)).collect();
            assert_eq!(found, expected, "{languages:?}");
        }
    }

    /// R-68a: what stands for a picture.
    #[test]
    fn initials() {
        for (name, expected) in
            [("meadow", "M"), ("“écrin”", "É"), ("3D", "3"), ("株式会社", "株"), ("✨", ""), ("", "")]
        {
            assert_eq!(initial(name), expected, "{name}");
        }
    }
}
