//! What an application says of itself to people: its picture, its policy, its terms (protocol R4).

use actix_web::HttpResponse;
use signet_oidc::client::has_plain_host;
use url::Url;

use super::{interact::Held, view::Said};

/// Left in an answer that shows an application's picture: its policy allows pictures of that origin (protocol O2).
#[derive(Debug, Clone)]
pub struct ShowsLogo {
    /// RFC 6454 §6.2: scheme, host and port.
    pub origin: String,
}

/// What the application of an interaction says, in the person's language.
pub(super) fn said(held: &Held) -> Said {
    let link = |member: &str| web_address(held.said(member)).map(String::from);
    Said { logo_src: link("logo_uri"), policy_href: link("policy_uri"), tos_href: link("tos_uri") }
}

/// Lets an answer that shows it load the picture.
pub(super) fn with_logo(mut response: HttpResponse, said: &Said) -> HttpResponse {
    if let Some(url) = web_address(said.logo_src.as_deref()) {
        response.extensions_mut().insert(ShowsLogo { origin: url.origin().ascii_serialization() });
    }
    response
}

/// An address that a browser can be sent to: nothing but the web.
fn web_address(given: Option<&str>) -> Option<Url> {
    Url::parse(given?).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && has_plain_host(url))
}
