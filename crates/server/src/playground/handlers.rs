//! The playground's routes.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite},
    http::{StatusCode, header},
    web::{Bytes, Data},
};
use askama::Template;
use openidconnect::Scope;
use subtle::ConstantTimeEq as _;

use super::{
    PATH, Playground,
    explain::Failure,
    recorder::{Recorder, Step, browser_step, silent_step},
    relying_party::Callback,
    session::{Session, SignedIn},
    view::{Failed, Intro, Outcome},
};
use crate::pages::view::Page;

/// Name of the playground's cookie.
const COOKIE: &str = "playground";

/// Scopes that a person may tick.
const OFFERED: [&str; 3] = ["profile", "email", "offline_access"];

/// `GET /playground`: the first page, or what the sign-in brought.
pub async fn show(playground: Data<Playground>, request: HttpRequest) -> HttpResponse {
    let known = cookie(&request).and_then(|id| Some((playground.sessions.get(&id)?, id)));
    let (session, id) = known.unwrap_or_else(|| {
        let (id, session) = playground.sessions.open();
        (session, id)
    });
    let mut notice = session.notice;
    let returned = parameter(request.query_string().as_bytes(), "state");
    if session.leaving.is_some() && session.leaving == returned {
        notice = Some("You are signed out, here and at Signet.");
    }
    playground.sessions.update(&id, |stored| {
        stored.notice = None;
        if session.leaving == returned {
            stored.leaving = None;
        }
    });
    let page = |title| Page::plain(title, &*playground.issuer_host);
    let mut response = match session.signed_in {
        Some(signed_in) => html(
            StatusCode::OK,
            &Outcome {
                csrf: session.csrf,
                notice,
                exchanges: session.exchanges,
                ..Outcome::new(page("Signed in – Playground"), signed_in)
            },
        ),
        None => html(
            StatusCode::OK,
            &Intro {
                page: page("Playground"),
                csrf: session.csrf,
                issuer: playground.issuer.to_string(),
                notice,
                exchanges: session.exchanges,
            },
        ),
    };
    remember(&playground, &mut response, &id);
    response
}

/// `POST /playground/start`: off to the authorization endpoint.
pub async fn start(playground: Data<Playground>, request: HttpRequest, form: Bytes) -> HttpResponse {
    let (id, _) = match form_session(&playground, &request, &form) {
        Ok(found) => found,
        Err(failure) => return failed(&playground, None, failure),
    };
    let scopes = url::form_urlencoded::parse(&form)
        .filter(|(name, value)| name == "scope" && OFFERED.contains(&&**value))
        .map(|(_, value)| Scope::new(value.into_owned()))
        .collect();
    let recorder = Recorder::new(&playground.http, [Step::Discovery, Step::Keys]);
    let result = playground.begin(scopes, &recorder).await;
    let exchanges = recorder.into_exchanges();
    playground.sessions.update(&id, |session| {
        session.exchanges.clear();
        session.record(exchanges);
        session.signed_in = None;
    });
    match result {
        Ok((url, pending)) => {
            playground.sessions.update(&id, |session| {
                session.record([browser_step(Step::Authorize, &url)]);
                session.pending = Some(pending);
            });
            see_other(url.as_str())
        }
        Err(failure) => failed(&playground, Some(&id), failure),
    }
}

/// `GET /playground/callback`: back from the authorization endpoint.
pub async fn callback(playground: Data<Playground>, request: HttpRequest) -> HttpResponse {
    let Some(id) = cookie(&request) else {
        return failed(&playground, None, Failure::no_session());
    };
    let pending = playground.sessions.update(&id, |session| {
        let pending = session.pending.take();
        if pending.is_some() {
            let mut url = playground.redirect_uri.url().clone();
            url.set_query(Some(request.query_string()));
            session.record([silent_step(Step::Person), browser_step(Step::Callback, &url)]);
        }
        pending
    });
    let pending = match pending {
        Some(Some(pending)) => pending,
        Some(None) => return failed(&playground, Some(&id), Failure::nothing_pending()),
        None => return failed(&playground, None, Failure::no_session()),
    };
    let recorder = Recorder::new(&playground.http, [Step::Token]);
    let result = match Callback::parse(request.query_string()) {
        Ok(callback) => playground.finish(pending, callback, &recorder).await,
        Err(failure) => Err(failure),
    };
    let exchanges = recorder.into_exchanges();
    playground.sessions.update(&id, |session| session.record(exchanges));
    match result {
        Ok(signed_in) => {
            playground.sessions.update(&id, |session| {
                session.record([silent_step(Step::Verified)]);
                session.signed_in = Some(signed_in);
            });
            let mut response = see_other(PATH);
            if let Some(id) = playground.sessions.rotate(&id) {
                remember(&playground, &mut response, &id);
            }
            response
        }
        Err(failure) => failed(&playground, Some(&id), failure),
    }
}

