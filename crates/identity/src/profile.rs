//! What is known of a person beside username and address: the standard claims (OIDC Core §5.1), groups and metadata
//!

mod check;

use serde::Serialize;
use serde_json::{Map, Value};

use check::{birthdate, locale, phone, text, url, zone};

/// The most groups of an account.
const MAX_GROUPS: usize = 100;
/// The most characters of a group's name.
const MAX_GROUP: usize = 128;
/// The most bytes of metadata, as JSON.
const MAX_METADATA: usize = 8 * 1024;
/// How deep metadata may be nested, itself included.
const MAX_DEPTH: usize = 8;
/// OIDC Core §5.1.1.
const ADDRESS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];

/// What administrators set of a person. As JSON, members without a value are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the claims of OIDC Core §5.1, by name")]
pub struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoneinfo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    pub email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    pub phone_number_verified: bool,
    /// OIDC Core §5.1.1; empty when there is none.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub address: Map<String, Value>,
    /// names of groups.
    pub groups: Vec<String>,
    /// what administrators keep of the account.
    pub metadata: Map<String, Value>,
}

/// Why a change is not accepted. Values are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// There is no such member.
    #[error("There is no member {0} that can be set here. Leave it out, or correct its name.")]
    Unknown(String),
    /// A value is not acceptable.
    #[error("{member}: {expected}")]
    Value {
        /// The member.
        member: &'static str,
        /// What is expected of it.
        expected: &'static str,
    },
}

type Field = fn(&mut Profile) -> &mut Option<String>;
/// Checks a text; says what is expected where it is not that.
type Check = fn(&str) -> Result<(), &'static str>;

/// The members that are text.
const TEXTS: [(&str, Field, Check); 13] = [
    ("name", |p| &mut p.name, text),
    ("given_name", |p| &mut p.given_name, text),
    ("family_name", |p| &mut p.family_name, text),
    ("middle_name", |p| &mut p.middle_name, text),
    ("nickname", |p| &mut p.nickname, text),
    ("profile", |p| &mut p.profile, url),
    ("picture", |p| &mut p.picture, url),
    ("website", |p| &mut p.website, url),
    ("gender", |p| &mut p.gender, text),
    ("birthdate", |p| &mut p.birthdate, birthdate),
    ("zoneinfo", |p| &mut p.zoneinfo, zone),
    ("locale", |p| &mut p.locale, locale),
    ("phone_number", |p| &mut p.phone_number, phone),
];

impl Profile {
    /// RFC 7396: this with what is given put over it; `null` clears a member. A new phone number is not verified unless
    /// that is said with it.
    pub fn with(&self, given: Map<String, Value>) -> Result<Self, ProfileError> {
        let mut after = self.clone();
        let says_phone = given.contains_key("phone_number_verified");
        for (name, value) in given {
            after.put(&name, value)?;
        }
        if after.phone_number != self.phone_number && !says_phone {
            after.phone_number_verified = false;
        }
        if after.phone_number_verified && after.phone_number.is_none() {
            return Err(wrong("phone_number_verified", "There is no phone number that could be verified."));
        }
        Ok(after)
    }

    /// The members in which two differ, by name.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (a, b) = (self.to_members(), other.to_members());
        let mut names: Vec<String> =
            a.keys().chain(b.keys()).filter(|name| a.get(*name) != b.get(*name)).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// As a JSON object.
    pub fn to_members(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }

    fn put(&mut self, name: &str, value: Value) -> Result<(), ProfileError> {
        if let Some((member, field, check)) = TEXTS.into_iter().find(|(member, ..)| *member == name) {
            *field(self) = match value {
                Value::Null => None,
                Value::String(text) => {
                    check(&text).map_err(|expected| wrong(member, expected))?;
                    Some(text)
                }
                _ => return Err(wrong(member, "Use text, or null to clear it.")),
            };
            return Ok(());
        }
        match name {
            "email_verified" => self.email_verified = flag("email_verified", &value)?,
            "phone_number_verified" => self.phone_number_verified = flag("phone_number_verified", &value)?,
            "address" => self.address = address(&self.address, value)?,
            "groups" => self.groups = groups(value)?,
            "metadata" => self.metadata = metadata(&self.metadata, value)?,
            _ => {
                let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                return Err(ProfileError::Unknown(name.chars().filter(plain).take(64).collect()));
            }
        }
        Ok(())
    }
}

