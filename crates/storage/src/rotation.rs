//! Signing keys in the course of time, and sealing everything anew.

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_types::{Bool, Bytea, Int8, Text},
};
use signet_oidc::{
    Turn,
    jose::{
        Alg, KeyMaterial, KeyState,
        rotation::{self, Ageing, KeyInfo, Rotation},
    },
};

use crate::{error::StoreError, notices::Announcement, schema::signing_keys, seal::Purpose, store::Tx};

/// Any number: whoever changes keys takes turns under this advisory lock.
const LOCK: i64 = 0x4B45_5953_0000;

#[derive(QueryableByName)]
struct Elected {
    #[diesel(sql_type = Bool)]
    elected: bool,
}

#[derive(QueryableByName)]
struct SealedRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bytea)]
    sealed: Vec<u8>,
}

/// A table of keys that are sealed at rest: how its rows are found, and replaced. The name of a row is its context.
struct SealedTable {
    purpose: Purpose,
    stale: &'static str,
    replace: &'static str,
}

const SEALED: [SealedTable; 3] = [
    SealedTable {
        purpose: Purpose::SigningKey,
        stale: "SELECT kid AS name, sealed FROM signing_keys WHERE realm_id = $1 \
                AND substring(sealed FROM 1 FOR 5) <> $2 ORDER BY kid FOR UPDATE",
        replace: "UPDATE signing_keys SET sealed = $1 WHERE realm_id = $2 AND kid = $3 AND sealed = $4",
    },
    SealedTable {
        purpose: Purpose::DerivationKey,
        stale: "SELECT purpose AS name, sealed FROM derivation_keys WHERE realm_id = $1 \
                AND substring(sealed FROM 1 FOR 5) <> $2 ORDER BY purpose, version FOR UPDATE",
        replace: "UPDATE derivation_keys SET sealed = $1 WHERE realm_id = $2 AND purpose = $3 AND sealed = $4",
    },
    SealedTable {
        purpose: Purpose::ClientSecret,
        stale: "SELECT client_id AS name, secret_sealed AS sealed FROM clients WHERE realm_id = $1 \
                AND secret_sealed IS NOT NULL AND substring(secret_sealed FROM 1 FOR 5) <> $2 ORDER BY client_id FOR UPDATE",
        replace: "UPDATE clients SET secret_sealed = $1 WHERE realm_id = $2 AND client_id = $3 AND secret_sealed = $4",
    },
];

