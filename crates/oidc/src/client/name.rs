//! Names that people are shown.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup},
};

/// The greatest length of a name, in characters.
const LONGEST: usize = 200;

/// Whether people may be shown this as the name of a client or an API: 1 to 200 characters of which one is seen at least,
/// and none that says nothing by itself but changes how the text around it looks (Unicode TR36 §2.5).
pub fn is_name(text: &str) -> bool {
    text.chars().any(is_seen) && text.chars().count() <= LONGEST && !text.chars().any(acts_on_others)
}

/// Letters, digits, punctuation and symbols that have ink.
fn is_seen(c: char) -> bool {
    let inks = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol);
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    // The empty pattern of Braille is a symbol.
    inks.contains(category) && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c) && c != '\u{2800}'
}

/// Control characters, and those that turn the direction of text round, join lines, or are not seen. A mark of direction
/// turns nothing but what has none, and joiners belong to the writing of many languages.
fn acts_on_others(c: char) -> bool {
    const HARMLESS: [char; 4] = ['\u{200C}', '\u{200D}', '\u{200E}', '\u{200F}'];
    let unseen = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        && CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::Format;
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FFF9}'..='\u{FFFD}')
        || !HARMLESS.contains(&c) && (unseen || CodePointSetData::new::<BidiControl>().contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-37, A16: a name reads as it is written, in any language, and changes nothing beside it.
    #[test]
    fn names() {
        for good in [
            "A",
            "Grüße & <Co>",
            "شركة",
            "Büro \u{200F}עברית",
            "株式会社",
            "👩‍👩‍👧 family",
            "❤️",
            "می‌خواهم",
            "7",
            "&",
            &"x".repeat(200),
        ] {
            assert!(is_name(good), "{good}");
        }
        for c in [
            '\n',
            '\u{7f}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{2028}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{fffd}',
            '\u{e0041}',
        ] {
            assert!(!is_name(&format!("Bank{c}knaB")), "{}", c.escape_unicode());
        }
        for bad in ["", "  ", "\u{3164}", "\u{2800}\u{115f}", "\u{200d}", "\u{200f} ", "\u{301}", &"x".repeat(201)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
