//! What a registration may say (OIDC Registration §2, RFC 7591 §2; protocol R3): each member on its own, and how members go
//! together. Administration and self-registration ask here. What a client says of itself is read by [`Wanted`].

mod addresses;
mod dynamic;
mod information;
pub mod json;
mod language;
mod sector;
mod wanted;

pub use information::Information;
pub use language::locales;
pub use sector::Sector;
pub use wanted::{Identity, Wanted};

use serde_json::Value;
use url::Url;

use self::addresses::address;
use crate::{
    claims,
    client::{Client, ClientAuth, ClientMetadata, GRANT_PASSWORD, SubjectType},
    error::{ErrorCode, OAuthError},
    jose::{Alg, Encryption, JweAlg, JweEnc, Recipient, jwks::ClientKeys},
};

/// A member that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {message}")]
pub struct Wrong {
    /// Its registered name.
    pub member: &'static str,
    /// What to change, in English.
    pub message: String,
}

fn wrong<T>(member: &'static str, message: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { member, message: message.into() })
}

/// RFC 7591 §3.2.2: the refusal of a member, in the plain ASCII of an error description.
pub fn refusal(member: &str, message: &str) -> OAuthError {
    let code = if member == "redirect_uris" { ErrorCode::InvalidRedirectUri } else { ErrorCode::InvalidClientMetadata };
    let plain = message.chars().filter(|c| (' '..='~').contains(c) && !matches!(c, '"' | '\\')).take(400);
    OAuthError { code, description: plain.collect::<String>().into() }
}

type Check = fn(&Client) -> Result<(), Wrong>;

/// In this order; the first that does not hold is told.
const CHECKS: [Check; 17] = [
    response_types_fit_grant_types,
    passwords_are_for_our_own,
    addresses::addresses_are_addresses,
    addresses::initiation_is_sent_well,
    addresses::logout_addresses,
    addresses::languages,
    text_is_plain,
    keys_are_given_once,
    keys_are_there_where_needed,
    signature_algorithms_are_served,
    encryption_is_complete,
    keys_that_are_given_encrypt,
    pairwise_has_one_sector,
    request_uris_are_fetchable,
    lists_are_short,
    custom_claims_are_its_own,
    dynamic::check,
];

/// Every check of what has no column of its own, and of how members go together.
pub fn check(client: &Client) -> Result<(), Wrong> {
    CHECKS.iter().try_for_each(|check| check(client))
}

/// OIDC Registration §2: a response type needs its grant types, and a front-channel grant type a response type.
fn response_types_fit_grant_types(client: &Client) -> Result<(), Wrong> {
    for asked in &client.response_types {
        if !client.policy.profile.rules().response_types.contains(asked) {
            return wrong("response_types", format!("\"{asked}\" cannot be used here."));
        }
        if let Some(missing) = asked.grant_types().find(|grant| !client.may_use_grant(grant)) {
            return wrong("response_types", format!("\"{asked}\" needs the grant type {missing}."));
        }
    }
    for grant in ["authorization_code", "implicit"] {
        let used = client.response_types.iter().any(|asked| asked.grant_types().any(|needed| needed == grant));
        if client.may_use_grant(grant) && !used {
            return wrong("response_types", format!("The grant type {grant} needs a response type that uses it."));
        }
    }
    Ok(())
}

/// Protocol T7, RFC 9700 §2.4: nobody else's application is where people type their passwords.
fn passwords_are_for_our_own(client: &Client) -> Result<(), Wrong> {
    if client.may_use_grant(GRANT_PASSWORD) && !client.takes_passwords() {
        return wrong(
            "grant_types",
            "password is for first-party clients with a secret or key that an administrator makes.",
        );
    }
    Ok(())
}

/// OIDC Registration §2: `jwks` and `jwks_uri` must not be used together; a set holds public keys only.
fn keys_are_given_once(client: &Client) -> Result<(), Wrong> {
    let metadata = &client.metadata;
    let Some(set) = &metadata.jwks else { return Ok(()) };
    if metadata.jwks_uri.is_some() {
        return wrong("jwks", "Give jwks or jwks_uri, not both.");
    }
    ClientKeys::from_value(set)
        .map(drop)
        .or_else(|error| wrong("jwks", format!("Use a JWK set of public keys: {error}.")))
}

/// What must be verified or encrypted with the client's keys needs them.
fn keys_are_there_where_needed(client: &Client) -> Result<(), Wrong> {
    let metadata = &client.metadata;
    if metadata.jwks.is_some() || metadata.jwks_uri.is_some() {
        return Ok(());
    }
    let signs = metadata.request_object_signing_alg.is_some_and(Alg::is_accepted);
    if client.auth == ClientAuth::PrivateKeyJwt || signs || metadata.require_signed_request_object {
        return wrong("jwks", "Give the client's public keys, by jwks or jwks_uri.");
    }
    if metadata.id_token_encrypted_response_alg.is_some() || metadata.userinfo_encrypted_response_alg.is_some() {
        return wrong("jwks", "Give the client's public encryption key, by jwks or jwks_uri.");
    }
    Ok(())
}

