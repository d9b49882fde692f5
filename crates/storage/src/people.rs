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
    schema::{grants, users},
    store::Tx,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct PersonRow {
    username: String,
    email: String,
    email_verified_at: Option<DateTime<Utc>>,
    name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    middle_name: Option<String>,
    nickname: Option<String>,
    profile: Option<String>,
    picture: Option<String>,
    website: Option<String>,
    gender: Option<String>,
    birthdate: Option<String>,
    zoneinfo: Option<String>,
    locale: Option<String>,
    phone_number: Option<String>,
    phone_verified_at: Option<DateTime<Utc>>,
    address: Option<Value>,
    metadata: Value,
    groups: Vec<String>,
    updated_at: DateTime<Utc>,
}

impl PersonRow {
    pub(crate) fn into_domain(self) -> Person {
        Person {
            standard: StandardClaims {
                name: self.name,
                given_name: self.given_name,
                family_name: self.family_name,
                middle_name: self.middle_name,
                nickname: self.nickname,
                preferred_username: Some(self.username),
                profile: self.profile,
                picture: self.picture,
                website: self.website,
                gender: self.gender,
                birthdate: self.birthdate,
                zoneinfo: self.zoneinfo,
                locale: self.locale,
                updated_at: Some(self.updated_at),
                email: Some(self.email),
                email_verified: self.email_verified_at.is_some(),
                phone_number: self.phone_number,
                phone_number_verified: self.phone_verified_at.is_some(),
                address: self.address,
            },
            groups: self.groups,
            metadata: self.metadata,
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
