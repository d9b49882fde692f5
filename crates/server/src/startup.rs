//! From configuration to a database that is ready: data directory, secret key, engine, migrations, first administrator.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{TryRngCore, rngs::OsRng};
use signet_identity::{
    Change, Event, EventKind,
    password::{Password, PasswordPolicy},
    registration::Registration,
    user::NameError,
};
use signet_oidc::{
    client::{
        ApplicationType, Client, ClientAuth, ClientMetadata, ClientSource, GRANT_CODE, GRANT_REFRESH, ResponseType,
    },
    id::{ClientId, ClientKey, RealmId},
    policy::ClientPolicy,
    realm::Realm,
};
use signet_storage::{
    Apply, Origin, Store, StoreError,
    bootstrap::{self, Direction, Schema},
    data_dir::{self, DataDirError},
    pool::{self, Engine, Limits},
    seal::{SealError, Sealer},
};
use zeroize::Zeroizing;

use crate::{
    config::{
        self, Config,
        settings::{Accounts, Clients},
    },
    entropy,
    hashing::Hasher,
    pages::register::new_user,
};

/// How long the first connection may take; requests wait for `database.checkout_timeout` only.
const FIRST_CONNECTION: Duration = Duration::from_secs(30);

/// Why Signet does not start. Each is one line that says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The embedded database.
    #[cfg(feature = "embedded")]
    #[error(transparent)]
    Embedded(#[from] signet_storage::embedded::EmbeddedError),
    /// This build has no embedded database.
    #[cfg(not(feature = "embedded"))]
    #[error("set DATABASE_URL: this build has no embedded database")]
    NoDatabase,
    /// The secret key file.
    #[error("cannot read or write {}: {source}", .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What the file holds is no key.
    #[error("{}: {reason}", .path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The schema is older than this version.
    #[error("the database's schema is behind this version: run `signet migrate` first")]
    SchemaBehind,
    /// Sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] entropy::NoEntropy),
    /// Hashing the administrator's password.
    #[error(transparent)]
    Hashing(#[from] crate::hashing::Refusal),
    /// The administrator's password or address.
    #[error("the first administrator cannot be made: {0}")]
    Administrator(String),
}

impl StartError {
    /// Whether another process of Signet holds the data directory.
    pub fn is_locked(&self) -> bool {
        match self {
            Self::DataDir(DataDirError::Locked { .. }) => true,
            #[cfg(feature = "embedded")]
            Self::Embedded(error) => error.is_locked(),
            _ => false,
        }
    }
}

/// A database that is ready, and what it does not promise.
pub struct Opened {
    /// The database.
    pub store: Store,
    /// The realm.
    pub realm: Realm,
    /// The data directory, absolute.
    pub data_dir: PathBuf,
    /// The engine in this process, if it is that.
    #[cfg(feature = "embedded")]
    pub embedded: Option<std::sync::Arc<signet_storage::embedded::EmbeddedDatabase>>,
}

/// What opening makes and brings up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// Everything: the server.
    Always,
    /// A schema only where there is none yet, and no embedded database: other commands.
    WhenEmpty,
}

