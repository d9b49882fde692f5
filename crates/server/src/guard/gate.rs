//! The guard of every route: finds the line, decides its requirement, and lets the handler run or answers itself.

use std::{rc::Rc, time::Duration};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web::{self, Data},
};
use futures_util::future::{Ready, ready};
use serde_json::json;
use signet_oidc::{OAuthError, jose::AccessClaims};
use signet_storage::StoreError;
use tokio::time::timeout_at;

use super::{
    bearer,
    route::{Audience, Face, Headers, Line, Post, Requirement},
};
use crate::{
    api::problem::Problem,
    app::App,
    call::{self, BadInput},
    oauth::EndpointError,
    pages::{self, PageError},
};

/// The limit of a handler where there is no configuration: in unit tests of the table.
const UNCONFIGURED: Duration = Duration::from_secs(30);

/// The headers of the path a request met, for the outermost layer.
#[derive(Clone, Copy)]
pub(super) struct Declared(pub(super) Headers);

/// The line a request met.
#[derive(Clone)]
struct Met(Rc<Line>);

/// The line of the route table that a request met; none on an unknown path.
pub fn line(request: &HttpRequest) -> Option<Rc<Line>> {
    request.extensions().get::<Met>().map(|met| Rc::clone(&met.0))
}

/// The claims of the access token that the guard of a [`Requirement::Token`] route checked. A handler on another route
/// that asks for them answers 500.
#[derive(Debug, Clone)]
pub struct Bearer(pub AccessClaims);

impl FromRequest for Bearer {
    type Error = Unguarded;
    type Future = Ready<Result<Self, Unguarded>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or(Unguarded))
    }
}

/// A handler asked for a caller on a route whose line names none.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("this route does not say who may call it")]
pub struct Unguarded;

impl actix_web::ResponseError for Unguarded {}

/// Runs before every handler.
pub(super) async fn pass<B: MessageBody + 'static>(
    post: Rc<Post>,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    request.extensions_mut().insert(Declared(post.headers));
    let head = request.method() == Method::HEAD;
    let method = if head { &Method::GET } else { request.method() };
    let met = post.methods.iter().position(|known| known == method).and_then(|at| post.lines.get(at));
    // RFC 9110 §9.2.1: what looks without reading, such as a preview of a link, changes nothing.
    let met = met.filter(|line| !head || line.writes.is_empty());
    let Some(line) = met else {
        let answer = other_method(&post, request.request());
        return Ok(request.into_response(answer).map_into_right_body());
    };
    request.extensions_mut().insert(Met(Rc::clone(line)));
    // Before anything is read: what says that it is larger, is. A body that does not say is counted as it comes.
    if announced(request.request()).is_some_and(|bytes| bytes > line.body_limit as u64) {
        let answer = too_large(&post, line, request.request());
        return Ok(request.into_response(answer).map_into_right_body());
    }
    let limit = request.app_data::<Data<App>>().map_or(UNCONFIGURED, |app| app.config().http.request_timeout.0);
    let deadline = tokio::time::Instant::now() + limit;
    let late = |request: HttpRequest| {
        let answer = timed_out(&post, &request);
        Ok(ServiceResponse::new(request, answer).map_into_right_body())
    };
    match timeout_at(deadline, decide(line, &mut request)).await {
        Ok(Ok(())) => {}
        Ok(Err(answer)) => return Ok(request.into_response(answer).map_into_right_body()),
        Err(_) => return late(request.into_parts().0),
    }
    let http = request.request().clone();
    let answer = match timeout_at(deadline, next.call(request)).await {
        Ok(answer) => answer?,
        Err(_) => return late(http),
    };
    if post.face != Face::Problem {
        return Ok(answer.map_into_left_body());
    }
    // What the handler refused with is worded here, where the request's id is known.
    let problem = answer.response().error().map(|error| match error.as_error::<Problem>() {
        Some(problem) => problem.clone(),
        None => Problem::internal(),
    });
    Ok(match problem {
        Some(problem) => {
            let worded = problem.answer(answer.request());
            answer.into_response(worded).map_into_right_body()
        }
        None => answer.map_into_left_body(),
    })
}

