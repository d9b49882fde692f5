//! Everything an administrator sets of a client, checked as a whole.

use signet_oidc::{
    client::{
        ApplicationType, Client, ClientAuth, ClientMetadata, ClientSecret, ClientSource, GRANT_CLIENT, GRANT_CODE,
        GRANT_IMPLICIT, GRANT_REFRESH, GRANT_TYPES, ResponseType, check_redirect_uri, is_local_redirect,
    },
    id::{ClientId, ClientKey},
    policy::{ClientPolicy, PkceRule, RefreshRotation, RequestObjects},
    realm::Realm,
    scope::{self, Scopes},
    secret::Secret,
};
use url::Url;

use super::{ClientChange, NewClient, members};
use crate::admin::AdminError;

/// The greatest number of URIs of a kind.
const MAX_URIS: usize = 50;
/// The greatest number of scopes.
const MAX_SCOPES: usize = 200;

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
        })
    }

    /// Every check, in order. Answers the settings as they are stored.
    pub fn check(self, realm: &Realm) -> Result<Self, AdminError> {
        let name = check_name(self.name)?;
        let redirect_uris = check_uris("redirect_uris", self.redirect_uris)?;
        let post_logout_redirect_uris = check_uris("post_logout_redirect_uris", self.post_logout_redirect_uris)?;
        let grant_types = check_grant_types(&self.grant_types)?;
        let scope = check_scope(&self.scope)?;
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
            check_audience(audience, realm)?;
        }
        let settings = Self { name, redirect_uris, post_logout_redirect_uris, grant_types, scope, ..self };
        // How they go together is asked of a client that has them.
        if let Some(id) = ClientId::parse("as-if") {
            let auth = settings.auth(Some(&Secret::new(String::new())))?;
            members::check(&settings.clone().fill(blank(id, auth)))?;
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
    pub(super) fn auth_method(&self) -> &str {
        &self.auth_method
    }

    /// A new client, with its secret where it needs one.
    pub(super) fn into_client(self, id: ClientId, secret: Option<&Secret>) -> Result<Client, AdminError> {
        let auth = self.auth(secret)?;
        Ok(self.fill(blank(id, auth)))
    }

    /// The changed client. One that comes to need a secret, or one of another kind, gets `made`, which is answered.
    pub(super) fn over(self, client: Client, made: Secret) -> Result<(Client, Option<Secret>), AdminError> {
        if self.first_party && client.source != ClientSource::Admin {
            return Err(wrong("first_party", "A client that registered itself stays a third party."));
        }
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
                request_objects: self.request_objects,
                ..client.policy
            },
            ..client
        }
    }
}

