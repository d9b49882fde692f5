//! What administration takes and answers. Members are named as in RFC 7591 where that names them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use signet_oidc::{
    client::{ApplicationType, Client, ClientAuth, ClientMetadata, ClientSecret, ClientSource, ResponseType},
    policy::{PkceRule, RefreshRotation, RefreshTokens, RequestObjects},
    secret::{Digest, Secret},
};
use signet_storage::clients::ClientRecord;
use utoipa::ToSchema;

/// A client to be registered. What is not given has the default of its member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewClient {
    /// Its identifier; made when not given.
    pub client_id: Option<String>,
    /// The name people see on the consent page: 1 to 200 characters.
    pub client_name: String,
    /// Where people are sent back to, compared byte by byte.
    pub redirect_uris: Vec<String>,
    /// Where people may be sent after signing out.
    pub post_logout_redirect_uris: Vec<String>,
    /// `authorization_code` and `refresh_token` when not given.
    pub grant_types: Option<Vec<String>>,
    /// `code` with the grant type `authorization_code`, and every one that holds tokens with `implicit`, when not given.
    pub response_types: Option<Vec<String>>,
    /// Scopes it may ask for, separated by spaces; `openid profile email address phone offline_access` when not given.
    pub scope: Option<String>,
    /// `client_secret_basic` when not given, `client_secret_post`, `client_secret_jwt`, `private_key_jwt`, or `none` for a
    /// public client.
    pub token_endpoint_auth_method: Option<String>,
    /// `web` or `native`; native where every redirect URI has a scheme of its own.
    #[schema(value_type = Option<String>)]
    pub application_type: Option<ApplicationType>,
    /// Ours: people are not asked for consent.
    pub first_party: bool,
    /// The audience (`aud`) of its access tokens; the client itself when not given.
    pub default_audience: Option<String>,
    /// `required` when not given, or `optional`. Public clients must use PKCE all the same.
    #[schema(value_type = Option<String>)]
    pub pkce: Option<PkceRule>,
    /// `on` when not given, or `off`. Tokens of public clients rotate all the same.
    #[schema(value_type = Option<String>)]
    pub refresh_rotation: Option<RefreshRotation>,
    /// `always` when not given, or `offline`: whether a code gives a refresh token without `offline_access` too.
    #[schema(value_type = Option<String>)]
    pub refresh_tokens: Option<RefreshTokens>,
    /// Whether it may send `plain` challenges.
    pub pkce_plain: bool,
    /// `merge` when not given, or `exclusive`: whether parameters beside a request object count.
    #[schema(value_type = Option<String>)]
    pub request_objects: Option<RequestObjects>,
    /// Further members of OIDC Registration §2, by their names: `jwks`, `id_token_signed_response_alg`, `subject_type`, …;
    /// unknown ones are refused.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub members: Map<String, Value>,
}

/// What is changed of a client; members that are not given stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClientChange {
    /// The `revision` this change is based on. With another one stored it is refused.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The name people see.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Where people are sent back to, all of them.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_uris: Option<Vec<String>>,
    /// Where people may be sent after signing out, all of them.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// Grant types it may use, all of them.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Vec<String>>,
    /// Response types it may use, all of them.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_types: Option<Vec<String>>,
    /// Scopes it may ask for, all of them, separated by spaces.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// How it authenticates.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<String>,
    /// `web` or `native`.
    #[schema(value_type = String)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// Whether people are not asked for consent.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_party: Option<bool>,
    /// The audience of its access tokens; `null` for the client itself.
    #[schema(value_type = Option<String>)]
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub default_audience: Option<Option<String>>,
    /// `required` or `optional`.
    #[schema(value_type = String)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pkce: Option<PkceRule>,
    /// `on` or `off`.
    #[schema(value_type = String)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_rotation: Option<RefreshRotation>,
    /// `always` or `offline`.
    #[schema(value_type = String)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_tokens: Option<RefreshTokens>,
    /// Whether it may send `plain` challenges.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pkce_plain: Option<bool>,
    /// `merge` or `exclusive`.
    #[schema(value_type = String)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_objects: Option<RequestObjects>,
    /// Further members of OIDC Registration §2, by their names; `null` for the default. Unknown ones are refused.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub members: Map<String, Value>,
}

