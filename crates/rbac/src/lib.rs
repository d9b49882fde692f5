//! Roles and permissions as pure values and decisions: who may do what, and what may be changed about that.
//!
//! Nothing here waits, reads a clock, or knows of HTTP or SQL.

pub mod change;
pub mod hierarchy;
pub mod permission;
pub mod role;
pub mod set;

pub use change::{Change, Event, EventKind, Holder};
pub use hierarchy::{Hierarchy, RoleRefusal};
pub use permission::{Permission, PermissionSyntax};
pub use role::{BuiltInRole, Role, RoleId, RoleName};
pub use set::{Held, PermissionSet};
