//! Languages of what people are shown (RFC 5646, RFC 4647; OIDC Registration §2.1).

use oxilangtag::LanguageTag;

use crate::client::ClientMetadata;

/// The members that may come in several languages (RFC 7591 §2.2).
pub const HUMAN: [&str; 5] = ["client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri"];

/// A member's name and language tag: `client_name#de`.
pub fn split(name: &str) -> Option<(&'static str, &str)> {
    let (base, tag) = name.split_once('#')?;
    HUMAN.into_iter().find(|one| *one == base).map(|base| (base, tag))
}

/// The longest tag that is taken, in bytes.
const LONGEST: usize = 64;

/// RFC 5646 §2.2.9: well-formed; that its parts are registered is not asked.
pub fn is_tag(tag: &str) -> bool {
    tag.len() <= LONGEST && LanguageTag::parse(tag).is_ok()
}

/// OIDC Core §3.1.2.1 `ui_locales`: the languages wanted, the most wanted first. What is no tag is none, and nothing is read
/// further than sixteen of them.
pub fn locales(sent: Option<&str>) -> Vec<String> {
    sent.unwrap_or_default().split_ascii_whitespace().filter(|tag| is_tag(tag)).take(16).map(str::to_owned).collect()
}

impl ClientMetadata {
    /// RFC 4647 §3.4: a member in the first of the languages wanted that it is registered in; none where it is in none of
    /// them.
    pub fn in_language<T: AsRef<str>>(&self, member: &str, wanted: &[T]) -> Option<&str> {
        let registered = |tag: &str| {
            let found = self.localized.iter().find(|(name, _)| {
                name.split_once('#').is_some_and(|(base, has)| base == member && has.eq_ignore_ascii_case(tag))
            });
            found.map(|(_, value)| value.as_str())
        };
        wanted.iter().find_map(|range| {
            let mut range = range.as_ref();
            loop {
                if let Some(found) = registered(range) {
                    return Some(found);
                }
                // What then ends with a single letter or digit is no tag, and so registered for nothing.
                range = range.rsplit_once('-')?.0;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R4, RFC 5646 §2.1: the examples of its appendix A, and what is no tag.
    #[test]
    fn tags() {
        for good in [
            "de",
            "ja-Kana-JP",
            "zh-Hant",
            "zh-cmn-Hans-CN",
            "sl-rozaj-biske",
            "de-CH-1901",
            "hy-Latn-IT-arevela",
            "es-419",
            "de-CH-x-phonebk",
            "az-Arab-x-AZE-derbend",
            "x-whatever",
            "qaa-Qaaa-QM-x-southern",
            "en-US-u-islamcal",
            "zh-CN-a-myext-x-private",
            "en-a-myext-b-another",
            "i-klingon",
            "zh-min-nan",
            &format!("x{}", "-abcdefgh".repeat(7)),
        ] {
            assert!(is_tag(good), "{good}");
        }
        let long = format!("en{}", "-abcdefgh".repeat(7));
        for bad in [
            "",
            "d",
            "de-",
            "-de",
            "de--AT",
            "a-DE",
            "de-419-DE",
            "deutschland",
            "de_AT",
            "x",
            "x-",
            "en-u",
            "en-x",
            "de-abcdefghi",
            "d3",
            "de-ä",
            "de#",
            "en-a",
            &long,
        ] {
            assert!(!is_tag(bad), "{bad}");
        }
        assert_eq!(split("logo_uri#de-AT"), Some(("logo_uri", "de-AT")));
        assert_eq!((split("redirect_uris#de"), split("client_name")), (None, None));
    }

    /// A10, OIDC Core §3.1.2.1: tags with spaces between them; nothing else makes an error.
    #[test]
    fn wished_languages() {
        for (sent, expected) in [
            (None, &[] as &[&str]),
            (Some(""), &[]),
            (Some("de"), &["de"]),
            (Some("fr-CA fr  en"), &["fr-CA", "fr", "en"]),
            (Some("de_AT \u{fffd} <b> pt-BR"), &["pt-BR"]),
        ] {
            assert_eq!(locales(sent), expected, "{sent:?}");
        }
        assert_eq!(locales(Some(&"de ".repeat(1_000))).len(), 16);
    }

    /// R4, RFC 4647 §3.4: the first language that is there, less and less exactly, in any case.
    #[test]
    fn lookups() {
        let localized = [
            ("client_name#de", "Laden"),
            ("client_name#fr-CA", "Magasin"),
            ("client_name#zh-Hant", "商店"),
            ("tos_uri#de", "https://a/"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let metadata = ClientMetadata { localized, ..ClientMetadata::default() };
        for (wanted, expected) in [
            (&["de"] as &[&str], Some("Laden")),
            (&["DE-at"], Some("Laden")),
            (&["de-u-co"], Some("Laden")),
            (&["en", "fr-ca"], Some("Magasin")),
            (&["zh-Hant-TW-x-a"], Some("商店")),
            (&["zh"], None),
            (&["fr"], None),
            (&["en"], None),
            (&[], None),
        ] {
            assert_eq!(metadata.in_language("client_name", wanted), expected, "{wanted:?}");
        }
        assert_eq!(metadata.in_language("logo_uri", &["de"]), None);
    }
}
