//! `GET /healthz`, `GET /readyz`, `GET /metrics`.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderName},
    web::Data,
};
use serde_json::json;

use super::{Telemetry, scrape};
use crate::{app::App, guard::proxy::client_address, pages};

/// The Prometheus text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Written by proxies. Whoever sees one from a peer that is no trusted proxy does not know who asks.
const BY_PROXIES: [HeaderName; 3] =
    [header::FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];

/// The process lives. Looks at nothing: what ends a process that lives is asked of `/readyz`.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// 200 where requests should be sent, else 503, and what is wrong.
pub async fn readyz(telemetry: Data<Telemetry>, http: HttpRequest) -> HttpResponse {
    let app = http.app_data::<Data<App>>().map(Data::get_ref);
    let report = telemetry.health.report(app).await;
    let mut answer = if report.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    if !report.is_ready() {
        answer.insert_header((header::RETRY_AFTER, "2"));
    }
    answer.json(Arc::as_ref(&report))
}

/// The metrics, for the networks that may read them; for others this address does not exist.
pub async fn metrics(app: Data<App>, telemetry: Data<Telemetry>, http: HttpRequest) -> HttpResponse {
    if !may_read(&app, &http) {
        return pages::not_found(app, http).await;
    }
    let ready = telemetry.health.report(Some(&app)).await.is_ready();
    match telemetry.metrics() {
        Some(handle) => {
            scrape::gauges(&app, &telemetry, ready).await;
            HttpResponse::Ok().content_type(TEXT_FORMAT).body(handle.render())
        }
        None => pages::not_found(app, http).await,
    }
}

fn may_read(app: &App, http: &HttpRequest) -> bool {
    let (Some(peer), Some(client)) = (http.peer_addr(), client_address(http)) else { return false };
    // Behind a proxy that is not known as one, everybody has the proxy's address.
    let unresolved =
        client == peer.ip().to_canonical() && BY_PROXIES.iter().any(|name| http.headers().contains_key(name));
    !unresolved && app.config().metrics.allow.iter().any(|network| network.contains(&client))
}
