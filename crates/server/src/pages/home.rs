//! `GET /`.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use super::{
    PageError, answer, html,
    signin::browser,
    view::{Home, HomeAccount, Page},
};
use crate::{app::App, entropy, guard::csrf, oauth::logout};

/// Signed in: the account. Signed out: sign-in.
pub async fn get(app: Data<App>, http: HttpRequest) -> HttpResponse {
    let result = async {
        let now = entropy::now();
        let idle = now + app.realm().policy.session_idle;
        let account = match app.cookies.session(&http) {
            None => None,
            Some(handle) => {
                app.store
                    .transaction(move |tx| {
                        let Some(session) = tx.session(&handle.digest(), now, idle)? else { return Ok(None) };
                        tx.account_summary(session.account.id.0, now)
                    })
                    .await?
            }
        };
        let (browser, fresh) = browser(&app, &http)?;
        let view = Home {
            page: Page::plain(if account.is_some() { "Your account" } else { "Sign in" }, &app.issuer_host),
            csrf: csrf::token(&app.csrf_key, &browser, logout::PURPOSE),
            account: account.map(|(username, email, sessions)| HomeAccount {
                username,
                email,
                sessions: usize::try_from(sessions).unwrap_or_default(),
            }),
            playground: app.realm().development,
        };
        let mut response = html(&view)?;
        if fresh {
            let _ = response.add_cookie(&app.cookies.set_browser(&browser));
        }
        Ok(response)
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}
