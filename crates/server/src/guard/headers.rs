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

/// Protocol O2: browsers apply `form-action` to the redirect that follows a post, which leads to the application.
const CSP_INTERACTION: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
                               frame-ancestors 'none'";

/// The declared exceptions: pages whose post may end at an application.
const INTERACTION_PATHS: [&str; 5] = ["/signin", "/register", "/consent", "/continue", "/oauth/logout"];

/// The declared exceptions: protocol endpoints that scripts of applications call (R-53, protocol O2).
const CORS_PATHS: [&str; 6] = [
    "/.well-known/openid-configuration",
    "/.well-known/openid_configuration",
    "/.well-known/oauth-authorization-server",
    "/oauth/jwks",
    "/oauth/token",
    "/oauth/userinfo",
];

/// The outermost layer.
pub async fn layer(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = crate::entropy::turn().map(|mut turn| turn.uuid().simple().to_string()).unwrap_or_default();
    request.extensions_mut().insert(RequestId(id.clone()));
    let app = request.app_data::<Data<App>>().cloned();
    let path = request.path().to_owned();
    let preflight = request.method() == Method::OPTIONS;
    let count = StatementCount::default();
    let mut response = STATEMENT_COUNT.scope(count.clone(), next.call(request)).await?;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let csp = if INTERACTION_PATHS.contains(&path.as_str()) { CSP_INTERACTION } else { CSP };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    // A declared exception: applications that sign people in through a popup keep hold of it.
    if path != "/oauth/authorize" && !INTERACTION_PATHS.contains(&path.as_str()) {
        let same = HeaderValue::from_static("same-origin");
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), same);
    }
    if CORS_PATHS.contains(&path.as_str()) {
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
        if !app.realm.development {
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