impl Tx<'_> {
    /// Every signing key and where it stands, the oldest first. One statement.
    pub fn key_infos(&mut self) -> Result<Vec<KeyInfo>, StoreError> {
        type Row = (String, String, String, DateTime<Utc>, DateTime<Utc>);
        let rows: Vec<Row> = signing_keys::table
            .filter(signing_keys::realm_id.eq(self.realm.0))
            .order((signing_keys::created_at, signing_keys::kid))
            .select((
                signing_keys::kid,
                signing_keys::alg,
                signing_keys::state,
                signing_keys::created_at,
                signing_keys::changed_at,
            ))
            .load(self.conn)?;
        rows.into_iter()
            .map(|(kid, alg, state, created, changed)| {
                let alg = Alg::parse(&alg).ok_or(StoreError::Row("signing algorithm"))?;
                let state = KeyState::parse(&state).ok_or(StoreError::Row("signing key state"))?;
                Ok(KeyInfo { kid, alg, state, created, changed })
            })
            .collect()
    }

    /// Waits for the turn to change keys. It ends with the transaction.
    pub fn lock_keys(&mut self) -> Result<(), StoreError> {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<Int8, _>(LOCK).execute(self.conn)?;
        Ok(())
    }

    /// Takes the turn to change keys, unless another node has it.
    pub fn try_lock_keys(&mut self) -> Result<bool, StoreError> {
        let elected: Elected = diesel::sql_query("SELECT pg_try_advisory_xact_lock($1) AS elected")
            .bind::<Int8, _>(LOCK)
            .get_result(self.conn)?;
        Ok(elected.elected)
    }

    /// Moves the keys of an algorithm: the one published ahead signs, `fresh` is published. The one that signed loses
    /// its private part and stays published. Tells every node. None where no key was published ahead. Takes the turn
    /// first: see [`Tx::lock_keys`].
    pub fn rotate_keys(&mut self, fresh: &KeyMaterial, turn: &mut Turn) -> Result<Option<Rotation>, StoreError> {
        let Some(rotation) = rotation::rotation(&self.key_infos()?, fresh.alg) else { return Ok(None) };
        // In this order: there is one active and one next key of an algorithm at any time.
        if let Some(kid) = &rotation.retire {
            self.put_aside(kid, KeyState::Retiring, turn)?;
        }
        self.move_key(&rotation.activate, KeyState::Active, turn.now())?;
        self.put_signing_key(fresh, turn)?;
        self.announce(&Announcement::Keys, turn.now(), turn.now())?;
        Ok(Some(rotation))
    }

    /// Stores keys of algorithms that have none in that state, and tells every node. Answers what was stored. Takes the turn
    /// first: see [`Tx::lock_keys`].
    pub fn add_keys(
        &mut self,
        keys: impl IntoIterator<Item = KeyMaterial>,
        turn: &mut Turn,
    ) -> Result<Vec<String>, StoreError> {
        let present = self.key_infos()?;
        let mut stored = Vec::new();
        for key in keys {
            if !present.iter().any(|known| known.alg == key.alg && known.state == key.state) {
                self.put_signing_key(&key, turn)?;
                stored.push(key.kid);
            }
        }
        if !stored.is_empty() {
            self.announce(&Announcement::Keys, turn.now(), turn.now())?;
        }
        Ok(stored)
    }

    /// Does to a key what time asks for, and tells every node.
    pub fn age_key(&mut self, key: &KeyInfo, ageing: Ageing, turn: &mut Turn) -> Result<(), StoreError> {
        match ageing {
            Ageing::Retire => self.put_aside(&key.kid, KeyState::Retired, turn)?,
            Ageing::Delete => {
                diesel::delete(
                    signing_keys::table
                        .filter(signing_keys::realm_id.eq(self.realm.0))
                        .filter(signing_keys::kid.eq(&key.kid)),
                )
                .execute(self.conn)?;
            }
        }
        self.announce(&Announcement::Keys, turn.now(), turn.now())
    }

    fn move_key(&mut self, kid: &str, state: KeyState, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(
            signing_keys::table.filter(signing_keys::realm_id.eq(self.realm.0)).filter(signing_keys::kid.eq(kid)),
        )
        .set((signing_keys::state.eq(state.as_str()), signing_keys::changed_at.eq(at)))
        .execute(self.conn)?;
        Ok(())
    }

    /// Moves a key that signs no more, and keeps its public part alone.
    fn put_aside(&mut self, kid: &str, state: KeyState, turn: &mut Turn) -> Result<(), StoreError> {
        let Some(key) = self.signing_keys()?.into_iter().find(|key| key.kid == kid) else { return Ok(()) };
        let public = key.without_private()?.to_stored();
        let sealed = self.sealer.seal(Purpose::SigningKey, kid.as_bytes(), &public, turn.bytes())?;
        self.move_key(kid, state, turn.now())?;
        diesel::update(
            signing_keys::table.filter(signing_keys::realm_id.eq(self.realm.0)).filter(signing_keys::kid.eq(kid)),
        )
        .set(signing_keys::sealed.eq(sealed))
        .execute(self.conn)?;
        Ok(())
    }

    /// Seals everything at rest under the newest secret key that is not sealed under it yet. Values stay as they are.
    /// Answers how many rows were sealed anew.
    pub fn reseal(&mut self, turn: &mut Turn) -> Result<usize, StoreError> {
        let mut done = 0;
        for table in SEALED {
            let rows: Vec<SealedRow> = diesel::sql_query(table.stale)
                .bind::<Int8, _>(self.realm.0)
                .bind::<Bytea, _>(self.sealer.head())
                .load(self.conn)?;
            for row in rows {
                let plain = self.sealer.open(table.purpose, row.name.as_bytes(), &row.sealed)?;
                let sealed = self.sealer.seal(table.purpose, row.name.as_bytes(), &plain, turn.bytes())?;
                done += diesel::sql_query(table.replace)
                    .bind::<Bytea, _>(sealed)
                    .bind::<Int8, _>(self.realm.0)
                    .bind::<Text, _>(row.name)
                    .bind::<Bytea, _>(row.sealed)
                    .execute(self.conn)?;
            }
        }
        Ok(done)
    }
}
