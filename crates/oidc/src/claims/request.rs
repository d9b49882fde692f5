//! The `claims` parameter (OIDC Core §5.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::OAuthError;

/// The greatest length of the parameter, in bytes.
const LIMIT: usize = 8_192;
/// The greatest number of claims asked for at a place.
const MEMBERS: usize = 100;

/// OIDC Core §5.5.1: how a claim is asked for. An absent rule asks for it as voluntary, whatever its value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimRule {
    /// Whether the client cannot go on without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The one value wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The values wanted, the most wanted first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
}

impl ClaimRule {
    /// The values that satisfy it, the most wanted first; none where any does.
    pub fn wanted(&self) -> Vec<&Value> {
        self.value.iter().chain(self.values.iter().flatten()).collect()
    }
}

/// What is asked for at each place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimsRequest {
    /// For the userinfo answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, Option<ClaimRule>>,
    /// For the ID token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, Option<ClaimRule>>,
}

impl ClaimsRequest {
    /// Reads the parameter: a JSON object whose members `userinfo` and `id_token` are objects. Others are ignored.
    pub fn parse(text: &str) -> Result<Self, OAuthError> {
        let wrong =
            || OAuthError::invalid_request("claims must be a JSON object with the objects userinfo or id_token");
        if text.len() > LIMIT {
            return Err(OAuthError::invalid_request("claims is longer than 8192 bytes"));
        }
        let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
        // serde reads an array as a struct, too.
        let places = value.as_object().ok_or_else(wrong)?;
        let asked = ["userinfo", "id_token"].into_iter().filter_map(|place| places.get(place)?.as_object());
        if !asked.flat_map(|place| place.values()).all(|rule| rule.is_null() || rule.is_object()) {
            return Err(wrong());
        }
        let mut read: Self = serde_json::from_value(value).map_err(|_| wrong())?;
        if read.userinfo.len() > MEMBERS || read.id_token.len() > MEMBERS {
            return Err(OAuthError::invalid_request("claims asks for more than 100 claims"));
        }
        for (name, rule) in read.userinfo.iter_mut().chain(&mut read.id_token) {
            rule.as_mut().map_or(Ok(()), |rule| keep_what_counts(name, rule))?;
        }
        Ok(read)
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }
}

/// OIDC Core §5.5.1: values are wanted of `sub` and `acr` alone, and those are text. No other is kept; another `sub` is
/// nobody's, and refused.
fn keep_what_counts(name: &str, rule: &mut ClaimRule) -> Result<(), OAuthError> {
    if name == "sub" && rule.wanted().into_iter().any(|value| !value.is_string()) {
        return Err(OAuthError::invalid_request("claims asks for a sub that is not text"));
    }
    let counts = |value: &Value| ["sub", "acr"].contains(&name) && value.is_string();
    rule.value.take_if(|value| !counts(value));
    if let Some(values) = &mut rule.values {
        values.retain(counts);
    }
    rule.values.take_if(|values| values.is_empty());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A12: what the parameter may be.
    #[test]
    fn the_parameter_is_read() {
        let text =
            r#"{"userinfo":{"email":null,"name":{"essential":true}},"id_token":{"acr":{"values":["2","1"]}},"x":1}"#;
        let read = ClaimsRequest::parse(text).unwrap();
        assert_eq!(read.userinfo["email"], None);
        assert!(read.userinfo["name"].as_ref().unwrap().essential);
        assert_eq!(read.id_token["acr"].as_ref().unwrap().wanted(), ["2", "1"]);
        assert!(ClaimsRequest::parse("{}").unwrap().is_empty());
        let of = |name: &str, rule: &str| {
            let read = ClaimsRequest::parse(&format!(r#"{{"userinfo":{{"{name}":{rule}}}}}"#)).ok()?;
            serde_json::to_string(&read.userinfo[name]).ok()
        };
        for (name, rule, kept) in [
            ("acr", r#"{"value":"2","values":["1",3]}"#, Some(r#"{"value":"2","values":["1"]}"#)),
            ("acr", r#"{"essential":true,"value":2,"values":[1e24]}"#, Some(r#"{"essential":true}"#)),
            ("sub", r#"{"values":["ada","bob"]}"#, Some(r#"{"values":["ada","bob"]}"#)),
            ("sub", r#"{"value":1}"#, None),
            ("sub", r#"{"values":["ada",null]}"#, None),
            ("email", r#"{"value":"ada@example.org","values":["x"]}"#, Some("{}")),
        ] {
            assert_eq!(of(name, rule).as_deref(), kept, "{name} {rule}");
        }
        let long = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
        assert!(ClaimsRequest::parse(&long(8_192)).is_ok() && ClaimsRequest::parse(&long(8_193)).is_err());
        for place in ["userinfo", "id_token"] {
            let many = |count: usize| {
                let names: Vec<String> = (0..count).map(|n| format!(r#""c{n}":null"#)).collect();
                ClaimsRequest::parse(&format!(r#"{{"{place}":{{{}}}}}"#, names.join(",")))
            };
            assert!(many(100).is_ok() && many(101).is_err(), "{place}");
        }
        for bad in [
            "",
            "[]",
            "1",
            "{",
            r#"{"userinfo":1}"#,
            r#"{"id_token":{"acr":1}}"#,
            r#"{"id_token":[]}"#,
            r#"{"id_token":{"acr":[]}}"#,
        ] {
            assert!(ClaimsRequest::parse(bad).is_err(), "{bad}");
        }
    }
}
