//! `GET` and `POST /oauth/logout`.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use chrono::{DateTime, TimeDelta, Utc};
use signet_oidc::{
    Change, Event, Params, Turn,
    change::{EventKind, EventResult},
    client::Client,
    id::InteractionId,
    jose::IdClaims,
    logout::{self, Facts, Plan, front_channel},
    registration::locales,
    secret::Secret,
    subject::Session,
};
use signet_storage::{Apply, Origin, StoreError, Tx, deliveries::Framed, seal::Purpose};

use crate::{
    app::App,
    call, entropy,
    guard::csrf,
    pages::{
        PageError, answer,
        carried::{carried, carry},
        html, language, see_other, signed_out,
        view::{Page, SignOut},
    },
};

/// What the token of the sign-out form is for.
pub const PURPOSE: &[&[u8]] = &[b"signout"];

/// What was posted stands here, sealed: an ID token has no place in an address.
const POSTED: &str = "posted";

/// How long what was posted may be on its way through the browser.
const POSTED_LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// The parameters that the page which asks keeps for afterwards.
const KEPT: [&str; 5] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];

/// RP-Initiated Logout §2.
pub async fn get(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let result = async {
        let params = call::read(&http, payload).await?.params;
        let params = match params.get(POSTED) {
            Some(sealed) => opened(&app, sealed).await?.unwrap_or_default(),
            None => params,
        };
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
            return Ok(see_other(&format!("/oauth/logout?{POSTED}={}", sealed(&app, &http, &params).await?)));
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

/// Posted parameters, until when they may come back.
type Posted = (DateTime<Utc>, Vec<(String, String)>);

async fn sealed(app: &App, http: &HttpRequest, params: &Params) -> Result<String, PageError> {
    let mut turn = entropy::turn()?;
    let known = params.iter().filter(|(name, _)| logout::KNOWN.contains(name));
    let pairs = known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let until = turn.now() + POSTED_LIFETIME;
    let posted: Posted = (until, pairs);
    let plain = serde_json::to_vec(&posted).map_err(|_| StoreError::Row("posted parameters"))?;
    let kept = (InteractionId(turn.uuid()), until);
    carry(app, http, (Purpose::Logout, &plain), kept, &mut turn).await
}

/// None where they are not ours, or too old.
async fn opened(app: &App, text: &str) -> Result<Option<Params>, StoreError> {
    let (sealed, _) = carried(app, text).await?;
    Ok(sealed.and_then(|sealed| {
        let plain = app.store.sealer().open(Purpose::Logout, b"", &sealed).ok()?;
        let (until, pairs): Posted = serde_json::from_slice(&plain).ok()?;
        (until > entropy::now()).then(|| Params::new(pairs))
    }))
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
    let name = client.as_deref().map(|client| name(client, http, &params));
    leave(app, (redirect, name), frames).await
}

/// What people are shown as the application's name, in their language (protocol L1, R4).
fn name(client: &Client, http: &HttpRequest, params: &Params) -> String {
    let wanted = language::wanted(http, &locales(params.get("ui_locales")));
    client.metadata.in_language("client_name", &wanted).unwrap_or(&client.name).to_owned()
}

/// Ends a session. Answers the clients that are told in frames.
fn end(tx: &mut Tx<'_>, session: &Session, mut turn: Turn, origin: &Origin) -> Result<Vec<Framed>, StoreError> {
    let event = Event {
        kind: EventKind::SignedOut,
        result: EventResult::Success,
        account: Some(session.account.id),
        client: None,
        session: Some(session.id),
        grant: None,
        detail: None,
    };
    tx.lock_session(session.id)?;
    let changes = vec![Change::EndSession { session: session.id, at: turn.now() }, Change::Audit(event)];
    let _ = tx.apply(changes, &mut turn, origin)?;
    tx.framed(session.id)
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
    let called = client.as_deref().map(|client| name(client, http, &params));
    match plan.map_err(PageError::Parameter)? {
        Plan::End { redirect } => {
            app.deliveries.wake();
            leave(app, (redirect, called), frames).await
        }
        Plan::Nothing { redirect } => leave(app, (redirect, called), Vec::new()).await,
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
        client_name: client.map(|client| name(client, http, params)),
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
    (redirect, name): (Option<String>, Option<String>),
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
        redirect => signed_out::page(app, redirect.zip(name), &frames)?,
    };
    app.cookies.signed_out(&mut response);
    Ok(response)
}
