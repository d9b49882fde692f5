//! RP-initiated logout (OIDC RP-Initiated Logout 1.0), its smallest form.

use crate::{call::Params, client::Client, error::OAuthError, jose::IdClaims, secret::DerivationKey, subject::Session};

/// Parameters this endpoint knows.
const KNOWN: [&str; 6] =
    ["id_token_hint", "client_id", "logout_hint", "post_logout_redirect_uri", "state", "ui_locales"];

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// The hint proves that the application asks for this very person: end the session, go there.
    End {
        /// Where to, with `state`.
        redirect: Option<String>,
    },
    /// Ask the person first.
    Confirm,
    /// Nobody is signed in.
    Nothing {
        /// Where to, with `state`.
        redirect: Option<String>,
    },
}

/// What was loaded.
pub struct Facts<'a> {
    /// A verified `id_token_hint`.
    pub hint: Option<&'a IdClaims>,
    /// The client named by the hint, or by `client_id` where there is no hint.
    pub client: Option<&'a Client>,
    /// The browser's session.
    pub session: Option<&'a Session>,
    /// Makes `sid` values.
    pub sid_key: &'a DerivationKey,
}

/// Decides on a request (RP-Initiated Logout §2, §3; protocol L1).
pub fn decide(params: &Params, facts: &Facts<'_>) -> Result<Plan, OAuthError> {
    params.refuse_repeated(&KNOWN)?;
    if let (Some(hint), Some(named)) = (facts.hint, params.get("client_id"))
        && hint.aud != named
    {
        return Err(OAuthError::invalid_request("client_id is not the one the ID token was issued to"));
    }
    let redirect = facts.hint.and_then(|_| redirect(params, facts.client));
    let Some(session) = facts.session else {
        return Ok(Plan::Nothing { redirect });
    };
    let same_person = facts.hint.is_some_and(|hint| {
        let sid = facts.sid_key.text(&[session.id.0.as_bytes(), hint.aud.as_bytes()]);
        hint.sub == session.account.subject && hint.sid.as_deref().is_none_or(|named| named == sid)
    });
    Ok(if same_person { Plan::End { redirect } } else { Plan::Confirm })
}

/// RP-Initiated Logout §3: only to an exactly registered URI.
fn redirect(params: &Params, client: Option<&Client>) -> Option<String> {
    let target = params.get("post_logout_redirect_uri")?;
    let client = client?;
    if !client.post_logout_redirect_uris.iter().any(|registered| registered == target) {
        return None;
    }
    let Some(state) = params.get("state") else { return Some(target.to_owned()) };
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    let separator = if target.contains('?') { '&' } else { '?' };
    Some(format!("{target}{separator}{query}"))
}
