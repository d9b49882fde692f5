//! `GET` and `POST /no-access`: an application is for people with certain roles, and this person has none of them.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::interaction::Refusal;

use super::{
    PageError, answer, html,
    interact::{self, Decision},
    see_other, sign_in,
    view::{NoAccess, Page},
};
use crate::{app::App, call, entropy};

/// Says it. Who was given a role meanwhile goes on.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let Some(held) = interact::open(&app, &http, &params).await? else { return Ok(see_other("/")) };
        let Some(handle) = app.cookies.session(&http) else { return Ok(sign_in(&app, &http, &held.href("/signin"))) };
        let now = entropy::now();
        let idle = now + app.realm().policy.session_idle;
        let (shared, client) = (app.clone(), Arc::clone(&held.client));
        let found = app
            .store
            .transaction(move |tx| {
                let Some(session) = tx.session(&handle.digest(), now, idle)? else { return Ok(None) };
                let roles = shared.roles_for(tx, &client, session.account.id)?;
                Ok(Some((session, client.admits(&roles))))
            })
            .await?;
        let Some((session, admitted)) = found else { return Ok(sign_in(&app, &http, &held.href("/signin"))) };
        if admitted {
            return Ok(see_other(&held.href("/continue")));
        }
        let Some(browser) = app.cookies.browser(&http) else { return Err(Refusal::OtherBrowser.into()) };
        html(&NoAccess {
            page: Page::plain("No access", &app.issuer_host),
            csrf: Decision::Back.token(&app.csrf_key, &browser, &held.interaction, &session),
            interaction: held.sealed.clone(),
            client_name: held.client_name(),
            account: session.username,
            switch_href: held.href("/signin"),
        })
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

/// `back` sends `access_denied`.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = interact::answered(&app, &http, payload, &[Decision::Back]).await;
    answer(result, &app, &http)
}
