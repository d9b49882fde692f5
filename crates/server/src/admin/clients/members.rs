//! Members of a registration that have no field of their own here: read by name, checked together.

use serde_json::{Map, Value};
use signet_oidc::{
    client::{Client, ClientMetadata, RESPONSE_TYPES, ResponseType},
    jose::Alg,
    registration,
};

use crate::admin::AdminError;

fn wrong(member: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> AdminError {
    AdminError::invalid("invalid_client_metadata", member, message)
}

/// The metadata with what is given put over it; `null` puts back the default.
pub(super) fn read(stored: &ClientMetadata, given: Map<String, Value>) -> Result<ClientMetadata, AdminError> {
    if given.is_empty() {
        return Ok(stored.clone());
    }
    let Ok(Value::Object(mut members)) = serde_json::to_value(stored) else {
        return Err(wrong("metadata", "What is stored cannot be changed."));
    };
    for (name, value) in given {
        if !ClientMetadata::members().contains(&&*name) {
            return Err(wrong("metadata", format!("{name}: there is no such member.")));
        }
        if value.is_null() {
            members.remove(&name);
            continue;
        }
        let alone: Map<String, Value> = [(name.clone(), value.clone())].into_iter().collect();
        if let Err(error) = serde_json::from_value::<ClientMetadata>(Value::Object(alone)) {
            return Err(wrong("metadata", format!("{name}: {}.", said(&error.to_string()))));
        }
        members.insert(name, value);
    }
    serde_json::from_value(Value::Object(members)).map_err(|_| wrong("metadata", "The members do not go together."))
}

/// What is wrong with a member, without its value, which may be a secret in the wrong place.
fn said(error: &str) -> String {
    let expected = error.split_once(", expected ").map(|(_, expected)| expected);
    let expected = expected.map(|text| text.split(" at line ").next().unwrap_or(text));
    expected.map_or_else(|| "this cannot be used here".to_owned(), |text| format!("expected {text}"))
}

/// The algorithms that what is given wants to be answered with.
pub(crate) fn signing_algs(given: &Map<String, Value>) -> Vec<Alg> {
    ["id_token_signed_response_alg", "userinfo_signed_response_alg"]
        .into_iter()
        .filter_map(|name| Alg::parse(given.get(name)?.as_str()?))
        .filter(|alg| alg.is_signing())
        .collect()
}

/// The members in which two registrations differ.
pub(super) fn differences(a: &ClientMetadata, b: &ClientMetadata) -> Vec<String> {
    let members = |metadata: &ClientMetadata| match serde_json::to_value(metadata) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let (a, b) = (members(a), members(b));
    let mut names: Vec<String> =
        a.iter().chain(b.iter()).map(|(name, _)| name).filter(|name| a.get(*name) != b.get(*name)).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Reads response types; the order of their words does not matter.
pub(super) fn response_types(given: &[String]) -> Result<Vec<ResponseType>, AdminError> {
    let known = || RESPONSE_TYPES.map(|one| format!("\"{one}\"")).join(", ");
    let mut read = Vec::new();
    for name in given {
        let one = ResponseType::parse(name)
            .ok_or_else(|| wrong("response_types", format!("{name:?}: use one of {}.", known())))?;
        if !read.contains(&one) {
            read.push(one);
        }
    }
    read.sort_unstable_by_key(|one| RESPONSE_TYPES.iter().position(|known| known == one));
    Ok(read)
}

/// Those that grant types amount to where none are named.
pub(super) fn response_types_of(grant_types: &[String]) -> Vec<ResponseType> {
    let has = |grant: &str| grant_types.iter().any(|given| given == grant);
    RESPONSE_TYPES.into_iter().filter(|one| one.grant_types().all(has)).collect()
}

/// How members go together (protocol R3).
pub(super) fn check(client: &Client) -> Result<(), AdminError> {
    registration::check(client).map_err(|error| wrong(error.member, error.message))
}
