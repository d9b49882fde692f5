//! What people and services may do, from a bounded cache that a change of roles empties on every node.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use moka::sync::Cache;
use signet_identity::UserId;
use signet_oidc::{
    client::Client,
    id::{AccountId, ClientKey},
};
use signet_rbac::{Held, Holder};
use signet_storage::{StoreError, Tx, notices::Notice};
use uuid::Uuid;

use crate::app::App;

/// Who asks to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person.
    User(UserId),
    /// A service on its own behalf.
    Client(ClientKey),
}

impl From<Subject> for Holder {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::User(user) => Self::User(user),
            Subject::Client(client) => Self::Client(client.0),
        }
    }
}

/// The cache. An entry counts only under the count of whole changes it was read under.
pub(crate) struct Permissions {
    cache: Cache<Subject, (u64, Arc<Held>)>,
    /// How often roles themselves have changed: raising it forgets everybody.
    whole: AtomicU64,
    /// How often anything was forgotten.
    any: AtomicU64,
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            cache: Cache::builder().max_capacity(50_000).time_to_live(std::time::Duration::from_mins(1)).build(),
            whole: AtomicU64::new(0),
            any: AtomicU64::new(0),
        }
    }
}

impl Permissions {
    fn get(&self, subject: Subject) -> Option<Arc<Held>> {
        let whole = self.whole.load(Ordering::SeqCst);
        self.cache.get(&subject).filter(|(under, _)| *under == whole).map(|(_, held)| held)
    }

    /// What is to be known before reading: see [`Permissions::put`].
    fn mark(&self) -> (u64, u64) {
        (self.whole.load(Ordering::SeqCst), self.any.load(Ordering::SeqCst))
    }

    /// Keeps what was read after `mark`. What was forgotten meanwhile may be what was read: it is not kept.
    fn put(&self, subject: Subject, (whole, any): (u64, u64), held: Arc<Held>) {
        self.cache.insert(subject, (whole, held));
        if self.any.load(Ordering::SeqCst) != any {
            self.cache.invalidate(&subject);
        }
    }

    /// Forgets one, or everybody.
    fn forget(&self, subject: Option<Subject>) {
        self.any.fetch_add(1, Ordering::SeqCst);
        match subject {
            Some(subject) => self.cache.invalidate(&subject),
            None => {
                self.whole.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// Whom the key of a notice about roles names. What is not understood names everybody.
fn named(key: &str) -> Option<Subject> {
    match key.split_once(':') {
        Some(("user", id)) => Uuid::parse_str(id).ok().map(|id| Subject::User(UserId(id))),
        Some(("client", key)) => key.parse().ok().map(|key| Subject::Client(ClientKey(key))),
        _ => None,
    }
}

impl App {
    /// What somebody has by roles: nothing for who is locked, disabled or unknown. No statement where it is cached; where
    /// the change channel has been silent for five seconds the database is asked.
    pub async fn held_by(&self, subject: Subject) -> Result<Arc<Held>, StoreError> {
        if let Some(held) = self.known(subject) {
            return Ok(held);
        }
        let mark = self.mark();
        let held = self.store.read(move |tx| tx.held_by(subject.into())).await?;
        Ok(self.keep(subject, mark, held))
    }

    /// The same within a transaction.
    pub fn held_within(&self, tx: &mut Tx<'_>, subject: Subject) -> Result<Arc<Held>, StoreError> {
        if let Some(held) = self.known(subject) {
            return Ok(held);
        }
        let mark = self.mark();
        let held = tx.held_by(subject.into())?;
        Ok(self.keep(subject, mark, held))
    }

    /// The names of a person's roles, inherited ones included, within a transaction. None are looked for where the client
    /// does not ask for them.
    pub fn roles_for(&self, tx: &mut Tx<'_>, client: &Client, account: AccountId) -> Result<Vec<String>, StoreError> {
        if !client.wants_roles() {
            return Ok(Vec::new());
        }
        Ok(self.held_within(tx, Subject::User(UserId(account.0)))?.roles.clone())
    }

    fn known(&self, subject: Subject) -> Option<Arc<Held>> {
        if self.store.hears() { self.permissions.get(subject) } else { None }
    }

    /// What is to be known before reading. None while deaf: what is read then may change unheard before the channel is
    /// read again.
    fn mark(&self) -> Option<(u64, u64)> {
        self.store.hears().then(|| self.permissions.mark())
    }

    fn keep(&self, subject: Subject, mark: Option<(u64, u64)>, held: Held) -> Arc<Held> {
        let held = Arc::new(held);
        if let Some(mark) = mark {
            self.permissions.put(subject, mark, Arc::clone(&held));
        }
        held
    }

    /// Forgets what everybody may do.
    pub fn forget_all_roles(&self) {
        self.permissions.forget(None);
    }

    /// Forgets what a notice of the change channel says has changed; other kinds of notices change nothing here.
    pub fn forget_roles(&self, notice: &Notice) {
        if let Some(key) = notice.roles() {
            self.permissions.forget(named(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Arc<Held> {
        let permissions = text.parse::<signet_rbac::Permission>().into_iter().collect();
        Arc::new(Held { roles: vec!["a".to_owned()], permissions })
    }

    /// what is forgotten is not answered again, also where it was being read at that moment.
    #[test]
    fn what_is_forgotten() {
        let (ada, bob) = (Subject::User(UserId(Uuid::from_u128(1))), Subject::Client(ClientKey(2)));
        let permissions = Permissions::default();
        for subject in [ada, bob] {
            permissions.put(subject, permissions.mark(), set("a:b"));
            assert_eq!(permissions.get(subject), Some(set("a:b")));
        }
        permissions.forget(Some(ada));
        assert_eq!((permissions.get(ada), permissions.get(bob)), (None, Some(set("a:b"))));
        permissions.forget(None);
        assert_eq!(permissions.get(bob), None);

        for forgotten in [Some(ada), None] {
            let mark = permissions.mark();
            permissions.forget(forgotten);
            permissions.put(ada, mark, set("a:b"));
            assert_eq!(permissions.get(ada), None, "{forgotten:?}");
        }
    }

    /// a key names one or everybody, never nobody.
    #[test]
    fn keys() {
        let id = Uuid::from_u128(7);
        for (key, expected) in [
            (format!("user:{id}"), Some(Subject::User(UserId(id)))),
            ("client:12".to_owned(), Some(Subject::Client(ClientKey(12)))),
            (String::new(), None),
            ("user:someone".to_owned(), None),
            ("group:1".to_owned(), None),
        ] {
            assert_eq!(named(&key), expected, "{key}");
        }
    }
}
