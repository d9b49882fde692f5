//! Applies what the pure crates decided: one exhaustive `match` for each of their change types.

use signet_oidc::{OAuthError, Turn};

use crate::{
    audit::{Entry, Origin},
    error::StoreError,
    store::Tx,
};

/// What applying gave: done, or a verdict that replaces the decision's (a key met that was there already).
pub type Applied<V> = Result<Result<(), V>, StoreError>;

/// Applies the changes of a pure crate, in order, within a transaction.
pub trait Apply<C> {
    /// The verdict that a change may meet.
    type Verdict;

    /// Stops at the first change that meets a verdict; nothing after it is applied.
    fn apply(&mut self, changes: Vec<C>, turn: &mut Turn, origin: &Origin) -> Applied<Self::Verdict>;
}

impl Apply<signet_oidc::Change> for Tx<'_> {
    type Verdict = OAuthError;

    fn apply(&mut self, changes: Vec<signet_oidc::Change>, turn: &mut Turn, origin: &Origin) -> Applied<OAuthError> {
        use signet_oidc::Change;
        for change in changes {
            match change {
                Change::IssueGrant(new) => self.issue_grant(*new)?,
                Change::IssueRefresh(new) => self.issue_refresh(&new)?,
                Change::RotateRefresh { spent, successor, access_until, seen } => {
                    self.rotate_refresh(&spent, &successor, (access_until, seen))?;
                }
                Change::UseRefresh { used, access_until, seen } => self.use_refresh(&used, (access_until, seen))?,
                Change::RepeatRefresh { grant, access_until } => self.extend_access(grant, access_until)?,
                Change::RevokeGrant { grant, at } => self.revoke_grant(grant, at)?,
                Change::RevokeToken { jti, at, expires } => self.revoke_token(jti, at, expires)?,
                Change::RememberConsent { account, client, allowed, at } => {
                    self.remember_consent(account, client, &allowed, at)?;
                }
                Change::WithdrawConsent { account, client, at } => self.withdraw_consent(account, client, at)?,
                Change::Spend { what, expires, on_conflict } => {
                    if !self.spend(&what, expires)? {
                        return Ok(Err(on_conflict));
                    }
                }
                Change::SpendInteraction { interaction, expires, on_conflict } => {
                    if !self.spend_interaction(interaction, expires)? {
                        return Ok(Err(on_conflict));
                    }
                }
                Change::EndSession { session, at } => self.end_session(session.0, at)?,
                Change::Audit(event) => {
                    let entry = Entry::of(event, turn);
                    self.audit(entry, origin)?;
                }
            }
        }
        Ok(Ok(()))
    }
}

impl Apply<signet_identity::Change> for Tx<'_> {
    type Verdict = signet_identity::registration::Taken;

    fn apply(
        &mut self,
        changes: Vec<signet_identity::Change>,
        turn: &mut Turn,
        origin: &Origin,
    ) -> Applied<Self::Verdict> {
        use signet_identity::Change;
        for change in changes {
            match change {
                Change::CreateUser(user) => {
                    if let Err(taken) = self.create_user(&user)? {
                        return Ok(Err(taken));
                    }
                }
                Change::StartSession(session) => self.start_session(&session, origin)?,
                Change::RenewSession(session) => self.renew_session(&session)?,
                Change::NoteSignIn { user, at } => self.note_sign_in(user, at)?,
                Change::EndSession { session, at } => self.end_session(session.0, at)?,
                Change::RaiseHash { user, from, to } => self.raise_hash(user, &from, &to)?,
                Change::SetState { user, state, reason, at } => self.set_state(user, state, reason.as_deref(), at)?,
                Change::SetPassword { user, hash, at } => self.set_password(user, &hash, at)?,
                Change::SetProfile { user, profile, at } => self.set_profile(user, &profile, at)?,
                Change::EndEverything { user, at } => self.end_everything(user, at)?,
                Change::IssueLink { hash, user, at, expires } => self.put_sign_in_link(hash, user, at, expires)?,
                Change::Audit(event) => {
                    let entry = Entry {
                        id: turn.uuid(),
                        at: turn.now(),
                        event: event.kind.as_str(),
                        result: if event.kind.is_success() { "success" } else { "refused" },
                        account: event.user.map(|user| user.0),
                        session: event.session.map(|session| session.0),
                        typed: event.typed,
                        detail: event.detail,
                        salt: turn.bytes(),
                        ..Entry::default()
                    };
                    self.audit(entry, origin)?;
                }
            }
        }
        Ok(Ok(()))
    }
}

impl Apply<signet_rbac::Change> for Tx<'_> {
    type Verdict = signet_rbac::change::RoleTaken;

    fn apply(&mut self, changes: Vec<signet_rbac::Change>, turn: &mut Turn, origin: &Origin) -> Applied<Self::Verdict> {
        use signet_rbac::{Change, Holder};
        let at = turn.now();
        for change in changes {
            match change {
                Change::Create(new) => {
                    if let Err(taken) = self.create_role(&new, at)? {
                        return Ok(Err(taken));
                    }
                }
                Change::Update { role, description, permissions, parents } => {
                    self.update_role(role, (&description, &permissions), &parents, at)?;
                }
                Change::Delete(role) => self.delete_role(role, at)?,
                Change::Assign { role, to } => self.assign_role(role, to, at)?,
                Change::Remove { role, from } => self.remove_role(role, from, at)?,
                Change::Audit(event) => {
                    let (account, client) = match event.holder {
                        Some(Holder::User(user)) => (Some(user.0), None),
                        Some(Holder::Client(client)) => (None, Some(client)),
                        None => (None, None),
                    };
                    let entry = Entry {
                        id: turn.uuid(),
                        at,
                        event: event.kind.as_str(),
                        result: event.kind.outcome(),
                        account,
                        client,
                        object: Some(format!("role:{}", event.role)),
                        salt: turn.bytes(),
                        ..Entry::default()
                    };
                    self.audit(entry, origin)?;
                }
            }
        }
        Ok(Ok(()))
    }
}
