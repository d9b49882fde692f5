//! Request id, security headers and statement counts, on every answer.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use signet_storage::store::{STATEMENT_COUNT, StatementCount};

use super::{
    gate::Declared,
    route::{Csp, Headers},
};
use crate::{
    app::App,
    call::RequestId,
    pages::{deliver::PostsItself, said::ShowsLogo, signed_out::ShowsFrames},
};

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

/// [`Csp::Script`].
const CSP_SCRIPT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                          base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// [`Csp::Framed`].
const CSP_FRAMED: &str =
    "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *";

/// [`Csp::Docs`].
const CSP_DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                        img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
                        form-action 'self'";

impl Csp {
    fn policy(self) -> &'static str {
        match self {
            Self::Strict => CSP,
            Self::Interaction | Self::Application | Self::Logout => CSP_INTERACTION,
            Self::Framed => CSP_FRAMED,
            Self::Script => CSP_SCRIPT,
            Self::Docs => CSP_DOCS,
        }
    }
}

/// The policy of a form that posts itself to an application: one script by nonce, and no `form-action` (protocol O2, A18).
fn form_post(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
         frame-ancestors 'none'"
    )
}

/// Protocol O2: pictures of an application's origin too.
fn with_logo(logo: &ShowsLogo) -> String {
    CSP_INTERACTION.replace("img-src 'self' data:", &format!("img-src 'self' data: {}", logo.origin))
}

/// Protocol O2, L3: frames of the applications that are told, and the script that waits for them.
fn with_frames(frames: &ShowsFrames) -> String {
    format!("{CSP_INTERACTION}; script-src 'nonce-{}'; frame-src {}", frames.nonce, frames.origins.join(" "))
}

/// Within the layer that names the request, outside everything else.
pub async fn layer(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let app = request.app_data::<Data<App>>().cloned();
    let preflight = request.method() == Method::OPTIONS;
    let count = StatementCount::default();
    let scene = Scene { app, id, preflight, count };
    match STATEMENT_COUNT.scope(scene.count.clone(), next.call(request)).await {
        Ok(mut response) => {
            // The exceptions are declared on the route page; what has no route has none.
            let declared = response.request().extensions().get::<Declared>().map(|declared| declared.0);
            let declared = declared.unwrap_or(Headers::STRICT);
            let form = response.response().extensions().get::<PostsItself>().cloned().filter(|_| declared.posts);
            let logo = response
                .response()
                .extensions()
                .get::<ShowsLogo>()
                .cloned()
                .filter(|_| declared.csp == Csp::Application);
            let frames =
                response.response().extensions().get::<ShowsFrames>().cloned().filter(|_| declared.csp == Csp::Logout);
            scene.complete(response.headers_mut(), declared);
            if let Some(policy) = frames.and_then(|frames| HeaderValue::from_str(&with_frames(&frames)).ok()) {
                response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            if let Some(policy) = logo.and_then(|logo| HeaderValue::from_str(&with_logo(&logo)).ok()) {
                response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            if let Some(policy) = form.and_then(|form| HeaderValue::from_str(&form_post(&form.nonce)).ok()) {
                response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            Ok(response)
        }
        // The handler panicked.
        Err(error) => {
            let mut response = error.error_response();
            scene.complete(response.headers_mut(), Headers::STRICT);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// What is kept of a request until its answer is there.
struct Scene {
    app: Option<Data<App>>,
    id: String,
    preflight: bool,
    count: StatementCount,
}

impl Scene {
    fn complete(&self, headers: &mut HeaderMap, declared: Headers) {
        for (name, value) in ALWAYS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if declared.csp == Csp::Framed {
            headers.remove(header::X_FRAME_OPTIONS);
        }
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(declared.csp.policy()));
        if let Ok(value) = HeaderValue::from_str(&self.id) {
            headers.insert(HeaderName::from_static("x-request-id"), value);
        }
        let same = HeaderValue::from_static("same-origin");
        if !declared.popup {
            headers.insert(HeaderName::from_static("cross-origin-opener-policy"), same.clone());
        }
        if declared.cors {
            self.allow_scripts(headers);
        } else if declared.csp == Csp::Framed {
            let anywhere = HeaderValue::from_static("cross-origin");
            headers.insert(HeaderName::from_static("cross-origin-resource-policy"), anywhere);
        } else {
            headers.insert(HeaderName::from_static("cross-origin-resource-policy"), same);
        }
        if let Some(app) = &self.app {
            if !app.realm().development {
                let hsts = HeaderValue::from_static("max-age=31536000; includeSubDomains");
                headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
            }
            if app.count_statements {
                headers.insert(HeaderName::from_static("x-signet-statements"), HeaderValue::from(self.count.get()));
            }
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }

    fn allow_scripts(&self, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate"));
        if self.preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            let allowed = HeaderValue::from_static("Authorization, Content-Type");
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
        }
    }
}
