//! What a decision wants done, and what the audit log says of it.

use chrono::{DateTime, Utc};

use crate::{
    error::OAuthError,
    grant::Grant,
    id::{AccountId, ClientKey, GrantId, InteractionId, SessionId},
    scope::Scopes,
    secret::Digest,
};

/// What `decide` answers. A refusal may still act: a replayed code is refused *and* its grant revoked.
#[derive(Debug)]
pub struct Outcome<C, T> {
    /// Applied in the same transaction, in order, whatever the verdict.
    pub changes: Vec<C>,
    /// The answer.
    pub verdict: Result<T, OAuthError>,
}

impl<C, T> Outcome<C, T> {
    /// A refusal that changes nothing.
    pub fn refuse(error: OAuthError) -> Self {
        Self { changes: Vec::new(), verdict: Err(error) }
    }
}

/// A change of the protocol's state.
#[derive(Debug)]
pub enum Change {
    /// A new grant with its authorization code, and the client's place among those to tell at logout.
    IssueCode(Box<NewCode>),
    /// The first refresh token of a grant.
    IssueRefresh(NewRefresh),
    /// RFC 9700 §4.14.2: spends a refresh token and stores its successor.
    RotateRefresh {
        /// The token that was presented.
        spent: Digest,
        /// What it was replaced by.
        successor: NewRefresh,
        /// When the newest access token ends.
        access_until: DateTime<Utc>,
        /// The session that was used by this, and when it ends without further use.
        seen: Option<(SessionId, DateTime<Utc>)>,
    },
    /// A token is answered again or a token that does not rotate was used.
    RepeatRefresh {
        /// The grant.
        grant: GrantId,
        /// When the newest access token ends.
        access_until: DateTime<Utc>,
    },
    /// Ends a grant and everything it gave.
    RevokeGrant {
        /// Which.
        grant: GrantId,
        /// When.
        at: DateTime<Utc>,
    },
    /// Remembers what a person allowed a client.
    RememberConsent {
        /// Who.
        account: AccountId,
        /// Whom.
        client: ClientKey,
        /// What, added to what was allowed before.
        scopes: Scopes,
        /// When.
        at: DateTime<Utc>,
    },
    /// Spends an interaction's id. Meeting it spent already is the verdict of `on_conflict`.
    SpendInteraction {
        /// Which.
        interaction: InteractionId,
        /// Until when the id is remembered.
        expires: DateTime<Utc>,
        /// What the caller is told when it was spent before.
        on_conflict: OAuthError,
    },
    /// Ends a session, its grants without offline access, and their tokens.
    EndSession {
        /// Which.
        session: SessionId,
        /// When.
        at: DateTime<Utc>,
    },
    /// A row of the audit log.
    Audit(Event),
}

/// A grant about to be stored with its code.
#[derive(Debug)]
pub struct NewCode {
    /// The grant.
    pub grant: Grant,
    /// The code, hashed.
    pub code: Digest,
    /// Protocol A5.
    pub code_expires: DateTime<Utc>,
    /// When it was given.
    pub at: DateTime<Utc>,
}

/// A refresh token about to be stored.
#[derive(Debug, Clone)]
pub struct NewRefresh {
    /// The grant it renews.
    pub grant: GrantId,
    /// The client it is bound to.
    pub client: ClientKey,
    /// The token, hashed.
    pub digest: Digest,
    /// When it was issued.
    pub at: DateTime<Utc>,
    /// When it ends if unused.
    pub expires: DateTime<Utc>,
}

/// What happened, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// Whether it was done or refused.
    pub result: EventResult,
    /// Whose account it concerns.
    pub account: Option<AccountId>,
    /// With which client.
    pub client: Option<ClientKey>,
    /// In which session.
    pub session: Option<SessionId>,
    /// Under which grant.
    pub grant: Option<GrantId>,
    /// A short code that says more; never a secret or a name.
    pub detail: Option<&'static str>,
}

/// The events of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named by its stored code below")]
pub enum EventKind {
    CodeIssued,
    CodeRedeemed,
    CodeReplayed,
    TokenRefreshed,
    RefreshReplayed,
    ClientTokenIssued,
    ConsentGiven,
    ConsentDenied,
    SignedOut,
    ClientCreated,
}

impl EventKind {
    /// The stored code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CodeIssued => "code.issued",
            Self::CodeRedeemed => "code.redeemed",
            Self::CodeReplayed => "code.replayed",
            Self::TokenRefreshed => "token.refreshed",
            Self::RefreshReplayed => "refresh_token.replayed",
            Self::ClientTokenIssued => "client_token.issued",
            Self::ConsentGiven => "consent.given",
            Self::ConsentDenied => "consent.denied",
            Self::SignedOut => "session.ended",
            Self::ClientCreated => "client.created",
        }
    }
}

/// Whether an event's action was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventResult {
    /// Done.
    Success,
    /// Refused.
    Refused,
}

impl EventResult {
    /// The stored code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
        }
    }
}

impl Event {
    /// An event under a grant.
    pub fn of_grant(kind: EventKind, result: EventResult, grant: &Grant) -> Self {
        Self {
            kind,
            result,
            account: Some(grant.account),
            client: Some(grant.client),
            session: grant.session,
            grant: Some(grant.id),
            detail: None,
        }
    }
}
