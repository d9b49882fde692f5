//! What a decision wants done, and what the audit log says of it.

use chrono::{DateTime, Utc};

use crate::{
    consent::Consented,
    error::OAuthError,
    grant::Grant,
    id::{AccountId, ClientId, ClientKey, GrantId, InteractionId, SessionId},
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
    /// A new grant, with its authorization code where it has one, and the client's place among those to tell at logout.
    IssueGrant(Box<NewGrant>),
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
    /// A token that does not rotate was used.
    UseRefresh {
        /// The token, with when it ends from now on.
        used: NewRefresh,
        /// When the newest access token ends.
        access_until: DateTime<Utc>,
        /// The session that was used by this, and when it ends without further use.
        seen: Option<(SessionId, DateTime<Utc>)>,
    },
    /// A token is answered again.
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
    /// Ends one access token, and nothing else.
    RevokeToken {
        /// Which.
        jti: String,
        /// When.
        at: DateTime<Utc>,
        /// When it would have ended.
        expires: DateTime<Utc>,
    },
    /// Remembers what a person allowed a client.
    RememberConsent {
        /// Who.
        account: AccountId,
        /// Whom.
        client: ClientKey,
        /// What, added to what was allowed before.
        allowed: Consented,
        /// When.
        at: DateTime<Utc>,
    },
    /// Forgets what a person allowed a client, and ends every grant of the two, offline access included.
    WithdrawConsent {
        /// Who.
        account: AccountId,
        /// Whom.
        client: ClientKey,
        /// When.
        at: DateTime<Utc>,
    },
    /// Spends what counts once. Meeting it spent already is the verdict of `on_conflict`.
    Spend {
        /// What.
        what: Spent,
        /// Until when it is remembered at least.
        expires: DateTime<Utc>,
        /// What the caller is told when it was spent before.
        on_conflict: OAuthError,
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

/// What a client makes and may use once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spent {
    /// RFC 7523 §3 no. 7: an assertion, by the hash of its `jti`.
    ClientAssertion {
        /// Whose: the identifiers of one client say nothing of another's.
        client: ClientId,
        /// The hash.
        jti: Digest,
    },
    /// RFC 7519 §4.1.7: a request object, by the hash of its `jti`.
    RequestObject {
        /// Whose.
        client: ClientId,
        /// The hash.
        jti: Digest,
    },
}

/// A grant about to be stored.
#[derive(Debug)]
pub struct NewGrant {
    /// The grant.
    pub grant: Grant,
    /// The generation of its account under which it is given: whatever ends everything the account has raises that.
    pub generation: i64,
    /// The code, hashed, and when it ends (protocol A5).
    pub code: Option<(Digest, DateTime<Utc>)>,
    /// When the access token ends that was issued with it.
    pub access_until: Option<DateTime<Utc>>,
    /// When the refresh token ends that was issued with it, if unused.
    pub refresh_until: Option<DateTime<Utc>>,
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

/// Declares an enum of events: a line of meaning, a variant, its stored code and the results it can have. What is
/// declared is in `ALL`, and so in the catalogue. The server declares its own by it too.
#[macro_export]
macro_rules! events {
    ($(#[doc = $about:literal])* $name:ident { $(#[doc = $meaning:literal] $variant:ident = $code:literal, $outcome:ident;)* }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $meaning] $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stored code.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The results it is recorded with: `success`, `refused` or `either`.
            pub fn outcome(self) -> &'static str {
                match self { $(Self::$variant => stringify!($outcome),)* }
            }

            /// What it means, for people.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning.trim_ascii_start(),)* }
            }
        }
    };
}

