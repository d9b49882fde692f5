//! Panics: none is reachable from a request as far as is known. One that happens is logged, and costs one answer.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    future::{Future, poll_fn},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    pin::pin,
    task::Poll,
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{StatusCode, header},
    middleware::Next,
    web::Data,
};

use crate::{
    app::App,
    call::RequestId,
    pages::{
        self,
        view::{Message, Page},
    },
};

/// Replaces the hook that writes to standard error: a panic is a line of the log like any other, in the request's span.
pub fn hook() {
    panic::set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    super::metrics::panicked();
    let trace = Backtrace::capture();
    let backtrace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    tracing::error!(
        thread = thread.name().unwrap_or_default(),
        place,
        reason = reason(info.payload()),
        backtrace,
        "a thread panicked"
    );
}

/// The message, where it is a constant of the program. One that was put together may hold whatever was at hand, such as
/// the text that could not be cut; the place says enough.
fn reason(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(a message with values, left out)")
}

/// The innermost layer: a handler that panics answers 500, and the process goes on. The answer is an `Err`, because the
/// request is gone; the layers outside complete its headers.
pub async fn layer(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let app = request.app_data::<Data<App>>().cloned();
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let html = accept.is_some_and(|accept| accept.contains("text/html"));
    match caught(next.call(request)).await {
        Some(answer) => answer,
        None => {
            Err(InternalError::from_response("a handler panicked", apology(app.as_ref().map(Data::get_ref), id, html))
                .into())
        }
    }
}

/// What the future gives; nothing where it panics.
async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    // What was half done is dropped and never looked at again.
    poll_fn(|context| match panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(answer) => answer.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

fn apology(app: Option<&App>, request_id: Option<String>, html: bool) -> HttpResponse {
    let Some(app) = app.filter(|_| html) else {
        return HttpResponse::InternalServerError().json(serde_json::json!({
            "error": "server_error", "error_description": "something went wrong here", "request_id": request_id,
        }));
    };
    let message = Message {
        page: Page::plain("Something went wrong", &app.issuer_host),
        heading: "Something went wrong".to_owned(),
        text: "It is not your fault. Try again; if it stays, tell an administrator the request number below."
            .to_owned(),
        code: Some("server_error".to_owned()),
        request_id,
        ..Message::default()
    };
    pages::html_status(&message, StatusCode::INTERNAL_SERVER_ERROR.as_u16())
}

#[cfg(test)]
mod tests {
    use actix_web::{App as ActixApp, middleware::from_fn, test as harness, web};

    use super::*;
    use crate::{guard::headers, telemetry::request};

    async fn broken() -> HttpResponse {
        panic!("this handler is broken");
    }

    /// a handler that panics answers 500 under the request's id, with every header, and the next request is served.
    #[actix_web::test]
    async fn a_panic_is_an_answer() {
        let service = harness::init_service(
            ActixApp::new()
                .route("/broken", web::get().to(broken))
                .route("/good", web::get().to(HttpResponse::Ok))
                .wrap(from_fn(layer))
                .wrap(from_fn(headers::layer))
                .wrap(from_fn(request::layer)),
        )
        .await;
        let error = harness::try_call_service(&service, harness::TestRequest::get().uri("/broken").to_request()).await;
        let answer = error.err().unwrap().error_response();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff");
        let id = header("x-request-id");
        let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap_or_default();
        assert!(String::from_utf8_lossy(&body).contains(&id), "{body:?}");
        let good = harness::call_service(&service, harness::TestRequest::get().uri("/good").to_request()).await;
        assert_eq!(good.status(), StatusCode::OK);
    }

    /// values in a panic's message are not logged.
    #[test]
    fn a_message_with_values_is_left_out() {
        let caught = |work: fn()| panic::catch_unwind(work).unwrap_err();
        assert_eq!(reason(caught(|| panic!("constant")).as_ref()), "constant");
        let secret = caught(|| panic!("{}", std::hint::black_box(String::from("hunter2"))));
        assert_eq!(reason(secret.as_ref()), "(a message with values, left out)");
    }
}
