//! Links that sign somebody in once.

use chrono::{DateTime, Utc};
use diesel::{dsl::exists, prelude::*};
use signet_identity::{UserId, user::UserState};
use signet_oidc::secret::Digest;
use uuid::Uuid;

use crate::{
    error::StoreError,
    schema::{sign_in_links, users},
    store::Tx,
};

impl Tx<'_> {
    /// Stores a link's secret, hashed. One statement.
    pub(crate) fn put_sign_in_link(
        &mut self,
        hash: [u8; 32],
        user: UserId,
        at: DateTime<Utc>,
        expires: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        diesel::insert_into(sign_in_links::table)
            .values((
                sign_in_links::realm_id.eq(self.realm.0),
                sign_in_links::hash.eq(hash.as_slice()),
                sign_in_links::user_id.eq(user.0),
                sign_in_links::created_at.eq(at),
                sign_in_links::expires_at.eq(expires),
                sign_in_links::generation
                    .eq(users::table.filter(users::id.eq(user.0)).select(users::generation).single_value()),
            ))
            .execute(self.conn)?;
        Ok(())
    }

    /// Loads a link, which spends it: a second time, after its end, and of an account that may not sign in or whose
    /// sign-ins were ended since, there is none. One statement.
    pub fn spend_sign_in_link(&mut self, secret: &Digest, now: DateTime<Utc>) -> Result<Option<UserId>, StoreError> {
        let alive =
            users::table
                .filter(users::id.eq(sign_in_links::user_id))
                .filter(users::state.eq(UserState::Active.as_str()))
                .filter(sign_in_links::generation.eq(users::generation.nullable()).is_not_distinct_from(true).or(
                    sign_in_links::generation.is_null().and(
                        users::ends_before.is_null().or(users::ends_before.le(sign_in_links::created_at.nullable())),
                    ),
                ));
        let spent: Option<Uuid> = diesel::update(
            sign_in_links::table
                .filter(sign_in_links::realm_id.eq(self.realm.0))
                .filter(sign_in_links::hash.eq(secret.as_bytes().as_slice()))
                .filter(sign_in_links::spent_at.is_null())
                .filter(sign_in_links::expires_at.gt(now))
                .filter(exists(alive)),
        )
        .set(sign_in_links::spent_at.eq(now))
        .returning(sign_in_links::user_id)
        .get_result(self.conn)
        .optional()?;
        Ok(spent.map(UserId))
    }
}
