//! What callers send: JSON within bounds, queries without surprises.

use actix_web::{
    HttpRequest,
    web::{Bytes, Payload, Query},
};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::{
    call::{body_patience, is_of_type},
    guard::gate::body_limit,
};

/// How deep JSON may be nested. Nothing that is taken is deeper than a few levels.
const DEPTH: usize = 16;

/// The content types of JSON: RFC 8259, and RFC 7396 for changes.
const TYPES: [&str; 2] = ["application/json", "application/merge-patch+json"];

/// A body that must be JSON.
pub(super) async fn read(http: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    if !is_of_type(http, &TYPES) {
        return Err(not_json());
    }
    bytes(http, payload).await
}

/// A body that is JSON or empty.
pub(super) async fn read_any(http: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    let body = bytes(http, payload).await?;
    if !body.is_empty() && !is_of_type(http, &TYPES) {
        return Err(not_json());
    }
    Ok(body)
}

fn not_json() -> Problem {
    Problem::new(415, "not_json", "Send the body as application/json.")
}

async fn bytes(http: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    let (limit, patience) = (body_limit(http), body_patience(http));
    match tokio::time::timeout(patience, payload.to_bytes_limited(limit)).await {
        Err(_) => {
            let detail = format!("The request took longer than {} s to arrive.", patience.as_secs());
            Err(Problem::new(408, "request_timeout", detail))
        }
        Ok(Err(_)) => Err(Problem::too_large(limit)),
        Ok(Ok(Err(_))) => Err(Problem::new(400, "incomplete_request", "The request ended early.")),
        Ok(Ok(Ok(body))) => Ok(body),
    }
}

/// Reads JSON. What was sent is not repeated in the refusal: it may hold a secret.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let bad = |detail: String| Problem::new(400, "invalid_json", detail);
    let text = std::str::from_utf8(body).map_err(|_| bad("The body is not text in UTF-8.".to_owned()))?;
    if depth(text) > DEPTH {
        return Err(bad(format!("The body is nested deeper than {DEPTH} levels.")));
    }
    // An array would be taken for the members of an object in their order.
    if text.trim_start().starts_with('[') {
        return Err(Problem::new(422, "invalid_body", "Send an object, not an array."));
    }
    serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        if !error.is_data() {
            return bad(format!("The body is not JSON; it goes wrong at {place}."));
        }
        let said = error.to_string();
        let detail = match member(&said) {
            Some(sentence) => sentence,
            None => format!("A member has a value of the wrong kind, or one that is not known, at {place}."),
        };
        Problem::new(422, "invalid_body", detail)
    })
}

/// What serde says of names of members, which are ours or the caller's spelling of them.
fn member(said: &str) -> Option<String> {
    let name = |rest: &str| {
        let name = rest.split('`').next().unwrap_or_default();
        name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).take(64).collect::<String>()
    };
    if let Some(rest) = said.strip_prefix("unknown field `") {
        return Some(format!("There is no member {}. Leave it out, or correct its name.", name(rest)));
    }
    if let Some(rest) = said.strip_prefix("missing field `") {
        return Some(format!("The member {} is missing.", name(rest)));
    }
    let rest = said.strip_prefix("duplicate field `")?;
    Some(format!("The member {} is there twice.", name(rest)))
}

/// The greatest nesting of arrays and objects, strings left out.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in text.bytes() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Reads a query. Unknown and repeated parameters are refused, as is what is not text.
pub(super) fn query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let bad = |detail: String| Problem::new(400, "invalid_query", detail);
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let not_text = |text: &str| text.contains('\u{FFFD}') || text.chars().any(char::is_control);
    if pairs.any(|(name, value)| not_text(&name) || not_text(&value)) {
        return Err(bad("The query holds bytes that are not text in UTF-8, or a control character.".to_owned()));
    }
    Query::<T>::from_query(query).map(Query::into_inner).map_err(|error| {
        let said = error.to_string();
        let said = said.rsplit(": ").next().unwrap_or_default();
        let sentence = member(said).map(|sentence| sentence.replace("member", "parameter"));
        bad(sentence.unwrap_or_else(|| "A parameter of the query has a value that is not taken.".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only whether it can be read matters")]
        name: String,
        #[expect(dead_code, reason = "only whether it can be read matters")]
        count: Option<u32>,
    }

    /// what is wrong is said, and nothing of what was sent is repeated but the names of members.
    #[test]
    fn bodies() {
        let deep = format!("{{\"name\":{}1{}}}", "[".repeat(20), "]".repeat(20));
        let cases: [(&[u8], u16, &str); 10] = [
            (b" [\"a\"]", 422, "not an array"),
            (b"{\"name\":\"a\"}", 0, ""),
            (b"{\"name\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"{{\"}", 0, ""),
            (b"{\"name\":", 400, "not JSON"),
            (b"{\"name\":\"\xff\"}", 400, "UTF-8"),
            (deep.as_bytes(), 400, "nested"),
            (b"{\"nom\":\"a\"}", 422, "no member nom"),
            (b"{}", 422, "name is missing"),
            (b"{\"name\":\"a\",\"name\":\"b\"}", 422, "name is there twice"),
            (b"{\"name\":\"a\",\"count\":\"hunter2\"}", 422, "wrong kind"),
        ];
        for (body, status, said) in cases {
            match parse::<Sample>(body) {
                Ok(_) => assert_eq!(status, 0, "{}", String::from_utf8_lossy(body)),
                Err(problem) => {
                    let text = format!("{problem:?}");
                    assert_eq!(problem.status(), status, "{text}");
                    assert!(text.contains(said) && !text.contains("hunter2"), "{text}");
                }
            }
        }
    }

    #[test]
    fn queries() {
        for (sent, said) in [
            ("name=a", ""),
            ("name=a&count=3", ""),
            ("name=a&nom=b", "no parameter nom"),
            ("name=a&name=b", "name is there twice"),
            ("count=1", "name is missing"),
            ("name=a&count=x", "not taken"),
            ("name=%FF", "UTF-8"),
            ("name=%00", "control"),
        ] {
            match query::<Sample>(sent) {
                Ok(_) => assert_eq!(said, "", "{sent}"),
                Err(problem) => assert!(format!("{problem:?}").contains(said) && !said.is_empty(), "{problem:?}"),
            }
        }
    }
}