/// Opens the database of `config`, migrated and complete. `progress` gets a line for what takes over a second.
pub fn open(config: &Config, migrate: Migrate, progress: &dyn Fn(&str)) -> Result<Opened, StartError> {
    let (url, engine, embedded) = database(config, migrate, progress)?;
    let data_dir = fs::canonicalize(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let sealer = sealer(config, &data_dir)?;
    let mut conn = bootstrap::connect(&url)?;
    // A command beside running servers leaves their schema alone; an empty or an embedded database is nobody else's.
    let schema = bootstrap::schema(&mut conn)?;
    if migrate == Migrate::Always || engine == Engine::Embedded || schema == Schema::Empty {
        bootstrap::migrate(&mut conn, Direction::Up)?;
    } else if schema == Schema::Behind {
        return Err(StartError::SchemaBehind);
    }
    let realm_id = bootstrap::complete(&mut conn, &sealer, &mut entropy::turn()?)?;
    drop(conn);
    let limits = Limits {
        connections: config.database.pool_size,
        checkout: config.database.checkout_timeout.0,
        ..Limits::with_statement(config.database.statement_timeout.0)
    };
    let store = Store::new(&url, engine, limits, realm_id, sealer);
    store.connect(FIRST_CONNECTION)?;
    let opened = Opened {
        store,
        realm: realm(config, realm_id),
        data_dir,
        #[cfg(feature = "embedded")]
        embedded: embedded.map(std::sync::Arc::new),
    };
    #[cfg(not(feature = "embedded"))]
    let () = embedded.unwrap_or_default();
    Ok(opened)
}

/// Runs migrations only. Answers the names of those that ran.
pub fn migrate(config: &Config, progress: &dyn Fn(&str)) -> Result<Vec<String>, StartError> {
    let (url, _, embedded) = database(config, Migrate::Always, progress)?;
    let mut conn = bootstrap::connect(&url)?;
    let ran = bootstrap::migrate(&mut conn, Direction::Up)?;
    drop(conn);
    #[cfg(feature = "embedded")]
    if let Some(embedded) = embedded {
        embedded.shutdown()?;
    }
    #[cfg(not(feature = "embedded"))]
    let () = embedded.unwrap_or_default();
    Ok(ran)
}

#[cfg(feature = "embedded")]
type Embedded = signet_storage::embedded::EmbeddedDatabase;
#[cfg(not(feature = "embedded"))]
type Embedded = ();

fn server(config: &Config, url: &str) -> Zeroizing<String> {
    Zeroizing::new(pool::patient(url, config.database.connect_timeout.0))
}

#[cfg(feature = "embedded")]
fn database(
    config: &Config,
    migrate: Migrate,
    progress: &dyn Fn(&str),
) -> Result<(Zeroizing<String>, Engine, Option<Embedded>), StartError> {
    if let Some(url) = &config.database_url {
        return Ok((server(config, url), Engine::Server, None));
    }
    let embedded = match migrate {
        Migrate::Always => Embedded::start(&config.data_dir, progress)?,
        Migrate::WhenEmpty => Embedded::start_existing(&config.data_dir, progress)?,
    };
    Ok((Zeroizing::new(embedded.url().to_owned()), Engine::Embedded, Some(embedded)))
}

#[cfg(not(feature = "embedded"))]
fn database(
    config: &Config,
    _: Migrate,
    _: &dyn Fn(&str),
) -> Result<(Zeroizing<String>, Engine, Option<Embedded>), StartError> {
    match &config.database_url {
        Some(url) => Ok((server(config, url), Engine::Server, None)),
        None => Err(StartError::NoDatabase),
    }
}

/// Issuer and policy as the settings say.
pub fn realm(config: &Config, id: RealmId) -> Realm {
    Realm {
        id,
        issuer: config.issuer.clone(),
        development: config.development,
        registration_open: matches!(config.accounts(), Accounts::Open | Accounts::Domains),
        clients_register: config.registration.clients != Clients::Off,
        policy: config.policy(),
    }
}

/// The secret key: configured, or kept in the data directory, made at the first start.
fn sealer(config: &Config, data_dir: &Path) -> Result<Sealer, StartError> {
    if let Some(keys) = &config.secret_keys {
        return Ok(Sealer::new(keys.clone())?);
    }
    let path = data_dir::prepare(data_dir)?.join("secret.key");
    let failed = |source| StartError::KeyFile { path: path.clone(), source };
    if !path.exists() {
        make_key(data_dir, &path).map_err(failed)?;
    }
    let text = Zeroizing::new(fs::read_to_string(&path).map_err(failed)?);
    let keys = config::parse_keys(text.trim()).map_err(|reason| StartError::BadKey { path: path.clone(), reason })?;
    Ok(Sealer::new(keys)?)
}

/// Makes a key whole or not at all: written aside, flushed, then linked, which fails where another start was first.
fn make_key(data_dir: &Path, path: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0_u8; 32]);
    OsRng.try_fill_bytes(key.as_mut()).map_err(io::Error::other)?;
    let text = Zeroizing::new(STANDARD.encode(key.as_slice()));
    let aside = path.with_extension(format!("new.{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    writeln!(file, "{}", text.as_str())?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::File::open(data_dir)?.sync_all()
}

/// The first administrator, as shown once.
pub struct FirstAdministrator {
    /// Its address.
    pub email: String,
    /// Its password, if Signet made it.
    pub password: Option<Zeroizing<String>>,
}

/// Makes the first administrator where there is no account yet.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone has one lifetime; the closure any")]
pub async fn first_administrator(
    config: &Config,
    store: &Store,
    hasher: &Hasher,
) -> Result<Option<FirstAdministrator>, StartError> {
    if store.read(|tx| tx.has_users()).await? {
        return Ok(None);
    }
    let mut turn = entropy::turn()?;
    let made = config.admin_password.is_none().then(|| {
        Zeroizing::new(turn.secret().expose().chars().filter(char::is_ascii_alphanumeric).take(20).collect::<String>())
    });
    let given = config.admin_password.as_ref().or(made.as_ref());
    let wrong = |text: String| StartError::Administrator(text);
    let text = given.map(|text| text.as_str()).unwrap_or_default();
    // A given one is used as it is; the policy is for people who choose.
    if text.len() > PasswordPolicy::MAX_BYTES || text.chars().any(char::is_control) {
        return Err(wrong("SIGNET_ADMIN_PASSWORD: use at most 1024 bytes and no control characters".to_owned()));
    }
    let registration = Registration {
        username: "admin".parse().map_err(|error: NameError| wrong(error.to_string()))?,
        email: config.admin_email.parse().map_err(|error: NameError| wrong(format!("SIGNET_ADMIN_EMAIL: {error}")))?,
        password: Password::new(text),
    };
    let hash = hasher.hash(registration.password.clone(), turn.bytes()).await?;
    let mut user = new_user(&registration, hash, &mut turn);
    user.administrator = true;
    user.email_verified = true;
    let id = user.id;
    let stored = store
        .transaction(move |tx| {
            let event = Event { kind: EventKind::Registered, user: Some(id), session: None, typed: None, detail: None };
            let changes = vec![Change::CreateUser(Box::new(user)), Change::Audit(event)];
            tx.apply(changes, &mut turn, &operator())
        })
        .await?;
    // Another node that started at the same moment was first.
    Ok(stored.ok().map(|()| FirstAdministrator { email: config.admin_email.clone(), password: made }))
}

/// The operating system's user, as the audit log names it.
pub fn operator() -> Origin {
    Origin { operator: Some(format!("uid:{}", rustix::process::getuid().as_raw())), ..Origin::default() }
}

/// The playground's client; development only.
pub const PLAYGROUND_CLIENT: &str = "playground";

/// What the playground's client is to be.
pub(crate) fn playground(realm: &Realm) -> Result<Client, StoreError> {
    Ok(Client {
        key: ClientKey(0),
        id: ClientId::parse(PLAYGROUND_CLIENT).ok_or(StoreError::Row("client identifier"))?,
        name: "Signet Playground".to_owned(),
        source: ClientSource::Admin,
        auth: ClientAuth::None,
        redirect_uris: vec![realm.url("/playground/callback")],
        post_logout_redirect_uris: vec![realm.url("/playground")],
        grant_types: vec![GRANT_CODE.to_owned(), GRANT_REFRESH.to_owned()],
        response_types: vec![ResponseType::CODE],
        scopes: signet_oidc::scope::STANDARD.iter().map(|(name, _)| *name).collect(),
        first_party: false,
        application_type: ApplicationType::Web,
        default_audience: None,
        policy: ClientPolicy::default(),
        metadata: ClientMetadata::default(),
        generation: 0,
        disabled: false,
    })
}

/// As many hashes at once as there are cores, if the settings say nothing else.
pub fn hasher(config: &Config) -> Hasher {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Hasher::new(config.hash_cost(), config.hashing.threads.map_or(cores, count), count(config.hashing.queue))
}
