//! `GET` and `POST /oauth/logout`.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{
    Change, Event, Params, Turn,
    change::{EventKind, EventResult},
    logout::{self, Facts, Plan},
    secret::Secret,
    subject::Session,
};
use signet_storage::{Apply, StoreError, Tx};

use crate::{
    app::App,
    call, entropy,
    guard::csrf,
    pages::{
        PageError, answer, html, see_other,
        view::{Link, Message, Page, SignOut},
    },
};

/// What the token of the sign-out form is for.
pub const PURPOSE: &[&[u8]] = &[b"signout"];

/// RP-Initiated Logout §2.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        requested(&app, &http, params).await
    };
    let result = result.await;
    answer(result, &app, &http)
}

/// Our own form, or RP-Initiated Logout §2 by POST: the browser withholds our cookies from a post of another site, so
/// that becomes a GET of ours.
pub async fn post(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let Some(decision) = params.get("decision") else {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(params.iter());
            return Ok(see_other(&format!("/oauth/logout?{}", query.finish())));
        };
        params.refuse_repeated(&["decision", "csrf"]).map_err(PageError::Parameter)?;
        csrf::check_site(&http, &app.realm().issuer)?;
        let browser = app.cookies.browser(&http);
        csrf::check(&app.csrf_key, browser.as_ref(), PURPOSE, params.get("csrf"))?;
        if decision != "signout" {
            return Ok(see_other("/"));
        }
        if let Some(handle) = app.cookies.session(&http) {
            let turn = entropy::turn()?;
            let shared = app.clone();
            let origin = call::origin(&http);
            app.store
                .transaction(move |tx| {
                    let now = turn.now();
                    let session = tx.session(&handle.digest(), now, now + shared.realm().policy.session_idle)?;
                    if let Some(session) = session {
                        end(tx, &session, turn, &origin)?;
                    }
                    Ok(())
                })
                .await?;
        }
        signed_out(&app)
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

fn end(tx: &mut Tx<'_>, session: &Session, mut turn: Turn, origin: &signet_storage::Origin) -> Result<(), StoreError> {
    tx.lock_session(session.id)?;
    let event = Event {
        kind: EventKind::SignedOut,
        result: EventResult::Success,
        account: Some(session.account.id),
        client: None,
        session: Some(session.id),
        grant: None,
        detail: None,
    };
    let changes = vec![Change::EndSession { session: session.id, at: turn.now() }, Change::Audit(event)];
    let _ = tx.apply(changes, &mut turn, origin)?;
    Ok(())
}

async fn requested(app: &Data<App>, http: &HttpRequest, params: Params) -> Result<HttpResponse, PageError> {
    let hint = params
        .get("id_token_hint")
        .and_then(|token| app.published().keyring.verify_hint(token, &app.realm().issuer, entropy::now()).ok());
    let named = hint.as_ref().map(|hint| hint.aud.as_str()).or_else(|| params.get("client_id"));
    let client = match named {
        Some(id) => app.client(id).await?,
        None => None,
    };
    let turn = entropy::turn()?;
    let handle = app.cookies.session(http);
    let origin = call::origin(http);
    let shared = app.clone();
    let client_name = client.as_ref().map(|client| client.name.clone());
    let (plan, account) = app
        .store
        .transaction(move |tx| {
            let now = turn.now();
            let session = match &handle {
                Some(handle) => tx.session(&handle.digest(), now, now + shared.realm().policy.session_idle)?,
                None => None,
            };
            let facts = Facts {
                hint: hint.as_ref(),
                client: client.as_deref(),
                session: session.as_ref(),
                sid_key: &shared.sid_key,
                pairwise_key: &shared.pairwise_key,
            };
            let plan = logout::decide(&params, &facts);
            let account = session.as_ref().map(|session| session.username.clone());
            if let (Ok(Plan::End { .. }), Some(session)) = (&plan, &session) {
                end(tx, session, turn, &origin)?;
            }
            Ok((plan, account))
        })
        .await?;
    match plan.map_err(PageError::Parameter)? {
        Plan::End { redirect: Some(target) } => {
            let mut response = see_other(&target);
            let _ = response.add_cookie(&app.cookies.clear_session());
            Ok(response)
        }
        Plan::Nothing { redirect: Some(target) } => Ok(see_other(&target)),
        Plan::End { redirect: None } | Plan::Nothing { redirect: None } => signed_out(app),
        Plan::Confirm => confirm(app, http, account.unwrap_or_default(), client_name),
    }
}

fn confirm(
    app: &App,
    http: &HttpRequest,
    account: String,
    client_name: Option<String>,
) -> Result<HttpResponse, PageError> {
    let known = app.cookies.browser(http);
    let fresh: Option<Secret> = if known.is_none() { Some(entropy::turn()?.secret()) } else { None };
    let token = known.as_ref().or(fresh.as_ref()).map(|browser| csrf::token(&app.csrf_key, browser, PURPOSE));
    let view = SignOut {
        page: Page::plain("Sign out", &app.issuer_host),
        csrf: token.unwrap_or_default(),
        account,
        client_name,
        hidden: Vec::new(),
    };
    let mut response = html(&view)?;
    if let Some(browser) = fresh {
        let _ = response.add_cookie(&app.cookies.set_browser(&browser));
    }
    Ok(response)
}

fn signed_out(app: &App) -> Result<HttpResponse, PageError> {
    let mut response = html(&Message {
        page: Page::plain("Signed out", &app.issuer_host),
        heading: "You are signed out".to_owned(),
        text: "Applications you used may still show you as signed in until you sign out there.".to_owned(),
        links: vec![Link { href: "/signin".to_owned(), label: "Sign in again".to_owned() }],
        ..Message::default()
    })?;
    let _ = response.add_cookie(&app.cookies.clear_session());
    Ok(response)
}
