//! What administrators set of a person.

use chrono::{DateTime, Utc};
use diesel::{
    dsl::case_when,
    prelude::*,
    sql_types::{Nullable, Timestamptz},
};
use serde_json::{Map, Value};
use signet_identity::{UserId, profile::Profile};

use crate::{error::StoreError, schema::users, store::Tx};

/// The columns of what is known of a person, but when it was verified.
#[derive(Queryable, Selectable, AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true)]
pub(crate) struct KnownRow {
    pub(crate) name: Option<String>,
    pub(crate) given_name: Option<String>,
    pub(crate) family_name: Option<String>,
    pub(crate) middle_name: Option<String>,
    pub(crate) nickname: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) picture: Option<String>,
    pub(crate) website: Option<String>,
    pub(crate) gender: Option<String>,
    pub(crate) birthdate: Option<String>,
    pub(crate) zoneinfo: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) address: Option<Value>,
    pub(crate) groups: Vec<String>,
    pub(crate) metadata: Value,
}

/// All that is known of a person.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct ProfileRow {
    #[diesel(embed)]
    pub(crate) known: KnownRow,
    pub(crate) email_verified_at: Option<DateTime<Utc>>,
    pub(crate) phone_verified_at: Option<DateTime<Utc>>,
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

impl ProfileRow {
    pub(crate) fn into_domain(self) -> Profile {
        let Self { known, email_verified_at, phone_verified_at } = self;
        Profile {
            name: known.name,
            given_name: known.given_name,
            family_name: known.family_name,
            middle_name: known.middle_name,
            nickname: known.nickname,
            profile: known.profile,
            picture: known.picture,
            website: known.website,
            gender: known.gender,
            birthdate: known.birthdate,
            zoneinfo: known.zoneinfo,
            locale: known.locale,
            email_verified: email_verified_at.is_some(),
            phone_number_verified: phone_verified_at.is_some() && known.phone_number.is_some(),
            phone_number: known.phone_number,
            address: members(known.address.unwrap_or_default()),
            groups: known.groups,
            metadata: members(known.metadata),
        }
    }
}

impl From<Profile> for KnownRow {
    fn from(profile: Profile) -> Self {
        Self {
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
    /// What is known of a person, who stays as they are until the transaction ends. One statement.
    pub fn lock_profile(&mut self, user: UserId) -> Result<Option<Profile>, StoreError> {
        let row = users::table
            .filter(users::realm_id.eq(self.realm.0))
            .filter(users::id.eq(user.0))
            .select(ProfileRow::as_select())
            .for_no_key_update()
            .first(self.conn);
        Ok(row.optional()?.map(ProfileRow::into_domain))
    }

    /// Stores what is known of a person. What was verified, and still is, keeps its time; another number is verified
    /// anew. One statement.
    pub(crate) fn set_profile(&mut self, user: UserId, profile: &Profile, at: DateTime<Utc>) -> Result<(), StoreError> {
        let (email, phone) = (profile.email_verified, profile.phone_number_verified);
        let since = at.into_sql::<Nullable<Timestamptz>>();
        let other = users::phone_verified_at.is_null().or(users::phone_number.is_distinct_from(&profile.phone_number));
        let email_since = case_when(users::email_verified_at.is_null(), since).otherwise(users::email_verified_at);
        let phone_since = case_when(other, since).otherwise(users::phone_verified_at);
        let never = None::<DateTime<Utc>>;
        diesel::update(users::table.filter(users::realm_id.eq(self.realm.0)).filter(users::id.eq(user.0)))
            .set((
                KnownRow::from(profile.clone()),
                email.then(|| users::email_verified_at.eq(email_since)),
                (!email).then(|| users::email_verified_at.eq(never)),
                phone.then(|| users::phone_verified_at.eq(phone_since)),
                (!phone).then(|| users::phone_verified_at.eq(never)),
                users::updated_at.eq(at),
            ))
            .execute(self.conn)?;
        Ok(())
    }
}
