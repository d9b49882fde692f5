//! The pages people see. `view.rs` has what each shows, `templates/` how.

pub mod account;
pub mod carried;
pub mod consent;
pub mod deliver;
pub mod home;
pub mod interact;
pub mod language;
pub mod link;
pub mod no_access;
pub mod register;
pub mod said;
pub mod select_account;
pub mod signed_out;
pub mod signin;
pub mod view;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use askama::Template;
use signet_oidc::interaction::Refusal;
use signet_storage::StoreError;

use crate::{
    api::problem::Problem,
    app::App,
    call::{self, BadInput},
    config::settings::Accounts,
    entropy::NoEntropy,
    guard::{csrf::Forged, rate_limits::Limited},
    hashing,
    pages::view::{Link, Message, Page},
};

/// Why a page cannot be shown. Each becomes a page of its own, with a stable code.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Input out of bounds.
    #[error(transparent)]
    Input(#[from] BadInput),
    /// A form that is not ours.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// An interaction that cannot go on.
    #[error(transparent)]
    Interaction(#[from] Refusal),
    /// An interaction that is over, and the way back to the application it came from.
    #[error("{0}")]
    Over(Refusal, Link),
    /// A request whose client or redirect URI is not known good (protocol A2).
    #[error("{0}")]
    Request(signet_oidc::OAuthError),
    /// A parameter of a page is wrong.
    #[error("{0}")]
    Parameter(signet_oidc::OAuthError),
    /// Tried too often.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// Registration is closed, or by invitation only.
    #[error("registration is closed")]
    RegistrationClosed(Accounts),
    /// Passwords: too many at once, or hashing failed.
    #[error(transparent)]
    Hashing(#[from] hashing::Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// Signing keys.
    #[error(transparent)]
    Keys(#[from] signet_oidc::jose::KeyringError),
    /// A template could not be rendered.
    #[error("template: {0}")]
    Template(#[from] askama::Error),
}

/// Status, heading, stable code, and what a person reads.
type Face = (u16, &'static str, &'static str, String);

impl PageError {
    fn face(&self) -> Face {
        match self {
            Self::Input(input) => {
                (input.status(), "This request cannot be read", input.code(), sentence(&input.to_string()))
            }
            Self::Forged(_) => (
                403,
                "This form is not valid any more",
                "form_refused",
                "Go back, reload the page and send the form again. Cookies must be allowed for this site.".to_owned(),
            ),
            Self::Interaction(refusal) | Self::Over(refusal, _) => {
                let text = match refusal {
                    Refusal::Invalid => "Go back to the application and sign in from there again.",
                    Refusal::Expired => "It took too long. Go back to the application and sign in from there again.",
                    Refusal::OtherBrowser => {
                        "Sign-in must end in the browser where it began. Go back to the application and start again; \
                         cookies must be allowed for this site."
                    }
                    Refusal::Completed => "You can go back to the application, or start again from there.",
                };
                (400, interaction_heading(*refusal), refusal.code(), text.to_owned())
            }
            Self::Request(error) => (
                400,
                "This application’s request is not valid",
                error.code.as_str(),
                "You have done nothing wrong, and nothing was passed on. Show this page to the people who run the \
                 application."
                    .to_owned(),
            ),
            Self::Parameter(error) => (
                400,
                "This request is not valid",
                error.code.as_str(),
                "Nothing was changed. Go back and try again.".to_owned(),
            ),
            Self::Limited(limited) => (
                429,
                "Too many attempts",
                "too_many_requests",
                format!("Nothing was changed. Try again in {}.", in_words(limited.seconds())),
            ),
            Self::RegistrationClosed(Accounts::Invitation) => (
                403,
                "Registration is by invitation",
                "invitation_needed",
                "Ask an administrator for an invitation.".to_owned(),
            ),
            Self::RegistrationClosed(_) => (
                403,
                "Registration is closed",
                "registration_closed",
                "Ask an administrator for an account.".to_owned(),
            ),
            Self::Hashing(hashing::Refusal::Busy) | Self::Store(StoreError::Unavailable(_)) => (
                503,
                "Busy at this moment",
                "temporarily_unavailable",
                "Nothing was changed. Try again in a few seconds.".to_owned(),
            ),
            Self::Hashing(_) | Self::Store(_) | Self::Entropy(_) | Self::Keys(_) | Self::Template(_) => (
                500,
                "Something went wrong",
                "server_error",
                "It is not your fault. Try again; if it stays, tell an administrator the request number below."
                    .to_owned(),
            ),
        }
    }

    /// Ways on.
    fn links(&self) -> Vec<Link> {
        let start = Link { href: "/".to_owned(), label: "Go to the start page".to_owned() };
        match self {
            Self::Over(_, back) => vec![back.clone(), start],
            _ => vec![start],
        }
    }

    /// What exactly is wrong, where the protocol has words for it.
    fn detail(&self) -> Option<String> {
        match self {
            Self::Request(error) | Self::Parameter(error) => Some(error.description.to_string()),
            _ => None,
        }
    }

    /// The page that says so. The detail goes to the log, under the request id.
    pub fn page(&self, app: &App, request: &HttpRequest) -> HttpResponse {
        let (status, heading, code, text) = self.face();
        let id = call::request_id(request);
        if status >= 500 {
            let id = id.as_deref().unwrap_or_default();
            if matches!(self, Self::Hashing(hashing::Refusal::Busy)) {
                tracing::warn!(request_id = id, "the hashing queue is full");
            } else {
                tracing::error!(request_id = id, status, error = %self, "a page failed");
            }
        } else {
            tracing::debug!(request_id = id.as_deref().unwrap_or_default(), status, code, "a page was refused");
        }
        let message = Message {
            page: Page::plain(heading, &app.issuer_host),
            heading: heading.to_owned(),
            text,
            code: Some(code.to_owned()),
            detail: self.detail(),
            request_id: id,
            links: self.links(),
        };
        let mut response = html_status(&message, status);
        if let Self::Limited(limited) = self {
            limited.write(&mut response);
        }
        if status == 503 {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("2"));
        }
        response
    }
}

fn in_words(seconds: u64) -> String {
    match seconds {
        1 => "a second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

fn interaction_heading(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Invalid => "This sign-in link is not valid",
        Refusal::Expired => "This sign-in has expired",
        Refusal::OtherBrowser => "This sign-in was started in another browser",
        Refusal::Completed => "This sign-in is already completed",
    }
}

/// The text with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let stop = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{stop}", characters.as_str())
}

/// A page with status 200.
pub fn html(template: &impl Template) -> Result<HttpResponse, PageError> {
    let body = template.render()?;
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(body))
}

/// A page with another status. A template that fails leaves a plain text.
pub fn html_status(template: &impl Template, status: u16) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match template.render() {
        Ok(body) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(body),
        Err(_) => HttpResponse::build(status).content_type("text/plain; charset=utf-8").body("error"),
    }
}

/// RFC 9700 §4.12: 303, so that no form is ever posted on.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}

/// To the page that signs in, from one that is for somebody signed in.
fn sign_in(app: &App, request: &HttpRequest, location: &str) -> HttpResponse {
    let mut response = see_other(location);
    app.cookies.found_nobody(request, &mut response);
    response
}

/// Turns a handler's result into an answer.
pub fn answer(result: Result<HttpResponse, PageError>, app: &App, request: &HttpRequest) -> HttpResponse {
    result.unwrap_or_else(|error| error.page(app, request))
}

/// `GET /assets/style.css`: the one stylesheet, cached for good under its version.
pub async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(view::STYLE)
}

/// Whatever has no route: a problem below `/api/`, else a page.
pub async fn not_found(app: Data<App>, request: HttpRequest) -> HttpResponse {
    if request.path().starts_with("/api/") {
        return Problem::no_route().answer(&request);
    }
    let text = "The address may be mistyped, or the page has moved.";
    plain_message(&app, &request, (404, "Not found", "There is nothing here", "not_found", text))
}

/// RFC 9110 §15.5.6: a page by another method.
pub fn wrong_method(app: &App, request: &HttpRequest) -> HttpResponse {
    let text = "This address does not take that kind of request. Go back and try again.";
    let heading = "This request is not valid";
    plain_message(app, request, (405, heading, heading, "method_not_allowed", text))
}

fn plain_message(
    app: &App,
    request: &HttpRequest,
    (status, title, heading, code, text): (u16, &'static str, &str, &str, &str),
) -> HttpResponse {
    let message = Message {
        page: Page::plain(title, &app.issuer_host),
        heading: heading.to_owned(),
        text: text.to_owned(),
        code: Some(code.to_owned()),
        request_id: call::request_id(request),
        links: vec![Link { href: "/".to_owned(), label: "Go to the start page".to_owned() }],
        ..Message::default()
    };
    html_status(&message, status)
}
