//! RFC 9457: what the API answers when it refuses.

use std::borrow::Cow;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use serde::Serialize;
use signet_storage::StoreError;
use utoipa::ToSchema;

use crate::{
    admin::{AdminError, Refusal},
    call,
};

/// The content type of RFC 9457 §3.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// An answer that is not what was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    status: u16,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    field: Option<&'static str>,
    challenge: Option<String>,
}

/// RFC 9457 §3.1, with a stable code, the request's id and what is wrong with each member.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `about:blank`: the code says what it is.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// A sentence that says what to change.
    detail: Cow<'static, str>,
    /// Stable, in `snake_case`.
    #[schema(example = "invalid_name")]
    code: Cow<'static, str>,
    /// What the log names this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The members that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// A member of the input that is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// Its name.
    field: &'static str,
    /// What to change.
    message: Cow<'static, str>,
}

impl Problem {
    /// A problem.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: code.into(), detail: detail.into(), field: None, challenge: None }
    }

    /// With `WWW-Authenticate` (RFC 6750 §3).
    #[must_use]
    pub fn challenge(self, challenge: String) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// Worth trying again in a moment.
    pub fn unavailable() -> Self {
        Self::new(503, "unavailable", "The service is not available at this moment. Try again in a few seconds.")
    }

    /// Our fault; the log says what.
    pub fn internal() -> Self {
        Self::new(500, "internal", "Something went wrong here. The log says more under the request id.")
    }

    /// RFC 9110 §15.5.14.
    pub fn too_large(limit: usize) -> Self {
        Self::new(413, "request_too_large", format!("Send at most {limit} bytes."))
    }

    /// RFC 7396: `null` for a member that cannot be absent.
    pub fn kept(member: &'static str) -> Self {
        let detail = format!("{member} cannot be absent. Give a value, or leave the member out and it stays as it is.");
        Self { field: Some(member), ..Self::new(422, "invalid_body", detail) }
    }

    /// RFC 9110 §15.5.6.
    pub fn wrong_method(allow: &str) -> Self {
        Self::new(405, "method_not_allowed", format!("Use one of {allow}."))
    }

    /// RFC 9110 §15.5.5.
    pub fn no_route() -> Self {
        Self::new(404, "not_found", "There is nothing at this path. /docs lists what there is.")
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The answer.
    pub fn answer(self, request: &HttpRequest) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = ProblemBody {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            errors: self
                .field
                .map(|field| vec![FieldError { field, message: self.detail.clone() }])
                .unwrap_or_default(),
            detail: self.detail,
            code: self.code,
            request_id: call::request_id(request),
        };
        let mut answer = HttpResponse::build(status);
        answer.insert_header((header::CACHE_CONTROL, "no-store")).content_type(CONTENT_TYPE);
        if let Some(challenge) = self.challenge {
            answer.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert_header((header::RETRY_AFTER, "2"));
        }
        match serde_json::to_vec(&body) {
            Ok(bytes) => answer.body(bytes),
            Err(_) => answer.finish(),
        }
    }
}

/// A handler's refusal. The guard words it, with the request's id.
impl actix_web::ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        AdminError::from(error).into()
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        let status = error.status();
        match error {
            AdminError::NotFound(refusal)
            | AdminError::Forbidden(refusal)
            | AdminError::Invalid(refusal)
            | AdminError::Conflict(refusal)
            | AdminError::Outdated(refusal)
            | AdminError::Busy(refusal) => {
                let Refusal { code, message, field } = refusal;
                Self { field, ..Self::new(status, code, message) }
            }
            AdminError::Store(StoreError::Unavailable(reason)) => {
                tracing::error!(%reason, "the API was not available");
                Self::unavailable()
            }
            AdminError::Store(error) => {
                tracing::error!(%error, "the API failed");
                Self::internal()
            }
            AdminError::Entropy(error) => {
                tracing::error!(%error, "the API failed");
                Self::internal()
            }
        }
    }
}
