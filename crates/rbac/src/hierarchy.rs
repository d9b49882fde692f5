//! All roles and what they inherit, and what may be changed about them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    BuiltInRole, Permission, PermissionSet, Role, RoleId,
    role::{MAX_DESCRIPTION, MAX_PARENTS, MAX_PERMISSIONS},
};

/// Why a change of roles is refused. The message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleRefusal {
    /// A parent that is no role.
    #[error("there is no role {0}")]
    UnknownParent(String),
    /// a role would inherit from itself.
    #[error("the role {0} inherits from this one already; a role cannot inherit from itself")]
    Cycle(String),
    /// Too many permissions.
    #[error("list at most 200 permissions; let the role inherit from others instead")]
    TooManyPermissions,
    /// Too many parents.
    #[error("let a role inherit from at most 20 others")]
    TooManyParents,
    /// A description that is too long, or no plain text.
    #[error("use at most 500 characters for a description, no control characters")]
    Description,
    /// Built-in roles stay.
    #[error("the role {0} is built in and cannot be deleted")]
    BuiltIn(String),
    /// `admin` may do everything.
    #[error("the role admin may do everything; its permissions and what it inherits cannot be changed")]
    AdminStays,
    /// Others inherit from it.
    #[error("the role {0} inherits from this one; change that first")]
    Inherited(String),
    /// somebody must be left who may do everything.
    #[error("this would leave no administrator; give the role admin to another active account first")]
    LastAdministrator,
}

impl RoleRefusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownParent(_) => "role_unknown",
            Self::Cycle(_) => "role_cycle",
            Self::TooManyPermissions => "too_many_permissions",
            Self::TooManyParents => "too_many_parents",
            Self::Description => "invalid_description",
            Self::BuiltIn(_) => "role_built_in",
            Self::AdminStays => "role_admin_fixed",
            Self::Inherited(_) => "role_inherited",
            Self::LastAdministrator => "last_administrator",
        }
    }
}

/// All roles of a realm.
#[derive(Debug, Clone, Default)]
pub struct Hierarchy {
    roles: BTreeMap<RoleId, Role>,
}

impl Hierarchy {
    /// Over these roles.
    pub fn new(roles: Vec<Role>) -> Self {
        Self { roles: roles.into_iter().map(|role| (role.id, role)).collect() }
    }

    /// All roles, in the order of their keys.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// The role with that name.
    pub fn named(&self, name: &str) -> Option<&Role> {
        self.roles.values().find(|role| role.name == name)
    }

    /// The role with that key.
    pub fn get(&self, id: RoleId) -> Option<&Role> {
        self.roles.get(&id)
    }

