//! What a client that registered itself is told (RFC 7591 §3.2.1, RFC 7592 §3).

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::{
    client::{Client, ClientAuth},
    jose::JweEnc,
    realm::Realm,
    secret::Secret,
};

/// A registration and what goes with the answer about it.
#[derive(Debug)]
pub struct Information<'a> {
    /// The client.
    pub client: &'a Client,
    /// When it was registered.
    pub issued_at: DateTime<Utc>,
    /// A secret that was just made.
    pub secret: Option<&'a Secret>,
    /// The registration access token: a new one, or the one presented.
    pub token: &'a Secret,
}

/// The path of the registration of a client.
fn path(client_id: &str) -> String {
    format!("/oauth/register/{client_id}")
}

impl Information<'_> {
    /// Every registered value, defaults that apply included, and how to come back.
    pub fn to_json(&self, realm: &Realm) -> Map<String, Value> {
        let mut members = registered(self.client);
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        put("client_id_issued_at", json!(self.issued_at.timestamp()));
        // What is stored hashed is told once; what assertions are signed with can be told again.
        let kept = match &self.client.auth {
            ClientAuth::SecretJwt(secret) => Some(secret),
            _ => None,
        };
        if let Some(secret) = self.secret.or(kept) {
            put("client_secret", json!(secret.expose()));
            put("client_secret_expires_at", json!(0));
        }
        put("registration_access_token", json!(self.token.expose()));
        put("registration_client_uri", json!(realm.url(&path(self.client.id.as_str()))));
        members
    }
}

/// The values as they are registered.
fn registered(client: &Client) -> Map<String, Value> {
    let metadata = &client.metadata;
    let mut members = match serde_json::to_value(metadata) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    if let Some(Value::Object(localized)) = members.remove("localized") {
        members.extend(localized);
    }
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("client_id", json!(client.id.as_str()));
    put("client_name", json!(client.name));
    put("redirect_uris", json!(client.redirect_uris));
    put("grant_types", json!(client.grant_types));
    put("response_types", json!(client.response_types));
    put("scope", json!(client.scopes.to_string()));
    put("token_endpoint_auth_method", json!(client.auth.method()));
    put("application_type", json!(client.application_type));
    put("id_token_signed_response_alg", json!(metadata.id_token_alg()));
    put("require_auth_time", json!(metadata.require_auth_time));
    if !client.post_logout_redirect_uris.is_empty() {
        put("post_logout_redirect_uris", json!(client.post_logout_redirect_uris));
    }
    // OIDC Registration §2: the encryption of the content has a default once the key's is given.
    for (name, alg, enc) in [
        (
            "id_token_encrypted_response_enc",
            metadata.id_token_encrypted_response_alg,
            metadata.id_token_encrypted_response_enc,
        ),
        (
            "userinfo_encrypted_response_enc",
            metadata.userinfo_encrypted_response_alg,
            metadata.userinfo_encrypted_response_enc,
        ),
    ] {
        if alg.is_some() {
            put(name, json!(enc.unwrap_or(JweEnc::A128CbcHs256)));
        }
    }
    for (name, uri, required) in [
        (
            "backchannel_logout_session_required",
            &metadata.backchannel_logout_uri,
            metadata.backchannel_logout_session_required,
        ),
        (
            "frontchannel_logout_session_required",
            &metadata.frontchannel_logout_uri,
            metadata.frontchannel_logout_session_required,
        ),
    ] {
        if uri.is_some() {
            put(name, json!(required));
        }
    }
    members
}