/// A member that is given, perhaps as `null`.
#[expect(clippy::option_option, reason = "absent and null are two things")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// How a secret is replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RotateSecret {
    /// Whether everything the client was given ends too.
    pub end_tokens: bool,
}

/// A client, without its secret.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClientView {
    /// Its identifier.
    pub client_id: String,
    /// The name people see.
    pub client_name: String,
    /// Where people are sent back to.
    pub redirect_uris: Vec<String>,
    /// Where people may be sent after signing out.
    pub post_logout_redirect_uris: Vec<String>,
    /// Grant types it may use.
    pub grant_types: Vec<String>,
    /// Response types it may use.
    #[schema(value_type = Vec<String>)]
    pub response_types: Vec<ResponseType>,
    /// Scopes it may ask for, separated by spaces.
    pub scope: String,
    /// How it authenticates.
    pub token_endpoint_auth_method: String,
    /// `web` or `native`.
    #[schema(value_type = String)]
    pub application_type: ApplicationType,
    /// Ours: people are not asked for consent.
    pub first_party: bool,
    /// The audience of its access tokens; the client itself when `null`.
    pub default_audience: Option<String>,
    /// `required` or `optional`.
    #[schema(value_type = String)]
    pub pkce: PkceRule,
    /// `on` or `off`.
    #[schema(value_type = String)]
    pub refresh_rotation: RefreshRotation,
    /// `always` or `offline`.
    #[schema(value_type = String)]
    pub refresh_tokens: RefreshTokens,
    /// Whether it may send `plain` challenges.
    pub pkce_plain: bool,
    /// `merge` or `exclusive`.
    #[schema(value_type = String)]
    pub request_objects: RequestObjects,
    /// Where the registration came from: `admin`, `dynamic` or `document`.
    pub source: &'static str,
    /// Whether it is switched off.
    pub disabled: bool,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: DateTime<Utc>,
    /// Changes with every change; give it to change only what was read.
    pub revision: String,
    /// Further members of OIDC Registration §2 that differ from their defaults.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub metadata: ClientMetadata,
}

/// A client with the secret that was just made for it, shown this once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClientIssued {
    /// The client.
    #[serde(flatten)]
    pub client: ClientView,
    /// Its new secret, where one was made.
    #[schema(value_type = Option<String>)]
    #[serde(serialize_with = "shown", skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
}

#[expect(clippy::ref_option, reason = "serde hands over what it finds")]
fn shown<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

impl ClientView {
    /// What is shown of a client.
    pub fn of(record: &ClientRecord) -> Self {
        let client = &record.client;
        Self {
            client_id: client.id.as_str().to_owned(),
            client_name: client.name.clone(),
            redirect_uris: client.redirect_uris.clone(),
            post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
            grant_types: client.grant_types.clone(),
            response_types: client.response_types.clone(),
            scope: client.scopes.to_string(),
            token_endpoint_auth_method: client.auth.method().to_owned(),
            application_type: client.application_type,
            first_party: client.first_party,
            default_audience: client.default_audience.clone(),
            pkce: client.policy.pkce,
            refresh_rotation: client.policy.refresh_rotation,
            refresh_tokens: client.policy.refresh_tokens,
            pkce_plain: client.policy.pkce_plain,
            request_objects: client.policy.request_objects,
            metadata: client.metadata.clone(),
            source: match client.source {
                ClientSource::Admin => "admin",
                ClientSource::Dynamic => "dynamic",
                ClientSource::Document { .. } => "document",
            },
            disabled: client.disabled,
            created_at: record.created_at,
            updated_at: record.updated_at,
            revision: revision(client),
        }
    }
}

/// A fingerprint of everything that an administrator can change.
fn revision(client: &Client) -> String {
    let settings = format!("{client:?}");
    let secret = match &client.auth {
        ClientAuth::None | ClientAuth::PrivateKeyJwt => String::new(),
        ClientAuth::SecretJwt(secret) => secret.digest().to_text(),
        ClientAuth::SecretBasic(ClientSecret::Hashed(digest))
        | ClientAuth::SecretPost(ClientSecret::Hashed(digest)) => digest.to_text(),
    };
    let text = Digest::of(format!("{settings}{secret}").as_bytes()).to_text();
    text.get(..22).unwrap_or(&text).to_owned()
}
