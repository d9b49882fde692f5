//! Tokens, JSON, forms and addresses as text that can be read.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::de::IgnoredAny;

/// A signed JWT taken apart, without checking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// The header, as indented JSON.
    pub(super) header: String,
    /// The payload, as indented JSON.
    pub(super) payload: String,
}

/// Takes a JWT in compact form apart; `None` where the text is no such thing.
pub(super) fn decode(jwt: &str) -> Option<Decoded> {
    let mut parts = jwt.split('.');
    let (header, payload) = (parts.next()?, parts.next()?);
    let _signature = parts.next()?;
    if parts.next().is_some() {
        return None;
    }
    Some(Decoded { header: json_part(header)?, payload: json_part(payload)? })
}

fn json_part(part: &str) -> Option<String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    indent_json(std::str::from_utf8(&bytes).ok()?)
}

/// JSON with line breaks and indentation, members and values kept as they came;
/// `None` where the text is no JSON. Lists of plain values stay on one line.
pub(super) fn indent_json(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    let mut open: Vec<bool> = Vec::new();
    let mut chars = text.char_indices().filter(|(_, c)| !matches!(c, '\n' | '\r' | '\t')).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                out.push(c);
                while let Some((_, c)) = chars.next() {
                    out.push(c);
                    if c == '\\' {
                        out.extend(chars.next().map(|(_, escaped)| escaped));
                    } else if c == '"' {
                        break;
                    }
                }
            }
            ' ' => {}
            '{' | '[' => {
                let inside = text.get(at.saturating_add(1)..).unwrap_or_default();
                let first = inside.trim_start().chars().next();
                let broken = match c {
                    '{' => first != Some('}'),
                    _ => matches!(first, Some('{' | '[')),
                };
                out.push(c);
                open.push(broken);
                if broken {
                    new_line(&mut out, open.len());
                }
            }
            '}' | ']' => {
                if open.pop() == Some(true) {
                    new_line(&mut out, open.len());
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                if open.last() == Some(&true) {
                    new_line(&mut out, open.len());
                } else {
                    out.push(' ');
                }
            }
            ':' => out.push_str(": "),
            _ => out.push(c),
        }
    }
    Some(out)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// An address with each parameter of its query on a line of its own.
pub(super) fn break_url(url: &str) -> String {
    match url.split_once('?') {
        Some((path, query)) => format!("{path}\n  ?{}", query.replace('&', "\n  &")),
        None => url.to_owned(),
    }
}

/// A form body with each parameter on a line of its own and client secrets hidden.
pub(super) fn break_form(body: &str) -> String {
    let lines: Vec<String> = body
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name @ ("client_secret" | "client_assertion" | "password"), _)) => {
                format!("{name}=(hidden)")
            }
            _ => pair.to_owned(),
        })
        .collect();
    lines.join("\n&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_is_taken_apart_and_anything_else_is_not() {
        let part = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        let jwt = format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(r#"{"sub":"a"}"#));
        let decoded = decode(&jwt);
        assert_eq!(
            decoded,
            Some(Decoded {
                header: "{\n  \"alg\": \"RS256\"\n}".to_owned(),
                payload: "{\n  \"sub\": \"a\"\n}".to_owned(),
            })
        );
        for other in ["", "opaque", "a.b", "a.b.c", &format!("{jwt}.d")] {
            assert_eq!(decode(other), None, "{other}");
        }
    }

    #[test]
    fn json_keeps_its_order_and_its_strings() {
        let text = "{\"z\": [1,2],\n\"a\":{},\"s\":\"q\\\"{[,: x\",\"l\":[{\"k\":null}]}";
        let expected = "{\n  \"z\": [1, 2],\n  \"a\": {},\n  \"s\": \"q\\\"{[,: x\",\n  \"l\": [\n    {\n      \"k\": null\n    }\n  ]\n}";
        assert_eq!(indent_json(text).as_deref(), Some(expected));
        assert_eq!(indent_json("{\"a\":"), None);
    }

    #[test]
    fn secrets_in_a_form_are_hidden() {
        assert_eq!(
            break_form("grant_type=refresh_token&client_secret=s3cret&x"),
            "grant_type=refresh_token\n&client_secret=(hidden)\n&x"
        );
    }

    #[test]
    fn an_address_is_broken_at_its_parameters() {
        assert_eq!(break_url("http://a/b?c=d&e=f"), "http://a/b\n  ?c=d\n  &e=f");
        assert_eq!(break_url("http://a/b"), "http://a/b");
    }
}