fn signature_algorithms_are_served(client: &Client) -> Result<(), Wrong> {
    let metadata = &client.metadata;
    let one_of = |member, alg: Option<Alg>, served: fn(Alg) -> bool| match alg {
        Some(alg) if !served(alg) => wrong(member, format!("{} cannot be used here.", alg.as_str())),
        _ => Ok(()),
    };
    one_of("id_token_signed_response_alg", metadata.id_token_signed_response_alg, |alg| {
        alg.is_signing() || alg == Alg::None
    })?;
    // OIDC Registration §2: `none` only where no ID token comes from the authorization endpoint.
    let front = client.response_types.iter().any(|asked| asked.id_token);
    if front && metadata.id_token_signed_response_alg == Some(Alg::None) {
        return wrong("id_token_signed_response_alg", "none cannot be used with a response type that holds id_token.");
    }
    one_of("userinfo_signed_response_alg", metadata.userinfo_signed_response_alg, Alg::is_signing)?;
    one_of("request_object_signing_alg", metadata.request_object_signing_alg, |alg| {
        alg.is_accepted() || alg == Alg::None
    })?;
    if metadata.require_signed_request_object && metadata.request_object_signing_alg == Some(Alg::None) {
        return wrong("request_object_signing_alg", "none cannot be used where signed request objects are required.");
    }
    let fits: fn(Alg) -> bool = match client.auth {
        ClientAuth::SecretJwt(_) => Alg::is_mac,
        _ => Alg::is_accepted,
    };
    one_of("token_endpoint_auth_signing_alg", metadata.token_endpoint_auth_signing_alg, fits)
}

fn encryption_is_complete(client: &Client) -> Result<(), Wrong> {
    let metadata = &client.metadata;
    let complete = |member, alg: Option<JweAlg>, enc: Option<JweEnc>| match (alg, enc) {
        (None, Some(_)) => wrong(member, "Give the member …_response_alg too: it says how the key is agreed on."),
        _ => Ok(()),
    };
    complete(
        "id_token_encrypted_response_enc",
        metadata.id_token_encrypted_response_alg,
        metadata.id_token_encrypted_response_enc,
    )?;
    complete(
        "userinfo_encrypted_response_enc",
        metadata.userinfo_encrypted_response_alg,
        metadata.userinfo_encrypted_response_enc,
    )
}

/// A key set that is given by value has a key for the encryption that is asked for. What is at `jwks_uri` may change: that
/// is looked at when something is to be encrypted.
fn keys_that_are_given_encrypt(client: &Client) -> Result<(), Wrong> {
    let metadata = &client.metadata;
    let Some(Ok(keys)) = metadata.jwks.as_ref().map(ClientKeys::from_value) else { return Ok(()) };
    let asked = [metadata.id_token_encryption(), metadata.userinfo_encryption()];
    match asked.into_iter().flatten().find(|encryption| Recipient::new(&keys, *encryption).is_none()) {
        Some(Encryption { alg, .. }) => wrong("jwks", format!("It holds no key for encryption by {}.", alg.as_str())),
        None => Ok(()),
    }
}

/// OIDC Core §8.1: redirect URIs of several hosts have no sector unless one is named.
fn pairwise_has_one_sector(client: &Client) -> Result<(), Wrong> {
    if client.metadata.subject_type != SubjectType::Pairwise || client.metadata.sector_identifier_uri.is_some() {
        return Ok(());
    }
    let mut hosts: Vec<Option<String>> = client
        .redirect_uris
        .iter()
        .map(|uri| Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned)))
        .collect();
    hosts.dedup();
    if hosts.len() > 1 {
        return wrong("sector_identifier_uri", "Pairwise subjects with redirect URIs of several hosts need it.");
    }
    Ok(())
}

/// OIDC Core §6.2: a fragment, where there is one, tells versions of the content apart.
fn request_uris_are_fetchable(client: &Client) -> Result<(), Wrong> {
    client.metadata.request_uris.iter().try_for_each(|uri| address("request_uris", Some(uri)))
}

/// Text without control characters, wherever it stands: pages show some of it, and the database takes no NUL.
fn text_is_plain(client: &Client) -> Result<(), Wrong> {
    fn plain(value: &Value) -> bool {
        let text = |text: &str| !text.chars().any(char::is_control);
        match value {
            Value::String(value) => text(value),
            Value::Array(list) => list.iter().all(plain),
            Value::Object(members) => members.iter().all(|(name, value)| text(name) && plain(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }
    let Ok(Value::Object(members)) = serde_json::to_value(&client.metadata) else {
        return wrong("metadata", "What is given cannot be stored.");
    };
    match ClientMetadata::members().iter().find(|name| members.get(**name).is_some_and(|value| !plain(value))) {
        Some(member) => wrong(member, "Leave out control characters."),
        None => Ok(()),
    }
}

fn lists_are_short(client: &Client) -> Result<(), Wrong> {
    let metadata = &client.metadata;
    for (member, count) in [
        ("request_uris", metadata.request_uris.len()),
        ("default_acr_values", metadata.default_acr_values.len()),
        ("contacts", metadata.contacts.len()),
        ("access_roles", metadata.access_roles.len()),
        ("resources", metadata.resources.len()),
        ("claims", metadata.claims.len()),
        ("localized", metadata.localized.len()),
    ] {
        if count > 100 {
            return wrong(member, "Give at most 100.");
        }
    }
    Ok(())
}

/// a custom claim takes the place of no registered one.
fn custom_claims_are_its_own(client: &Client) -> Result<(), Wrong> {
    const TAKEN: [&str; 8] = ["jti", "nbf", "at_hash", "c_hash", "s_hash", "client_id", "scope", "cnf"];
    for name in client.metadata.claims.keys() {
        let taken = claims::scope_of(name).is_some() || claims::PROTOCOL.contains(&name.as_str());
        if taken || TAKEN.contains(&name.as_str()) || name.is_empty() || name.len() > 200 {
            return wrong("claims", format!("{name:?} is a registered claim, or no name. Choose another."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
