//! What a client says of itself (RFC 7591 §2, OIDC Registration §2), with the defaults of what it leaves out.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use super::{dynamic, language, refusal};
use crate::{
    client::{
        ApplicationType, ClientMetadata, GRANT_CODE, GRANT_IMPLICIT, GRANT_REFRESH, RESPONSE_TYPES, ResponseType,
    },
    error::OAuthError,
    scope::{OFFLINE_ACCESS, STANDARD, Scopes},
    secret::Secret,
};

/// Members of [`ClientMetadata`] that nobody sets of itself. What is sent under these names is unknown, and ignored.
const ADMINISTRATORS: [&str; 4] = ["access_roles", "resources", "claims", "localized"];

/// RFC 7591 §2.
const DEFAULT_METHOD: &str = "client_secret_basic";

/// What a registration is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// What people are shown.
    pub client_name: String,
    /// Where people are sent back to.
    pub redirect_uris: Vec<String>,
    /// Where people may be sent after signing out.
    pub post_logout_redirect_uris: Vec<String>,
    /// Grant types.
    pub grant_types: Vec<String>,
    /// Response types.
    pub response_types: Vec<ResponseType>,
    /// Scopes it may ask for, those that it cannot have left out.
    pub scopes: Scopes,
    /// How it authenticates at the token endpoint.
    pub token_endpoint_auth_method: String,
    /// Web or native, where it says so.
    pub application_type: Option<ApplicationType>,
    /// Members of [`ClientMetadata`], unchecked.
    pub members: Map<String, Value>,
}

/// RFC 7592 §2.2: what a client that changes its registration says of who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its identifier.
    pub client_id: String,
    /// Its secret, where it names one.
    pub client_secret: Option<Secret>,
}

/// The members of a body, each taken once.
struct Sent(Map<String, Value>);

impl Sent {
    /// RFC 7591 §2: what is null is absent.
    fn new(mut members: Map<String, Value>) -> Self {
        members.retain(|_, value| !value.is_null());
        Self(members)
    }

    fn take<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Result<Option<T>, OAuthError> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|_| refusal(name, &format!("{name}: {expected} is expected")))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, OAuthError> {
        self.take(name, "a text")
    }

    /// A list; an empty one says nothing.
    fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, OAuthError> {
        let list: Option<Vec<String>> = self.take(name, "a list of texts")?;
        Ok(list.filter(|list| !list.is_empty()))
    }
}

impl Wanted {
    /// Reads a registration. Members that are not known are ignored (RFC 7591 §2).
    pub fn read(members: Map<String, Value>) -> Result<Self, OAuthError> {
        let mut sent = Sent::new(members);
        let (grant_types, response_types) = flows(sent.texts("grant_types")?, sent.texts("response_types")?)?;
        let redirect_uris = sent.texts("redirect_uris")?.unwrap_or_default();
        let method = sent.text("token_endpoint_auth_method")?;
        Ok(Self {
            client_name: sent.text("client_name")?.unwrap_or_else(|| named_by(&redirect_uris)),
            post_logout_redirect_uris: sent.texts("post_logout_redirect_uris")?.unwrap_or_default(),
            scopes: scopes(sent.text("scope")?.as_deref(), &grant_types)?,
            token_endpoint_auth_method: method.unwrap_or_else(|| DEFAULT_METHOD.to_owned()),
            application_type: sent.take("application_type", "web or native")?,
            members: further(sent)?,
            redirect_uris,
            grant_types,
            response_types,
        })
    }
}

impl Identity {
    /// Takes who it is out of a change, and refuses what the change must not hold.
    pub fn take(members: &mut Map<String, Value>) -> Result<Self, OAuthError> {
        const OURS: [&str; 4] =
            ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];
        if let Some(name) = OURS.into_iter().find(|name| members.contains_key(*name)) {
            return Err(refusal(name, &format!("{name}: leave it out of a change")));
        }
        let mut text = |name: &str| match members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(refusal(name, &format!("{name}: a text is expected"))),
        };
        let client_secret = text("client_secret")?.map(Secret::new);
        let client_id = text("client_id")?;
        let client_id = client_id.ok_or_else(|| refusal("client_id", "client_id: a change names the client"))?;
        Ok(Self { client_id, client_secret })
    }
}

