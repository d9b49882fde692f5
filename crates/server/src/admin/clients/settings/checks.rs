//! What each member may be.

use signet_oidc::{
    client::{GRANT_TYPES, check_redirect_uri, is_name},
    realm::Realm,
    scope::Scopes,
};
use url::Url;

use super::wrong;
use crate::admin::AdminError;

/// The greatest number of URIs of a kind.
const MAX_URIS: usize = 50;
/// The greatest number of scopes.
const MAX_SCOPES: usize = 200;

pub(super) fn name(name: String) -> Result<String, AdminError> {
    let trimmed = name.trim();
    if !is_name(trimmed) {
        return Err(wrong("client_name", "Use 1 to 200 characters, none that control or turn the text around them."));
    }
    Ok(if trimmed.len() == name.len() { name } else { trimmed.to_owned() })
}

/// Protocol R3; each once, in the order given.
pub(super) fn uris(field: &'static str, uris: Vec<String>) -> Result<Vec<String>, AdminError> {
    if uris.len() > MAX_URIS {
        return Err(wrong(field, format!("Register at most {MAX_URIS} URIs.")));
    }
    let mut kept: Vec<String> = Vec::with_capacity(uris.len());
    for uri in uris {
        check_redirect_uri(&uri).map_err(|error| wrong(field, format!("{uri:?}: {}.", error.description)))?;
        if !kept.contains(&uri) {
            kept.push(uri);
        }
    }
    Ok(kept)
}

/// Known ones, each once, in the order discovery lists them.
pub(super) fn grant_types(given: &[String]) -> Result<Vec<String>, AdminError> {
    let known = || GRANT_TYPES.join(", ");
    if let Some(unknown) = given.iter().find(|name| !GRANT_TYPES.contains(&name.as_str())) {
        return Err(wrong("grant_types", format!("{unknown:?}: use one of {}.", known())));
    }
    if given.is_empty() {
        return Err(wrong("grant_types", format!("Give at least one of {}.", known())));
    }
    Ok(GRANT_TYPES
        .iter()
        .filter(|name| given.iter().any(|given| given == *name))
        .map(|&name| name.to_owned())
        .collect())
}

/// RFC 6749 §3.3, sorted.
pub(super) fn scope(scope: &str) -> Result<String, AdminError> {
    let scopes: Scopes = scope.parse().map_err(|error| wrong("scope", format!("{scope:?}: {error}.")))?;
    if scopes.iter().count() > MAX_SCOPES || scopes.iter().any(|scope| scope.len() > 256) {
        return Err(wrong("scope", format!("Give at most {MAX_SCOPES} scopes of at most 256 bytes.")));
    }
    Ok(scopes.to_string())
}

/// OIDC Core §4: plain http leads to an application that is being made on this machine, and so in development alone.
pub(super) fn initiation(uri: &str, realm: &Realm) -> Result<(), AdminError> {
    let plain = Url::parse(uri).is_ok_and(|url| url.scheme() == "http");
    if plain && !realm.development {
        return Err(wrong("initiate_login_uri", "Use an https address."));
    }
    Ok(())
}

/// RFC 8707 §2: an absolute URI without a fragment.
pub(super) fn audience(audience: &str, realm: &Realm) -> Result<(), AdminError> {
    if audience.len() > 2_048 || !audience.bytes().all(|byte| byte.is_ascii_graphic()) || audience.contains('#') {
        return Err(wrong(
            "default_audience",
            "Use at most 2048 bytes of ASCII, without spaces and without a fragment.",
        ));
    }
    if Url::parse(audience).is_err() {
        return Err(wrong("default_audience", "Use an absolute URI, such as https://api.example/."));
    }
    if audience == realm.issuer {
        return Err(wrong("default_audience", "The issuer is no API: the scope `openid` gives access to userinfo."));
    }
    Ok(())
}
