//! `GET` and `POST /select-account`: the person goes on with the account that is signed in, or takes another (protocol A7).

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::interaction::Refusal;

use super::{
    PageError, answer, html,
    interact::{self, Decision},
    see_other, sign_in,
    view::{Page, SelectAccount},
};
use crate::{app::App, call, entropy};

/// Shows the choice. Who is not signed in any more has none.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let Some(held) = interact::open(&app, &http, &params).await? else { return Ok(see_other("/")) };
        let now = entropy::now();
        let idle = now + app.realm().policy.session_idle;
        let session = match app.cookies.session(&http) {
            Some(handle) => app.store.transaction(move |tx| tx.session(&handle.digest(), now, idle)).await?,
            None => None,
        };
        let Some(session) = session else { return Ok(sign_in(&app, &http, &held.href("/signin"))) };
        let Some(browser) = app.cookies.browser(&http) else { return Err(Refusal::OtherBrowser.into()) };
        html(&SelectAccount {
            page: Page::plain("Choose an account", &app.issuer_host),
            csrf: Decision::Continue.token(&app.csrf_key, &browser, &held.interaction, &session),
            interaction: held.sealed.clone(),
            client_name: held.client_name(),
            account: session.username,
            switch_href: held.href("/signin"),
        })
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

/// `continue` goes on as who is signed in.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = interact::answered(&app, &http, payload, &[Decision::Continue]).await;
    answer(result, &app, &http)
}
