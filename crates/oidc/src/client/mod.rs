//! A registered client (RFC 6749 §2, RFC 7591).

mod initiation;
mod metadata;
mod name;
mod redirect_uri;
mod response_type;

pub(crate) use initiation::ISSUER;
pub use initiation::initiation;
pub use metadata::{ClaimMapping, ClaimSource, ClientMetadata, SubjectType};
pub use name::is_name;
pub use redirect_uri::{check_redirect_uri, has_plain_host, is_local_redirect, is_loopback_host};
pub use response_type::{RESPONSE_TYPES, ResponseType};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    claims,
    id::{ClientId, ClientKey},
    policy::{ClientPolicy, RefreshRotation, RefreshTokens},
    scope::{OFFLINE_ACCESS, OPENID, Scopes},
    secret::{DerivationKey, Digest, Secret},
    subject::Account,
};

/// Where a registration came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientSource {
    /// An administrator: command line or API.
    Admin,
    /// RFC 7591: the client itself. Third-party and unverified.
    Dynamic,
    /// A document the client identifier points to.
    Document {
        /// When it was last read.
        fetched_at: DateTime<Utc>,
    },
}

/// RFC 7591 §2 `token_endpoint_auth_method`, with the stored secret where the method has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// A public client.
    None,
    /// HTTP Basic.
    SecretBasic(ClientSecret),
    /// In the form body.
    SecretPost(ClientSecret),
    /// OIDC Core §9: signed with the secret itself.
    SecretJwt(Secret),
    /// OIDC Core §9: signed with a key whose public part is registered.
    PrivateKeyJwt,
}

impl ClientAuth {
    /// The registered name of the method.
    pub fn method(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretBasic(_) => "client_secret_basic",
            Self::SecretPost(_) => "client_secret_post",
            Self::SecretJwt(_) => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Every method that can be registered; discovery is built from it.
    pub const METHODS: [&'static str; 5] =
        ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"];

    /// Those by which a client shows who it is, for what public clients may not do.
    pub fn confidential_methods() -> impl Iterator<Item = &'static str> {
        Self::METHODS.into_iter().filter(|method| *method != Self::None.method())
    }
}

/// How a client's secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientSecret {
    /// SHA-256 of 256 random bits: enough for basic and post.
    Hashed(Digest),
}

/// OIDC Registration §2 `application_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplicationType {
    /// Redirects to a web server.
    #[default]
    Web,
    /// Runs on a person's device (RFC 8252).
    Native,
}

/// The grant types this provider serves, in the order discovery lists them.
pub const GRANT_TYPES: [&str; 5] = [GRANT_CODE, GRANT_REFRESH, GRANT_CLIENT, GRANT_PASSWORD, GRANT_IMPLICIT];
/// RFC 6749 §4.1.
pub const GRANT_CODE: &str = "authorization_code";
/// RFC 6749 §6.
pub const GRANT_REFRESH: &str = "refresh_token";
/// RFC 6749 §4.4.
pub const GRANT_CLIENT: &str = "client_credentials";
/// RFC 6749 §4.3.
pub const GRANT_PASSWORD: &str = "password";
/// OAuth 2.0 Multiple Response Types §3, OIDC Core §3.2: tokens straight from the authorization endpoint.
pub const GRANT_IMPLICIT: &str = "implicit";

/// A client as decisions see it.
#[derive(Debug, Clone)]
pub struct Client {
    /// Internal key.
    pub key: ClientKey,
    /// Public identifier.
    pub id: ClientId,
    /// What people are shown.
    pub name: String,
    /// Where the registration came from.
    pub source: ClientSource,
    /// How it authenticates at the token endpoint.
    pub auth: ClientAuth,
    /// Registered redirect URIs, compared byte by byte.
    pub redirect_uris: Vec<String>,
    /// Registered targets after logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// Grant types it may use.
    pub grant_types: Vec<String>,
    /// Response types it may use.
    pub response_types: Vec<ResponseType>,
    /// Scopes it may ask for.
    pub scopes: Scopes,
    /// Ours: no consent is asked.
    pub first_party: bool,
    /// Web or native.
    pub application_type: ApplicationType,
    /// The audience of access tokens without a resource; the client itself when absent.
    pub default_audience: Option<String>,
    /// Rules for this client.
    pub policy: ClientPolicy,
    /// What else its registration says.
    pub metadata: ClientMetadata,
    /// Copied into tokens; raising it ends them all.
    pub generation: i64,
    /// Whether an administrator switched it off.
    pub disabled: bool,
}

