//! What parameters may hold.

use super::KNOWN;
use crate::{
    call::{Params, is_text},
    client::Client,
    error::OAuthError,
};

/// Those that only help.
const HINTS: [&str; 4] = ["login_hint", "ui_locales", "claims_locales", "display"];

/// RFC 6749 §3.1, OIDC Core §5.5: known parameters hold text; `claims` may be printed over several lines. What is only a hint
/// never causes an error (protocol A10).
pub(super) fn parameters_are_text(params: &Params, _: &Client) -> Result<(), OAuthError> {
    let good = |name: &str| {
        params.get(name).is_none_or(|value| match name {
            "claims" | "registration" => is_text(&value.replace(['\t', '\n', '\r'], " ")),
            _ => is_text(value),
        })
    };
    if KNOWN.iter().all(|name| HINTS.contains(name) || good(name)) && params.all("resource").all(is_text) {
        return Ok(());
    }
    Err(OAuthError::invalid_request("a parameter holds bytes that are not text in UTF-8, or a control character"))
}
