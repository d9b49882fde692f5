//! `GET` and `POST /signin/link`: signs somebody in once, by a link that an operator made (R-69a).
//!
//! The code stands in the fragment of the link, which browsers do not send: so it is in no log and no `Referer`, and a
//! mail scanner that opens the link does not spend it. A script moves it into the form; without scripts it is pasted.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Payload},
};
use signet_identity::{SessionId, UserId, login};
use signet_mfa::{Acr, Amr, Enrolment, NextStep, next_step};
use signet_oidc::secret::Secret;
use signet_storage::Apply;

use super::{
    PageError, answer, html, html_status, see_other,
    signin::browser,
    view::{LinkSignIn, Page},
};
use crate::{
    app::App,
    call, entropy,
    guard::{csrf, rate_limits::Limit},
    telemetry::metrics,
};

const PURPOSE: &[&[u8]] = &[b"signin-link"];

/// Shows the form. The link is not spent.
pub async fn get(app: Data<App>, http: HttpRequest) -> HttpResponse {
    let result = show(&app, &http, None);
    answer(result, &app, &http)
}

/// `GET /assets/link.js`.
pub async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(include_str!("../../assets/link.js"))
}

fn show(app: &App, http: &HttpRequest, error: Option<String>) -> Result<HttpResponse, PageError> {
    let (browser, fresh) = browser(app, http)?;
    let view = LinkSignIn {
        page: Page::plain("Sign in by link", &app.issuer_host),
        csrf: csrf::token(&app.csrf_key, &browser, PURPOSE),
        error,
    };
    let mut response = if view.error.is_some() { html_status(&view, 401) } else { html(&view)? };
    if fresh {
        let _ = response.add_cookie(&app.cookies.set_browser(&browser));
    }
    Ok(response)
}

/// Spends the link and starts the session.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        csrf::check_site(&http, &app.realm().issuer)?;
        let params = call::read(&http, payload).await?.params;
        let known = app.cookies.browser(&http);
        csrf::check(&app.csrf_key, known.as_ref(), PURPOSE, params.get("csrf"))?;
        app.limit(Limit::SignIn, &http).await?;
        params.refuse_repeated(&["code", "csrf"]).map_err(PageError::Parameter)?;
        let code = Secret::new(params.get("code").unwrap_or_default().trim());
        let signed_in = sign_in(&app, &http, code).await?;
        metrics::signed_in(signed_in.is_ok());
        match signed_in {
            Ok(handle) => {
                let mut response = see_other("/");
                app.cookies.signed_in(&mut response, &handle);
                // The session of somebody else may have ended by it.
                app.deliveries.wake();
                Ok(response)
            }
            Err(refused) => show(&app, &http, Some(refused.to_string())),
        }
    };
    let result = result.await;
    answer(result, &app, &http)
}

/// One transaction: loading the link is spending it.
async fn sign_in(
    app: &Data<App>,
    http: &HttpRequest,
    code: Secret,
) -> Result<Result<Secret, login::LinkRefused>, PageError> {
    let mut turn = entropy::turn()?;
    let previous = app.cookies.session(http).map(|handle| *handle.digest().as_bytes());
    let origin = call::origin(http);
    let policy = app.realm().policy.clone();
    let answer = app
        .store
        .transaction(move |tx| {
            let now = turn.now();
            let user = tx.spend_sign_in_link(&code.digest(), now)?;
            let again = match user {
                Some(user) => tx.credential_again(user, previous, now)?,
                None => None,
            };
            let generation = again.as_ref().map_or(0, |(credential, _)| credential.generation);
            let previous = again.and_then(|(_, previous)| previous);
            let handle = turn.secret();
            let step = user.map(|user: UserId| next_step(user, Enrolment::None, &[Amr::Link]));
            let (acr, amr) = match step {
                Some(NextStep::Done { acr, amr }) => (acr, amr),
                Some(NextStep::Factor { .. }) | None => (Acr::Single, vec![Amr::Link]),
            };
            let fresh = login::Fresh {
                session: SessionId(turn.uuid()),
                handle: *handle.digest().as_bytes(),
                now,
                idle_expires: now + policy.session_idle,
                expires: now + policy.session_absolute,
                generation,
                acr: acr.as_str(),
                amr: amr.iter().map(|method| method.as_str().to_owned()).collect(),
            };
            let previous = previous.map(|(session, owner)| (SessionId(session.0), owner));
            let (changes, verdict) = login::decide_link(user, previous, fresh);
            let _ = tx.apply(changes, &mut turn, &origin)?;
            Ok(verdict.map(|_| handle))
        })
        .await?;
    Ok(answer)
}
