//! The set of access tokens that are revoked before they end.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::{id::GrantId, jose::AccessClaims};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// One token, by `jti`.
    Token(String),
    /// All tokens of a grant.
    Grant(GrantId),
    /// All tokens of an account issued below this generation.
    Account {
        /// The subject its tokens carry.
        subject: String,
        /// The first generation that is good again.
        generation: i64,
    },
    /// All tokens of a client issued below this generation.
    Client {
        /// Its identifier.
        client_id: String,
        /// The first generation that is good again.
        generation: i64,
    },
}

/// What is revoked. Held in memory by every node; entries leave when the last token they could meet has ended.
#[derive(Debug, Default)]
pub struct RevocationSet {
    tokens: HashMap<String, DateTime<Utc>>,
    grants: HashMap<GrantId, DateTime<Utc>>,
    accounts: HashMap<String, (i64, DateTime<Utc>)>,
    clients: HashMap<String, (i64, DateTime<Utc>)>,
}

impl RevocationSet {
    /// Adds an entry that is needed until `expires`. Adding it twice changes nothing.
    pub fn add(&mut self, entry: Entry, expires: DateTime<Utc>) {
        match entry {
            Entry::Token(jti) => later(self.tokens.entry(jti).or_insert(expires), expires),
            Entry::Grant(grant) => later(self.grants.entry(grant).or_insert(expires), expires),
            Entry::Account { subject, generation } => raise(self.accounts.entry(subject), generation, expires),
            Entry::Client { client_id, generation } => raise(self.clients.entry(client_id), generation, expires),
        }
    }

    /// Whether the token with these claims is revoked.
    pub fn covers(&self, claims: &AccessClaims) -> bool {
        self.tokens.contains_key(&claims.jti)
            || claims.grant.is_some_and(|grant| self.grants.contains_key(&grant))
            || self.accounts.get(&claims.sub).is_some_and(|(generation, _)| claims.account_generation < *generation)
            || self.clients.get(&claims.client_id).is_some_and(|(generation, _)| claims.client_generation < *generation)
    }

    /// Drops entries that no living token can meet.
    pub fn sweep(&mut self, now: DateTime<Utc>) {
        self.tokens.retain(|_, expires| *expires > now);
        self.grants.retain(|_, expires| *expires > now);
        self.accounts.retain(|_, (_, expires)| *expires > now);
        self.clients.retain(|_, (_, expires)| *expires > now);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.tokens.len() + self.grants.len() + self.accounts.len() + self.clients.len()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn later(stored: &mut DateTime<Utc>, expires: DateTime<Utc>) {
    *stored = expires.max(*stored);
}

fn raise(
    entry: std::collections::hash_map::Entry<'_, String, (i64, DateTime<Utc>)>,
    generation: i64,
    expires: DateTime<Utc>,
) {
    let stored = entry.or_insert((generation, expires));
    stored.0 = stored.0.max(generation);
    stored.1 = stored.1.max(expires);
}
