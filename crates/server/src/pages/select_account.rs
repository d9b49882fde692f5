//! `GET` and `POST /select-account`: the person goes on with the account that is signed in, or takes another (protocol A7).

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{OAuthError, interaction::Refusal};

use super::{
    PageError, answer, html,
    interact::{self, Answer, Decision, PARAMETER, Step, proceed},
    see_other,
    view::{Page, SelectAccount},
};
use crate::{app::App, call, entropy, guard::csrf};

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
        let Some(session) = session else { return Ok(see_other(&held.href("/signin"))) };
        let Some(browser) = app.cookies.browser(&http) else { return Err(Refusal::OtherBrowser.into()) };
        let purpose = Decision::Continue.purpose(&held.interaction, &session);
        let parts: Vec<&[u8]> = purpose.iter().map(Vec::as_slice).collect();
        html(&SelectAccount {
            page: Page::plain("Choose an account", &app.issuer_host),
            csrf: csrf::token(&app.csrf_key, &browser, &parts),
            interaction: held.sealed.clone(),
            client_name: held.client.name.clone(),
            account: session.username,
            switch_href: held.href("/signin"),
        })
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

/// `continue` goes on as who is signed in.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        csrf::check_site(&http, &app.realm().issuer)?;
        let params = call::read(&http, payload).await?.params;
        params.refuse_repeated(&["decision", "csrf", PARAMETER]).map_err(PageError::Parameter)?;
        let Some(held) = interact::open(&app, &http, &params).await? else { return Err(Refusal::Invalid.into()) };
        if params.get("decision") != Some("continue") {
            return Err(PageError::Parameter(OAuthError::invalid_request("decision must be continue")));
        }
        let Some(token) = params.get("csrf").map(str::to_owned) else { return Err(csrf::Forged.into()) };
        let request = held.interaction.request.clone();
        let answer = Answer { decision: Decision::Continue, token };
        proceed(&app, &http, (request, held.client), Step::Answered(held.interaction, held.sealed, answer)).await
    };
    let result = result.await;
    answer(result, &app, &http)
}
