//! What a decision grants, and the answer once it is signed.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Map;

use crate::{
    claims::Release,
    client::{Client, ResponseType},
    grant::Grant,
    jose::{AccessClaims, Alg, Encryption, IdClaims, Keyring, KeyringError, Recipient, half_hash},
    realm::Realm,
    resource::Apis,
    scope::{OPENID, Scopes},
    secret::Secret,
    subject::{Account, Person},
    turn::Turn,
};

/// For which APIs an access token is to be.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Those asked for in this request; those of the grant when empty.
    pub resources: Vec<String>,
    /// What those that are registered ask of the token.
    pub apis: Apis,
}

/// The claims of the tokens to sign: never a signature. Signing follows the commit.
#[derive(Debug, Clone)]
pub struct Issue {
    access: Option<AccessClaims>,
    /// Of the access token, where its resource names one.
    access_alg: Option<Alg>,
    id: Option<IdClaims>,
    id_alg: Alg,
    id_encryption: Option<Encryption>,
    refresh: Option<Secret>,
    code: Option<Secret>,
    scopes: Scopes,
    lifetime_seconds: i64,
}

/// RFC 6749 §5.1, OIDC Core §3.1.3.3.
#[derive(Serialize)]
pub struct TokenResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

impl TokenResponse {
    /// RFC 6749 §4.2.2, OIDC Core §3.2.2.5, §3.3.2.5: as parameters of an answer of the authorization endpoint.
    pub fn parameters(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let text = |name, value: &'_ Option<String>| value.clone().map(|value| (name, Cow::Owned(value)));
        [
            text("code", &self.code),
            text("access_token", &self.access_token),
            self.token_type.map(|kind| ("token_type", Cow::Borrowed(kind))),
            self.expires_in.map(|seconds| ("expires_in", Cow::Owned(seconds.to_string()))),
            text("id_token", &self.id_token),
            text("scope", &self.scope),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Issue {
    pub(crate) fn new(
        client: &Client,
        grant: &Grant,
        (scopes, target): (&Scopes, &Target),
        account: &Account,
        (realm, turn): (&Realm, &mut Turn),
    ) -> Self {
        let now = turn.now();
        // What was granted once is no more than what the client may ask for today.
        let scopes = scopes.intersection(&client.scopes);
        let resources = if target.resources.is_empty() { &grant.resources } else { &target.resources };
        let scopes = target.apis.narrow(&scopes, resources.len().max(1));
        let lifetime = target.apis.lifetime(realm.policy.access_token_lifetime);
        let openid = scopes.contains(OPENID);
        let access = AccessClaims {
            iss: realm.issuer.clone(),
            sub: grant.subject.clone(),
            aud: audience(client, resources, openid, realm),
            exp: (now + lifetime).timestamp(),
            iat: now.timestamp(),
            jti: turn.secret().expose().to_owned(),
            client_id: client.id.as_str().to_owned(),
            scope: scopes.to_string(),
            auth_time: Some(grant.auth_time.timestamp()),
            acr: Some(grant.acr.clone()),
            sid: grant.sid.clone(),
            user_id: client.first_party.then_some(grant.account),
            grant: Some(grant.id),
            account_generation: account.generation,
            client_generation: client.generation,
            extra: Map::new(),
        };
        let id = openid.then(|| IdClaims {
            iss: realm.issuer.clone(),
            sub: grant.subject.clone(),
            aud: client.id.as_str().to_owned(),
            azp: client.id.as_str().to_owned(),
            exp: (now + realm.policy.id_token_lifetime).timestamp(),
            iat: now.timestamp(),
            auth_time: grant.auth_time.timestamp(),
            nonce: None,
            acr: grant.acr.clone(),
            amr: grant.amr.clone(),
            sid: grant.sid.clone(),
            at_hash: None,
            c_hash: None,
            extra: Map::new(),
        });
        let lifetime_seconds = lifetime.num_seconds();
        Self {
            access: Some(access),
            access_alg: target.apis.alg(),
            id,
            id_alg: client.metadata.id_token_alg(),
            id_encryption: client.metadata.id_token_encryption(),
            refresh: None,
            code: None,
            scopes,
            lifetime_seconds,
        }
    }

    /// RFC 9068 §2.2: a token of the client itself, whose subject is the client. No row stands behind it.
    pub(super) fn for_client(
        client: &Client,
        scopes: &Scopes,
        target: &Target,
        (realm, turn): (&Realm, &mut Turn),
    ) -> Self {
        let now = turn.now();
        let id = client.id.as_str();
        let mut aud = target.resources.clone();
        if aud.is_empty() {
            aud.push(client.audience().to_owned());
        }
        let scopes = target.apis.narrow(scopes, aud.len());
        let lifetime = target.apis.lifetime(realm.policy.access_token_lifetime);
        let access = AccessClaims {
            iss: realm.issuer.clone(),
            sub: id.to_owned(),
            aud,
            exp: (now + lifetime).timestamp(),
            iat: now.timestamp(),
            jti: turn.secret().expose().to_owned(),
            client_id: id.to_owned(),
            scope: scopes.to_string(),
            auth_time: None,
            acr: None,
            sid: None,
            user_id: None,
            grant: None,
            account_generation: 0,
            client_generation: client.generation,
            extra: Map::new(),
        };
        let lifetime_seconds = lifetime.num_seconds();
        Self {
            access: Some(access),
            access_alg: target.apis.alg(),
            id: None,
            id_alg: client.metadata.id_token_alg(),
            id_encryption: client.metadata.id_token_encryption(),
            refresh: None,
            code: None,
            scopes,
            lifetime_seconds,
        }
    }

    /// What its access token allows.
    pub(super) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// OIDC Core §2: the nonce of the request, in the first ID token only.
    pub(crate) fn with_nonce(mut self, grant: &Grant) -> Self {
        if let Some(id) = &mut self.id {
            id.nonce.clone_from(&grant.nonce);
        }
        self
    }

    pub(super) fn with_refresh(mut self, refresh: Option<Secret>) -> Self {
        self.refresh = refresh;
        self
    }

    /// OIDC Core §5.4, §5.5: claims about the person in the ID token.
    pub(crate) fn with_person(mut self, client: &Client, grant: &Grant, person: &Person) -> Self {
        let alone = self.access.is_none() && self.code.is_none();
        if let Some(id) = &mut self.id {
            let release = Release { client, scopes: &self.scopes, request: &grant.claims };
            id.extra = release.for_id_token(person, alone);
        }
        self
    }

    /// OAuth 2.0 Multiple Response Types §3: what the authorization endpoint answers with.
    pub(crate) fn for_response_type(mut self, asked: ResponseType, code: Option<Secret>) -> Self {
        if !asked.token {
            self.access = None;
        }
        if !asked.id_token {
            self.id = None;
        }
        self.code = code;
        self
    }

    /// Signs and renders, after the commit. The ID token carries the hashes of the access token and of the code that travel
    /// beside it (T8), and is encrypted where the client registered that: without the `recipient` for it there is none.
    pub fn sign(&self, keys: &Keyring, recipient: Option<&Recipient>) -> Result<TokenResponse, KeyringError> {
        let access_token = self.access.as_ref().map(|claims| keys.sign_access(claims, self.access_alg)).transpose()?;
        let alg = self.id_alg;
        let sign_id = |claims: &IdClaims| {
            let mut claims = claims.clone();
            claims.at_hash = access_token.as_deref().map(|token| half_hash(alg, token));
            claims.c_hash = self.code.as_ref().map(|code| half_hash(alg, code.expose()));
            let signed = keys.sign_id(&claims, alg)?;
            let Some(encryption) = self.id_encryption else { return Ok(signed) };
            recipient.filter(|one| one.reads(encryption)).ok_or(KeyringError::Recipient)?.nest(&signed)
        };
        let id_token = self.id.as_ref().map(sign_id).transpose()?;
        let text = |secret: &Secret| secret.expose().to_owned();
        let issued = access_token.is_some();
        Ok(TokenResponse {
            code: self.code.as_ref().map(text),
            access_token,
            token_type: issued.then_some("Bearer"),
            expires_in: issued.then_some(self.lifetime_seconds),
            refresh_token: self.refresh.as_ref().map(text),
            id_token,
            scope: issued.then(|| self.scopes.to_string()),
        })
    }
}

/// RFC 9068 §3: the resources asked for, else the client's default; `openid` adds the issuer, for userinfo.
fn audience(client: &Client, resources: &[String], openid: bool, realm: &Realm) -> Vec<String> {
    let mut audience = resources.to_vec();
    if audience.is_empty() {
        audience.push(client.audience().to_owned());
    }
    if openid && !audience.contains(&realm.issuer) {
        audience.push(realm.issuer.clone());
    }
    audience
}
