//! RP-initiated logout (OIDC RP-Initiated Logout 1.0), and how other clients are told.

pub mod back_channel;
pub mod front_channel;

use crate::{call::Params, client::Client, error::OAuthError, jose::IdClaims, secret::DerivationKey, subject::Session};

/// Parameters this endpoint knows.
pub const KNOWN: [&str; 6] =
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
    Confirm {
        /// Where to after that, with `state`.
        redirect: Option<String>,
    },
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
    /// Makes pairwise subjects.
    pub pairwise_key: &'a DerivationKey,
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
        let subject = facts.client.map(|client| client.subject_of(&session.account, facts.pairwise_key));
        let sid = facts.sid_key.text(&[session.id.0.as_bytes(), hint.aud.as_bytes()]);
        subject.as_deref() == Some(hint.sub.as_str()) && hint.sid.as_deref().is_none_or(|named| named == sid)
    });
    Ok(if same_person { Plan::End { redirect } } else { Plan::Confirm { redirect } })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{client, key, now, session};

    fn hint(sub: &str, sid: Option<String>) -> IdClaims {
        IdClaims {
            iss: "https://op.example".into(),
            sub: sub.into(),
            aud: "app".into(),
            azp: "app".into(),
            exp: now().timestamp() - 60,
            iat: now().timestamp() - 120,
            auth_time: 0,
            nonce: None,
            acr: "1".into(),
            amr: vec![],
            sid,
            at_hash: None,
            c_hash: None,
            extra: serde_json::Map::new(),
        }
    }

    /// L1: only a hint for this very person and session ends it unasked, and only a registered URI is followed.
    #[test]
    fn who_is_asked_and_where_it_leads() {
        let key = key();
        let sid = key.text(&[session().id.0.as_bytes(), b"app"]);
        let (client, session) = (client(), session());
        let run = |query: &str, hint: Option<IdClaims>, signed_in: bool| {
            let facts = Facts {
                hint: hint.as_ref(),
                client: Some(&client),
                session: signed_in.then_some(&session),
                sid_key: &key,
                pairwise_key: &key,
            };
            decide(&Params::decode(query.as_bytes()), &facts)
        };
        let good = || Some(hint("subject", Some(sid.clone())));
        let bye = "post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye";
        let end = |redirect: &str| Ok(Plan::End { redirect: Some(redirect.to_owned()) });
        assert_eq!(run(bye, good(), true), end("https://app.example/bye"));
        assert_eq!(run(&format!("{bye}&state=a%26b"), good(), true), end("https://app.example/bye?state=a%26b"));
        assert_eq!(
            run("post_logout_redirect_uri=https%3A%2F%2Fevil.example", good(), true),
            Ok(Plan::End { redirect: None })
        );
        assert_eq!(run(bye, None, true), Ok(Plan::Confirm { redirect: None }));
        let after = || Ok(Plan::Confirm { redirect: Some("https://app.example/bye".into()) });
        assert_eq!(run(bye, Some(hint("another", None)), true), after());
        assert_eq!(run(bye, Some(hint("subject", Some("other session".into()))), true), after());
        assert_eq!(
            run("post_logout_redirect_uri=x", Some(hint("another", None)), true),
            Ok(Plan::Confirm { redirect: None })
        );
        assert_eq!(run(bye, None, false), Ok(Plan::Nothing { redirect: None }));
        assert_eq!(run(bye, good(), false), Ok(Plan::Nothing { redirect: Some("https://app.example/bye".into()) }));
        assert!(run("client_id=other", good(), true).is_err());
        assert!(run("state=a&state=b", good(), true).is_err());
    }
}