/// `POST /playground/userinfo`: uses the access token.
pub async fn userinfo(playground: Data<Playground>, request: HttpRequest, form: Bytes) -> HttpResponse {
    let (id, signed_in) = match form_sign_in(&playground, &request, &form) {
        Ok(found) => found,
        Err(failure) => return failed(&playground, None, failure),
    };
    let recorder = Recorder::new(&playground.http, [Step::UserInfo]);
    let result = playground.ask_userinfo(&signed_in, &recorder).await;
    let exchanges = recorder.into_exchanges();
    playground.sessions.update(&id, |session| session.record(exchanges));
    match result {
        Ok(claims) => {
            playground.sessions.update(&id, |session| {
                if let Some(signed_in) = &mut session.signed_in {
                    signed_in.userinfo = Some(claims);
                }
            });
            see_other("/playground#userinfo")
        }
        Err(failure) => failed(&playground, Some(&id), failure),
    }
}

/// `POST /playground/refresh`: uses the refresh token.
pub async fn refresh(playground: Data<Playground>, request: HttpRequest, form: Bytes) -> HttpResponse {
    let (id, signed_in) = match form_sign_in(&playground, &request, &form) {
        Ok(found) => found,
        Err(failure) => return failed(&playground, None, failure),
    };
    let recorder = Recorder::new(&playground.http, [Step::Refresh]);
    let result = playground.renew(signed_in, &recorder).await;
    let exchanges = recorder.into_exchanges();
    playground.sessions.update(&id, |session| session.record(exchanges));
    match result {
        Ok(signed_in) => {
            playground.sessions.update(&id, |session| {
                session.signed_in = Some(signed_in);
                session.notice = Some("The tokens below are new.");
            });
            see_other(PATH)
        }
        Err(failure) => failed(&playground, Some(&id), failure),
    }
}

/// `POST /playground/signout`: forgets the person here and goes to the end-session endpoint.
pub async fn signout(playground: Data<Playground>, request: HttpRequest, form: Bytes) -> HttpResponse {
    let (id, signed_in) = match form_sign_in(&playground, &request, &form) {
        Ok(found) => found,
        Err(failure) => return failed(&playground, None, failure),
    };
    match playground.leave(&signed_in) {
        Ok((url, state)) => {
            playground.sessions.update(&id, |session| {
                session.signed_in = None;
                session.leaving = Some(state);
                session.record([browser_step(Step::SignOut, &url)]);
            });
            see_other(url.as_str())
        }
        Err(failure) => failed(&playground, Some(&id), failure),
    }
}

/// The session a form belongs to: known by its cookie, and the form carries its token.
fn form_session(playground: &Playground, request: &HttpRequest, form: &[u8]) -> Result<(String, Session), Failure> {
    let id = cookie(request).ok_or_else(Failure::no_session)?;
    let session = playground.sessions.get(&id).ok_or_else(Failure::no_session)?;
    let token = parameter(form, "csrf").unwrap_or_default();
    if bool::from(token.as_bytes().ct_eq(session.csrf.as_bytes())) { Ok((id, session)) } else { Err(Failure::forged()) }
}

/// As [`form_session`], with somebody signed in.
fn form_sign_in(playground: &Playground, request: &HttpRequest, form: &[u8]) -> Result<(String, SignedIn), Failure> {
    let (id, session) = form_session(playground, request, form)?;
    let signed_in = session.signed_in.ok_or_else(Failure::not_signed_in)?;
    Ok((id, signed_in))
}

fn cookie(request: &HttpRequest) -> Option<String> {
    Some(request.cookie(COOKIE)?.value().to_owned())
}

fn parameter(encoded: &[u8], wanted: &str) -> Option<String> {
    url::form_urlencoded::parse(encoded).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

fn remember(playground: &Playground, response: &mut HttpResponse, id: &str) {
    let cookie = Cookie::build(COOKIE, id)
        .path(PATH)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(playground.secure_cookie)
        .finish();
    // Fails only for a value that is no header, which base64url never is.
    if let Err(error) = response.add_cookie(&cookie) {
        tracing::warn!(%error, "the playground's cookie could not be set");
    }
}

fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// The failure page, with what went over the wire before.
fn failed(playground: &Playground, id: Option<&str>, failure: Failure) -> HttpResponse {
    let session = id.and_then(|id| playground.sessions.get(id));
    let page = Failed {
        page: Page::plain(failure.heading, &*playground.issuer_host),
        exchanges: session.map(|session| session.exchanges).unwrap_or_default(),
        failure,
    };
    html(page.failure.status, &page)
}

fn html(status: StatusCode, page: &impl Template) -> HttpResponse {
    match page.render() {
        Ok(body) => HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(body),
        Err(error) => {
            tracing::error!(%error, "a page of the playground could not be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}
