//! `GET /oauth/check-session`: the frame that applications ask whether the person is still signed in (protocol L4).

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use askama::Template;

use crate::{
    app::App,
    pages::{answer, html},
};

const SCRIPT: &str = include_str!("../../assets/check-session.js");

#[derive(Template)]
#[template(path = "check_session.html")]
struct CheckSession {
    cookie: &'static str,
}

/// The frame. It holds nothing of the session: its script reads a cookie.
pub async fn get(app: Data<App>, http: HttpRequest) -> HttpResponse {
    let page = html(&CheckSession { cookie: app.cookies.state_name() });
    let page = page.map(|mut page| {
        page.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("public, max-age=3600"));
        page
    });
    answer(page, &app, &http)
}

/// Its script.
pub async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(SCRIPT)
}
