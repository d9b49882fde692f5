//! Names that people are shown.

/// The greatest length of a name, in characters.
const LONGEST: usize = 200;

/// Whether people may be shown this as the name of a client or an API: 1 to 200 characters, and none that says nothing by
/// itself but changes how the text around it looks (Unicode TR36 §2.5).
pub fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.chars().any(acts_on_others)
}

/// Control characters, and those that turn the direction of text round, join lines, or are not seen.
fn acts_on_others(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200B}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFD}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-37, A16: a name reads as it is written, in any language, and changes nothing beside it.
    #[test]
    fn names() {
        for good in ["A", "Grüße & <Co>", "شركة", "Büro \u{200F}עברית", "株式会社", "👩‍👩‍👧 family", &"x".repeat(200)]
        {
            assert!(is_name(good), "{good}");
        }
        for c in ['\n', '\u{7f}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{fffd}'] {
            assert!(!is_name(&format!("Bank{c}knaB")), "{}", c.escape_unicode());
        }
        for bad in ["", "  ", &"x".repeat(201)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
