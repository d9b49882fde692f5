//! `GET` and `POST /oauth/logout`.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use signet_oidc::{
    Change, Event, Params, Turn,
    change::{EventKind, EventResult},
    client::Client,
    jose::IdClaims,
    logout::{self, Facts, Plan, front_channel},
    secret::Secret,
    subject::Session,
};
use signet_storage::{Apply, Origin, StoreError, Tx, deliveries::Framed};

use crate::{
    app::App,
    call, entropy,
    guard::csrf,
    pages::{
        PageError, answer, html, see_other, signed_out,
        view::{Page, SignOut},
    },
};

/// What the token of the sign-out form is for.
pub const PURPOSE: &[&[u8]] = &[b"signout"];

/// The parameters that the page which asks keeps for afterwards.
const KEPT: [&str; 4] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];

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
        confirmed(&app, &http, params).await
    };
    let result: Result<HttpResponse, PageError> = result.await;
    answer(result, &app, &http)
}

/// What a request names: a hint that is ours, and the client of the hint, else of `client_id`.
async fn named(app: &App, params: &Params) -> Result<(Option<IdClaims>, Option<Arc<Client>>), PageError> {
    let hint = params
        .get("id_token_hint")
        .and_then(|token| app.published().keyring.verify_hint(token, &app.realm().issuer, entropy::now()).ok());
    let named = hint.as_ref().map(|hint| hint.aud.as_str()).or_else(|| params.get("client_id"));
    let client = match named {
        Some(id) => app.client(id).await?.filter(|client| !client.disabled),
        None => None,
    };
    Ok((hint, client))
}

/// The person confirmed.
async fn confirmed(app: &Data<App>, http: &HttpRequest, params: Params) -> Result<HttpResponse, PageError> {
    let (hint, client) = named(app, &params).await?;
    let mut frames = Vec::new();
    if let Some(handle) = app.cookies.session(http) {
        let turn = entropy::turn()?;
        let (shared, origin) = (Data::clone(app), call::origin(http));
        frames = app
            .store
            .transaction(move |tx| {
                let now = turn.now();
                let session = tx.session(&handle.digest(), now, now + shared.realm().policy.session_idle)?;
                session.map_or_else(|| Ok(Vec::new()), |session| end(tx, &session, turn, &origin))
            })
            .await?;
        app.deliveries.wake();
    }
    // Who is signed in does not matter any more.
    let facts = Facts {
        hint: hint.as_ref(),
        client: client.as_deref(),
        session: None,
        sid_key: &app.sid_key,
        pairwise_key: &app.pairwise_key,
    };
    let redirect = match logout::decide(&params, &facts).map_err(PageError::Parameter)? {
        Plan::End { redirect } | Plan::Nothing { redirect } | Plan::Confirm { redirect } => redirect,
    };
    leave(app, (redirect, client.as_deref()), frames).await
}

/// Ends a session. Answers the clients that are told in frames.
fn end(tx: &mut Tx<'_>, session: &Session, mut turn: Turn, origin: &Origin) -> Result<Vec<Framed>, StoreError> {
    tx.lock_session(session.id)?;
    let framed = tx.framed(session.id)?;
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
    Ok(framed)
}

async fn requested(app: &Data<App>, http: &HttpRequest, params: Params) -> Result<HttpResponse, PageError> {
    let (hint, client) = named(app, &params).await?;
    let turn = entropy::turn()?;
    let handle = app.cookies.session(http);
    let origin = call::origin(http);
    let (shared, asking) = (Data::clone(app), client.clone());
    let (plan, account, frames, params) = app
        .store
        .transaction(move |tx| {
            let now = turn.now();
            let session = match &handle {
                Some(handle) => tx.session(&handle.digest(), now, now + shared.realm().policy.session_idle)?,
                None => None,
            };
            let facts = Facts {
                hint: hint.as_ref(),
                client: asking.as_deref(),
                session: session.as_ref(),
                sid_key: &shared.sid_key,
                pairwise_key: &shared.pairwise_key,
            };
            let plan = logout::decide(&params, &facts);
            let account = session.as_ref().map(|session| session.username.clone());
            let frames = match (&plan, &session) {
                (Ok(Plan::End { .. }), Some(session)) => end(tx, session, turn, &origin)?,
                _ => Vec::new(),
            };
            Ok((plan, account, frames, params))
        })
        .await?;
    match plan.map_err(PageError::Parameter)? {
        Plan::End { redirect } => {
            app.deliveries.wake();
            leave(app, (redirect, client.as_deref()), frames).await
        }
        Plan::Nothing { redirect } => leave(app, (redirect, client.as_deref()), Vec::new()).await,
        Plan::Confirm { .. } => confirm(app, http, &params, (account.unwrap_or_default(), client.as_deref())),
    }
}

fn confirm(
    app: &App,
    http: &HttpRequest,
    params: &Params,
    (account, client): (String, Option<&Client>),
) -> Result<HttpResponse, PageError> {
    let known = app.cookies.browser(http);
    let fresh: Option<Secret> = if known.is_none() { Some(entropy::turn()?.secret()) } else { None };
    let token = known.as_ref().or(fresh.as_ref()).map(|browser| csrf::token(&app.csrf_key, browser, PURPOSE));
    let kept = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), params.get(name)?.to_owned())));
    let view = SignOut {
        page: Page::plain("Sign out", &app.issuer_host),
        csrf: token.unwrap_or_default(),
        account,
        client_name: client.map(|client| client.name.clone()),
        hidden: kept.collect(),
    };
    let mut response = html(&view)?;
    if let Some(browser) = fresh {
        let _ = response.add_cookie(&app.cookies.set_browser(&browser));
    }
    Ok(response)
}

/// To where the application asked, or to a page that says that it is done; by way of frames where applications are told in
/// such (protocol L3).
async fn leave(
    app: &App,
    (redirect, client): (Option<String>, Option<&Client>),
    told: Vec<Framed>,
) -> Result<HttpResponse, PageError> {
    let realm = app.realm();
    let mut frames = Vec::new();
    for Framed { client, sid } in told {
        let client = app.client(&client).await?;
        frames.extend(client.and_then(|client| front_channel::frame(&client, &realm, &sid)));
    }
    let mut response = match redirect {
        Some(target) if frames.is_empty() => see_other(&target),
        redirect => {
            let name = client.filter(|_| redirect.is_some()).map(|client| client.name.clone());
            signed_out::page(app, redirect.zip(name), &frames)?
        }
    };
    app.cookies.signed_out(&mut response);
    Ok(response)
}