/// RFC 7591 §2.1: grant and response types agree; response types that are left out are `code` where there is a grant for it,
/// and grant types follow from the response types. The implicit grant without a response type for it is not kept.
fn flows(
    grants: Option<Vec<String>>,
    responses: Option<Vec<String>>,
) -> Result<(Vec<String>, Vec<ResponseType>), OAuthError> {
    let read = |name: &String| {
        ResponseType::parse(name).ok_or_else(|| {
            let known = RESPONSE_TYPES.map(ResponseType::as_str).join(", ");
            refusal("response_types", &format!("response_types: {name}: use one of {known}"))
        })
    };
    let responses: Option<Vec<ResponseType>> =
        responses.map(|names| names.iter().map(read).collect::<Result<_, _>>()).transpose()?;
    Ok(match (grants, responses) {
        (Some(grants), Some(responses)) => (without_unused_implicit(grants, &responses), responses),
        (None, None) => (vec![GRANT_CODE.to_owned()], vec![ResponseType::CODE]),
        (Some(grants), None) => {
            let has = |grant: &str| grants.iter().any(|given| given == grant);
            let responses: Vec<ResponseType> = if has(GRANT_CODE) {
                vec![ResponseType::CODE]
            } else {
                RESPONSE_TYPES.into_iter().filter(|one| one.grant_types().all(has)).collect()
            };
            (without_unused_implicit(grants, &responses), responses)
        }
        (None, Some(responses)) => {
            let mut grants: Vec<String> = Vec::new();
            for needed in responses.iter().flat_map(|one| one.grant_types()) {
                if !grants.iter().any(|grant| grant == needed) {
                    grants.push(needed.to_owned());
                }
            }
            (grants, responses)
        }
    })
}

/// RFC 7591 §3.2.1: beside the grant for codes, that for the front channel is left out where nothing asks for it.
fn without_unused_implicit(mut grants: Vec<String>, responses: &[ResponseType]) -> Vec<String> {
    let used = responses.iter().flat_map(|one| one.grant_types()).any(|needed| needed == GRANT_IMPLICIT);
    if !used && grants.iter().any(|grant| grant == GRANT_CODE) {
        grants.retain(|grant| grant != GRANT_IMPLICIT);
    }
    grants
}

/// Protocol R2: the standard scopes, `offline_access` with the refresh grant alone.
fn scopes(wanted: Option<&str>, grant_types: &[String]) -> Result<Scopes, OAuthError> {
    let all = || STANDARD.iter().map(|(name, _)| *name).collect::<Scopes>();
    let wanted = match wanted {
        None => all(),
        Some(text) => {
            let read = text.parse::<Scopes>();
            let read = read.map_err(|_| refusal("scope", "scope: it holds a character that no scope has"))?;
            dynamic::ceiling(&read)
        }
    };
    let refreshes = grant_types.iter().any(|grant| grant == GRANT_REFRESH);
    Ok(if refreshes { wanted } else { wanted.without(OFFLINE_ACCESS) })
}

/// A client without a name is called by the host it leads to.
fn named_by(redirect_uris: &[String]) -> String {
    let host = redirect_uris.iter().find_map(|uri| Some(Url::parse(uri).ok()?.host_str()?.to_owned()));
    host.map_or_else(|| "An application without a name".to_owned(), |host| host.chars().take(200).collect())
}

/// What is kept beside the members above: those of [`ClientMetadata`], and names for people in further languages.
fn further(sent: Sent) -> Result<Map<String, Value>, OAuthError> {
    // OIDC Registration §2: request objects are read as they are signed.
    const NOT_SERVED: [&str; 2] = ["request_object_encryption_alg", "request_object_encryption_enc"];
    if let Some(name) = NOT_SERVED.into_iter().find(|name| sent.0.contains_key(*name)) {
        return Err(refusal(name, &format!("{name}: encrypted request objects are not taken here; leave it out")));
    }
    let (mut members, mut localized) = (Map::new(), Map::new());
    for (name, value) in sent.0 {
        if language::split(&name).is_some() {
            if !value.is_string() {
                let (member, _) = name.split_once('#').unwrap_or((&name, ""));
                return Err(refusal(member, &format!("{member}: in each language a text is expected")));
            }
            localized.insert(name, value);
        } else if ClientMetadata::members().contains(&&*name) && !ADMINISTRATORS.contains(&&*name) {
            members.insert(name, value);
        }
    }
    if !localized.is_empty() {
        members.insert("localized".to_owned(), Value::Object(localized));
    }
    Ok(members)
}

#[cfg(test)]
mod tests;
