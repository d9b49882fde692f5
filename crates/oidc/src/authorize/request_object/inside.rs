//! What is checked of an object's claims once its signature holds.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value};

use super::{Envelope, invalid};
use crate::{
    authorize::{checks, request::Once},
    client::ResponseType,
    error::OAuthError,
    jose::kind::REQUEST_OBJECT,
    policy::Rules,
    secret::Digest,
};

/// What a verified (or rightly unsigned) object is checked by.
pub(super) struct Inside<'a> {
    pub(super) claims: &'a Map<String, Value>,
    pub(super) envelope: Envelope<'a>,
    pub(super) signed: bool,
    pub(super) now: DateTime<Utc>,
}

type Check = fn(&Inside<'_>) -> Result<(), OAuthError>;

/// What is checked of an object's claims, in this order.
pub(super) const CHECKS: [Check; 10] = [
    whole_where_nothing_else_counts,
    from_the_client,
    for_this_provider,
    neither_expired_nor_early,
    not_an_assertion,
    of_the_same_client,
    of_the_same_response_type,
    nothing_nested,
    values_are_text,
    values_have_their_type,
];

impl Inside<'_> {
    /// How far clocks may differ, by the profile of the client.
    fn rules(&self) -> &'static Rules {
        self.envelope.client.policy.profile.rules()
    }

    /// RFC 7519 §4.1.7: what says of itself that it is not to be repeated, and ends within the greatest age, counts once.
    pub(super) fn once(&self) -> Option<Once> {
        let jti = self.claims.get("jti")?.as_str().filter(|jti| self.signed && !jti.is_empty())?;
        let exp = self.claims.get("exp").and_then(seconds)?;
        let late = self.rules().late;
        if !REQUEST_OBJECT.may_last(self.now.timestamp(), exp) {
            return None;
        }
        let until = DateTime::from_timestamp(exp, 0)? + late + Duration::seconds(1);
        Some(Once { jti: Digest::of(jti.as_bytes()).to_text(), until })
    }
}

/// RFC 9101 §4, §6.3: where only what is signed counts, it says who it is from and whom it is for.
fn whole_where_nothing_else_counts(inside: &Inside<'_>) -> Result<(), OAuthError> {
    let needed = inside.signed && inside.envelope.is_exclusive();
    match REQUEST_OBJECT.missing(inside.claims).filter(|_| needed) {
        Some("iss") => Err(invalid("iss is missing in the request object")),
        Some("aud") => Err(invalid("aud is missing in the request object")),
        Some(_) => Err(invalid("client_id is missing in the request object")),
        None => Ok(()),
    }
}

/// RFC 9101 §4: the client is its issuer.
fn from_the_client(inside: &Inside<'_>) -> Result<(), OAuthError> {
    match inside.claims.get("iss") {
        Some(iss) if iss == inside.envelope.client.id.as_str() => Ok(()),
        Some(_) => Err(invalid("iss of the request object is not the client")),
        None => Ok(()),
    }
}

/// RFC 9101 §4: this provider is its audience.
fn for_this_provider(inside: &Inside<'_>) -> Result<(), OAuthError> {
    let issuer = &inside.envelope.realm.issuer;
    match inside.claims.get("aud") {
        Some(Value::String(aud)) if aud == issuer => Ok(()),
        Some(Value::Array(all)) if all.iter().any(|aud| aud == issuer) => Ok(()),
        Some(_) => Err(invalid("aud of the request object does not name this provider")),
        None => Ok(()),
    }
}

/// RFC 7519 §4.1.4 to §4.1.6.
fn neither_expired_nor_early(inside: &Inside<'_>) -> Result<(), OAuthError> {
    let time = |name| match inside.claims.get(name) {
        None => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or_else(|| invalid("a time in the request object is no number")),
    };
    let now = inside.now.timestamp();
    let Rules { late, early, .. } = inside.rules();
    if time("exp")?.is_some_and(|exp| exp <= now - late.num_seconds()) {
        return Err(invalid("the request object has expired"));
    }
    for name in ["nbf", "iat"] {
        if time(name)?.is_some_and(|from| from > now + early.num_seconds()) {
            return Err(invalid("the request object is not valid yet"));
        }
    }
    Ok(())
}

