//! Request objects: authorization parameters in a JWT (RFC 9101, OIDC Core §6), by value or by reference.
//!
//! Until an object's signature holds, nothing in it says where an error goes: that is for the parameters around it.

mod inside;

use chrono::{DateTime, Utc};
use inside::{CHECKS, Inside};
use josekit::jwt::{self, JwtPayload};
use serde_json::{Map, Value};

use super::{
    checks::{self, KNOWN},
    request::Once,
    response::AuthorizeError,
};
use crate::{
    call::Params,
    client::Client,
    error::{ErrorCode, OAuthError},
    jose::{Alg, jwks::ClientKeys, kind::REQUEST_OBJECT},
    policy::RequestObjects,
    realm::Realm,
};

/// No object is longer, in bytes.
const LARGEST: usize = 32_768;
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
        if !REQUEST_OBJECT.is_named(header.claim("typ")) {
            return Err(invalid("the typ of the request object is that of another kind of JWT"));
        }
        let alg = named("alg").and_then(Alg::parse).filter(|alg| REQUEST_OBJECT.may_be_signed_with(*alg));
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
        let admitted = !self.is_signed() || client.policy.profile.rules().admits(self.alg);
        if !admitted || registered.is_some_and(|alg| alg != self.alg) {
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

/// What an object comes to.
#[derive(Debug, Clone)]
pub struct Unpacked {
    /// The parameters that count.
    pub params: Params,
    /// Whether it counts once.
    pub once: Option<Once>,
}

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

    /// What counts: the parameters in the object, under the policy of the client also those that are only around it.
    pub fn unpack(
        &self,
        object: &Object,
        keys: Option<&ClientKeys>,
        now: DateTime<Utc>,
    ) -> Result<Unpacked, AuthorizeError> {
        let claims = object.open(self.client, keys).map_err(|error| self.refuse(error))?;
        let inside = Inside { claims: &claims, envelope: *self, signed: object.is_signed(), now };
        let merged = self.merge(&claims);
        // What the client signed says where its errors go, as far as that is registered.
        let speaks = if inside.signed { &merged } else { self.params };
        for check in CHECKS {
            check(&inside).map_err(|error| refuse(self, speaks, error))?;
        }
        let once = inside.once();
        Ok(Unpacked { params: merged, once })
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

#[cfg(test)]
mod tests;
