//! What claims about a person are made of.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;
use signet_identity::user::UserState;
use signet_oidc::{
    claims::ClaimsRequest,
    id::{AccountId, GrantId},
    subject::{Person, StandardClaims},
};
use uuid::Uuid;

use crate::{
    error::StoreError,
    profiles::ProfileRow,
    schema::{grants, users},
    store::Tx,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct PersonRow {
    username: String,
    email: String,
    #[diesel(embed)]
    profile: ProfileRow,
    updated_at: DateTime<Utc>,
}

impl PersonRow {
    pub(crate) fn into_domain(self) -> Person {
        let ProfileRow { known, email_verified_at, phone_verified_at } = self.profile;
        Person {
            standard: StandardClaims {
                name: known.name,
                given_name: known.given_name,
                family_name: known.family_name,
                middle_name: known.middle_name,
                nickname: known.nickname,
                preferred_username: Some(self.username),
                profile: known.profile,
                picture: known.picture,
                website: known.website,
                gender: known.gender,
                birthdate: known.birthdate,
                zoneinfo: known.zoneinfo,
                locale: known.locale,
                updated_at: Some(self.updated_at),
                email: Some(self.email),
                email_verified: email_verified_at.is_some(),
                phone_number: known.phone_number,
                phone_number_verified: phone_verified_at.is_some(),
                address: known.address,
            },
            groups: known.groups,
            metadata: known.metadata,
            roles: Vec::new(),
        }
    }
}

impl Tx<'_> {
    /// An account, for claims. One statement.
    pub fn person(&mut self, account: AccountId) -> Result<Option<Person>, StoreError> {
        let row = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::id.eq(account.0))
            .select(PersonRow::as_select())
            .first(self.conn);
        Ok(row.optional()?.map(PersonRow::into_domain))
    }

    /// The account behind a grant, if it is active, with the single claims that were allowed. Whether the grant is revoked
    /// is the revocation set's to say. One statement.
    pub fn person_of_grant(
        &mut self,
        grant: GrantId,
    ) -> Result<Option<(AccountId, Person, ClaimsRequest)>, StoreError> {
        let row: Option<(Uuid, PersonRow, Option<Value>)> = grants::table
            .inner_join(users::table)
            .filter(grants::realm_id.eq(self.realm.0))
            .filter(grants::id.eq(grant.0))
            .filter(users::state.eq(UserState::Active.as_str()))
            .select((users::id, PersonRow::as_select(), grants::claims))
            .first(self.conn)
            .optional()?;
        let Some((user, person, claims)) = row else { return Ok(None) };
        let claims = claims.map(serde_json::from_value).transpose().map_err(|_| StoreError::Row("grant claims"))?;
        Ok(Some((AccountId(user), person.into_domain(), claims.unwrap_or_default())))
    }
}
