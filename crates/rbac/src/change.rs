//! What a decision about roles wants done, and what the audit log says of it.

use signet_identity::UserId;

use crate::{Permission, RoleId, RoleName};

/// Who holds roles: a person or a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// An account.
    User(UserId),
    /// A client, by its internal key.
    Client(i64),
}

/// A role about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRole {
    /// Its name.
    pub name: RoleName,
    /// What it is for.
    pub description: String,
    /// What it adds to what it inherits.
    pub permissions: Vec<Permission>,
    /// What it inherits from.
    pub parents: Vec<RoleId>,
}

/// A change of roles.
#[derive(Debug)]
pub enum Change {
    /// Stores a role. A taken name is the verdict of the unique key.
    Create(NewRole),
    /// Replaces what a role says, may and inherits.
    Update {
        /// Which.
        role: RoleId,
        /// What it is for.
        description: String,
        /// What it adds to what it inherits.
        permissions: Vec<Permission>,
        /// What it inherits from.
        parents: Vec<RoleId>,
    },
    /// Takes a role away, from its holders too.
    Delete(RoleId),
    /// Gives a role.
    Assign {
        /// Which.
        role: RoleId,
        /// To whom.
        to: Holder,
    },
    /// Takes a role.
    Remove {
        /// Which.
        role: RoleId,
        /// From whom.
        from: Holder,
    },
    /// A row of the audit log.
    Audit(Event),
}

/// What happened, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The role's name.
    pub role: String,
    /// Who was given it or lost it.
    pub holder: Option<Holder>,
}

signet_identity::events! {
    /// The events of roles.
    EventKind {
        /// A role was made.
        RoleCreated = "role.created", success;
        /// What a role says, may or inherits was changed.
        RoleUpdated = "role.updated", success;
        /// A role was deleted; whoever held it lost it.
        RoleDeleted = "role.deleted", success;
        /// An account or a client was given a role.
        RoleAssigned = "role.assigned", success;
        /// A role was taken from an account or a client.
        RoleRemoved = "role.removed", success;
    }
}

/// The name of a new role is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is a role with this name; choose another, or update that one")]
pub struct RoleTaken;
