//! What a decision grants, and the answer once it is signed.

use serde::Serialize;

use crate::{
    client::Client,
    grant::Grant,
    jose::{AccessClaims, IdClaims, Keyring, KeyringError},
    realm::Realm,
    scope::{OPENID, Scopes},
    secret::Secret,
    subject::Account,
    turn::Turn,
};

/// The claims of the tokens to sign: never a signature. Signing follows the commit.
#[derive(Debug, Clone)]
pub struct Issue {
    access: AccessClaims,
    id: Option<IdClaims>,
    refresh: Option<Secret>,
    scopes: Scopes,
    lifetime_seconds: i64,
}

/// RFC 6749 §5.1, OIDC Core §3.1.3.3.
#[derive(Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    scope: String,
}

impl Issue {
    pub(super) fn new(
        client: &Client,
        grant: &Grant,
        scopes: &Scopes,
        account: &Account,
        (realm, turn): (&Realm, &mut Turn),
    ) -> Self {
        let now = turn.now();
        // What was granted once is no more than what the client may ask for today.
        let scopes = scopes.intersection(&client.scopes);
        let openid = scopes.contains(OPENID);
        let access = AccessClaims {
            iss: realm.issuer.clone(),
            sub: grant.subject.clone(),
            aud: audience(client, grant, openid, realm),
            exp: (now + realm.policy.access_token_lifetime).timestamp(),
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
        });
        let lifetime_seconds = realm.policy.access_token_lifetime.num_seconds();
        Self { access, id, refresh: None, scopes, lifetime_seconds }
    }

    /// RFC 9068 §2.2: a token of the client itself, whose subject is the client. No row stands behind it.
    pub(super) fn for_client(client: &Client, scopes: Scopes, (realm, turn): (&Realm, &mut Turn)) -> Self {
        let now = turn.now();
        let id = client.id.as_str();
        let access = AccessClaims {
            iss: realm.issuer.clone(),
            sub: id.to_owned(),
            aud: vec![client.audience().to_owned()],
            exp: (now + realm.policy.access_token_lifetime).timestamp(),
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
        };
        let lifetime_seconds = realm.policy.access_token_lifetime.num_seconds();
        Self { access, id: None, refresh: None, scopes, lifetime_seconds }
    }

    /// OIDC Core §2: the nonce of the request, in the first ID token only.
    pub(super) fn with_nonce(mut self, grant: &Grant) -> Self {
        if let Some(id) = &mut self.id {
            id.nonce.clone_from(&grant.nonce);
        }
        self
    }

    pub(super) fn with_refresh(mut self, refresh: Option<Secret>) -> Self {
        self.refresh = refresh;
        self
    }

    /// Signs and renders, after the commit. The ID token carries the hash of the access token beside it (T8).
    pub fn sign(self, keys: &Keyring) -> Result<TokenResponse, KeyringError> {
        let access_token = keys.sign_access(&self.access)?;
        let id_token = self
            .id
            .map(|mut claims| {
                claims.at_hash = Some(crate::jose::half_hash(&access_token));
                keys.sign_id(&claims)
            })
            .transpose()?;
        Ok(TokenResponse {
            access_token,
            token_type: "Bearer",
            expires_in: self.lifetime_seconds,
            refresh_token: self.refresh.map(|token| token.expose().to_owned()),
            id_token,
            scope: self.scopes.to_string(),
        })
    }
}

/// RFC 9068 §3: the resources asked for, else the client's default; `openid` adds the issuer, for userinfo.
fn audience(client: &Client, grant: &Grant, openid: bool, realm: &Realm) -> Vec<String> {
    let mut audience = grant.resources.clone();
    if audience.is_empty() {
        audience.push(client.audience().to_owned());
    }
    if openid && !audience.contains(&realm.issuer) {
        audience.push(realm.issuer.clone());
    }
    audience
}
