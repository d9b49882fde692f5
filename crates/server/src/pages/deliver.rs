//! Answers of the authorization endpoint on their way through the browser.

use actix_web::HttpResponse;
use askama::Template;
use signet_oidc::authorize::Answer;

use super::{PageError, html, see_other, view::Page};
use crate::{app::App, entropy};

/// A form that posts itself (Form Post Response Mode §2); without scripts it has a button.
#[derive(Template)]
#[template(path = "form_post.html")]
struct FormPost {
    page: Page,
    host: String,
    action: String,
    fields: Vec<(String, String)>,
    nonce: String,
}

/// Left in an answer that is such a form: its policy allows the one script with this nonce, and the form to go elsewhere.
#[derive(Debug, Clone)]
pub struct PostsItself {
    /// 256 random bits, base64url.
    pub nonce: String,
}

/// Sends an answer on. RFC 9700 §4.12: by 303; a form by 200, with nothing in any address (protocol A18).
pub fn send(app: &App, answer: Answer) -> Result<HttpResponse, PageError> {
    match answer {
        Answer::Redirect { location } => Ok(see_other(&location)),
        Answer::Form { action, fields } => {
            let nonce = entropy::turn()?.secret().expose().to_owned();
            let url = url::Url::parse(&action).ok();
            let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or("the application").to_owned();
            let page = Page::plain("Continue", &app.issuer_host);
            let mut response = html(&FormPost { page, host, action, fields, nonce: nonce.clone() })?;
            response.extensions_mut().insert(PostsItself { nonce });
            Ok(response)
        }
    }
}
