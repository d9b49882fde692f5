//! How many fetches there are at once: for each host few, so that a slow one leaves room for the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Fetches at once, in all.
const TOTAL: usize = 64;
/// Fetches at once from one host.
const PER_HOST: usize = 4;

/// The bounds.
pub(super) struct Lanes {
    all: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// The right to fetch, until it is dropped.
pub(super) struct Pass {
    _all: OwnedSemaphorePermit,
    _host: OwnedSemaphorePermit,
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(TOTAL)), hosts: Mutex::default() }
    }

    /// Waits for a turn: first at the host, so that whoever waits for a slow one takes no room from others.
    /// `None` never comes: the semaphores are not closed.
    pub(super) async fn enter(&self, host: &str) -> Option<Pass> {
        let host = self.lane(host).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Pass { _all: all, _host: host })
    }

    fn lane(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = hosts.get(host).and_then(Weak::upgrade) {
            return lane;
        }
        // A host is forgotten when nobody holds or awaits a pass to it.
        hosts.retain(|_, lane| lane.strong_count() > 0);
        let lane = Arc::new(Semaphore::new(PER_HOST));
        hosts.insert(host.to_owned(), Arc::downgrade(&lane));
        lane
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// O1: a host that does not answer holds up its own lane only, and all together have a bound.
    #[test]
    fn turns() {
        let lanes = Lanes::new();
        let now = |host: &str| lanes.enter(host).now_or_never().flatten();
        let mut held: Vec<Pass> = (0..PER_HOST).map(|_| now("slow").unwrap()).collect();
        assert!(now("slow").is_none());
        let mut waiting: Vec<_> = (0..1_000).map(|_| Box::pin(lanes.enter("slow"))).collect();
        assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()));
        let other = now("other").unwrap();
        drop(waiting);
        drop(held.pop());
        held.push(now("slow").unwrap());
        drop((held, other));
        let all: Vec<Pass> = (0..TOTAL).map(|host| now(&host.to_string()).unwrap()).collect();
        assert!(now("one more").is_none());
        drop(all);
        drop(now("one more").unwrap());
        assert!(lanes.hosts.lock().unwrap().len() <= 1, "hosts are forgotten");
    }
}
