//! Sweeping: rows that have expired go, in small batches.

mod days;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    RunQueryDsl,
    sql_types::{Bool, Int8, Timestamptz},
};
use signet_oidc::{Turn, change::EventKind, client::Client};

use crate::{error::StoreError, store::Tx};

/// The most rows that one statement takes; it stays well under 50 ms.
pub const BATCH: usize = 200;

/// The most clients that go in one transaction, each with what it was given and its audit row.
pub const CLIENTS: i64 = 20;

/// So long a client that was never used keeps its place in any case.
const NEVER_USED: TimeDelta = TimeDelta::hours(1);

/// What is swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// Interactions that nobody finished.
    Interactions,
    /// Notices that no living token can meet.
    Notices,
    /// Refresh tokens a day after their end.
    RefreshTokens,
    /// Grants a day after the last token they gave, codes included.
    Grants,
    /// Sessions past their absolute lifetime.
    Sessions,
    /// Sign-in links a day after their end.
    SignInLinks,
    /// Identifiers that count once, a day after their end.
    Spent,
    /// Tokens to register with, a day after their end.
    InitialAccessTokens,
    /// Deliveries a week after they arrived, a month after they were given up.
    Deliveries,
}

impl Sweep {
    /// Everything, tokens before what they hang on.
    pub const ALL: [Self; 9] = [
        Self::Interactions,
        Self::Notices,
        Self::RefreshTokens,
        Self::Grants,
        Self::Sessions,
        Self::Spent,
        Self::SignInLinks,
        Self::InitialAccessTokens,
        Self::Deliveries,
    ];

    fn statement(self) -> &'static str {
        match self {
            Self::Interactions => {
                "DELETE FROM interactions WHERE ctid = ANY \
                 (ARRAY(SELECT ctid FROM interactions WHERE expires_at < $1 LIMIT 200))"
            }
            Self::Notices => {
                "DELETE FROM notices WHERE seq = ANY (ARRAY(SELECT seq FROM notices WHERE expires_at < $1 LIMIT 200))"
            }
            Self::RefreshTokens => {
                "DELETE FROM refresh_tokens WHERE ctid = ANY \
                 (ARRAY(SELECT ctid FROM refresh_tokens WHERE expires_at < $1 - interval '1 day' LIMIT 200))"
            }
            Self::Grants => {
                "DELETE FROM grants WHERE id = ANY \
                 (ARRAY(SELECT id FROM grants WHERE ends_at < $1 - interval '1 day' LIMIT 200))"
            }
            Self::Sessions => {
                "DELETE FROM sessions WHERE id = ANY (ARRAY(SELECT id FROM sessions WHERE expires_at < $1 LIMIT 200))"
            }
            Self::SignInLinks => {
                "DELETE FROM sign_in_links WHERE ctid = ANY \
                 (ARRAY(SELECT ctid FROM sign_in_links WHERE expires_at < $1 - interval '1 day' LIMIT 200))"
            }
            Self::InitialAccessTokens => {
                "DELETE FROM initial_access_tokens WHERE ctid = ANY (ARRAY(SELECT ctid FROM initial_access_tokens \
                 WHERE expires_at < $1 - interval '1 day' LIMIT 200))"
            }
            Self::Deliveries => {
                "DELETE FROM deliveries WHERE id = ANY (ARRAY(SELECT id FROM deliveries \
                 WHERE ended_at < $1 - interval '7 days' \
                 AND (state = 'delivered' OR ended_at < $1 - interval '30 days') LIMIT 200))"
            }
            Self::Spent => {
                "DELETE FROM spent_default WHERE ctid = ANY (ARRAY(SELECT ctid FROM spent_default \
                 WHERE expires_on < ($1 - interval '1 day')::date LIMIT 200))"
            }
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Elected {
    #[diesel(sql_type = Bool)]
    elected: bool,
}

impl Tx<'_> {
    /// One batch, if no other node is at it. Answers how many rows went; fewer than [`BATCH`] means that none is left.
    pub fn sweep(&mut self, what: Sweep, now: DateTime<Utc>) -> Result<usize, StoreError> {
        if !self.sweeps()? {
            return Ok(0);
        }
        Ok(diesel::sql_query(what.statement()).bind::<Timestamptz, _>(now).execute(self.conn)?)
    }

    /// Whether this node sweeps, until the end of the transaction.
    pub(crate) fn sweeps(&mut self) -> Result<bool, StoreError> {
        let elected: Elected = diesel::sql_query("SELECT pg_try_advisory_xact_lock($1) AS elected")
            .bind::<Int8, _>(0x5357_4545_5000)
            .get_result(self.conn)?;
        Ok(elected.elected)
    }

    /// Removes clients that registered themselves and that nobody has used since a moment, with all they were given, if
    /// no other node is at it. Answers how many went; fewer than [`CLIENTS`] means that none is left.
    pub fn sweep_clients(&mut self, unused_since: DateTime<Utc>, turn: &mut Turn) -> Result<usize, StoreError> {
        if !self.sweeps()? {
            return Ok(0);
        }
        let gone = self.unused_clients(unused_since, CLIENTS)?;
        for client in &gone {
            self.expire_client(client, turn)?;
        }
        Ok(gone.len())
    }

    /// Makes room for a client that registers itself: the one that did so the longest ago, an hour at least, and was never
    /// used goes. Answers whether there was one.
    pub fn make_room_for_client(&mut self, turn: &mut Turn) -> Result<bool, StoreError> {
        let Some(client) = self.never_used_client(turn.now() - NEVER_USED)? else { return Ok(false) };
        self.expire_client(&client, turn)?;
        Ok(true)
    }

    fn expire_client(&mut self, client: &Client, turn: &mut Turn) -> Result<(), StoreError> {
        self.delete_client(client, turn.now())?;
        let event = EventKind::ClientRegistrationExpired;
        self.audit_own((event.as_str(), event.outcome()), format!("client:{}", client.id), turn)
    }
}
