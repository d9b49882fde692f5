//! `GET` and `POST /no-access`: an application is for people with certain roles, and this person has none of them.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{
    OAuthError, Outcome, Params, authorize,
    interaction::{Interaction, Refusal},
    subject::Session,
};
use signet_storage::Apply;

use super::{
    PageError, answer, html,
    interact::{self, Held, PARAMETER, leave},
    see_other,
    view::{NoAccess, Page},
};
use crate::{
    app::App,
    call, entropy,
    guard::csrf::{self, Forged},
};

/// What a post is bound to: the interaction, and the session and account that saw the page.
fn purpose(interaction: &Interaction, session: &Session) -> [Vec<u8>; 4] {
    [
        b"no-access".to_vec(),
        interaction.id.0.as_bytes().to_vec(),
        session.id.0.as_bytes().to_vec(),
        session.account.id.0.as_bytes().to_vec(),
    ]
}

fn parts(purpose: &[Vec<u8>; 4]) -> Vec<&[u8]> {
    purpose.iter().map(Vec::as_slice).collect()
}

/// Says it. Who was given a role meanwhile goes on.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let Some(held) = interact::open(&app, &http, &params).await? else { return Ok(see_other("/")) };
        let Some(handle) = app.cookies.session(&http) else { return Ok(see_other(&held.href("/signin"))) };
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
        let Some((session, admitted)) = found else { return Ok(see_other(&held.href("/signin"))) };
        if admitted {
            return Ok(see_other(&held.href("/continue")));
        }
        let Some(browser) = app.cookies.browser(&http) else { return Err(Refusal::OtherBrowser.into()) };
        let purpose = purpose(&held.interaction, &session);
        html(&NoAccess {
            page: Page::plain("No access", &app.issuer_host),
            csrf: csrf::token(&app.csrf_key, &browser, &parts(&purpose)),
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
    let result = async {
        csrf::check_site(&http, &app.realm().issuer)?;
        let params = call::read(&http, payload).await?.params;
        params.refuse_repeated(&["decision", "csrf", PARAMETER]).map_err(PageError::Parameter)?;
        let Some(held) = interact::open(&app, &http, &params).await? else { return Err(Refusal::Invalid.into()) };
        if params.get("decision") != Some("back") {
            return Err(PageError::Parameter(OAuthError::invalid_request("decision must be back")));
        }
        back(&app, &http, &params, held).await
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

/// What a post came to.
enum Done {
    SignedOut,
    Forged,
    Completed,
    Refused(OAuthError),
}

async fn back(app: &Data<App>, http: &HttpRequest, params: &Params, held: Held) -> Result<HttpResponse, PageError> {
    let signin = held.href("/signin");
    let Some(handle) = app.cookies.session(http) else { return Ok(see_other(&signin)) };
    let (sent, known) = (params.get("csrf").map(str::to_owned), app.cookies.browser(http));
    let delivery = held.interaction.request.delivery(&app.realm());
    let (mut turn, origin) = (entropy::turn()?, call::origin(http));
    let shared = app.clone();
    let done = app
        .store
        .transaction(move |tx| {
            let now = turn.now();
            let session = tx.session(&handle.digest(), now, now + shared.realm().policy.session_idle)?;
            let Some(session) = session else { return Ok(Done::SignedOut) };
            let purpose = purpose(&held.interaction, &session);
            if csrf::check(&shared.csrf_key, known.as_ref(), &parts(&purpose), sent.as_deref()).is_err() {
                return Ok(Done::Forged);
            }
            let Outcome { changes, verdict } =
                authorize::turned_away(held.interaction.id, held.interaction.expires, &held.interaction.request);
            let applied = tx.apply(changes, &mut turn, &origin)?;
            Ok(match (applied, verdict) {
                (Ok(()), Err(error)) => Done::Refused(error),
                _ => Done::Completed,
            })
        })
        .await?;
    match done {
        Done::SignedOut => Ok(see_other(&signin)),
        Done::Forged => Err(Forged.into()),
        Done::Completed => Err(Refusal::Completed.into()),
        Done::Refused(error) => leave(app, http, delivery.error(&error)),
    }
}
