//! What happens around every request: its id, its place in a trace, its line in the log, its part in the metrics.
//!
//! The id is always one of ours: `X-Request-Id` of a request is not taken over, so that two requests never share an id
//! and nobody writes into the log by it. Whoever follows a request across services uses `traceparent`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage,
    body::{BodySize, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode},
    middleware::Next,
};
use tracing::Instrument as _;

use super::{
    metrics,
    trace::{self, TraceContext},
};
use crate::{
    call::RequestId,
    entropy,
    guard::{
        connections::{Busy, Connection},
        proxy::client_address,
    },
};

/// Asked for every few seconds by machines: not worth a line each.
const FREQUENT: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// What has no route of its own.
const NO_ROUTE: &str = "(none)";

/// The outermost layer.
pub async fn layer(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = Instant::now();
    let busy = request.conn_data::<Arc<Connection>>().map(Busy::begin);
    let method = method(request.method());
    let address = client_address(request.request());
    let (id, context) = identify(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::error_span!(
        "request",
        request_id = %id,
        trace_id = context.map(|context| context.trace_id()),
        span_id = context.map(|context| context.span_id()),
    );
    let under_way = metrics::UnderWay::begin();
    let call = next.call(request).instrument(span.clone());
    let answer = match context {
        Some(context) => trace::CURRENT.scope(context, call).await,
        None => call.await,
    };
    drop(under_way);
    let (route, status, size) = match &answer {
        Ok(answer) => (answer.request().match_pattern(), answer.status(), answer.response().body().size()),
        Err(error) => (None, error.as_response_error().status_code(), BodySize::None),
    };
    if let Some(busy) = busy {
        busy.answered(size);
    }
    let route = route.unwrap_or_else(|| NO_ROUTE.to_owned());
    let took = begun.elapsed();
    span.in_scope(|| line(&route, (method, status), (took, size), address));
    metrics::answered(route, method, status.as_u16(), took);
    answer
}

fn identify(request: &ServiceRequest) -> (String, Option<TraceContext>) {
    // Without randomness the handler fails by itself.
    let Ok(mut turn) = entropy::turn() else { return (String::new(), None) };
    let mut headers = request.headers().get_all(trace::HEADER);
    // §3.2: one header; several are none.
    let header = match (headers.next(), headers.next()) {
        (Some(header), None) => header.to_str().ok(),
        _ => None,
    };
    (turn.uuid().simple().to_string(), Some(TraceContext::next(header, &mut turn)))
}

/// A method is whatever the caller writes; a label and a line take the known ones.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The access line. The route's pattern, never the path or the query, which hold codes, tokens and what people typed
///
fn line(
    route: &str,
    (method, status): (&str, StatusCode),
    (took, size): (Duration, BodySize),
    address: Option<std::net::IpAddr>,
) {
    let status = status.as_u16();
    // In milliseconds, to the microsecond.
    let duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
    let bytes = match size {
        BodySize::Sized(bytes) => Some(bytes),
        BodySize::None => Some(0),
        BodySize::Stream => None,
    };
    let address = address.map(tracing::field::display);
    if FREQUENT.contains(&route) && status < 400 {
        tracing::debug!(target: "signet::access", method, route, status, duration_ms, bytes, address, "request");
    } else {
        tracing::info!(target: "signet::access", method, route, status, duration_ms, bytes, address, "request");
    }
}
