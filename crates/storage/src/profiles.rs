//! What administrators set of a person.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::{Map, Value};
use signet_identity::{UserId, profile::Profile};

use crate::{error::StoreError, schema::users, store::Tx};

#[derive(Queryable, Selectable, AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true)]
struct ProfileRow {
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
    email_verified_at: Option<DateTime<Utc>>,
    phone_number: Option<String>,
    phone_verified_at: Option<DateTime<Utc>>,
    address: Option<Value>,
    groups: Vec<String>,
    metadata: Value,
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

impl ProfileRow {
    fn into_domain(self) -> Profile {
        Profile {
            name: self.name,
            given_name: self.given_name,
            family_name: self.family_name,
            middle_name: self.middle_name,
            nickname: self.nickname,
            profile: self.profile,
            picture: self.picture,
            website: self.website,
            gender: self.gender,
            birthdate: self.birthdate,
            zoneinfo: self.zoneinfo,
            locale: self.locale,
            email_verified: self.email_verified_at.is_some(),
            phone_number_verified: self.phone_verified_at.is_some() && self.phone_number.is_some(),
            phone_number: self.phone_number,
            address: members(self.address.unwrap_or_default()),
            groups: self.groups,
            metadata: members(self.metadata),
        }
    }

    /// The row of `profile` in place of this one. What was verified, and still is, keeps its time.
    fn replaced_by(&self, profile: &Profile, at: DateTime<Utc>) -> Self {
        let profile = profile.clone();
        let same_phone = self.phone_verified_at.filter(|_| self.phone_number == profile.phone_number);
        Self {
            email_verified_at: profile.email_verified.then(|| self.email_verified_at.unwrap_or(at)),
            phone_verified_at: profile.phone_number_verified.then(|| same_phone.unwrap_or(at)),
            name: profile.name,
            given_name: profile.given_name,
            family_name: profile.family_name,
            middle_name: profile.middle_name,
            nickname: profile.nickname,
            profile: profile.profile,
            picture: profile.picture,
            website: profile.website,
            gender: profile.gender,
            birthdate: profile.birthdate,
            zoneinfo: profile.zoneinfo,
            locale: profile.locale,
            phone_number: profile.phone_number,
            address: (!profile.address.is_empty()).then_some(Value::Object(profile.address)),
            groups: profile.groups,
            metadata: Value::Object(profile.metadata),
        }
    }
}

impl Tx<'_> {
    /// What is known of a person. One statement.
    pub fn profile(&mut self, user: UserId) -> Result<Option<Profile>, StoreError> {
        let row = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::id.eq(user.0))
            .select(ProfileRow::as_select())
            .first(self.conn);
        Ok(row.optional()?.map(ProfileRow::into_domain))
    }

    /// What is known of a person, who stays as they are until the transaction ends. One statement.
    pub fn lock_profile(&mut self, user: UserId) -> Result<Option<Profile>, StoreError> {
        Ok(self.locked_row(user)?.map(ProfileRow::into_domain))
    }

    fn locked_row(&mut self, user: UserId) -> Result<Option<ProfileRow>, StoreError> {
        let row = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::id.eq(user.0))
            .select(ProfileRow::as_select())
            .for_no_key_update()
            .first(self.conn);
        Ok(row.optional()?)
    }

    /// Stores what is known of a person. Two statements.
    pub(crate) fn set_profile(&mut self, user: UserId, profile: &Profile, at: DateTime<Utc>) -> Result<(), StoreError> {
        let Some(before) = self.locked_row(user)? else { return Ok(()) };
        let after = before.replaced_by(profile, at);
        diesel::update(users::table.filter(users::realm_id.eq(self.realm.0)).filter(users::id.eq(user.0)))
            .set((&after, users::updated_at.eq(at)))
            .execute(self.conn)?;
        Ok(())
    }
}
