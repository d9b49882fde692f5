//! The roles of a file.

use std::collections::BTreeSet;

use signet_rbac::Hierarchy;

use super::{Action, Plan, Section, within};
use crate::admin::{
    Act, AdminError, Condition,
    roles::{self, NewRole, RoleChange, RoleView},
};

const KIND: &str = "role";

/// Makes and changes them, parents first. Whatever a role inherits is as the file
/// says by the time the role is: no parent that the file drops closes a cycle.
pub(super) fn apply(act: &mut Act<'_, '_>, section: &Section<NewRole>, plan: &mut Plan) -> Result<(), AdminError> {
    let stored = act.tx.hold_roles()?;
    for wanted in in_order(&section.items, &stored)? {
        if stored.named(&wanted.name).is_some() {
            update(act, wanted, plan).map_err(|error| within(KIND, &wanted.name, error))?;
        } else {
            roles::create_in(act, wanted).map_err(|error| within(KIND, &wanted.name, error))?;
            plan.note(Action::Create, KIND, &wanted.name, Vec::new());
        }
    }
    Ok(())
}

/// The roles of the file, each after those it inherits from; otherwise as they are listed.
fn in_order<'a>(items: &'a [NewRole], stored: &Hierarchy) -> Result<Vec<&'a NewRole>, AdminError> {
    let listed: BTreeSet<&str> = items.iter().map(|role| role.name.as_str()).collect();
    let mut waiting: Vec<(&NewRole, BTreeSet<String>)> =
        items.iter().map(|wanted| (wanted, above(wanted, &listed, stored))).collect();
    let mut order = Vec::with_capacity(items.len());
    while let Some((first, _)) = waiting.first() {
        let first = first.name.as_str();
        let left: BTreeSet<&str> = waiting.iter().map(|(role, _)| role.name.as_str()).collect();
        let (blocked, ready): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, above)| above.iter().any(|name| left.contains(name.as_str())));
        if ready.is_empty() {
            let error = AdminError::conflict("role_cycle", "It inherits from itself. Take one of the parents away.");
            return Err(within(KIND, first, error));
        }
        order.extend(ready.into_iter().map(|(role, _)| role));
        waiting = blocked;
    }
    Ok(order)
}

/// What a role inherits from, through roles that are not listed up to those that are.
fn above(wanted: &NewRole, listed: &BTreeSet<&str>, stored: &Hierarchy) -> BTreeSet<String> {
    let mut above = BTreeSet::new();
    let mut open = wanted.parents.clone();
    while let Some(name) = open.pop() {
        if !above.insert(name.clone()) || listed.contains(name.as_str()) {
            continue;
        }
        if let Some(role) = stored.named(&name) {
            open.extend(roles::names(stored, &role.parents));
        }
    }
    above
}

fn update(act: &mut Act<'_, '_>, wanted: &NewRole, plan: &mut Plan) -> Result<(), AdminError> {
    // A change of nothing writes nothing, and answers the role as it is.
    let before = roles::update_in(act, &wanted.name, &RoleChange::default(), &Condition::Any)?;
    let change = RoleChange {
        description: Some(wanted.description.clone()),
        permissions: Some(wanted.permissions.clone()),
        parents: Some(wanted.parents.clone()),
    };
    let after = roles::update_in(act, &wanted.name, &change, &Condition::Any)?;
    let changed = differences(&before, &after);
    let action = if changed.is_empty() { Action::Unchanged } else { Action::Update };
    plan.note(action, KIND, &wanted.name, changed);
    Ok(())
}

fn differences(before: &RoleView, after: &RoleView) -> Vec<String> {
    let members = [
        ("description", before.description == after.description),
        ("permissions", before.permissions == after.permissions),
        ("parents", before.parents == after.parents),
    ];
    members.into_iter().filter(|(_, same)| !same).map(|(name, _)| name.to_owned()).collect()
}

/// Those that nobody inherits from go first.
pub(super) fn prune(act: &mut Act<'_, '_>, section: &Section<NewRole>, plan: &mut Plan) -> Result<(), AdminError> {
    loop {
        let all = act.tx.hold_roles()?;
        let gone: Vec<_> = all
            .roles()
            .filter(|role| !role.built_in && !section.items.iter().any(|listed| listed.name == role.name))
            .collect();
        let leaf = gone.iter().find(|role| all.children(role.id).next().is_none());
        let Some(role) = leaf.or(gone.first()) else { return Ok(()) };
        roles::delete_in(act, &role.name, &Condition::Any).map_err(|error| within(KIND, &role.name, error))?;
        plan.note(Action::Delete, KIND, &role.name, Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use signet_rbac::{Role, RoleId};

    use super::*;

    fn role(id: i64, name: &str, parents: &[i64]) -> Role {
        Role {
            id: RoleId(id),
            name: name.to_owned(),
            description: String::new(),
            built_in: false,
            permissions: Vec::new(),
            parents: parents.iter().copied().map(RoleId).collect(),
        }
    }

    /// R-69a: parents come first, also through roles that the file leaves alone; turning an inheritance around is no
    /// cycle, one that the file itself makes is.
    #[test]
    fn parents_come_first() {
        let stored = Hierarchy::new(vec![role(1, "a", &[2]), role(2, "b", &[]), role(3, "kept", &[1])]);
        for (file, expected) in [
            (&[("b", &["a"][..]), ("a", &[][..])][..], Some("a b")),
            (&[("a", &["b"]), ("b", &[])], Some("b a")),
            (&[("b", &["new"]), ("new", &["a"]), ("a", &[])], Some("a new b")),
            (&[("b", &["kept"]), ("a", &[])], Some("a b")),
            (&[("x", &["nobody"]), ("y", &[])], Some("x y")),
            (&[("b", &["kept"]), ("a", &["b"])], None),
            (&[("a", &["a"])], None),
        ] {
            let make = |(name, parents): &(&str, &[&str])| NewRole {
                name: (*name).to_owned(),
                description: String::new(),
                permissions: Vec::new(),
                parents: parents.iter().map(|&parent| parent.to_owned()).collect(),
            };
            let items: Vec<NewRole> = file.iter().map(make).collect();
            let order = in_order(&items, &stored).ok();
            let names = order.map(|order| order.iter().map(|role| role.name.as_str()).collect::<Vec<_>>().join(" "));
            assert_eq!(names.as_deref(), expected, "{file:?}");
        }
    }
}
