//! What every handler shares.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actix_web::web::Bytes;
use arc_swap::ArcSwap;
use moka::sync::Cache;
use signet_identity::{UserId, password::PasswordPolicy};
use signet_oidc::{
    client::{Client, ClientSource},
    id::{ClientId, ClientKey},
    jose::{Keyring, KeyringError},
    realm::Realm,
    resource::{Api, Apis},
    secret::DerivationKey,
    token::Target,
};
use signet_storage::{Store, StoreError, Tx, keys::Derivation, registrations::USE_NOTED, seal::Purpose};

use crate::{
    audit::queue::AuditQueue,
    channel::Channel,
    config::Config,
    deliveries::Deliveries,
    guard::{access::Permissions, cookies::CookieNames, proxy::TrustedProxies, rate_limits::Limiter},
    hashing::Hasher,
    oauth::register::Registrar,
    outbound::{Outbound, key_sets::KeySets},
    reload::Hooks,
    startup,
    tls::Tls,
};

/// The provider, one per process.
pub struct App {
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
    /// Makes pairwise subjects.
    pub pairwise_key: DerivationKey,
    /// Makes form tokens.
    pub csrf_key: DerivationKey,
    /// Answers carry their statement count.
    pub count_statements: bool,
    /// The certificate that serves, where Signet speaks https itself.
    pub tls: Option<Arc<Tls>>,
    /// Whose word about a client's address counts.
    pub proxies: ArcSwap<TrustedProxies>,
    /// How other nodes hear of this one, and it of them.
    pub channel: Arc<Channel>,
    /// What happens when the settings are read again.
    pub hooks: Hooks,
    /// What fetches from addresses that others name.
    pub outbound: Arc<Outbound>,
    /// Clients' key sets by `jwks_uri`.
    pub key_sets: KeySets,
    /// What is known of deliveries beside their table.
    pub deliveries: Deliveries,
    /// Counters of what is tried too often.
    pub limits: Limiter,
    /// Audit rows of what has no transaction.
    pub audit: AuditQueue,
    live: ArcSwap<Live>,
    published: ArcSwap<Published>,
    clients: Cache<ClientId, Arc<Client>>,
    /// What people and services may do.
    pub(crate) permissions: Permissions,
    /// APIs, and which audiences are none; forgotten when they change.
    apis: Cache<String, Option<Api>>,
    /// How often a client or an API was forgotten.
    forgotten: AtomicU64,
    /// Whose a subject is; a subject never changes hands.
    people: Cache<String, UserId>,
    /// Bounds what clients that register themselves take up.
    pub registrar: Registrar,
    /// Clients whose use was noted a short while ago.
    used: Cache<ClientKey, ()>,
}

/// What may change while the program runs, all of it at once.
pub struct Live {
    /// The settings in effect.
    pub config: Arc<Config>,
    /// Issuer and policy.
    pub realm: Arc<Realm>,
}

/// What discovery answers, rendered once per change of keys or settings.
#[derive(Clone)]
pub struct Published {
    /// Signers and verifiers.
    pub keyring: Arc<Keyring>,
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
    /// The settings.
    pub config: Arc<Config>,
    /// The certificate that serves, where Signet speaks https itself.
    pub tls: Option<Arc<Tls>>,
    /// What fetches from addresses that others name.
    pub outbound: Arc<Outbound>,
}