impl Client {
    /// RFC 9068 §3: the audience of access tokens that name no resource.
    pub fn audience(&self) -> &str {
        self.default_audience.as_deref().unwrap_or(self.id.as_str())
    }

    /// RFC 6749 §2.1.
    pub fn is_public(&self) -> bool {
        self.auth == ClientAuth::None
    }

    /// Whether the registration has that grant type.
    pub fn may_use_grant(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|registered| registered == grant_type)
    }

    /// Protocol T7: whether it was given that people type their passwords into it. It must be ours, registered by an
    /// administrator, and show who it is.
    pub fn takes_passwords(&self) -> bool {
        let ours = self.first_party && self.source == ClientSource::Admin;
        ours && !self.is_public() && self.may_use_grant(GRANT_PASSWORD)
    }

    /// Protocol T6: whether a code gives it a refresh token.
    pub fn is_given_refresh(&self, offline: bool) -> bool {
        self.may_use_grant(GRANT_REFRESH) && (offline || self.policy.refresh_tokens == RefreshTokens::Always)
    }

    /// Whether each refresh gives a new token (RFC 9700 §4.14.2: public clients always).
    pub fn rotates(&self) -> bool {
        self.is_public() || self.policy.refresh_rotation == RefreshRotation::On
    }

    /// What of `asked` this client may be given: unknown scopes are dropped (protocol A13).
    pub fn permitted(&self, asked: &Scopes) -> Scopes {
        let permitted = asked.intersection(&self.scopes);
        if self.may_use_grant(GRANT_REFRESH) { permitted } else { permitted.without(OFFLINE_ACCESS) }
    }

    /// whether the roles of a person matter: who may use it, or a claim of its own made of them.
    pub fn wants_roles(&self) -> bool {
        !self.metadata.access_roles.is_empty()
            || self.metadata.claims.values().any(|mapping| mapping.from == ClaimSource::Roles)
    }

    /// whether somebody with these roles, inherited ones included, may use it.
    pub fn admits(&self, roles: &[String]) -> bool {
        let limit = &self.metadata.access_roles;
        limit.is_empty() || limit.iter().any(|role| roles.contains(role))
    }

    /// Protocol A12: whether a single claim may be asked for: one of the token, one that a scope it may have releases, or one
    /// of its own. What is not known here is nothing to ask for.
    pub fn may_ask_claim(&self, name: &str) -> bool {
        claims::PROTOCOL.contains(&name)
            || claims::scope_of(name).is_some_and(|scope| self.scopes.contains(scope))
            || self
                .metadata
                .claims
                .get(name)
                .is_some_and(|mapping| self.scopes.contains(mapping.scope.as_deref().unwrap_or(OPENID)))
    }

    /// OIDC Core §8.1: what a pairwise subject is the same for: the host of the sector's address, or of the redirect URIs. An
    /// application on the person's own machine has no host of its own there: it is a sector by itself.
    pub fn sector(&self) -> String {
        let on_the_web = |url: &Url| ["http", "https"].contains(&url.scheme()) && !is_loopback_host(url);
        let named = self.metadata.sector_identifier_uri.as_ref().and_then(|uri| Url::parse(uri).ok());
        let own = || self.redirect_uris.first().and_then(|uri| Url::parse(uri).ok()).filter(on_the_web);
        let host = named.or_else(own).and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_else(|| self.id.as_str().to_owned())
    }

    /// OIDC Core §8: the subject identifier this client knows an account by.
    pub fn subject_of(&self, account: &Account, pairwise: &DerivationKey) -> String {
        match self.metadata.subject_type {
            SubjectType::Public => account.subject.clone(),
            SubjectType::Pairwise => pairwise.text(&[b"sub", self.sector().as_bytes(), account.subject.as_bytes()]),
        }
    }

    /// RFC 8707 §2, R-47: whether tokens for that API may be asked for.
    pub fn may_use_resource(&self, resource: &str) -> bool {
        self.default_audience.as_deref() == Some(resource) || self.metadata.resources.iter().any(|one| one == resource)
    }

    /// Protocol A2: the registered URI equals the one sent in every byte; a native client's loopback port is free.
    pub fn accepts_redirect(&self, sent: &str) -> bool {
        self.redirect_uris.iter().any(|registered| {
            registered == sent
                || (self.application_type == ApplicationType::Native
                    && redirect_uri::same_but_loopback_port(registered, sent))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// everyone where there is no limit, else who has one of the roles, by its exact name.
    #[test]
    fn who_is_admitted() {
        let mut client = crate::fixtures::client();
        let admits = |client: &Client, roles: &[&str]| {
            client.admits(&roles.iter().map(|&role| role.to_owned()).collect::<Vec<_>>())
        };
        assert!(!client.wants_roles() && admits(&client, &[]));
        client.metadata.access_roles = vec!["staff".into(), "partner".into()];
        assert!(client.wants_roles());
        for (roles, expected) in [
            (&["staff"] as &[&str], true),
            (&["user", "partner"], true),
            (&["user"], false),
            (&[], false),
            (&["Staff"], false),
            (&["staff "], false),
        ] {
            assert_eq!(admits(&client, roles), expected, "{roles:?}");
        }
    }

    /// a claim made of roles needs them; another does not.
    #[test]
    fn claims_of_roles_need_roles() {
        let mut client = crate::fixtures::client();
        for (from, expected) in [(ClaimSource::Groups, false), (ClaimSource::Roles, true)] {
            client.metadata.claims = [("groups".into(), ClaimMapping { from, scope: None })].into();
            assert_eq!(client.wants_roles(), expected);
        }
    }

    /// A12, R-48: a single claim may be asked for where the scope that releases it may be, its own ones too.
    #[test]
    fn claims_that_may_be_asked_for() {
        let mut client = crate::fixtures::client();
        let mapping = |scope: Option<&str>| ClaimMapping { from: ClaimSource::Groups, scope: scope.map(str::to_owned) };
        client.metadata.claims = [("a", None), ("b", Some("email")), ("c", Some("never"))]
            .map(|(name, scope)| (name.to_owned(), mapping(scope)))
            .into();
        for (name, expected) in [
            ("sub", true),
            ("acr", true),
            ("email_verified", true),
            ("phone_number", false),
            ("a", true),
            ("b", true),
            ("c", false),
            ("unknown", false),
        ] {
            assert_eq!(client.may_ask_claim(name), expected, "{name}");
        }
        client.scopes = "profile".parse().unwrap();
        assert!(!client.may_ask_claim("a"), "no scope that releases it");
    }

    /// T6: a refresh token is for who registered the grant type, and by policy only with offline access.
    #[test]
    fn who_is_given_refresh_tokens() {
        for (registered, policy, offline, expected) in [
            (true, RefreshTokens::Always, false, true),
            (true, RefreshTokens::Always, true, true),
            (true, RefreshTokens::Offline, false, false),
            (true, RefreshTokens::Offline, true, true),
            (false, RefreshTokens::Always, true, false),
        ] {
            let mut client = crate::fixtures::client();
            client.policy.refresh_tokens = policy;
            client.grant_types = vec![if registered { GRANT_REFRESH } else { GRANT_CODE }.to_owned()];
            assert_eq!(client.is_given_refresh(offline), expected, "{registered} {policy:?} {offline}");
        }
    }

    /// T1: the registered names, and those that show who a client is.
    #[test]
    fn methods_of_authentication() {
        let secret = || ClientSecret::Hashed(Digest::of(b"secret"));
        let all = [
            ClientAuth::SecretBasic(secret()),
            ClientAuth::SecretPost(secret()),
            ClientAuth::SecretJwt(Secret::new("secret")),
            ClientAuth::PrivateKeyJwt,
            ClientAuth::None,
        ];
        let names = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"];
        assert_eq!(all.map(|one| one.method()), names);
        assert_eq!(ClientAuth::METHODS, names);
        assert_eq!(ClientAuth::confidential_methods().collect::<Vec<_>>(), names[..4]);
    }

    /// OIDC Core §8.1: the sector is the host of its address, else of the redirect URIs, else the client itself.
    #[test]
    fn sectors() {
        let mut client = crate::fixtures::client();
        assert_eq!(client.sector(), "app.example");
        client.metadata.sector_identifier_uri = Some("https://sector.example:8443/uris".into());
        assert_eq!(client.sector(), "sector.example");
        client.metadata.sector_identifier_uri = None;
        for own in ["com.example.app://callback", "com.example.app:/cb", "http://127.0.0.1/cb", "http://localhost:1/cb"]
        {
            client.redirect_uris = vec![own.into()];
            assert_eq!(client.sector(), "app", "{own}");
        }
        client.redirect_uris.clear();
        assert_eq!(client.sector(), "app");
    }
}