fn wrong(member: &'static str, expected: &'static str) -> ProfileError {
    ProfileError::Value { member, expected }
}

fn flag(member: &'static str, value: &Value) -> Result<bool, ProfileError> {
    value.as_bool().ok_or_else(|| wrong(member, "Use true or false; it cannot be absent."))
}

fn address(before: &Map<String, Value>, value: Value) -> Result<Map<String, Value>, ProfileError> {
    let no = |expected| wrong("address", expected);
    let given = match value {
        Value::Null => return Ok(Map::new()),
        Value::Object(given) => given,
        _ => return Err(no("Use an object, or null to clear it.")),
    };
    for (name, part) in &given {
        if !ADDRESS.contains(&name.as_str()) {
            return Err(no("Its members are formatted, street_address, locality, region, postal_code and country."));
        }
        let lines = matches!(name.as_str(), "formatted" | "street_address");
        match part {
            Value::Null => {}
            Value::String(text) => check::part(text, lines).map_err(no)?,
            _ => return Err(no("Its members are text, or null to clear one.")),
        }
    }
    Ok(merged(before, given))
}

fn groups(value: Value) -> Result<Vec<String>, ProfileError> {
    let expected = "Use a list of at most 100 different names of 1 to 128 characters, no control characters.";
    let no = || wrong("groups", expected);
    let given = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(given) if given.len() <= MAX_GROUPS => given,
        _ => return Err(no()),
    };
    let mut names: Vec<String> = Vec::new();
    for one in given {
        match one {
            Value::String(name) if check::plain(&name, MAX_GROUP) && !names.contains(&name) => names.push(name),
            _ => return Err(no()),
        }
    }
    Ok(names)
}

fn metadata(before: &Map<String, Value>, value: Value) -> Result<Map<String, Value>, ProfileError> {
    let no = |expected| wrong("metadata", expected);
    let given = match value {
        Value::Null => return Ok(Map::new()),
        Value::Object(given) => given,
        _ => return Err(no("Use an object, or null to clear it.")),
    };
    // Before anything walks down without a bound.
    if given.values().any(|value| !within(value, MAX_DEPTH - 1)) {
        return Err(no("Nest it at most 8 levels deep."));
    }
    let after = merged(before, given);
    if after.values().any(|value| !within(value, MAX_DEPTH - 1)) {
        return Err(no("Nest it at most 8 levels deep."));
    }
    if !after.iter().all(|(name, value)| check::speakable(name) && readable(value)) {
        return Err(no("Use no control characters, and only text that can be read."));
    }
    let size = serde_json::to_vec(&after).map_or(usize::MAX, |bytes| bytes.len());
    if size > MAX_METADATA {
        return Err(no("Keep it within 8192 bytes of JSON."));
    }
    Ok(after)
}

/// Whether a value is nested at most `levels` deep.
fn within(value: &Value, levels: usize) -> bool {
    let below = |value: &Value| levels > 0 && within(value, levels - 1);
    match value {
        Value::Array(values) => levels > 0 && values.iter().all(below),
        Value::Object(members) => levels > 0 && members.values().all(below),
        _ => true,
    }
}

fn readable(value: &Value) -> bool {
    match value {
        Value::String(text) => check::speakable(text),
        Value::Array(values) => values.iter().all(readable),
        Value::Object(members) => members.iter().all(|(name, value)| check::speakable(name) && readable(value)),
        _ => true,
    }
}

/// RFC 7396 §2 for objects.
fn merged(before: &Map<String, Value>, given: Map<String, Value>) -> Map<String, Value> {
    let mut after = before.clone();
    for (name, value) in given {
        match value {
            Value::Null => drop(after.remove(&name)),
            Value::Object(inner) => {
                let none = Map::new();
                let there = after.get(&name).and_then(Value::as_object).unwrap_or(&none);
                let inner = merged(there, inner);
                after.insert(name, Value::Object(inner));
            }
            other => drop(after.insert(name, other)),
        }
    }
    after
}

#[cfg(test)]
mod tests;
