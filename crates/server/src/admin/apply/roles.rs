//! The roles of a file.

use std::collections::BTreeSet;

use super::{Action, Plan, Section, within};
use crate::admin::{
    Act, AdminError,
    roles::{self, NewRole, RoleChange, RoleView},
};

const KIND: &str = "role";

/// Makes them in the order of inheritance, changes those that are there, and takes away what is not listed.
pub(super) fn apply(act: &mut Act<'_, '_>, section: &Section<NewRole>, plan: &mut Plan) -> Result<(), AdminError> {
    let stored = act.tx.hold_roles()?;
    let (there, mut waiting): (Vec<&NewRole>, Vec<&NewRole>) =
        section.items.iter().partition(|wanted| stored.named(&wanted.name).is_some());
    while !waiting.is_empty() {
        let names: BTreeSet<&str> = waiting.iter().map(|role| role.name.as_str()).collect();
        let (ready, left): (Vec<&NewRole>, Vec<&NewRole>) =
            waiting.iter().partition(|role| !role.parents.iter().any(|parent| names.contains(parent.as_str())));
        let Some(first) = waiting.first().filter(|_| ready.is_empty()) else {
            for wanted in ready {
                roles::create_in(act, wanted).map_err(|error| within(KIND, &wanted.name, error))?;
                plan.note(Action::Create, KIND, &wanted.name, Vec::new());
            }
            waiting = left;
            continue;
        };
        let error = AdminError::conflict("role_cycle", "It inherits from itself. Take one of the parents away.");
        return Err(within(KIND, &first.name, error));
    }
    for wanted in there {
        update(act, wanted, plan).map_err(|error| within(KIND, &wanted.name, error))?;
    }
    if section.prune { prune(act, section, plan) } else { Ok(()) }
}

fn update(act: &mut Act<'_, '_>, wanted: &NewRole, plan: &mut Plan) -> Result<(), AdminError> {
    // A change of nothing writes nothing, and answers the role as it is.
    let before = roles::update_in(act, &wanted.name, &RoleChange::default())?;
    let change = RoleChange {
        description: Some(wanted.description.clone()),
        permissions: Some(wanted.permissions.clone()),
        parents: Some(wanted.parents.clone()),
    };
    let after = roles::update_in(act, &wanted.name, &change)?;
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
fn prune(act: &mut Act<'_, '_>, section: &Section<NewRole>, plan: &mut Plan) -> Result<(), AdminError> {
    loop {
        let all = act.tx.hold_roles()?;
        let gone: Vec<_> = all
            .roles()
            .filter(|role| !role.built_in && !section.items.iter().any(|listed| listed.name == role.name))
            .collect();
        let leaf = gone.iter().find(|role| all.children(role.id).next().is_none());
        let Some(role) = leaf.or(gone.first()) else { return Ok(()) };
        roles::delete_in(act, &role.name).map_err(|error| within(KIND, &role.name, error))?;
        plan.note(Action::Delete, KIND, &role.name, Vec::new());
    }
}
