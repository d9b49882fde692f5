//! One administrative act: one transaction, in which everything is checked, changed and recorded, or nothing is.

use signet_oidc::{Turn, change::EventKind, client::Client};
use signet_storage::{Apply, StoreError, Tx, audit::Entry, store::Abort};

use super::{AdminError, Desk};
use crate::entropy;

/// What an act works with.
pub struct Act<'a, 'tx> {
    /// The transaction.
    pub tx: &'a mut Tx<'tx>,
    /// The moment and the random source.
    pub turn: &'a mut Turn,
    /// Who does it, and what that may reach.
    pub desk: &'a Desk,
}

impl Desk {
    /// Runs `work` in one transaction. What it refuses with takes back everything it wrote.
    pub async fn act<T, W>(&self, work: W) -> Result<T, AdminError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Act<'_, '_>) -> Result<T, AdminError> + Send + 'static,
    {
        let mut turn = entropy::turn()?;
        let desk = self.clone();
        let done = self.store.attempt(move |tx| {
            let mut act = Act { tx, turn: &mut turn, desk: &desk };
            work(&mut act).map_err(Abort::from)
        });
        done.await.map_err(|abort| match abort {
            Abort::Store(error) => AdminError::Store(error),
            Abort::Refused(error) => error,
        })
    }
}

impl From<AdminError> for Abort<AdminError> {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Store(error) => Self::Store(error),
            other => Self::Refused(other),
        }
    }
}

impl Act<'_, '_> {
    /// Applies what was decided. The inner result is the verdict of a key that was there already.
    pub fn apply<C, V>(&mut self, changes: Vec<C>) -> Result<Result<(), V>, AdminError>
    where
        for<'x> Tx<'x>: Apply<C, Verdict = V>,
    {
        Ok(self.tx.apply(changes, self.turn, &self.desk.origin)?)
    }

    /// The audit row of something done to `object`, such as `client:app`; `detail` names what was changed.
    pub fn record(
        &mut self,
        event: EventKind,
        object: String,
        client: Option<&Client>,
        detail: Option<String>,
    ) -> Result<(), StoreError> {
        let entry = Entry {
            id: self.turn.uuid(),
            at: self.turn.now(),
            event: event.as_str(),
            result: "success",
            client: client.map(|client| client.key.0),
            object: Some(object),
            detail,
            salt: self.turn.bytes(),
            ..Entry::default()
        };
        self.tx.audit(entry, &self.desk.origin)
    }
}
