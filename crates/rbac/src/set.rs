//! What somebody holds, all roles taken together.

use std::collections::HashMap;

use crate::Permission;

/// The permissions of a set of roles. Checking one looks at two short lists and allocates nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PermissionSet {
    by_resource: HashMap<String, Vec<Permission>>,
}

impl PermissionSet {
    /// Whether `wanted` is allowed. An empty set allows nothing.
    pub fn allows(&self, wanted: &Permission) -> bool {
        let held = |resource: &str| {
            self.by_resource.get(resource).is_some_and(|held| held.iter().any(|permission| permission.allows(wanted)))
        };
        held(wanted.resource()) || held("*")
    }

    /// Whether everything that `other` allows is allowed here too: who may act on others may not reach above themselves.
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|permission| self.allows(permission))
    }

    /// What both allow: what somebody holds, narrowed to what was lent.
    #[must_use]
    pub fn narrowed(&self, to: &Self) -> Self {
        self.iter().flat_map(|held| to.iter().filter_map(|lent| held.meet(lent))).collect()
    }

    /// What was put in, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Permission> {
        self.by_resource.values().flatten()
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.by_resource.is_empty()
    }

    /// As people write them, in order.
    pub fn to_texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    }
}

/// What somebody has by roles, inherited ones included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The names of the roles, in order.
    pub roles: Vec<String>,
    /// All that they allow.
    pub permissions: PermissionSet,
}

impl Extend<Permission> for PermissionSet {
    fn extend<I: IntoIterator<Item = Permission>>(&mut self, permissions: I) {
        for permission in permissions {
            let held = self.by_resource.entry(permission.resource().to_owned()).or_default();
            if !held.contains(&permission) {
                held.push(permission);
            }
        }
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        let mut set = Self::default();
        set.extend(permissions);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(held: &[&str]) -> PermissionSet {
        held.iter().map(|text| text.parse::<Permission>().unwrap()).collect()
    }

    /// a set allows what one of its permissions allows, and nothing else.
    #[test]
    fn what_a_set_allows() {
        for (held, wanted, expected) in [
            (&["user:read", "user:lock"][..], "user:lock", true),
            (&["user:read", "user:lock"], "user:unlock", false),
            (&["user:read"], "users:read", false),
            (&["user:*"], "user:delete", true),
            (&["user:*"], "role:delete", false),
            (&["*:read"], "audit:read", true),
            (&["*:read"], "audit:write", false),
            (&["*:*"], "anything/1:at.all", true),
            (&["invoice/42:read"], "invoice/42:read", true),
            (&["invoice/42:read"], "invoice:read", false),
            (&["*/42:read"], "invoice/42:read", true),
            // What is wanted is never a pattern that something narrower meets.
            (&["user:read"], "user:*", false),
            (&["user:read", "user:lock"], "*:*", false),
            (&[], "user:read", false),
        ] {
            assert_eq!(set(held).allows(&wanted.parse().unwrap()), expected, "{held:?} {wanted}");
        }
    }

    /// what was lent and what is held, both.
    #[test]
    fn what_a_narrowed_set_allows() {
        for (held, lent, expected) in [
            (&["*:*"][..], &["client:read"][..], &["client:read"][..]),
            (&["client:read"], &["*:*"], &["client:read"]),
            (&["client:*"], &["*:read"], &["client:read"]),
            (&["client:*", "user:read"], &["user:*", "key:read"], &["user:read"]),
            (&["invoice:*"], &["invoice/42:read"], &["invoice/42:read"]),
            (&["invoice/42:*"], &["*:read"], &["invoice/42:read"]),
            (&["invoice/42:read"], &["invoice/43:read"], &[]),
            (&["client:read"], &["client:update"], &[]),
            (&["*:*"], &[], &[]),
            (&[], &["*:*"], &[]),
        ] {
            assert_eq!(set(held).narrowed(&set(lent)).to_texts(), expected, "{held:?} {lent:?}");
            assert_eq!(set(lent).narrowed(&set(held)).to_texts(), expected, "{lent:?} {held:?}");
        }
    }

    /// nobody reaches above themselves.
    #[test]
    fn what_a_set_covers() {
        for (held, other, expected) in [
            (&["*:*"][..], &["*:*", "user:read"][..], true),
            (&["user:*", "role:assign"], &["user:read", "user:lock"], true),
            (&["user:*", "role:assign"], &["*:*"], false),
            (&["user:read"], &["user:*"], false),
            (&["user:read"], &["user:read", "role:assign"], false),
            (&[], &[], true),
            (&[], &["a:b"], false),
        ] {
            assert_eq!(set(held).covers(&set(other)), expected, "{held:?} {other:?}");
        }
        assert_eq!(set(&["b:c", "a:b", "b:c"]).to_texts(), ["a:b", "b:c"]);
        assert!(set(&[]).is_empty());
    }
}
