//! The page after a sign-out, with a frame for each application that is told in one (protocol L3).

use actix_web::HttpResponse;
use url::Url;

use super::{
    PageError, html,
    view::{Page, SignedOut},
};
use crate::{app::App, entropy};

/// Left in an answer with frames: its policy allows these origins in frames, and the one script with this nonce.
#[derive(Debug, Clone)]
pub struct ShowsFrames {
    /// 256 random bits, base64url.
    pub nonce: String,
    /// Each once.
    pub origins: Vec<String>,
}

/// The page. `onward` is where the application wants the person next, and what it is called.
pub fn page(app: &App, onward: Option<(String, String)>, frames: &[Url]) -> Result<HttpResponse, PageError> {
    let nonce = entropy::turn()?.secret().expose().to_owned();
    let mut origins: Vec<String> = frames.iter().map(|url| url.origin().ascii_serialization()).collect();
    origins.sort_unstable();
    origins.dedup();
    let view = SignedOut {
        page: Page::plain("Signed out", &app.issuer_host),
        frames: frames.iter().map(|url| url.as_str().to_owned()).collect(),
        onward,
        nonce: nonce.clone(),
    };
    let mut response = html(&view)?;
    if !frames.is_empty() {
        response.extensions_mut().insert(ShowsFrames { nonce, origins });
    }
    Ok(response)
}
