//! What this node has heard of the change channel, and whom it tells.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, OnceLock, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use signet_oidc::{jose::AccessClaims, token::revocation::RevocationSet};

use crate::notices::Notice;

/// How many places of the channel are remembered, so that a notice heard twice is told once.
const REMEMBERED: usize = 20_000;

/// By which way a notice came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A transaction of this process wrote it.
    Here,
    /// It was read in the table.
    Table,
    /// A message brought it.
    Message,
}

/// Is told of notices, each once. It runs where a transaction has just committed: it must neither wait nor fail.
pub type Listener = dyn Fn(&[Notice], Heard) + Send + Sync;

/// The revocation set, and how far the channel was read.
pub(crate) struct Feed {
    revoked: RwLock<RevocationSet>,
    seen: Mutex<BTreeSet<i64>>,
    /// Transactions before this one were over when the channel was last read.
    horizon: AtomicI64,
    began: Instant,
    /// When the channel was last read, in milliseconds since `began`, plus one; zero before the first time.
    read: AtomicU64,
    listener: OnceLock<Box<Listener>>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            revoked: RwLock::default(),
            seen: Mutex::default(),
            horizon: AtomicI64::new(0),
            began: Instant::now(),
            read: AtomicU64::new(0),
            listener: OnceLock::new(),
        }
    }

    /// Sets who is told. The first one stays.
    pub(crate) fn listen(&self, listener: Box<Listener>) {
        let _ = self.listener.set(listener);
    }

    pub(crate) fn is_revoked(&self, claims: &AccessClaims) -> bool {
        // A poisoned lock means a panic while writing; deny then.
        self.revoked.read().map_or(true, |set| set.covers(claims))
    }

    pub(crate) fn sweep(&self, now: DateTime<Utc>) {
        if let Ok(mut set) = self.revoked.write() {
            set.sweep(now);
        }
    }

    /// How many entries the revocation set has.
    pub(crate) fn revocations(&self) -> usize {
        self.revoked.read().map_or(0, |set| set.len())
    }

    /// Transactions from here on have to be read.
    pub(crate) fn horizon(&self) -> i64 {
        self.horizon.load(Ordering::Acquire)
    }

    /// How long ago the channel was last read; none before the first time.
    pub(crate) fn age(&self) -> Option<Duration> {
        let at = self.read.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.began.elapsed().saturating_sub(Duration::from_millis(at)))
    }

    /// The present moment as [`Feed::caught_up`] wants it.
    pub(crate) fn mark(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Everything before `horizon` was told; the reading of it began at `mark`.
    pub(crate) fn caught_up(&self, horizon: i64, mark: u64) {
        self.horizon.fetch_max(horizon, Ordering::AcqRel);
        self.read.fetch_max(mark, Ordering::AcqRel);
    }

    /// Takes in notices and tells of those that are new. Revocations hold when this returns.
    pub(crate) fn take(&self, notices: &[Notice], heard: Heard) -> usize {
        if notices.is_empty() {
            return 0;
        }
        if let Ok(mut set) = self.revoked.write() {
            for notice in notices {
                if let Some(entry) = notice.revocation() {
                    set.add(entry, notice.expires_at);
                }
            }
        }
        let news = self.news(notices);
        if let (Some(listener), false) = (self.listener.get(), news.is_empty()) {
            listener(&news, heard);
        }
        news.len()
    }

    /// Those not told before.
    fn news(&self, notices: &[Notice]) -> Vec<Notice> {
        // After a panic everything counts as new: hearing twice changes nothing.
        let Ok(mut seen) = self.seen.lock() else { return notices.to_vec() };
        let news = notices.iter().filter(|notice| seen.insert(notice.seq)).cloned().collect();
        while seen.len() > REMEMBERED {
            seen.pop_first();
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicUsize};

    use super::*;

    fn notice(seq: i64) -> Notice {
        let expires_at = DateTime::from_timestamp(4_000_000_000, 0).unwrap_or_default();
        Notice { seq, kind: "client".to_owned(), key: "app".to_owned(), generation: 0, expires_at }
    }

    /// a notice is told once, whatever the order in which the channel, a message and this node's own commit bring it.
    #[test]
    fn each_notice_is_told_once() {
        let feed = Feed::new();
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        feed.listen(Box::new(move |news, _| {
            count.fetch_add(news.len(), Ordering::Relaxed);
        }));
        assert_eq!(feed.take(&[notice(3)], Heard::Message), 1);
        assert_eq!(feed.take(&[notice(2), notice(3)], Heard::Table), 1);
        assert_eq!(feed.take(&[notice(2)], Heard::Here), 0);
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }

    /// the feed is never younger than its last reading, and the horizon never goes back.
    #[test]
    fn the_horizon_goes_forward_only() {
        let feed = Feed::new();
        assert!(feed.age().is_none(), "nothing was read yet");
        feed.caught_up(7, feed.mark());
        assert!(feed.age().is_some());
        feed.caught_up(5, 1);
        assert_eq!(feed.horizon(), 7);
    }
}
