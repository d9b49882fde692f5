//! Audit rows of what has no transaction: refused token requests, and tokens of clients themselves.
//!
//! A request leaves its row here and goes on. The rows are written together, at most half a second later, and before
//! the process ends. The queue is bounded; what does not fit is counted and told in the log.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use signet_storage::{Origin, Store, StoreError, audit::Entry};
use tokio::sync::Notify;

/// The most rows that wait.
const CAPACITY: usize = 20_000;
/// The most rows written by one statement; on the embedded engine it stays under 50 ms.
const BATCH: usize = 200;
/// How long a row waits at most while the database answers.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long rows are tried to be written before the process ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// Rows that wait to be written.
pub struct AuditQueue {
    rows: Mutex<VecDeque<(Entry, Origin)>>,
    full: Notify,
    dropped: AtomicU64,
    /// One writer at a time.
    writing: tokio::sync::Mutex<()>,
    capacity: usize,
}

impl Default for AuditQueue {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl AuditQueue {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            rows: Mutex::default(),
            full: Notify::new(),
            dropped: AtomicU64::new(0),
            writing: tokio::sync::Mutex::default(),
            capacity,
        }
    }

    /// Leaves a row to be written. Never waits.
    pub fn push(&self, entry: Entry, origin: Origin) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= self.capacity {
            drop(rows);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!(crate::telemetry::metrics::AUDIT_LOST).increment(1);
            return;
        }
        rows.push_back((entry, origin));
        if rows.len() >= BATCH {
            self.full.notify_one();
        }
    }

    /// Rows that wait.
    pub fn len(&self) -> usize {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes what waits, in batches. A row leaves the queue once it is stored; one that is written twice, because an
    /// answer was lost, is stored once.
    pub async fn flush(&self, store: &Store) -> Result<(), StoreError> {
        let _alone = self.writing.lock().await;
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::error!(dropped, "audit rows were lost: more came than could be written");
        }
        loop {
            let batch: Vec<_> = {
                let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
                rows.iter().take(BATCH).cloned().collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            let count = batch.len();
            store.transaction(move |tx| tx.audit_batch(&batch)).await?;
            self.rows.lock().unwrap_or_else(PoisonError::into_inner).drain(..count);
        }
    }

    /// Writes twice a second, earlier when many wait, until it is dropped.
    pub async fn run(&self, store: &Store) {
        loop {
            let _ = tokio::time::timeout(INTERVAL, self.full.notified()).await;
            if let Err(error) = self.flush(store).await {
                tracing::warn!(%error, waiting = self.len(), "audit rows were not written; they wait");
                // Not at the speed at which more come.
                let _ = tokio::time::timeout(INTERVAL, std::future::pending::<()>()).await;
            }
        }
    }

    /// Writes what is left before the process ends.
    pub async fn close(&self, store: &Store) {
        let from = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tick.tick().await;
            match self.flush(store).await {
                Ok(()) => return,
                Err(error) if from.elapsed() > PATIENCE => {
                    tracing::error!(%error, lost = self.len(), "audit rows could not be written before the end");
                    return;
                }
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a queue that is full takes no more, counts it, and does not grow or wait.
    #[test]
    fn a_full_queue_counts_what_it_drops() {
        let queue = AuditQueue::with_capacity(3);
        for _ in 0..5 {
            queue.push(Entry::default(), Origin::default());
        }
        assert_eq!((queue.len(), queue.dropped.load(Ordering::Relaxed)), (3, 2));
    }
}