/// A client of which only who it is and how it authenticates is known.
fn blank(id: ClientId, auth: ClientAuth) -> Client {
    Client {
        key: ClientKey(0),
        id,
        name: String::new(),
        source: ClientSource::Admin,
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

fn check_name(name: String) -> Result<String, AdminError> {
    let trimmed = name.trim();
    if trimmed.is_empty() || trimmed.chars().count() > 200 || trimmed.chars().any(char::is_control) {
        return Err(wrong("client_name", "Use 1 to 200 characters, no control characters."));
    }
    Ok(if trimmed.len() == name.len() { name } else { trimmed.to_owned() })
}

/// Protocol R3; each once, in the order given.
fn check_uris(field: &'static str, uris: Vec<String>) -> Result<Vec<String>, AdminError> {
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
fn check_grant_types(given: &[String]) -> Result<Vec<String>, AdminError> {
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
fn check_scope(scope: &str) -> Result<String, AdminError> {
    let scopes: Scopes = scope.parse().map_err(|error| wrong("scope", format!("{scope:?}: {error}.")))?;
    if scopes.iter().count() > MAX_SCOPES || scopes.iter().any(|scope| scope.len() > 256) {
        return Err(wrong("scope", format!("Give at most {MAX_SCOPES} scopes of at most 256 bytes.")));
    }
    Ok(scopes.to_string())
}

/// RFC 8707 §2: an absolute URI without a fragment.
fn check_audience(audience: &str, realm: &Realm) -> Result<(), AdminError> {
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

#[cfg(test)]
mod tests {
    use signet_oidc::{id::RealmId, policy::Policy};

    use super::*;

    fn realm() -> Realm {
        Realm {
            id: RealmId(1),
            issuer: "https://id.example".to_owned(),
            development: false,
            registration_open: false,
            policy: Policy::default(),
        }
    }

    fn good() -> NewClient {
        NewClient {
            client_name: " App ".to_owned(),
            redirect_uris: vec!["https://app.example/cb".to_owned(), "https://app.example/cb".to_owned()],
            ..NewClient::default()
        }
    }

    fn checked(new: NewClient) -> Result<Settings, AdminError> {
        Settings::of_new(new)?.check(&realm())
    }

    /// R-37: defaults are filled in, and what is stored is the same whatever order it was given in.
    #[test]
    fn settings_are_stored_in_one_form() {
        let stored = checked(good()).unwrap();
        assert_eq!((stored.name.as_str(), stored.redirect_uris.len()), ("App", 1));
        assert_eq!(stored.scope, "address email offline_access openid phone profile");
        let turned = NewClient {
            grant_types: Some(vec!["refresh_token".to_owned(), "authorization_code".to_owned()]),
            scope: Some("profile openid email phone  address offline_access".to_owned()),
            token_endpoint_auth_method: Some("client_secret_basic".to_owned()),
            ..good()
        };
        assert_eq!(checked(turned).unwrap().differences(&stored), Vec::<String>::new());
        let native = NewClient { redirect_uris: vec!["com.example.app:/cb".to_owned()], ..good() };
        assert_eq!(checked(native).unwrap().application_type, ApplicationType::Native);
    }

    /// R-37: what cannot be is refused with the member's name.
    #[test]
    fn wrong_members_are_named() {
        let text = |text: &str| Some(text.to_owned());
        let types = |types: &[&str]| Some(types.iter().map(|&name| name.to_owned()).collect());
        for (bad, field) in [
            (NewClient { client_name: " ".to_owned(), ..good() }, "client_name"),
            (NewClient { client_name: "a\u{7}".to_owned(), ..good() }, "client_name"),
            (NewClient { client_name: "x".repeat(201), ..good() }, "client_name"),
            (NewClient { redirect_uris: vec![], ..good() }, "redirect_uris"),
            (NewClient { redirect_uris: vec!["http://app.example/".to_owned()], ..good() }, "redirect_uris"),
            (NewClient { redirect_uris: vec!["https://a.example/".to_owned(); 51], ..good() }, "redirect_uris"),
            (
                NewClient { post_logout_redirect_uris: vec!["javascript:1".to_owned()], ..good() },
                "post_logout_redirect_uris",
            ),
            (NewClient { grant_types: types(&["magic"]), ..good() }, "grant_types"),
            (NewClient { grant_types: types(&[]), ..good() }, "grant_types"),
            (
                NewClient {
                    grant_types: types(&["client_credentials"]),
                    token_endpoint_auth_method: text("none"),
                    ..good()
                },
                "grant_types",
            ),
            (NewClient { scope: text("a\"b"), ..good() }, "scope"),
            (NewClient { scope: text(&"x".repeat(257)), ..good() }, "scope"),
            (NewClient { token_endpoint_auth_method: text("magic"), ..good() }, "token_endpoint_auth_method"),
            (NewClient { default_audience: text("api"), ..good() }, "default_audience"),
            (NewClient { default_audience: text("https://api.example/#x"), ..good() }, "default_audience"),
            (NewClient { default_audience: text("https://id.example"), ..good() }, "default_audience"),
        ] {
            match checked(bad.clone()) {
                Err(AdminError::Invalid(refusal)) => assert_eq!(refusal.field, Some(field), "{bad:?}"),
                other => panic!("{bad:?}: {other:?}"),
            }
        }
    }

    /// R-37: a change touches what it names, and `null` takes the audience away.
    #[test]
    fn changes_are_partial() {
        let stored = checked(NewClient { default_audience: Some("https://api.example".to_owned()), ..good() }).unwrap();
        let change: ClientChange = serde_json::from_str(r#"{"client_name": "New", "default_audience": null}"#).unwrap();
        assert_eq!(stored.clone().with(change).unwrap().differences(&stored), ["client_name", "default_audience"]);
        let nothing: ClientChange = serde_json::from_str("{}").unwrap();
        assert_eq!(stored.clone().with(nothing).unwrap(), stored);
        let other: ClientChange = serde_json::from_str(r#"{"client_id": "other"}"#).unwrap();
        assert!(stored.with(other).is_err(), "the identifier stays");
    }
}
