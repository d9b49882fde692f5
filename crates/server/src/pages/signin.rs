//! `GET` and `POST /signin`.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_identity::{
    login::{self, SignInRefused},
    password::Password,
};
use signet_oidc::secret::Secret;
use signet_storage::Apply;

use super::{
    PageError, answer, html, html_status,
    interact::{self, Held, PARAMETER, href},
    said::{said, with_logo},
    see_other,
    view::{Page, SignIn},
};
use crate::{
    app::App,
    call, entropy,
    guard::{csrf, rate_limits::Limit},
    telemetry::metrics,
};

const PURPOSE: &[&[u8]] = &[b"signin"];

/// Shows the form.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let held = interact::open(&app, &http, &params).await?;
        let hint = held.as_ref().and_then(|held| held.interaction.request.login_hint.clone());
        let (browser, fresh) = browser(&app, &http)?;
        let view = view(&app, held.as_ref(), &browser, hint.unwrap_or_default());
        let mut response = with_logo(html(&view)?, &view.said);
        if fresh {
            let _ = response.add_cookie(&app.cookies.set_browser(&browser));
        }
        Ok(response)
    };
    let result = result.await;
    answer(result, &app, &http)
}

/// The browser's secret, made where there is none.
pub(super) fn browser(app: &App, http: &HttpRequest) -> Result<(Secret, bool), PageError> {
    match app.cookies.browser(http) {
        Some(browser) => Ok((browser, false)),
        None => Ok((entropy::turn()?.secret(), true)),
    }
}

fn view(app: &App, held: Option<&Held>, browser: &Secret, username: String) -> SignIn {
    let sealed = held.map(|held| held.sealed.clone()).unwrap_or_default();
    SignIn {
        page: Page::plain("Sign in", &app.issuer_host),
        csrf: csrf::token(&app.csrf_key, browser, PURPOSE),
        register_href: app.realm().registration_open.then(|| href("/register", &sealed)),
        interaction: sealed,
        client_name: held.map(Held::client_name),
        said: held.map(said).unwrap_or_default(),
        username,
        error: None,
        notice: held
            .filter(|held| !held.interaction.request.expected_subjects.is_empty())
            .map(|_| "The application asks for one account in particular. Sign in with that one.".to_owned()),
    }
}

/// Checks name and password, starts the session, and goes on.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        csrf::check_site(&http, &app.realm().issuer)?;
        let params = call::read(&http, payload).await?.params;
        let known = app.cookies.browser(&http);
        csrf::check(&app.csrf_key, known.as_ref(), PURPOSE, params.get("csrf"))?;
        app.limit(Limit::SignIn, &http).await?;
        params.refuse_repeated(&["username", "password", "csrf", PARAMETER]).map_err(PageError::Parameter)?;
        let held = interact::open(&app, &http, &params).await?;
        let typed = params.get("username").unwrap_or_default().to_owned();
        let password = Password::new(params.get("password").unwrap_or_default());
        let signed_in = sign_in(&app, &http, &typed, password).await?;
        metrics::signed_in(signed_in.is_ok());
        match signed_in {
            Ok(handle) => {
                let next = held.as_ref().map_or_else(|| "/".to_owned(), |held| held.href("/continue"));
                let mut response = see_other(&next);
                app.cookies.signed_in(&mut response, &handle);
                // The session of somebody else may have ended by it.
                app.deliveries.wake();
                Ok(response)
            }
            Err(refused) => {
                let (browser, _) = browser(&app, &http)?;
                let mut view = view(&app, held.as_ref(), &browser, typed);
                view.error = Some(refused.to_string());
                Ok(with_logo(html_status(&view, 401), &view.said))
            }
        }
    };
    let result = result.await;
    answer(result, &app, &http)
}

/// Signs a person in: a try without a connection, then one transaction that reads the account again.
async fn sign_in(
    app: &Data<App>,
    http: &HttpRequest,
    typed: &str,
    password: Password,
) -> Result<Result<Secret, SignInRefused>, PageError> {
    let mut turn = entropy::turn()?;
    let tried = app.try_password::<PageError>(typed, password, turn.bytes()).await?;
    let previous = app.cookies.session(http).map(|handle| *handle.digest().as_bytes());
    let origin = call::origin(http);
    let policy = app.realm().policy.clone();
    let answer = app
        .store
        .transaction(move |tx| {
            let now = turn.now();
            let (account, previous, generation) = match tx.credential_again(tried.user(), previous, now)? {
                Some((again, previous)) => (Some(tried.account(&again)), previous, again.generation),
                None => (None, None, 0),
            };
            let handle = turn.secret();
            let reached = tried.reached();
            let fresh = login::Fresh {
                session: signet_identity::SessionId(turn.uuid()),
                handle: *handle.digest().as_bytes(),
                now,
                idle_expires: now + policy.session_idle,
                expires: now + policy.session_absolute,
                generation,
                acr: reached.acr.as_str(),
                amr: reached.amr.iter().map(|method| method.as_str().to_owned()).collect(),
            };
            let previous = previous.map(|(session, owner)| (signet_identity::SessionId(session.0), owner));
            let (changes, verdict) = login::decide(login::Facts { account, previous, typed: tried.typed }, fresh);
            let _ = tx.apply(changes, &mut turn, &origin)?;
            Ok(verdict.map(|_| handle))
        })
        .await?;
    Ok(answer)
}
