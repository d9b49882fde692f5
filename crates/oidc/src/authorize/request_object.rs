//! Request objects: authorization parameters in a JWT (RFC 9101, OIDC Core §6), by value or by reference.
//!
//! Until an object's signature holds, nothing in it says where an error goes: that is for the parameters around it.

use chrono::{DateTime, Utc};
use josekit::jwt::{self, JwtPayload};
use serde_json::{Map, Value};

use super::{
    checks::{self, KNOWN},
    response::AuthorizeError,
};
use crate::{
    call::Params,
    client::{Client, ResponseType},
    error::{ErrorCode, OAuthError},
    jose::{Alg, jwks::ClientKeys},
    policy::RequestObjects,
    realm::Realm,
};

/// No object is longer, in bytes.
const LARGEST: usize = 32_768;
/// By so much clocks may differ, in seconds.
const SKEW: i64 = 10;
/// RFC 9101 §4, RFC 7519 §5.1: what an object may say that it is. No kind of token that is made here is among them.
const TYPES: [&str; 2] = ["oauth-authz-req+jwt", "JWT"];
/// Members that speak of the object itself, or may not be in it: they are no parameters.
const NO_PARAMETERS: [&str; 10] =
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "request", "request_uri"];

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequestObject, description)
}

/// Where a request's object is.
#[derive(Clone, PartialEq, Eq)]
pub enum Carried<'a> {
    /// The request brings it.
    Value(&'a str),
    /// It is to be fetched from here.
    Reference(&'a str),
}

impl std::fmt::Debug for Carried<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is in it is the caller's.
        f.write_str(match self {
            Self::Value(_) => "Value(…)",
            Self::Reference(_) => "Reference(…)",
        })
    }
}

/// An object whose header was read; nothing of it is verified.
#[derive(Clone)]
pub struct Object {
    text: String,
    alg: Alg,
    kid: Option<String>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object").field("alg", &self.alg).finish_non_exhaustive()
    }
}

impl Object {
    /// Reads the header: `invalid_request_object` for what is too long, encrypted, no JWT, or of another kind.
    pub fn parse(text: &str) -> Result<Self, OAuthError> {
        let no_jwt = || invalid("the request object is not a signed or unsecured JWT");
        if text.len() > LARGEST {
            return Err(invalid("the request object is longer than 32768 bytes"));
        }
        match text.split('.').count() {
            3 => {}
            5 => return Err(invalid("encrypted request objects are not taken")),
            _ => return Err(no_jwt()),
        }
        let header = jwt::decode_header(text).map_err(|_| no_jwt())?;
        let named = |name| header.claim(name).and_then(Value::as_str);
        // RFC 7515 §4.1.11: no extension is understood here.
        if header.claim("crit").is_some() {
            return Err(invalid("the request object has a critical extension that is not known"));
        }
        let typ = |typ: &Value| {
            let typ = typ.as_str().unwrap_or_default();
            let (prefix, subtype) = typ.split_at_checked("application/".len()).unwrap_or_default();
            let typ = if prefix.eq_ignore_ascii_case("application/") { subtype } else { typ };
            TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ))
        };
        if !header.claim("typ").is_none_or(typ) {
            return Err(invalid("the typ of the request object is that of another kind of JWT"));
        }
        let alg = named("alg").and_then(Alg::parse).filter(|alg| alg.is_accepted() || *alg == Alg::None);
        let alg = alg.ok_or_else(|| invalid("the request object has an algorithm that is not served"))?;
        Ok(Self { text: text.to_owned(), alg, kid: named("kid").map(str::to_owned) })
    }

    /// Whether the client's keys are needed.
    pub fn is_signed(&self) -> bool {
        self.alg != Alg::None
    }

    /// The name of the key that it says it is signed with.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The claims, where the algorithm is one that the client may use and the signature holds.
    fn open(&self, client: &Client, keys: Option<&ClientKeys>) -> Result<Map<String, Value>, OAuthError> {
        let registered = client.metadata.request_object_signing_alg;
        if registered.is_some_and(|alg| alg != self.alg) {
            return Err(invalid("the request object is not signed with the algorithm registered for this client"));
        }
        let claims = |payload: JwtPayload| payload.claims_set().clone();
        if !self.is_signed() {
            if client.metadata.require_signed_request_object {
                return Err(invalid("the request object is not signed, as those of this client must be"));
            }
            let opened = jwt::decode_unsecured(&self.text);
            return opened.map(|(payload, _)| claims(payload)).map_err(|_| invalid("the request object is malformed"));
        }
        let candidates = keys.map(|keys| keys.verifiers(self.alg, self.kid())).unwrap_or_default();
        if candidates.is_empty() {
            return Err(invalid("no key of this client fits the request object"));
        }
        candidates
            .iter()
            .filter_map(|check| jwt::decode_with_verifier(&self.text, check.as_ref()).ok())
            .map(|(payload, _)| claims(payload))
            .next()
            .ok_or_else(|| invalid("the signature of the request object does not hold"))
    }
}

/// A request as it came, of a client that exists.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The parameters of the request.
    pub params: &'a Params,
    /// The client that `client_id` among them names.
    pub client: &'a Client,
    /// Whose provider this is.
    pub realm: &'a Realm,
}

/// What a verified (or rightly unsigned) object is checked by.
struct Inside<'a> {
    claims: &'a Map<String, Value>,
    envelope: Envelope<'a>,
    signed: bool,
    now: DateTime<Utc>,
}

