//! Everything an administrator sets of a client, checked as a whole.

mod checks;
#[cfg(test)]
mod tests;

use signet_oidc::{
    client::{
        ApplicationType, Client, ClientAuth, ClientMetadata, ClientSecret, ClientSource, GRANT_CLIENT, GRANT_CODE,
        GRANT_IMPLICIT, GRANT_REFRESH, ResponseType, is_local_redirect,
    },
    id::{ClientId, ClientKey},
    jose::Alg,
    policy::{ClientPolicy, PkceRule, RefreshRotation, RefreshTokens, RequestObjects},
    realm::Realm,
    scope::{self, Scopes},
    secret::Secret,
};

use super::{ClientChange, NewClient, members};
use crate::admin::AdminError;

/// What an administrator sets of a client. Equal settings are the same client to everybody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    name: String,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    grant_types: Vec<String>,
    scope: String,
    auth_method: String,
    application_type: ApplicationType,
    first_party: bool,
    default_audience: Option<String>,
    pkce: PkceRule,
    refresh_rotation: RefreshRotation,
    refresh_tokens: RefreshTokens,
    pkce_plain: bool,
    request_objects: RequestObjects,
    response_types: Vec<ResponseType>,
    metadata: ClientMetadata,
}

fn wrong(field: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> AdminError {
    AdminError::invalid("invalid_client_metadata", field, message)
}

impl Settings {
    /// Those of a new client, defaults filled in.
    pub fn of_new(new: NewClient) -> Result<Self, AdminError> {
        let custom_scheme = |uri: &String| is_local_redirect(uri) && !uri.starts_with("http");
        let native = !new.redirect_uris.is_empty() && new.redirect_uris.iter().all(custom_scheme);
        let application_type = if native { ApplicationType::Native } else { ApplicationType::Web };
        let grant_types = new.grant_types.unwrap_or_else(|| vec![GRANT_CODE.to_owned(), GRANT_REFRESH.to_owned()]);
        let response_types = match new.response_types {
            Some(given) => members::response_types(&given)?,
            None => members::response_types_of(&grant_types),
        };
        let metadata = members::read(&ClientMetadata::default(), new.members)?;
        let standard = || scope::STANDARD.iter().map(|(name, _)| *name).collect::<Scopes>().to_string();
        Ok(Self {
            name: new.client_name,
            redirect_uris: new.redirect_uris,
            post_logout_redirect_uris: new.post_logout_redirect_uris,
            grant_types,
            response_types,
            metadata,
            pkce_plain: new.pkce_plain,
            request_objects: new.request_objects.unwrap_or_default(),
            scope: new.scope.unwrap_or_else(standard),
            auth_method: new.token_endpoint_auth_method.unwrap_or_else(|| "client_secret_basic".to_owned()),
            application_type: new.application_type.unwrap_or(application_type),
            first_party: new.first_party,
            default_audience: new.default_audience,
            pkce: new.pkce.unwrap_or_default(),
            refresh_rotation: new.refresh_rotation.unwrap_or_default(),
            refresh_tokens: new.refresh_tokens.unwrap_or_default(),
        })
    }

    /// Those of a client that exists.
    pub fn of(client: &Client) -> Self {
        Self {
            name: client.name.clone(),
            redirect_uris: client.redirect_uris.clone(),
            post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
            grant_types: client.grant_types.clone(),
            scope: client.scopes.to_string(),
            auth_method: client.auth.method().to_owned(),
            application_type: client.application_type,
            first_party: client.first_party,
            default_audience: client.default_audience.clone(),
            pkce: client.policy.pkce,
            refresh_rotation: client.policy.refresh_rotation,
            refresh_tokens: client.policy.refresh_tokens,
            pkce_plain: client.policy.pkce_plain,
            request_objects: client.policy.request_objects,
            response_types: client.response_types.clone(),
            metadata: client.metadata.clone(),
        }
    }

    /// The same after a change.
    pub fn with(self, change: ClientChange) -> Result<Self, AdminError> {
        let response_types = match (&change.response_types, &change.grant_types) {
            (Some(given), _) => members::response_types(given)?,
            // They follow the grant types where nobody chose among them.
            (None, Some(grants)) if self.response_types == members::response_types_of(&self.grant_types) => {
                members::response_types_of(grants)
            }
            (None, _) => self.response_types,
        };
        Ok(Self {
            response_types,
            metadata: members::read(&self.metadata, change.members)?,
            pkce_plain: change.pkce_plain.unwrap_or(self.pkce_plain),
            request_objects: change.request_objects.unwrap_or(self.request_objects),
            name: change.client_name.unwrap_or(self.name),
            redirect_uris: change.redirect_uris.unwrap_or(self.redirect_uris),
            post_logout_redirect_uris: change.post_logout_redirect_uris.unwrap_or(self.post_logout_redirect_uris),
            grant_types: change.grant_types.unwrap_or(self.grant_types),
            scope: change.scope.unwrap_or(self.scope),
            auth_method: change.token_endpoint_auth_method.unwrap_or(self.auth_method),
            application_type: change.application_type.unwrap_or(self.application_type),
            first_party: change.first_party.unwrap_or(self.first_party),
            default_audience: change.default_audience.unwrap_or(self.default_audience),
            pkce: change.pkce.unwrap_or(self.pkce),
            refresh_rotation: change.refresh_rotation.unwrap_or(self.refresh_rotation),
            refresh_tokens: change.refresh_tokens.unwrap_or(self.refresh_tokens),
        })
    }

    /// The same with the rules that an administrator set, which a client does not change by itself.
    pub(crate) fn with_policy_of(self, stored: &Self) -> Self {
        Self {
            pkce: stored.pkce,
            refresh_rotation: stored.refresh_rotation,
            refresh_tokens: stored.refresh_tokens,
            pkce_plain: stored.pkce_plain,
            request_objects: stored.request_objects,
            ..self
        }
    }

    /// Every check, in order. Answers the settings as they are stored.
    pub fn check(self, realm: &Realm, source: &ClientSource) -> Result<Self, AdminError> {
        let name = checks::name(self.name)?;
        let redirect_uris = checks::uris("redirect_uris", self.redirect_uris)?;
        let post_logout_redirect_uris = checks::uris("post_logout_redirect_uris", self.post_logout_redirect_uris)?;
        let grant_types = checks::grant_types(&self.grant_types)?;
        let scope = checks::scope(&self.scope)?;
        if !ClientAuth::METHODS.contains(&&*self.auth_method) {
            let known = ClientAuth::METHODS.join(", ");
            return Err(wrong("token_endpoint_auth_method", format!("{:?}: use one of {known}.", self.auth_method)));
        }
        let has = |name: &str| grant_types.iter().any(|given| given == name);
        if (has(GRANT_CODE) || has(GRANT_IMPLICIT)) && redirect_uris.is_empty() {
            return Err(wrong("redirect_uris", "Give a redirect URI: where are people sent back to?"));
        }
        if has(GRANT_CLIENT) && self.auth_method == "none" {
            return Err(wrong(
                "grant_types",
                "client_credentials needs a client with a secret, not the authentication method `none`.",
            ));
        }
        if let Some(audience) = &self.default_audience {
            checks::audience(audience, realm)?;
        }
        if let Some(uri) = &self.metadata.initiate_login_uri {
            checks::initiation(uri, realm)?;
        }
        let settings = Self { name, redirect_uris, post_logout_redirect_uris, grant_types, scope, ..self };
        // How they go together is asked of a client that has them.
        if let Some(id) = ClientId::parse("as-if") {
            let auth = settings.auth(Some(&Secret::new(String::new())))?;
            members::check(&settings.clone().fill(blank(id, auth, source)))?;
        }
        Ok(settings)
    }

    /// The members in which `self` differs, as they are named on the outside.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let members = [
            ("client_name", self.name == other.name),
            ("redirect_uris", self.redirect_uris == other.redirect_uris),
            ("post_logout_redirect_uris", self.post_logout_redirect_uris == other.post_logout_redirect_uris),
            ("grant_types", self.grant_types == other.grant_types),
            ("scope", self.scope == other.scope),
            ("token_endpoint_auth_method", self.auth_method == other.auth_method),
            ("application_type", self.application_type == other.application_type),
            ("first_party", self.first_party == other.first_party),
            ("default_audience", self.default_audience == other.default_audience),
            ("pkce", self.pkce == other.pkce),
            ("refresh_rotation", self.refresh_rotation == other.refresh_rotation),
            ("refresh_tokens", self.refresh_tokens == other.refresh_tokens),
            ("pkce_plain", self.pkce_plain == other.pkce_plain),
            ("request_objects", self.request_objects == other.request_objects),
            ("response_types", self.response_types == other.response_types),
        ];
        let mut names: Vec<String> =
            members.into_iter().filter(|(_, same)| !same).map(|(name, _)| name.to_owned()).collect();
        names.extend(members::differences(&self.metadata, &other.metadata));
        names
    }

    /// Whether such a client has a secret.
    pub fn wants_secret(&self) -> bool {
        !["none", "private_key_jwt"].contains(&&*self.auth_method)
    }

    /// How such a client authenticates.
    pub(crate) fn auth_method(&self) -> &str {
        &self.auth_method
    }

    /// The address that names its sector, and the redirect URIs that must be listed there.
    pub(super) fn sector(&self) -> Option<(&str, &[String])> {
        self.metadata.sector_identifier_uri.as_deref().map(|uri| (uri, self.redirect_uris.as_slice()))
    }

    /// Whether it names a sector.
    pub(crate) fn names_sector(&self) -> bool {
        self.metadata.sector_identifier_uri.is_some()
    }

    /// The algorithms that it wants to be answered with.
    pub(crate) fn signing_algs(&self) -> Vec<Alg> {
        self.metadata.signing_algs().collect()
    }

    /// A new client, with its secret where it needs one.
    pub(crate) fn into_client(
        self,
        id: ClientId,
        source: &ClientSource,
        secret: Option<&Secret>,
    ) -> Result<Client, AdminError> {
        let auth = self.auth(secret)?;
        Ok(self.fill(blank(id, auth, source)))
    }

    /// The changed client. One that comes to need a secret, or one of another kind, gets `made`, which is answered.
    pub(crate) fn over(self, client: Client, made: Secret) -> Result<(Client, Option<Secret>), AdminError> {
        let auth = match (&client.auth, self.auth_method.as_str()) {
            // The same secret, sent in another way.
            (ClientAuth::SecretBasic(secret) | ClientAuth::SecretPost(secret), "client_secret_basic") => {
                Some(ClientAuth::SecretBasic(secret.clone()))
            }
            (ClientAuth::SecretBasic(secret) | ClientAuth::SecretPost(secret), "client_secret_post") => {
                Some(ClientAuth::SecretPost(secret.clone()))
            }
            (ClientAuth::SecretJwt(_), "client_secret_jwt") => Some(client.auth.clone()),
            _ => None,
        };
        if let Some(auth) = auth {
            return Ok((self.fill(Client { auth, ..client }), None));
        }
        let auth = self.auth(Some(&made))?;
        let secret = self.wants_secret().then_some(made);
        Ok((self.fill(Client { auth, ..client }), secret))
    }

    fn auth(&self, secret: Option<&Secret>) -> Result<ClientAuth, AdminError> {
        let hashed = |secret: &Secret| ClientSecret::Hashed(secret.digest());
        match (self.auth_method.as_str(), secret) {
            ("none", _) => Ok(ClientAuth::None),
            ("private_key_jwt", _) => Ok(ClientAuth::PrivateKeyJwt),
            ("client_secret_basic", Some(secret)) => Ok(ClientAuth::SecretBasic(hashed(secret))),
            ("client_secret_post", Some(secret)) => Ok(ClientAuth::SecretPost(hashed(secret))),
            ("client_secret_jwt", Some(secret)) => Ok(ClientAuth::SecretJwt(secret.clone())),
            _ => Err(wrong("token_endpoint_auth_method", "This method cannot be used here.")),
        }
    }

    fn fill(self, client: Client) -> Client {
        Client {
            name: self.name,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            response_types: self.response_types,
            metadata: self.metadata,
            grant_types: self.grant_types,
            scopes: self.scope.parse().unwrap_or_default(),
            first_party: self.first_party,
            application_type: self.application_type,
            default_audience: self.default_audience,
            policy: ClientPolicy {
                pkce: self.pkce,
                pkce_plain: self.pkce_plain,
                refresh_rotation: self.refresh_rotation,
                refresh_tokens: self.refresh_tokens,
                request_objects: self.request_objects,
                ..client.policy
            },
            ..client
        }
    }
}

/// A client of which only who it is and how it authenticates is known.
fn blank(id: ClientId, auth: ClientAuth, source: &ClientSource) -> Client {
    Client {
        key: ClientKey(0),
        id,
        name: String::new(),
        source: source.clone(),
        auth,
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        grant_types: Vec::new(),
        response_types: Vec::new(),
        scopes: Scopes::default(),
        first_party: false,
        application_type: ApplicationType::Web,
        default_audience: None,
        policy: ClientPolicy::default(),
        metadata: ClientMetadata::default(),
        generation: 0,
        disabled: false,
    }
}
