//! Request id, security headers and statement counts, on every answer.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use signet_storage::store::{STATEMENT_COUNT, StatementCount};

use super::{
    gate::Declared,
    route::{Csp, Headers},
};
use crate::{app::App, call::RequestId};

/// Sent with every answer.
const ALWAYS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
];

/// No script, no frame, nothing from elsewhere.
const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
                   frame-ancestors 'none'; form-action 'self'";

/// [`Csp::Interaction`].
const CSP_INTERACTION: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
                               frame-ancestors 'none'";

/// [`Csp::Docs`].
const CSP_DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                        img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
                        form-action 'self'";

impl Csp {
    fn policy(self) -> &'static str {
        match self {
            Self::Strict => CSP,
            Self::Interaction => CSP_INTERACTION,
            Self::Docs => CSP_DOCS,
        }
    }
}

/// The outermost layer.
pub async fn layer(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = crate::entropy::turn().map(|mut turn| turn.uuid().simple().to_string()).unwrap_or_default();
    request.extensions_mut().insert(RequestId(id.clone()));
    let app = request.app_data::<Data<App>>().cloned();
    let preflight = request.method() == Method::OPTIONS;
    let count = StatementCount::default();
    let mut response = STATEMENT_COUNT.scope(count.clone(), next.call(request)).await?;
    // The exceptions are declared on the route page; what has no route has none.
    let declared = response.request().extensions().get::<Declared>().map_or(Headers::STRICT, |declared| declared.0);
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(declared.csp.policy()));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    if !declared.popup {
        let same = HeaderValue::from_static("same-origin");
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), same);
    }
    if declared.cors {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate"));
        if preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            headers
                .insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type"));
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
        }
    } else {
        headers
            .insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    }
    if let Some(app) = app {
        if !app.realm().development {
            let hsts = HeaderValue::from_static("max-age=31536000; includeSubDomains");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
        }
        if app.count_statements {
            headers.insert(HeaderName::from_static("x-signet-statements"), HeaderValue::from(count.get()));
        }
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}
