//! A registered client (RFC 6749 §2, RFC 7591).

mod metadata;
mod response_type;

pub use metadata::{ClaimMapping, ClaimSource, ClientMetadata, SubjectType};
pub use response_type::{RESPONSE_TYPES, ResponseType};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    claims,
    error::{ErrorCode, OAuthError},
    id::{ClientId, ClientKey},
    policy::{ClientPolicy, RefreshRotation},
    scope::{OFFLINE_ACCESS, Scopes},
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
            || self.metadata.claims.contains_key(name)
    }

    /// OIDC Core §8.1: what a pairwise subject is the same for: the host of the sector's address, or of the redirect URIs.
    pub fn sector(&self) -> String {
        let named = self.metadata.sector_identifier_uri.as_ref().or(self.redirect_uris.first());
        let host = named.and_then(|uri| Url::parse(uri).ok()).and_then(|url| url.host_str().map(str::to_owned));
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
                || (self.application_type == ApplicationType::Native && same_but_loopback_port(registered, sent))
        })
    }
}

/// RFC 8252 §7.3: `http://127.0.0.1` and `http://[::1]` may differ in the port, and in nothing else.
fn same_but_loopback_port(registered: &str, sent: &str) -> bool {
    fn split(uri: &str) -> Option<(&str, &str)> {
        let host = ["http://127.0.0.1", "http://[::1]"].into_iter().find(|host| uri.starts_with(host))?;
        let rest = uri.get(host.len()..)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (port, tail) = rest.split_at_checked(end)?;
        let good = port.is_empty() || is_port(port.strip_prefix(':')?);
        good.then_some((host, tail))
    }
    matches!((split(registered), split(sent)), (Some(a), Some(b)) if a == b)
}

/// RFC 3986 §3.2.3: a port as everybody writes it, digits alone.
fn is_port(text: &str) -> bool {
    text.starts_with(|c: char| ('1'..='9').contains(&c))
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}

/// Whether `uri` leads to the person's own machine, where any program may listen (protocol A16).
pub fn is_local_redirect(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return true };
    match url.scheme() {
        "https" => false,
        "http" => is_loopback_host(&url),
        _ => true,
    }
}

/// Whether the URL's host is this machine: `localhost`, `*.localhost`, `127.0.0.0/8` or `[::1]`.
pub fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What answers bring to the redirect URI; a query that holds one already would make it come twice.
const ANSWER_NAMES: [&str; 9] =
    ["code", "state", "iss", "error", "error_description", "access_token", "id_token", "token_type", "session_state"];

/// Protocol R3: what a redirect URI must be to be registered.
pub fn check_redirect_uri(uri: &str) -> Result<(), OAuthError> {
    let refuse = |description| Err(OAuthError::new(ErrorCode::InvalidRequest, description));
    if uri.len() > 2_000 || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse("a redirect URI is at most 2000 bytes of ASCII, without spaces or control characters");
    }
    let Ok(url) = Url::parse(uri) else {
        return refuse("a redirect URI must be absolute, such as https://app.example/callback");
    };
    if uri.contains('#') {
        return refuse("a redirect URI must not have a fragment");
    }
    // Programs differ in what they make of these, and so in where they lead.
    let web = matches!(url.scheme(), "http" | "https");
    let rest = uri.split_once(':').map(|(_, rest)| rest).unwrap_or_default();
    if uri.contains(['\\', '*']) || web && (!rest.starts_with("//") || rest.starts_with("///")) {
        return refuse("a redirect URI is written as in https://app.example/callback, without \\ or *");
    }
    if url.query_pairs().any(|(name, _)| ANSWER_NAMES.contains(&name.as_ref())) {
        return refuse("a redirect URI's query must not hold what answers bring, such as code, state or iss");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("a redirect URI must not carry a user name or password");
    }
    match url.scheme() {
        "https" if url.host().is_some() => Ok(()),
        "http" if is_loopback_host(&url) => Ok(()),
        "http" => refuse("an http redirect URI must lead to this machine (localhost, 127.0.0.1, [::1]); use https"),
        // RFC 8252 §7.1: a private-use scheme holds a domain name in reverse order, hence a dot.
        scheme if scheme.contains('.') => Ok(()),
        _ => refuse("a redirect URI must be https, loopback http, or a private-use scheme such as com.example.app:/cb"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A2: only the port of a native client's loopback URI is free.
    #[test]
    fn loopback_port() {
        let cases = [
            ("http://127.0.0.1/cb", "http://127.0.0.1:5123/cb", true),
            ("http://[::1]:1/cb?x=1", "http://[::1]:5123/cb?x=1", true),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5123/cb2", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5123@evil.example/cb", false),
            ("http://localhost/cb", "http://localhost:5123/cb", false),
            ("https://127.0.0.1/cb", "https://127.0.0.1:1/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:+80/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:080/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", false),
        ];
        for (registered, sent, good) in cases {
            assert_eq!(same_but_loopback_port(registered, sent), good, "{registered} {sent}");
        }
    }

    /// R3: dangerous redirect URIs cannot be registered.
    #[test]
    fn redirect_uris() {
        for good in [
            "https://app.example/cb",
            "http://localhost:3000/cb",
            "com.example.app:/cb",
            "http://[::1]/cb",
            "https://a.example/?x=1",
        ] {
            assert!(check_redirect_uri(good).is_ok(), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://app.example/cb",
            "https://app.example/#f",
            "/cb",
            "",
            "https://u:p@app.example/cb",
            "https://app.example/\ncb",
            "file:///etc/passwd",
            "https://app.example/ü",
            "https://app.example\\@evil.example/cb",
            "https:///cb",
            "https:app.example/cb",
            "https:/app.example/cb",
            "https://*.example/cb",
            "https://app.example/cb?code=1",
            "https://app.example/cb?a=1&iss=x",
        ] {
            assert!(check_redirect_uri(bad).is_err(), "{bad}");
        }
    }

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
}