    /// These roles and everything they inherit from. Ends also where stored rows form a cycle.
    pub fn reach(&self, start: impl IntoIterator<Item = RoleId>) -> BTreeSet<RoleId> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<RoleId> = start.into_iter().collect();
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(self.roles.get(&id).into_iter().flat_map(|role| role.parents.iter().copied()));
            }
        }
        reached
    }

    /// what these roles allow, inherited permissions included.
    pub fn permissions(&self, roles: impl IntoIterator<Item = RoleId>) -> PermissionSet {
        self.reach(roles)
            .iter()
            .filter_map(|id| self.roles.get(id))
            .flat_map(|role| role.permissions.iter().cloned())
            .collect()
    }

    /// The roles that make an administrator of whoever holds one: `admin`, and those that inherit from it.
    pub fn administrative(&self) -> Vec<RoleId> {
        let Some(admin) = self.named(BuiltInRole::Admin.as_str()).map(|role| role.id) else { return Vec::new() };
        self.roles.keys().copied().filter(|id| self.reach([*id]).contains(&admin)).collect()
    }

    /// The roles that inherit directly from `role`.
    pub fn children(&self, role: RoleId) -> impl Iterator<Item = &Role> {
        self.roles.values().filter(move |child| child.parents.contains(&role))
    }

    /// The keys of the named roles, each once.
    pub fn resolve(&self, names: &[String]) -> Result<Vec<RoleId>, RoleRefusal> {
        let found: Result<BTreeSet<RoleId>, RoleRefusal> = names
            .iter()
            .map(|name| self.named(name).map(|role| role.id).ok_or_else(|| RoleRefusal::UnknownParent(name.clone())))
            .collect();
        Ok(found?.into_iter().collect())
    }

    /// Whether a role may hold this. `role` is none for one that does not exist yet.
    pub fn check(
        &self,
        role: Option<RoleId>,
        description: &str,
        permissions: &[Permission],
        parents: &[RoleId],
    ) -> Result<(), RoleRefusal> {
        if description.chars().count() > MAX_DESCRIPTION || description.chars().any(char::is_control) {
            return Err(RoleRefusal::Description);
        }
        if permissions.len() > MAX_PERMISSIONS {
            return Err(RoleRefusal::TooManyPermissions);
        }
        if parents.len() > MAX_PARENTS {
            return Err(RoleRefusal::TooManyParents);
        }
        let Some(role) = role else { return Ok(()) };
        let through = parents.iter().find(|parent| self.reach([**parent]).contains(&role));
        if let Some(through) = through {
            let name = self.roles.get(through).map(|role| role.name.clone()).unwrap_or_default();
            return Err(RoleRefusal::Cycle(name));
        }
        let Some(stored) = self.roles.get(&role) else { return Ok(()) };
        if stored.built_in && stored.name == BuiltInRole::Admin.as_str() {
            let same = same_members(&stored.permissions, permissions) && same_members(&stored.parents, parents);
            return if same { Ok(()) } else { Err(RoleRefusal::AdminStays) };
        }
        Ok(())
    }

    /// Whether a role may go.
    pub fn check_delete(&self, role: RoleId) -> Result<(), RoleRefusal> {
        match self.roles.get(&role) {
            Some(stored) if stored.built_in => Err(RoleRefusal::BuiltIn(stored.name.clone())),
            _ => match self.children(role).next() {
                Some(child) => Err(RoleRefusal::Inherited(child.name.clone())),
                None => Ok(()),
            },
        }
    }

    /// The hierarchy once a role inherits from others.
    #[must_use]
    pub fn with_parents(&self, role: RoleId, parents: Vec<RoleId>) -> Self {
        let mut changed = self.clone();
        if let Some(stored) = changed.roles.get_mut(&role) {
            stored.parents = parents;
        }
        changed
    }

    /// The hierarchy without a role.
    #[must_use]
    pub fn without(&self, role: RoleId) -> Self {
        let mut changed = self.clone();
        changed.roles.remove(&role);
        changed
    }
}

/// `left` administrators who can sign in remain once a change is done. An installation that had none before loses
/// none.
pub fn keep_an_administrator(before: i64, left: i64) -> Result<(), RoleRefusal> {
    if before > 0 && left <= 0 { Err(RoleRefusal::LastAdministrator) } else { Ok(()) }
}