events! {
    /// The events of the protocol.
    EventKind {
        /// Tokens were issued straight from the authorization endpoint, without a code.
        TokensIssued = "tokens.issued", success;
        /// A client was given a code on consent that was remembered or not needed.
        CodeIssued = "code.issued", success;
        /// A code was redeemed, or spent in vain by a request that was refused.
        CodeRedeemed = "code.redeemed", either;
        /// A code was presented a second time; what it had given was revoked.
        CodeReplayed = "code.replayed", refused;
        /// A refresh token was used.
        TokenRefreshed = "token.refreshed", success;
        /// A refresh token was presented after its time; what its grant had given was revoked.
        RefreshReplayed = "refresh_token.replayed", refused;
        /// A person's name and password, which a client sent, were exchanged for tokens.
        PasswordGranted = "password_grant.issued", success;
        /// A client was given a token for itself.
        ClientTokenIssued = "client_token.issued", success;
        /// A request to the token, introspection or revocation endpoint was refused; the detail is the error's code.
        TokenRefused = "token.refused", refused;
        /// A client gave back a token; the detail says of which kind. With a refresh token all that its grant gave has ended.
        TokenRevoked = "token.revoked", success;
        /// A client's assertion was presented a second time; it was refused.
        AssertionReplayed = "client_assertion.replayed", refused;
        /// A person allowed a client what it asked for, and the client was given a code.
        ConsentGiven = "consent.given", success;
        /// A person refused a client what it asked for.
        ConsentDenied = "consent.denied", refused;
        /// A person without any of the roles that a client is limited to was turned away.
        AccessRefused = "access.refused", refused;
        /// What a person had allowed a client was withdrawn, and all that was given under it ended.
        ConsentWithdrawn = "consent.withdrawn", success;
        /// A person signed out.
        SignedOut = "session.ended", success;
        /// A client was registered.
        ClientCreated = "client.created", success;
        /// A client's registration was changed; the detail names what.
        ClientUpdated = "client.updated", success;
        /// A client was removed, with all it had been given.
        ClientDeleted = "client.deleted", success;
        /// A client was switched off, and all it had been given ended.
        ClientDisabled = "client.disabled", success;
        /// A client was switched on again.
        ClientEnabled = "client.enabled", success;
        /// A client was given a new secret.
        ClientSecretRotated = "client.secret_rotated", success;
        /// A client registered itself; the detail names the initial access token it came with.
        ClientRegistered = "client_registration.created", success;
        /// A client that had registered itself changed its registration; the detail names what.
        ClientRegistrationUpdated = "client_registration.updated", success;
        /// A client that had registered itself removed itself, with all it had been given.
        ClientRegistrationDeleted = "client_registration.deleted", success;
        /// A client's registration of itself, or a change of it, was refused; the detail is the error's code.
        ClientRegistrationRefused = "client_registration.refused", refused;
        /// A client that had registered itself was removed: nobody had used it for as long as the settings say.
        ClientRegistrationExpired = "client_registration.expired", success;
        /// An initial access token was made, with which clients may register themselves.
        RegistrationTokenCreated = "registration_token.created", success;
        /// An initial access token was used for the last time that it allowed.
        RegistrationTokenUsedUp = "registration_token.used_up", success;
        /// An initial access token was deleted.
        RegistrationTokenDeleted = "registration_token.deleted", success;
        /// An API was registered.
        ResourceCreated = "resource.created", success;
        /// An API's registration was changed; the detail names what.
        ResourceUpdated = "resource.updated", success;
        /// An API was removed.
        ResourceDeleted = "resource.deleted", success;
        /// A delivery was put to be tried again; the object names it.
        DeliveryRepeated = "delivery.repeated", success;
        /// Keys that were missing were made: at the first start, or for an algorithm that had none.
        KeyCreated = "key.created", success;
        /// The next signing key signs, and another one was published.
        KeyRotated = "key.rotated", success;
        /// A signing key whose last token has ended is published no more.
        KeyRetired = "key.retired", success;
        /// A signing key was deleted a year after it had been published last.
        KeyDeleted = "key.deleted", success;
        /// Stored keys were sealed anew under the newest secret key.
        KeysResealed = "keys.resealed", success;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes that the audit log keeps.
    #[test]
    fn results_have_codes() {
        assert_eq!([EventResult::Success, EventResult::Refused].map(EventResult::as_str), ["success", "refused"]);
    }
}