/// Whether the requirement is met; what the handler needs to know of the caller is left in the request.
async fn decide(line: &Line, request: &mut ServiceRequest) -> Result<(), HttpResponse> {
    match line.requirement {
        Requirement::Public | Requirement::Session => Ok(()),
        Requirement::Token { audience: Audience::Issuer, scope } => {
            let Some(app) = request.app_data::<Data<App>>().cloned() else { return Err(undecided(request)) };
            let payload = request.extract::<web::Payload>().await.map_err(|_| undecided(request))?;
            match bearer::for_issuer(&app, request.request(), payload, scope).await {
                Ok(Some(claims)) => {
                    request.extensions_mut().insert(Bearer(claims));
                    Ok(())
                }
                Ok(None) => Err(EndpointError::bearer(None, request.request())),
                Err(error) => Err(EndpointError::bearer(Some(&error), request.request())),
            }
        }
        Requirement::Permission { .. } => {
            let Some(app) = request.app_data::<Data<App>>().cloned() else { return Err(undecided(request)) };
            let Some(permission) = &line.permission else { return Err(undecided(request)) };
            match bearer::for_api(&app, request.request(), permission).await {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                    Ok(())
                }
                Err(problem) => Err(problem.answer(request.request())),
            }
        }
    }
}

/// Deny by default: what cannot be decided is refused.
fn undecided(request: &ServiceRequest) -> HttpResponse {
    Problem::unavailable().answer(request.request())
}

/// A handler that took longer than `http.request_timeout`. What it does in the database goes on and may yet commit.
fn timed_out(post: &Post, request: &HttpRequest) -> HttpResponse {
    let error = || StoreError::Unavailable("the request took longer than http.request_timeout".to_owned());
    match post.face {
        Face::Page => match request.app_data::<Data<App>>() {
            Some(app) => PageError::Store(error()).page(app, request),
            None => HttpResponse::ServiceUnavailable().finish(),
        },
        Face::OAuth => EndpointError::Store(error()).json(request),
        Face::Problem => Problem::unavailable().answer(request),
    }
}

/// How large the body is said to be (RFC 9110 §8.6).
fn announced(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body larger than its line takes.
fn too_large(post: &Post, line: &Line, request: &HttpRequest) -> HttpResponse {
    match post.face {
        Face::Page => match request.app_data::<Data<App>>() {
            Some(app) => PageError::Input(BadInput::TooLarge).page(app, request),
            None => HttpResponse::PayloadTooLarge().finish(),
        },
        Face::OAuth => EndpointError::Input(BadInput::TooLarge).json(request),
        Face::Problem => Problem::too_large(line.body_limit).answer(request),
    }
}

/// A method that has no line: a preflight where scripts may call, else 405 with `Allow` (RFC 9110 §15.5.6).
fn other_method(post: &Post, request: &HttpRequest) -> HttpResponse {
    if post.headers.cors && request.method() == Method::OPTIONS {
        return HttpResponse::NoContent().finish();
    }
    let mut allow: Vec<&str> = post.methods.iter().map(Method::as_str).collect();
    if post.lines.iter().any(|line| line.method == "GET" && line.writes.is_empty()) {
        allow.push("HEAD");
    }
    if post.headers.cors {
        allow.push("OPTIONS");
    }
    let allow = allow.join(", ");
    let mut answer = match post.face {
        Face::Page => match request.app_data::<Data<App>>() {
            Some(app) => pages::wrong_method(app, request),
            None => HttpResponse::MethodNotAllowed().finish(),
        },
        Face::OAuth => {
            let error = OAuthError::invalid_request("this endpoint does not take that method");
            HttpResponse::MethodNotAllowed()
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .json(json!({ "error": error.code.as_str(), "error_description": error.description }))
        }
        Face::Problem => Problem::wrong_method(&allow).answer(request),
    };
    if let Ok(value) = header::HeaderValue::from_str(&allow) {
        answer.headers_mut().insert(header::ALLOW, value);
    }
    answer
}

/// The greatest body of the request's line, in bytes.
pub fn body_limit(request: &HttpRequest) -> usize {
    line(request).map_or(call::BODY_LIMIT, |line| line.body_limit)
}

#[cfg(test)]
mod tests {
    use actix_web::test;

    use crate::guard::{
        bearer::Caller,
        route::{api, get, install},
    };

    async fn opened() -> &'static str {
        "opened"
    }

    async fn asks(_: Caller) -> &'static str {
        "opened"
    }

    /// what cannot be decided is refused: without a provider to ask, with a permission that cannot be read, and
    /// where a handler wants a caller that its line does not name.
    #[actix_web::test]
    async fn what_cannot_be_decided_is_refused() {
        let services = vec![
            api("/unasked", [get(opened).needs("client:read")]),
            api("/unread", [get(opened).needs("client")]),
            api("/unnamed", [get(asks).public()]),
            api("/open", [get(opened).public()]),
        ];
        let service = actix_web::App::new().configure(|config| install(config, services, true));
        let service = test::init_service(service).await;
        for (path, status) in [("/unasked", 503), ("/unread", 503), ("/unnamed", 500), ("/open", 200)] {
            let answer = test::call_service(&service, test::TestRequest::get().uri(path).to_request()).await;
            assert_eq!(answer.status().as_u16(), status, "{path}");
        }
    }
}