fn same_members<T: Ord>(one: &[T], other: &[T]) -> bool {
    let (one, other): (BTreeSet<&T>, BTreeSet<&T>) = (one.iter().collect(), other.iter().collect());
    one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(id: i64, name: &str, permissions: &[&str], parents: &[i64]) -> Role {
        Role {
            id: RoleId(id),
            name: name.to_owned(),
            description: String::new(),
            built_in: BuiltInRole::ALL.iter().any(|role| role.as_str() == name),
            permissions: permissions.iter().map(|text| text.parse().unwrap()).collect(),
            parents: parents.iter().copied().map(RoleId).collect(),
        }
    }

    fn hierarchy() -> Hierarchy {
        Hierarchy::new(vec![
            role(1, "user", &["account:read"], &[]),
            role(2, "moderator", &["user:lock"], &[1]),
            role(3, "admin", &["*:*"], &[2]),
            role(4, "support", &["ticket:*"], &[2]),
            role(5, "lead", &["team:read"], &[4]),
            role(6, "owner", &[], &[5, 3]),
        ])
    }

    /// a role has its parents' permissions, and theirs; not its children's.
    #[test]
    fn inheritance() {
        let all = hierarchy();
        assert_eq!(all.permissions([RoleId(4)]).to_texts(), ["account:read", "ticket:*", "user:lock"]);
        assert_eq!(all.permissions([RoleId(1)]).to_texts(), ["account:read"]);
        assert_eq!(all.permissions([RoleId(5), RoleId(1)]).to_texts().len(), 4);
        assert!(all.permissions([RoleId(6)]).allows(&"x:y".parse().unwrap()));
        assert!(all.permissions([]).is_empty() && all.permissions([RoleId(99)]).is_empty());
        assert_eq!(all.administrative(), [RoleId(3), RoleId(6)]);
        assert_eq!(all.children(RoleId(2)).count(), 2);
    }

    /// cycles of every length are refused; a diamond is none; one that is stored already ends nothing.
    #[test]
    fn cycles() {
        let all = hierarchy();
        for (changed, parents, expected) in [
            (4, &[5][..], Err("lead")),
            (4, &[4], Err("support")),
            (1, &[5], Err("lead")),
            (2, &[6], Err("owner")),
            (5, &[4, 2], Ok(())),
            (5, &[], Ok(())),
            (4, &[1, 3], Ok(())),
        ] {
            let parents: Vec<RoleId> = parents.iter().copied().map(RoleId).collect();
            let found = all.check(Some(RoleId(changed)), "", &[], &parents);
            assert_eq!(
                found,
                expected.map_err(|name: &str| RoleRefusal::Cycle(name.to_owned())),
                "{changed} {parents:?}"
            );
        }
        assert_eq!(all.check(None, "", &[], &[RoleId(6)]), Ok(()));
        let looped = all.with_parents(RoleId(1), vec![RoleId(6)]);
        assert_eq!(looped.reach([RoleId(1)]).len(), 6);
        assert!(looped.permissions([RoleId(1)]).allows(&"x:y".parse().unwrap()));
    }

    /// what is built in stays, and so does what `admin` may do.
    #[test]
    fn built_in_roles_stay() {
        let all = hierarchy();
        let every: Vec<Permission> = vec!["*:*".parse().unwrap()];
        for id in 1..=3 {
            assert!(matches!(all.check_delete(RoleId(id)), Err(RoleRefusal::BuiltIn(_))), "{id}");
        }
        assert_eq!(all.check_delete(RoleId(4)), Err(RoleRefusal::Inherited("lead".to_owned())));
        assert_eq!(all.check_delete(RoleId(6)), Ok(()));
        assert_eq!(all.check(Some(RoleId(3)), "new words", &every, &[RoleId(2)]), Ok(()));
        assert_eq!(all.check(Some(RoleId(3)), "", &[], &[RoleId(2)]), Err(RoleRefusal::AdminStays));
        assert_eq!(all.check(Some(RoleId(3)), "", &every, &[]), Err(RoleRefusal::AdminStays));
        assert_eq!(all.check(Some(RoleId(2)), "", &every, &[RoleId(1)]), Ok(()));
    }

    /// bounds of a role.
    #[test]
    fn bounds() {
        let all = hierarchy();
        let many: Vec<Permission> = (0..=200).map(|n| format!("r{n}:read").parse().unwrap()).collect();
        assert_eq!(all.check(None, "", &many, &[]), Err(RoleRefusal::TooManyPermissions));
        let parents: Vec<RoleId> = (1..=21).map(RoleId).collect();
        assert_eq!(all.check(None, "", &[], &parents), Err(RoleRefusal::TooManyParents));
        assert_eq!(all.check(None, &"x".repeat(501), &[], &[]), Err(RoleRefusal::Description));
        assert_eq!(all.check(None, "a\nb", &[], &[]), Err(RoleRefusal::Description));
        assert_eq!(all.resolve(&["user".into(), "lead".into(), "user".into()]), Ok(vec![RoleId(1), RoleId(5)]));
        assert_eq!(all.resolve(&["nobody".into()]), Err(RoleRefusal::UnknownParent("nobody".to_owned())));
    }

    /// the last administrator cannot be removed; taking `admin` out of a role's parents counts.
    #[test]
    fn the_last_administrator_stays() {
        assert_eq!(keep_an_administrator(1, 0), Err(RoleRefusal::LastAdministrator));
        assert_eq!(keep_an_administrator(2, 1), Ok(()));
        assert_eq!(keep_an_administrator(0, 0), Ok(()));
        let all = hierarchy();
        assert_eq!(all.with_parents(RoleId(6), vec![RoleId(5)]).administrative(), [RoleId(3)]);
        assert_eq!(all.without(RoleId(6)).administrative(), [RoleId(3)]);
    }
}
