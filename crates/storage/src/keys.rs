//! Signing keys and deterministic keys, sealed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use signet_oidc::{
    Turn,
    change::EventKind,
    jose::{Alg, KeyMaterial, KeyState, generate},
    secret::DerivationKey,
};

use crate::{
    error::StoreError,
    notices::Announcement,
    schema::{derivation_keys, signing_keys},
    seal::Purpose,
    store::Tx,
};

/// What a deterministic key makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derivation {
    /// `sid` claims.
    Sid,
    /// Successors of refresh tokens.
    RefreshSuccessor,
    /// Pairwise subjects.
    PairwiseSubject,
    /// Backup codes.
    BackupCode,
}

impl Derivation {
    const ALL: [Self; 4] = [Self::Sid, Self::RefreshSuccessor, Self::PairwiseSubject, Self::BackupCode];

    fn as_str(self) -> &'static str {
        match self {
            Self::Sid => "sid",
            Self::RefreshSuccessor => "refresh-successor",
            Self::PairwiseSubject => "pairwise-subject",
            Self::BackupCode => "backup-code",
        }
    }
}

impl Tx<'_> {
    /// All signing keys, opened. Those that sign no more have no private part.
    pub fn signing_keys(&mut self) -> Result<Vec<KeyMaterial>, StoreError> {
        let rows: Vec<(String, String, String, Vec<u8>)> = signing_keys::table
            .filter(signing_keys::realm_id.eq(self.realm.0))
            .order((signing_keys::created_at, signing_keys::kid))
            .select((signing_keys::kid, signing_keys::alg, signing_keys::state, signing_keys::sealed))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(kid, alg, state, sealed)| {
                let plain = self.sealer.open(Purpose::SigningKey, kid.as_bytes(), &sealed)?;
                KeyMaterial::from_stored(
                    kid,
                    Alg::parse(&alg).ok_or(StoreError::Row("signing algorithm"))?,
                    KeyState::parse(&state).ok_or(StoreError::Row("signing key state"))?,
                    &plain,
                )
                .map_err(StoreError::Keys)
            })
            .collect()
    }

    /// The newest deterministic key of a purpose.
    pub fn derivation_key(&mut self, derivation: Derivation) -> Result<DerivationKey, StoreError> {
        let sealed: Vec<u8> = derivation_keys::table
            .filter(derivation_keys::realm_id.eq(self.realm.0))
            .filter(derivation_keys::purpose.eq(derivation.as_str()))
            .order(derivation_keys::version.desc())
            .select(derivation_keys::sealed)
            .first(self.conn)?;
        let plain = self.sealer.open(Purpose::DerivationKey, derivation.as_str().as_bytes(), &sealed)?;
        let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| StoreError::Row("deterministic key"))?;
        Ok(DerivationKey::new(bytes))
    }

    /// Makes what is missing: for each algorithm an active key and the next one, and every deterministic key. What is
    /// made is recorded.
    pub(crate) fn complete_keys(&mut self, turn: &mut Turn) -> Result<(), StoreError> {
        let present: Vec<(String, String)> = signing_keys::table
            .filter(signing_keys::realm_id.eq(self.realm.0))
            .select((signing_keys::alg, signing_keys::state))
            .load(self.conn)?;
        let mut made = Vec::new();
        for alg in Alg::BUILT_IN {
            for state in [KeyState::Active, KeyState::Next] {
                if !present.iter().any(|(a, s)| a == alg.as_str() && s == state.as_str()) {
                    let key = generate(alg, state)?;
                    self.put_signing_key(&key, turn)?;
                    made.push(key.kid);
                }
            }
        }
        // Nodes that run already, if there are any, publish them too.
        if !made.is_empty() && !present.is_empty() {
            self.announce(&Announcement::Keys, turn.now(), turn.now())?;
        }
        for derivation in Derivation::ALL {
            let plain = turn.bytes::<32>();
            let name = derivation.as_str();
            let sealed = self.sealer.seal(Purpose::DerivationKey, name.as_bytes(), &plain, turn.bytes())?;
            let written = diesel::insert_into(derivation_keys::table)
                .values((
                    derivation_keys::realm_id.eq(self.realm.0),
                    derivation_keys::purpose.eq(name),
                    derivation_keys::version.eq(1),
                    derivation_keys::sealed.eq(sealed),
                    derivation_keys::created_at.eq(turn.now()),
                ))
                .on_conflict_do_nothing()
                .execute(self.conn)?;
            if written > 0 {
                made.push(name.to_owned());
            }
        }
        if made.is_empty() {
            return Ok(());
        }
        let event = EventKind::KeyCreated;
        self.audit_own((event.as_str(), event.outcome()), format!("key:{}", made.join(",")), turn)
    }

    pub(crate) fn put_signing_key(&mut self, key: &KeyMaterial, turn: &mut Turn) -> Result<(), StoreError> {
        let now: DateTime<Utc> = turn.now();
        let sealed = self.sealer.seal(Purpose::SigningKey, key.kid.as_bytes(), &key.to_stored(), turn.bytes())?;
        diesel::insert_into(signing_keys::table)
            .values((
                signing_keys::realm_id.eq(self.realm.0),
                signing_keys::kid.eq(&key.kid),
                signing_keys::alg.eq(key.alg.as_str()),
                signing_keys::state.eq(key.state.as_str()),
                signing_keys::sealed.eq(sealed),
                signing_keys::created_at.eq(now),
                signing_keys::changed_at.eq(now),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
