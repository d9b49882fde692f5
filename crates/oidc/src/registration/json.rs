//! What a client sends: one JSON object, within bounds.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::OAuthError;

/// How deep it may nest. Key sets, the deepest of what is taken, have five levels.
const DEPTH: usize = 12;

/// Reads an object. A member that stands twice is refused: readers differ in which one they take (RFC 8259 §4).
pub fn object(body: &[u8]) -> Result<Map<String, Value>, OAuthError> {
    let refuse = |description| Err(OAuthError::invalid_request(description));
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = Node(DEPTH).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match read {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => refuse("send one JSON object"),
        Err(error) if error.to_string().starts_with(TWICE) => refuse(TWICE),
        Err(error) if error.to_string().starts_with(DEEP) => refuse(DEEP),
        Err(_) => refuse("the body is not JSON"),
    }
}

const TWICE: &str = "a member stands twice in the body";
const DEEP: &str = "the body is nested too deep";

/// A value with so many levels left for it.
struct Node(usize);

impl Node {
    fn inner<E: Error>(&self) -> Result<usize, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom(DEEP))
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let (left, mut list) = (self.inner()?, Vec::new());
        while let Some(item) = items.next_element_seed(Node(left))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let (left, mut members) = (self.inner()?, Map::new());
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(TWICE));
            }
            let value = entries.next_value_seed(Node(left))?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// R1: an object is read as it was written; what is no object, stands twice or nests too deep is refused.
    #[test]
    fn bodies() {
        let body = br#"{"a": [1, -2, 2.5, true, null, "x"], "b": {"c": {"d": []}}}"#;
        let read = object(body).unwrap();
        assert_eq!(Value::Object(read), json!({"a": [1, -2, 2.5, true, null, "x"], "b": {"c": {"d": []}}}));
        let nested = |levels: usize| format!("{{\"a\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(object(nested(DEPTH - 1).as_bytes()).is_ok());
        for (body, said) in [
            (r#"{"a": 1, "a": 1}"#.to_owned(), TWICE),
            (r#"{"b": [{"a": 1, "\u0061": 2}]}"#.to_owned(), TWICE),
            (nested(DEPTH), DEEP),
            (nested(100_000), DEEP),
            ("[]".to_owned(), "one JSON object"),
            ("\"text\"".to_owned(), "one JSON object"),
            (String::new(), "not JSON"),
            ("{} {}".to_owned(), "not JSON"),
            ("{\"a\": }".to_owned(), "not JSON"),
            ("a=b".to_owned(), "not JSON"),
        ] {
            let error = object(body.as_bytes()).unwrap_err();
            assert!(error.description.contains(said), "{}: {error}", body.get(..40).unwrap_or(&body));
        }
        assert!(object(b"{\"a\": \"\xff\"}").is_err(), "not UTF-8");
    }
}
