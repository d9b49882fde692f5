//! Which account is meant, and whether the actor may act on it.

use signet_identity::UserId;
use signet_rbac::Holder;
use signet_storage::accounts::{AccountRef, AccountRow};

use super::unknown;
use crate::admin::{Act, AdminError, Condition, revision, roles};

pub(in crate::admin) fn find(act: &mut Act<'_, '_>, text: &str) -> Result<AccountRow, AdminError> {
    act.tx.account(&named(text)?)?.ok_or_else(unknown)
}

/// Reads how an account is named.
pub(super) fn named(text: &str) -> Result<AccountRef, AdminError> {
    AccountRef::parse(text.trim()).ok_or_else(unknown)
}

/// The account to act on. Who may do more than the actor is out of reach.
pub(in crate::admin) fn reachable(act: &mut Act<'_, '_>, user: UserId) -> Result<AccountRow, AdminError> {
    let row = act.tx.account(&AccountRef::Id(user))?.ok_or_else(unknown)?;
    within_reach(act, user)?;
    Ok(row)
}

/// Refuses who may do more than the actor.
pub(super) fn within_reach(act: &mut Act<'_, '_>, user: UserId) -> Result<(), AdminError> {
    if act.desk.held.is_some() {
        let all = act.tx.hierarchy()?;
        let held = act.tx.roles_of(Holder::User(user))?;
        if !act.desk.reaches(&all.permissions(held)) {
            return Err(roles::above());
        }
    }
    Ok(())
}

/// [`reachable`], refused where what is known of the person is not as the caller said it is.
pub(super) fn reachable_as(
    act: &mut Act<'_, '_>,
    user: UserId,
    condition: &Condition,
) -> Result<AccountRow, AdminError> {
    let row = reachable(act, user)?;
    if *condition != Condition::Any {
        let known = act.tx.lock_profile(user)?.ok_or_else(unknown)?;
        condition.check(&revision(&known))?;
    }
    Ok(row)
}
