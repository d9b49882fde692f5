//! The playground's pages.

use askama::Template;
use chrono::DateTime;
use serde_json::{Map, Value};

use super::{
    decode::{self, Decoded},
    explain::{self, Failure},
    recorder::Exchange,
    session::SignedIn,
    verify::Check,
};
use crate::pages::view::Page;

/// The first page: what will happen.
#[derive(Debug, Template)]
#[template(path = "playground/intro.html")]
pub(super) struct Intro {
    pub(super) page: Page,
    pub(super) csrf: String,
    pub(super) issuer: String,
    pub(super) notice: Option<&'static str>,
    pub(super) exchanges: Vec<Exchange>,
}

/// What the sign-in brought.
#[derive(Debug, Template)]
#[template(path = "playground/result.html")]
pub(super) struct Outcome {
    pub(super) page: Page,
    pub(super) csrf: String,
    pub(super) issuer: String,
    pub(super) notice: Option<&'static str>,
    /// What the person is called, once the application was told.
    pub(super) name: Option<String>,
    pub(super) subject: String,
    pub(super) claims: Vec<ClaimLine>,
    pub(super) checks: Vec<Check>,
    pub(super) id_token: TokenView,
    pub(super) access_token: TokenView,
    pub(super) refresh_token: Option<String>,
    pub(super) expires_in: Option<u64>,
    pub(super) scopes: Vec<String>,
    pub(super) userinfo: Option<String>,
    pub(super) exchanges: Vec<Exchange>,
}

/// A step that came to nothing.
#[derive(Debug, Template)]
#[template(path = "playground/failure.html")]
pub(super) struct Failed {
    pub(super) page: Page,
    pub(super) failure: Failure,
    pub(super) exchanges: Vec<Exchange>,
}

/// One claim.
#[derive(Debug)]
pub(super) struct ClaimLine {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) gloss: String,
}

/// A token as it is and taken apart.
#[derive(Debug)]
pub(super) struct TokenView {
    pub(super) raw: String,
    pub(super) decoded: Option<Decoded>,
}

impl TokenView {
    fn new(raw: String) -> Self {
        let decoded = decode::decode(&raw);
        Self { raw, decoded }
    }
}

impl Outcome {
    /// Lays a sign-in out for reading.
    pub(super) fn new(page: Page, signed_in: SignedIn) -> Self {
        let id_token = TokenView::new(signed_in.id_token.to_string());
        let payload: Map<String, Value> = id_token
            .decoded
            .as_ref()
            .and_then(|decoded| serde_json::from_str(&decoded.payload).ok())
            .unwrap_or_default();
        // Names come with UserInfo, or in the ID token of an issuer that puts them there.
        let told: Map<String, Value> =
            signed_in.userinfo.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let name = ["name", "preferred_username", "email"]
            .into_iter()
            .find_map(|claim| told.get(claim).or_else(|| payload.get(claim))?.as_str())
            .map(str::to_owned);
        Self {
            page,
            csrf: String::new(),
            issuer: signed_in.metadata.issuer().to_string(),
            notice: None,
            name,
            subject: signed_in.subject.to_string(),
            claims: claim_lines(&payload),
            checks: signed_in.checks,
            access_token: TokenView::new(signed_in.access_token.into_secret()),
            id_token,
            refresh_token: signed_in.refresh_token.map(openidconnect::RefreshToken::into_secret),
            expires_in: signed_in.expires_in,
            scopes: signed_in.scopes,
            userinfo: signed_in.userinfo,
            exchanges: Vec::new(),
        }
    }
}

/// The claims people ask about first, then the others by name.
fn claim_lines(payload: &Map<String, Value>) -> Vec<ClaimLine> {
    const FIRST: [&str; 11] = [
        "sub",
        "name",
        "preferred_username",
        "email",
        "email_verified",
        "iss",
        "aud",
        "auth_time",
        "iat",
        "exp",
        "nonce",
    ];
    let first = FIRST.into_iter().filter_map(|name| payload.get_key_value(name));
    let others = payload.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
    first.chain(others).map(|(name, value)| claim_line(name, value)).collect()
}

fn claim_line(name: &str, value: &Value) -> ClaimLine {
    let meaning = explain::claim(name);
    let moment = matches!(name, "exp" | "iat" | "nbf" | "auth_time" | "updated_at")
        .then(|| DateTime::from_timestamp(value.as_i64()?, 0))
        .flatten()
        .map(explain::time);
    ClaimLine {
        name: name.to_owned(),
        value: match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
        gloss: match moment {
            Some(moment) => format!("{meaning}: {moment}"),
            None => meaning.to_owned(),
        },
    }
}
