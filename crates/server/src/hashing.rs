//! Password hashing in a bounded pool with back-pressure, so that sign-ins cannot starve token traffic.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use signet_identity::password::{HashCost, HashError, Password, PasswordHash};
use tokio::sync::Semaphore;

use crate::telemetry::metrics;

/// Why nothing was hashed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The queue is full: answer 503 with `Retry-After` at once.
    #[error("too many sign-ins at this moment")]
    Busy,
    /// Hashing failed.
    #[error(transparent)]
    Failed(#[from] HashError),
}

/// As many hashes at once as there are cores; a bounded queue before them.
#[derive(Clone)]
pub struct Hasher {
    cost: HashCost,
    lanes: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    limit: usize,
}

/// How busy the pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Hashes under way or waited for.
    pub queued: usize,
    /// How many are too many.
    pub limit: usize,
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hasher {
    /// A pool of `lanes` hashes at once and a queue of `limit`.
    pub fn new(cost: HashCost, lanes: usize, limit: usize) -> Self {
        Self { cost, lanes: Arc::new(Semaphore::new(lanes.max(1))), waiting: Arc::new(AtomicUsize::new(0)), limit }
    }

    /// How busy it is.
    pub fn load(&self) -> Load {
        Load { queued: self.waiting.load(Ordering::Relaxed), limit: self.limit }
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<PasswordHash, Refusal> {
        let cost = self.cost;
        self.run(move || cost.hash(&password, salt)).await
    }

    /// Whether the password is right, and its hash at the present cost where the stored one was cheaper. Takes the
    /// time of one hash also where nothing is stored.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<PasswordHash>,
        salt: [u8; 16],
    ) -> Result<(bool, Option<PasswordHash>), Refusal> {
        let cost = self.cost;
        self.run(move || {
            let good = cost.verify(&password, stored.as_ref())?;
            let raised = good && stored.as_ref().is_some_and(|stored| cost.is_raised_over(stored));
            let rehashed = if raised { Some(cost.hash(&password, salt)?) } else { None };
            Ok((good, rehashed))
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, Refusal> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.limit {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            metrics::hash_refused();
            return Err(Refusal::Busy);
        }
        let _waiting = Waiting(Arc::clone(&self.waiting));
        let lane = Arc::clone(&self.lanes).acquire_owned().await.map_err(|_| Refusal::Busy)?;
        let job = tokio::task::spawn_blocking(move || {
            // The lane is held until the hash is done, also when the caller is gone.
            let _lane = lane;
            let begun = Instant::now();
            let answer = work();
            metrics::hashed(begun.elapsed());
            answer
        });
        Ok(job.await.map_err(|_| Refusal::Busy)??)
    }
}
