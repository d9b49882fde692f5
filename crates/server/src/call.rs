//! From an HTTP request to the protocol's [`Call`], within bounds.

use std::time::Duration;

use actix_web::{
    HttpMessage, HttpRequest,
    http::{Method, header},
    web::{Bytes, Data, Payload},
};
use signet_oidc::{Call, Params, call::is_text};
use signet_storage::Origin;

use crate::{
    app::App,
    guard::{gate::body_limit, proxy::client_address},
};

/// The greatest body, in bytes, where the route page says no other.
pub const BODY_LIMIT: usize = 64 * 1024;
/// The greatest number of parameters.
const PARAMETER_LIMIT: usize = 200;

/// Input that is refused before anything looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadInput {
    /// Over the limit of its route.
    #[error("the request is larger than this address takes")]
    TooLarge,
    /// Not a form.
    #[error("send the parameters as application/x-www-form-urlencoded")]
    NotAForm,
    /// Not JSON by its type.
    #[error("send the body as application/json")]
    NotJson,
    /// Too many parameters.
    #[error("the request has more than 200 parameters")]
    TooMany,
    /// Invalid UTF-8 or a control character.
    #[error("a parameter holds bytes that are not text in UTF-8, or a control character")]
    NotText,
    /// A body with a content coding.
    #[error("send the body as it is, without Content-Encoding")]
    Encoded,
    /// Over `http.body_timeout`.
    #[error("the request took too long to arrive")]
    TooSlow,
    /// The connection ended within the body.
    #[error("the request ended early")]
    Incomplete,
}

impl BadInput {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "request_too_large",
            Self::NotAForm => "not_a_form",
            Self::NotJson => "not_json",
            Self::TooMany => "too_many_parameters",
            Self::NotText => "not_text",
            Self::Encoded => "encoded",
            Self::TooSlow => "request_timeout",
            Self::Incomplete => "incomplete_request",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::NotAForm | Self::NotJson | Self::Encoded => 415,
            Self::TooSlow => 408,
            Self::TooMany | Self::NotText | Self::Incomplete => 400,
        }
    }
}

/// Reads a request: query parameters for GET, form parameters for POST; text in all of them.
pub async fn read(request: &HttpRequest, payload: Payload) -> Result<Call, BadInput> {
    let call = read_raw(request, payload).await?;
    if call.params.iter().any(|(name, value)| !is_text(name) || !is_text(value)) {
        return Err(BadInput::NotText);
    }
    Ok(call)
}

/// The same where what is not text is judged by those who know what it stands for: at the authorization endpoint (protocol
/// A1, A3) unknown parameters do not matter, and the others' errors go to the application.
pub async fn read_raw(request: &HttpRequest, payload: Payload) -> Result<Call, BadInput> {
    let params = if request.method() == Method::POST {
        let body = body(request, payload).await?;
        if !body.is_empty() && !is_of_type(request, &["application/x-www-form-urlencoded"]) {
            return Err(BadInput::NotAForm);
        }
        decode(&body)?
    } else {
        decode(request.query_string().as_bytes())?
    };
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    Ok(Call {
        method: request.method().as_str().to_owned(),
        url: request.uri().path().to_owned(),
        headers,
        params,
        peer: client_address(request),
        certificate: None,
    })
}

/// The body, within its limits.
async fn body(request: &HttpRequest, payload: Payload) -> Result<Bytes, BadInput> {
    let read = tokio::time::timeout(body_patience(request), payload.to_bytes_limited(body_limit(request))).await;
    let body = match read {
        Err(_) => return Err(BadInput::TooSlow),
        Ok(Err(_)) => return Err(BadInput::TooLarge),
        Ok(Ok(Err(_))) => return Err(BadInput::Incomplete),
        Ok(Ok(Ok(body))) => body,
    };
    if is_encoded(request) { Err(BadInput::Encoded) } else { Ok(body) }
}

/// A body that says it is JSON.
pub async fn json(request: &HttpRequest, payload: Payload) -> Result<Bytes, BadInput> {
    let body = body(request, payload).await?;
    if is_of_type(request, &["application/json"]) { Ok(body) } else { Err(BadInput::NotJson) }
}

/// Whether the body is of one of these types. RFC 9110 §8.3.1: their case does not matter, nor do parameters.
pub fn is_of_type(request: &HttpRequest, types: &[&str]) -> bool {
    types.iter().any(|known| request.content_type().trim().eq_ignore_ascii_case(known))
}

/// Whether the body came compressed, which nothing here takes (RFC 9110 §8.4).
fn is_encoded(request: &HttpRequest) -> bool {
    let mut codings = request.headers().get_all(header::CONTENT_ENCODING);
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// How long the body of a request may take to arrive.
pub fn body_patience(request: &HttpRequest) -> Duration {
    let app = request.app_data::<Data<App>>();
    app.map_or(Duration::from_secs(10), |app| app.config().http.body_timeout.0)
}

fn decode(raw: &[u8]) -> Result<Params, BadInput> {
    if raw.split(|byte| *byte == b'&').count() > PARAMETER_LIMIT {
        return Err(BadInput::TooMany);
    }
    Ok(Params::decode(raw))
}

/// From where a request came, for the audit log.
pub fn origin(request: &HttpRequest) -> Origin {
    Origin {
        actor: None,
        address: client_address(request).map(|address| address.to_string()),
        user_agent: request
            .headers()
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .map(|agent| agent.chars().filter(|c| !c.is_control()).collect()),
        request_id: request_id(request),
        operator: None,
    }
}

/// The identifier a request is logged under.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The request's identifier, set by the outermost layer.
pub fn request_id(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<RequestId>().map(|id| id.0.clone())
}