type Check = fn(&Inside<'_>) -> Result<(), OAuthError>;

/// What is checked of an object's claims, in this order.
const CHECKS: [Check; 9] = [
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

impl<'a> Envelope<'a> {
    /// Where the object is; none where the request is without and may be. A reference is one that the client registered.
    pub fn carried(&self) -> Result<Option<Carried<'a>>, AuthorizeError> {
        self.params.refuse_repeated(&["client_id", "redirect_uri"]).map_err(AuthorizeError::Page)?;
        let metadata = &self.client.metadata;
        let carried = match (self.params.get("request"), self.params.get("request_uri")) {
            (None, None) if metadata.require_signed_request_object => {
                let description = "this client must send its request as a signed request object";
                return Err(self.refuse(OAuthError::invalid_request(description)));
            }
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let description = "request and request_uri cannot be used together";
                return Err(self.refuse(OAuthError::invalid_request(description)));
            }
            (Some(text), None) => Carried::Value(text),
            (None, Some(uri)) => {
                // OIDC Core §6.2, RFC 9101 §10.4.1: equal to a registered one in every byte.
                if !metadata.request_uris.iter().any(|registered| registered == uri) {
                    let description = "request_uri is not registered for this application";
                    return Err(self.refuse(OAuthError::new(ErrorCode::InvalidRequestUri, description)));
                }
                // The fragment only tells versions of the content apart.
                Carried::Reference(uri.split_once('#').map_or(uri, |(address, _)| address))
            }
        };
        self.params.refuse_repeated(&KNOWN).map_err(|error| self.refuse(error))?;
        Ok(Some(carried))
    }

    /// An error that only what is around the object says where to send: to a registered redirect URI, or nowhere.
    pub fn refuse(&self, error: OAuthError) -> AuthorizeError {
        refuse(self, self.params, error)
    }

    /// The parameters that count: those in the object, under the policy of the client also those that are only around it.
    pub fn unpack(
        &self,
        object: &Object,
        keys: Option<&ClientKeys>,
        now: DateTime<Utc>,
    ) -> Result<Params, AuthorizeError> {
        let claims = object.open(self.client, keys).map_err(|error| self.refuse(error))?;
        let inside = Inside { claims: &claims, envelope: *self, signed: object.is_signed(), now };
        let merged = self.merge(&claims);
        // What the client signed says where its errors go, as far as that is registered.
        let speaks = if inside.signed { &merged } else { self.params };
        for check in CHECKS {
            check(&inside).map_err(|error| refuse(self, speaks, error))?;
        }
        Ok(merged)
    }

    /// RFC 9101 §10.5: who must sign wants nothing to count that is not signed.
    fn is_exclusive(&self) -> bool {
        self.client.policy.request_objects == RequestObjects::Exclusive
            || self.client.metadata.require_signed_request_object
    }

    /// OIDC Core §6.1: what is inside wins; RFC 9101 §6.3: it is all that counts. `client_id` stays as it is outside.
    fn merge(&self, claims: &Map<String, Value>) -> Params {
        let exclusive = self.is_exclusive();
        let counts = |name: &str| match name {
            "client_id" => true,
            "request" | "request_uri" => false,
            _ => !exclusive && !claims.contains_key(name),
        };
        let outer = self.params.iter().filter(|(name, _)| counts(name));
        let mut pairs: Vec<_> = outer.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (name, value) in claims.iter().filter(|(name, _)| !NO_PARAMETERS.contains(&name.as_str())) {
            match value {
                Value::Null => {}
                Value::String(text) => pairs.push((name.clone(), text.clone())),
                // RFC 8707 §2: the one parameter that may be repeated.
                Value::Array(values) if name == "resource" => {
                    pairs.extend(values.iter().map(|value| (name.clone(), text(value))));
                }
                other => pairs.push((name.clone(), text(other))),
            }
        }
        Params::new(pairs)
    }
}

/// OIDC Core §6.1: numbers and objects as they would stand in a query.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// To where `speaks` says, if that is registered.
fn refuse(envelope: &Envelope<'_>, speaks: &Params, error: OAuthError) -> AuthorizeError {
    match checks::delivery(speaks, envelope.client, envelope.realm) {
        Ok((delivery, _)) => AuthorizeError::Redirect(Box::new(delivery), error),
        Err(_) => AuthorizeError::Page(error),
    }
}

impl Inside<'_> {
    /// Whether a claim that is not there is missed.
    fn needs_claims(&self) -> bool {
        self.signed && self.envelope.is_exclusive()
    }
}

/// RFC 9101 §4: the client is its issuer.
fn from_the_client(inside: &Inside<'_>) -> Result<(), OAuthError> {
    match inside.claims.get("iss") {
        Some(iss) if iss == inside.envelope.client.id.as_str() => Ok(()),
        Some(_) => Err(invalid("iss of the request object is not the client")),
        None if inside.needs_claims() => Err(invalid("iss is missing in the request object")),
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
        None if inside.needs_claims() => Err(invalid("aud is missing in the request object")),
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
    if time("exp")?.is_some_and(|exp| exp <= now - SKEW) {
        return Err(invalid("the request object has expired"));
    }
    for name in ["nbf", "iat"] {
        if time(name)?.is_some_and(|from| from > now + SKEW) {
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
        None if inside.needs_claims() => Err(invalid("client_id is missing in the request object")),
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

#[cfg(test)]
mod tests;
