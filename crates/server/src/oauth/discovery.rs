//! `/.well-known/openid-configuration` (and its other names) and `/oauth/jwks`. No SQL.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Bytes, Data},
};

use crate::app::App;

/// OIDC Discovery §4, RFC 8414 §3.
pub async fn document(app: Data<App>, http: HttpRequest) -> HttpResponse {
    tagged(&http, &app.published().discovery)
}

/// RFC 7517 §5.
pub async fn jwks(app: Data<App>, http: HttpRequest) -> HttpResponse {
    tagged(&http, &app.published().jwks)
}

/// Protocol D4: `Cache-Control`, `ETag`, 304.
fn tagged(http: &HttpRequest, (body, tag): &(Bytes, String)) -> HttpResponse {
    let known = http.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    // RFC 9110 §13.1.2: a star stands for any.
    let same = |one: &str| one == "*" || one.trim_start_matches("W/") == tag;
    let same = known.is_some_and(|known| known.split(',').any(|one| same(one.trim())));
    let mut response = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::CACHE_CONTROL, "public, max-age=300")).insert_header((header::ETAG, tag.as_str()));
    if same { response.finish() } else { response.content_type("application/json").body(body.clone()) }
}