impl App {
    /// Reads keys and what is revoked; nothing is served before.
    pub async fn load(parts: Parts) -> Result<Self, StoreError> {
        let now = crate::entropy::now();
        // Before all else: what changes from here on is heard.
        parts.store.catch_up(now).await?;
        let (keys, sid_key, successor_key, pairwise_key) = parts
            .store
            .transaction(move |tx| {
                Ok((
                    tx.signing_keys()?,
                    tx.derivation_key(Derivation::Sid)?,
                    tx.derivation_key(Derivation::RefreshSuccessor)?,
                    tx.derivation_key(Derivation::PairwiseSubject)?,
                ))
            })
            .await?;
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
            pairwise_key,
            csrf_key,
            count_statements: parts.config.count_statements,
            proxies: ArcSwap::from_pointee(TrustedProxies::new(parts.config.proxy.trusted.clone())),
            tls: parts.tls,
            published: ArcSwap::from_pointee(published),
            people: Cache::new(50_000),
            registrar: Registrar::default(),
            used: Cache::builder().max_capacity(50_000).time_to_live(USE_NOTED.to_std().unwrap_or_default()).build(),
            apis: Cache::builder().max_capacity(10_000).time_to_live(std::time::Duration::from_mins(1)).build(),
            clients: Cache::builder().max_capacity(10_000).time_to_live(std::time::Duration::from_mins(1)).build(),
            audit: AuditQueue::default(),
            permissions: Permissions::default(),
            channel: Arc::default(),
            forgotten: AtomicU64::new(0),
            hooks: Hooks::default(),
            key_sets: KeySets::new(Arc::clone(&parts.outbound)),
            deliveries: Deliveries::default(),
            outbound: parts.outbound,
            limits: Limiter::default(),
            live: ArcSwap::from_pointee(Live { realm: Arc::new(parts.realm), config: parts.config }),
        })
    }

    /// What may change while the program runs, as it is now. Take it once for each request.
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// The settings in effect.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.live.load().config)
    }

    /// Issuer and policy.
    pub fn realm(&self) -> Arc<Realm> {
        Arc::clone(&self.live.load().realm)
    }

    /// What discovery answers now.
    pub fn published(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// Goes on with other settings: one request sees the old ones or the new ones, never both.
    pub fn take_over(&self, config: Arc<Config>) {
        let old = self.realm();
        let realm = startup::realm(&config, old.id);
        self.proxies.store(Arc::new(TrustedProxies::new(config.proxy.trusted.clone())));
        let who = |realm: &Realm| (realm.registration_open, realm.clients_register);
        let registers = who(&old) != who(&realm);
        let realm = Arc::new(realm);
        self.live.store(Arc::new(Live { config, realm: Arc::clone(&realm) }));
        if registers {
            let discovery = discovery(&realm);
            self.published.rcu(|now| Published { discovery: discovery.clone(), ..Published::clone(now) });
        }
    }

    /// Reads the signing keys anew: one of them signs from here on, the published set is theirs.
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
    pub async fn reload_keys(&self) -> Result<(), StoreError> {
        let keys = self.store.read(|tx| tx.signing_keys()).await?;
        let fresh = Published::new(Keyring::new(&keys)?, &self.realm());
        // The settings may have changed since: what is rendered of them stays theirs.
        self.published.rcu(|now| Published { discovery: now.discovery.clone(), ..fresh.clone() });
        tracing::info!("the signing keys were read anew");
        Ok(())
    }

    /// Signs with the keys of now. A key that another node made for a client a moment ago may not have been heard of yet:
    /// then the keys are read once more.
    pub async fn signed<T>(&self, sign: impl Fn(&Keyring) -> Result<T, KeyringError>) -> Result<T, StoreError> {
        match sign(&self.published().keyring) {
            Err(KeyringError::Missing(_)) => {
                self.reload_keys().await?;
                Ok(sign(&self.published().keyring)?)
            }
            done => Ok(done?),
        }
    }

    /// A client from the cache, or from the database. Unknown ids are not cached. Where nothing was heard of other
    /// nodes for five seconds they are heard first.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        let Some(id) = ClientId::parse(id) else { return Ok(None) };
        self.store.be_current(crate::entropy::now()).await?;
        if let Some(client) = self.clients.get(&id) {
            return Ok(Some(client));
        }
        let (wanted, before) = (id.clone(), self.forgotten.load(Ordering::Acquire));
        let Some(client) = self.store.read(move |tx| tx.client(&wanted)).await? else { return Ok(None) };
        let client = Arc::new(client);
        self.clients.insert(id.clone(), Arc::clone(&client));
        // A change that was told while the row was read may have come after the reading.
        if self.forgotten.load(Ordering::Acquire) != before {
            self.clients.invalidate(&id);
        }
        Ok(Some(client))
    }

    /// The same as [`App::apis`] where all of them are cached.
    pub fn known_apis(&self, audience: &[String]) -> Option<Apis> {
        let known: Option<Vec<Option<Api>>> = audience.iter().map(|identifier| self.apis.get(identifier)).collect();
        known.map(|known| Apis::new(known.into_iter().flatten().collect()))
    }

    /// What the registered APIs among an audience ask of a token, from the cache; one statement for each that is not there.
    pub fn apis(&self, tx: &mut Tx<'_>, audience: &[String]) -> Result<Apis, StoreError> {
        let mut found = Vec::new();
        for identifier in audience {
            let known = self.apis.get(identifier);
            let api = if let Some(known) = known {
                known
            } else {
                let before = self.forgotten.load(Ordering::Acquire);
                let read = tx.resource(identifier)?.map(|resource| resource.to_api());
                self.apis.insert(identifier.clone(), read.clone());
                if self.forgotten.load(Ordering::Acquire) != before {
                    self.apis.invalidate(identifier);
                }
                read
            };
            found.extend(api);
        }
        Ok(Apis::new(found))
    }

    /// For which APIs a token is to be: those `asked` for, else those granted, else the client's own audience.
    pub fn target(
        &self,
        tx: &mut Tx<'_>,
        client: &Client,
        (asked, granted): (Vec<String>, &[String]),
    ) -> Result<Target, StoreError> {
        let own = own_audience(client);
        let audience = [asked.as_slice(), granted, &own].into_iter().find(|audience| !audience.is_empty());
        let apis = self.apis(tx, audience.unwrap_or_default())?;
        Ok(Target { resources: asked, apis })
    }

    /// Forgets an API that changed.
    pub fn forget_api(&self, identifier: &str) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.apis.invalidate(identifier);
    }

    /// The account a subject names, from the cache or from the database. Unknown subjects are not cached.
    pub async fn person(&self, subject: &str) -> Result<Option<UserId>, StoreError> {
        if let Some(user) = self.people.get(subject) {
            return Ok(Some(user));
        }
        let wanted = subject.to_owned();
        let found = self.store.read(move |tx| tx.user_of_subject(&wanted)).await?;
        if let Some(user) = found {
            self.people.insert(subject.to_owned(), user);
        }
        Ok(found)
    }

    /// Notes that a client is used, which keeps one that registered itself. Once in an hour, and in a task of its own:
    /// nobody waits for it.
    pub fn note_use(&self, client: &Client) {
        if client.source != ClientSource::Dynamic || self.used.contains_key(&client.key) {
            return;
        }
        self.used.insert(client.key, ());
        let (store, key, now) = (self.store.clone(), client.key, crate::entropy::now());
        tokio::spawn(async move {
            if let Err(error) = store.transaction(move |tx| tx.note_client_use(key, now)).await {
                tracing::warn!(%error, "the use of a client was not noted");
            }
        });
    }

    /// Forgets a client that changed.
    pub fn forget_client(&self, id: &str) {
        if let Some(id) = ClientId::parse(id) {
            self.forgotten.fetch_add(1, Ordering::AcqRel);
            self.clients.invalidate(&id);
        }
    }

    /// Forgets all that other nodes may have changed.
    pub fn forget_everything(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.clients.invalidate_all();
        self.apis.invalidate_all();
        self.forget_all_roles();
    }
}

/// The client's default audience, where it can be a registered API: those are absolute URIs.
pub fn own_audience(client: &Client) -> Vec<String> {
    let audience = client.audience();
    if audience.contains(':') { vec![audience.to_owned()] } else { Vec::new() }
}

impl Published {
    fn new(keyring: Keyring, realm: &Realm) -> Self {
        let jwks = tagged(keyring.jwks().to_string());
        Self { keyring: Arc::new(keyring), jwks, discovery: discovery(realm) }
    }
}

fn discovery(realm: &Realm) -> (Bytes, String) {
    let acr: Vec<&str> = signet_mfa::Acr::REACHABLE.iter().map(|acr| acr.as_str()).collect();
    tagged(signet_oidc::discovery::document(realm, &acr).to_string())
}

fn tagged(body: String) -> (Bytes, String) {
    let tag = signet_oidc::secret::Digest::of(body.as_bytes()).to_text();
    let tag = format!("\"{}\"", tag.get(..22).unwrap_or(&tag));
    (Bytes::from(body), tag)
}
