//! What a request object looks like from outside.

use super::*;

/// A14: each shape that is not taken is told apart.
#[test]
fn shapes() {
    let good = none(&claims(&json!({})));
    assert!(Object::parse(&good).is_ok());
    for (text, said) in [
        ("a.b", "not a signed or unsecured JWT"),
        ("a.b.c", "not a signed or unsecured JWT"),
        ("a.b.c.d", "not a signed or unsecured JWT"),
        ("a.b.c.d.e", "encrypted request objects are not taken"),
    ] {
        assert!(Object::parse(text).unwrap_err().description.contains(said), "{text}");
    }
    let padded = |length: usize| {
        let bare = none(&claims(&json!({"x": ""}))).len();
        // Base64 writes four characters for three bytes.
        let fill = (length.saturating_sub(bare)) / 4 * 3;
        none(&claims(&json!({"x": "x".repeat(fill)})))
    };
    let (within, beyond) = (padded(LARGEST), padded(LARGEST + 8));
    assert!(within.len() <= LARGEST && beyond.len() > LARGEST, "{} {}", within.len(), beyond.len());
    assert!(Object::parse(&within).is_ok());
    assert!(Object::parse(&beyond).unwrap_err().description.contains("longer than 32768 bytes"));
    let exact = format!("{within}{}", "x".repeat(LARGEST - within.len()));
    assert!(!Object::parse(&exact).is_err_and(|error| error.description.contains("longer")), "as long as may be");
}

/// R-55: what a caller sent is not shown by accident.
#[test]
fn debug_shows_no_content() {
    let text = none(&claims(&json!({})));
    assert_eq!(format!("{:?}", Object::parse(&text).unwrap()), "Object { alg: None, .. }");
    assert_eq!(format!("{:?}", Carried::Value(&text)), "Value(…)");
    assert_eq!(format!("{:?}", Carried::Reference("https://app.example/r")), "Reference(…)");
}