/// RFC 7519 §2 `NumericDate`: whole seconds; a fraction does not count.
fn seconds(value: &Value) -> Option<i64> {
    let fraction = || value.as_f64().filter(|number| number.abs() < 1e15);
    #[expect(clippy::cast_possible_truncation, reason = "the number is far smaller than an i64 can be")]
    value.as_i64().or_else(|| fraction().map(|number| number as i64))
}

/// RFC 9101 §10.8: what names the client as its subject was made to authenticate it.
fn not_an_assertion(inside: &Inside<'_>) -> Result<(), OAuthError> {
    if inside.claims.get("sub").is_some_and(|sub| sub == inside.envelope.client.id.as_str()) {
        return Err(invalid("sub of the request object is the client, as in an assertion"));
    }
    Ok(())
}

/// RFC 9101 §6.3, OIDC Core §6.1.
fn of_the_same_client(inside: &Inside<'_>) -> Result<(), OAuthError> {
    match inside.claims.get("client_id") {
        Some(id) if id == inside.envelope.client.id.as_str() => Ok(()),
        Some(_) => Err(invalid("client_id differs within the request object")),
        None => Ok(()),
    }
}

/// OIDC Core §6.1: where both sides name one. RFC 9101 §6.3 does not look outside.
fn of_the_same_response_type(inside: &Inside<'_>) -> Result<(), OAuthError> {
    let outer = inside.envelope.params.get("response_type");
    let (Some(inner), Some(outer)) = (inside.claims.get("response_type"), outer) else { return Ok(()) };
    let same = inner.as_str().is_some_and(|inner| {
        inner == outer || ResponseType::parse(inner).is_some_and(|inner| ResponseType::parse(outer) == Some(inner))
    });
    if same || inside.envelope.is_exclusive() {
        return Ok(());
    }
    Err(invalid("response_type differs within the request object"))
}

/// RFC 9101 §4: no object within an object.
fn nothing_nested(inside: &Inside<'_>) -> Result<(), OAuthError> {
    if ["request", "request_uri"].iter().any(|name| inside.claims.contains_key(*name)) {
        return Err(invalid("a request object cannot hold request or request_uri"));
    }
    Ok(())
}

/// What a query could not hold either. JSON that stands in a text may be written on several lines, as there.
fn values_are_text(inside: &Inside<'_>) -> Result<(), OAuthError> {
    fn bad(value: &Value, lines: bool) -> bool {
        let control = |c: char| c.is_control() && !(lines && matches!(c, '\t' | '\n' | '\r'));
        match value {
            Value::String(text) => text.contains('\u{FFFD}') || text.chars().any(control),
            Value::Array(values) => values.iter().any(|value| bad(value, false)),
            Value::Object(members) => members.values().any(|value| bad(value, false)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    if inside.claims.iter().any(|(name, value)| bad(value, matches!(name.as_str(), "claims" | "registration"))) {
        return Err(invalid("a value in the request object holds a control character"));
    }
    Ok(())
}

/// RFC 9101 §4, OIDC Core §6.1: parameters are strings, but for what a query holds as a number or as JSON.
fn values_have_their_type(inside: &Inside<'_>) -> Result<(), OAuthError> {
    let fits = |name: &str, value: &Value| match value {
        Value::Null | Value::String(_) => true,
        Value::Number(_) => name == "max_age",
        Value::Object(_) => matches!(name, "claims" | "registration"),
        Value::Array(values) => name == "resource" && values.iter().all(Value::is_string),
        Value::Bool(_) => false,
    };
    let parameters =
        inside.claims.iter().filter(|(name, _)| checks::KNOWN.contains(&name.as_str()) || *name == "resource");
    for (name, value) in parameters {
        if !fits(name, value) {
            return Err(invalid("a parameter in the request object is not of its type, such as a string"));
        }
    }
    Ok(())
}
