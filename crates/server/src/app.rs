//! What every handler shares.

use std::sync::Arc;

use actix_web::web::Bytes;
use arc_swap::ArcSwap;
use moka::sync::Cache;
use signet_identity::password::PasswordPolicy;
use signet_oidc::{client::Client, id::ClientId, jose::Keyring, realm::Realm, secret::DerivationKey};
use signet_storage::{Store, StoreError, keys::Derivation, seal::Purpose};

use crate::{
    guard::{access::Permissions, cookies::CookieNames, proxy::TrustedProxies},
    hashing::Hasher,
};

/// The provider, one per process.
pub struct App {
    /// Issuer and policy.
    pub realm: Realm,
    /// Host and port of the issuer, for pages.
    pub issuer_host: String,
    /// The database.
    pub store: Store,
    /// Password hashing.
    pub hasher: Hasher,
    /// Which passwords are accepted.
    pub passwords: PasswordPolicy,
    /// Names of our cookies.
    pub cookies: CookieNames,
    /// Makes `sid` claims.
    pub sid_key: DerivationKey,
    /// Makes successors of refresh tokens.
    pub successor_key: DerivationKey,
    /// Makes form tokens.
    pub csrf_key: DerivationKey,
    /// Answers carry their statement count.
    pub count_statements: bool,
    /// Whose word about a client's address counts.
    pub proxies: ArcSwap<TrustedProxies>,
    published: ArcSwap<Published>,
    clients: Cache<ClientId, Arc<Client>>,
    /// What people and services may do.
    pub(crate) permissions: Permissions,
}

/// What discovery answers, rendered once per change of keys.
pub struct Published {
    /// Signers and verifiers.
    pub keyring: Keyring,
    /// The key set and its entity tag.
    pub jwks: (Bytes, String),
    /// The discovery document and its entity tag.
    pub discovery: (Bytes, String),
}

/// The parts an [`App`] is made from.
pub struct Parts {
    /// Issuer and policy.
    pub realm: Realm,
    /// The database.
    pub store: Store,
    /// Password hashing.
    pub hasher: Hasher,
    /// Answers carry their statement count.
    pub count_statements: bool,
    /// Whose word about a client's address counts.
    pub proxies: TrustedProxies,
}

impl App {
    /// Reads keys and what is revoked; nothing is served before.
    pub async fn load(parts: Parts) -> Result<Self, StoreError> {
        let now = crate::entropy::now();
        let (keys, sid_key, successor_key, notices) = parts
            .store
            .transaction(move |tx| {
                Ok((
                    tx.signing_keys()?,
                    tx.derivation_key(Derivation::Sid)?,
                    tx.derivation_key(Derivation::RefreshSuccessor)?,
                    tx.notices(0, now, now)?,
                ))
            })
            .await?;
        parts.store.learn(&notices, now);
        let csrf_key = DerivationKey::new(parts.store.sealer().subkey(Purpose::Csrf));
        let keyring = Keyring::new(&keys)?;
        let published = Published::new(keyring, &parts.realm);
        let secure = !parts.realm.development;
        let issuer_host = parts.realm.issuer.split_once("://").map_or("", |(_, host)| host).to_owned();
        Ok(Self {
            issuer_host,
            store: parts.store,
            hasher: parts.hasher,
            passwords: PasswordPolicy::default(),
            cookies: CookieNames::new(secure),
            sid_key,
            successor_key,
            csrf_key,
            count_statements: parts.count_statements,
            proxies: ArcSwap::from_pointee(parts.proxies),
            published: ArcSwap::from_pointee(published),
            clients: Cache::builder().max_capacity(10_000).time_to_live(std::time::Duration::from_mins(1)).build(),
            permissions: Permissions::default(),
            realm: parts.realm,
        })
    }

    /// What discovery answers now.
    pub fn published(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// A client from the cache, or from the database. Unknown ids are not cached.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        let Some(id) = ClientId::parse(id) else { return Ok(None) };
        if let Some(client) = self.clients.get(&id) {
            return Ok(Some(client));
        }
        let wanted = id.clone();
        let found = self.store.read(move |tx| tx.client(&wanted)).await?;
        Ok(found.map(|client| {
            let client = Arc::new(client);
            self.clients.insert(id, Arc::clone(&client));
            client
        }))
    }

    /// Forgets a client that changed.
    pub fn forget_client(&self, id: &str) {
        if let Some(id) = ClientId::parse(id) {
            self.clients.invalidate(&id);
        }
    }
}

impl Published {
    fn new(keyring: Keyring, realm: &Realm) -> Self {
        let acr: Vec<&str> = signet_mfa::Acr::REACHABLE.iter().map(|acr| acr.as_str()).collect();
        let jwks = tagged(keyring.jwks().to_string());
        let discovery = tagged(signet_oidc::discovery::document(realm, &acr).to_string());
        Self { keyring, jwks, discovery }
    }
}

fn tagged(body: String) -> (Bytes, String) {
    let tag = signet_oidc::secret::Digest::of(body.as_bytes()).to_text();
    let tag = format!("\"{}\"", tag.get(..22).unwrap_or(&tag));
    (Bytes::from(body), tag)
}
