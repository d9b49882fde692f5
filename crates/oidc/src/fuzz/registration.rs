//! What a client says of itself when it registers.

use serde_json::Value;

use super::is_plain;
use crate::{
    client::{ApplicationType, Client, ClientAuth, ClientMetadata, ClientSource, check_redirect_uri},
    error::OAuthError,
    fixtures,
    registration::{Information, Wanted, check, json, refusal},
    scope::STANDARD,
    secret::Secret,
};

/// `data` is the body.
pub fn registration(data: &[u8]) -> bool {
    match accepted(data) {
        Ok(client) => {
            assert!(!client.first_party && client.default_audience.is_none() && !client.takes_passwords());
            assert!(client.scopes.iter().all(|scope| STANDARD.iter().any(|(known, _)| *known == scope)), "{client:?}");
            assert!(client.metadata.access_roles.is_empty() && client.metadata.claims.is_empty(), "{client:?}");
            assert!(client.redirect_uris.iter().all(|uri| !uri.contains('#') && !uri.starts_with("javascript:")));
            let (token, issued_at) = (Secret::new("token"), fixtures::now());
            let told = Information { client: &client, issued_at, secret: None, token: &token };
            let told = Value::Object(told.to_json(&fixtures::realm()));
            assert_eq!(told.get("client_id").and_then(Value::as_str), Some(client.id.as_str()));
            let again = json::object(told.to_string().as_bytes()).unwrap();
            assert_eq!(Value::Object(again), told, "what is told is read as it is");
            true
        }
        Err(error) => {
            is_plain(&error);
            false
        }
    }
}

/// The client that a body makes, as far as it can be told without storing it.
fn accepted(data: &[u8]) -> Result<Client, OAuthError> {
    let wanted = Wanted::read(json::object(data)?)?;
    for uri in &wanted.redirect_uris {
        check_redirect_uri(uri).map_err(|error| refusal("redirect_uris", &error.description))?;
    }
    let metadata: ClientMetadata = serde_json::from_value(Value::Object(wanted.members))
        .map_err(|_| refusal("metadata", "a member has a value of another kind"))?;
    let auth = match wanted.token_endpoint_auth_method.as_str() {
        "none" => ClientAuth::None,
        "private_key_jwt" => ClientAuth::PrivateKeyJwt,
        _ => fixtures::client().auth,
    };
    let client = Client {
        name: wanted.client_name,
        source: ClientSource::Dynamic,
        auth,
        application_type: wanted.application_type.unwrap_or(ApplicationType::Web),
        redirect_uris: wanted.redirect_uris,
        grant_types: wanted.grant_types,
        response_types: wanted.response_types,
        scopes: wanted.scopes,
        metadata,
        ..fixtures::client()
    };
    check(&client).map_err(|wrong| refusal(wrong.member, &wrong.message))?;
    Ok(client)
}
