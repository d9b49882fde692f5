//! Languages of what people are shown (RFC 5646, RFC 4647; OIDC Registration §2.1).

use crate::client::ClientMetadata;

/// The members that may come in several languages (RFC 7591 §2.2).
pub const HUMAN: [&str; 5] = ["client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri"];

/// A member's name and language tag: `client_name#de`.
pub fn split(name: &str) -> Option<(&'static str, &str)> {
    let (base, tag) = name.split_once('#')?;
    HUMAN.into_iter().find(|one| *one == base).map(|base| (base, tag))
}

/// RFC 5646 §2.1, by its form; that its parts are registered is not asked. Grandfathered tags of another form are none.
pub fn is_tag(tag: &str) -> bool {
    let alpha = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
    let alphanumeric = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
    if tag.len() > 64 {
        return false;
    }
    let mut parts = tag.split('-').peekable();
    let language = parts.next().unwrap_or_default();
    if language.eq_ignore_ascii_case("x") {
        return rest(parts, 1);
    }
    if !(2..=8).contains(&language.len()) || !alpha(language) {
        return false;
    }
    // Up to three extended languages, behind a language of two or three letters.
    let mut extended = 0;
    while extended < 3 && language.len() <= 3 && parts.next_if(|part| part.len() == 3 && alpha(part)).is_some() {
        extended += 1;
    }
    let _script = parts.next_if(|part| part.len() == 4 && alpha(part));
    let digits = |part: &str| part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit());
    let _region = parts.next_if(|part| part.len() == 2 && alpha(part) || digits(part));
    let variant = |part: &str| {
        let long = (5..=8).contains(&part.len());
        alphanumeric(part) && (long || part.len() == 4 && part.starts_with(|c: char| c.is_ascii_digit()))
    };
    while parts.next_if(|part| variant(part)).is_some() {}
    while let Some(singleton) = parts.next_if(|part| part.len() == 1 && alphanumeric(part)) {
        if singleton.eq_ignore_ascii_case("x") {
            return rest(parts, 1);
        }
        let long = |part: &&str| (2..=8).contains(&part.len()) && alphanumeric(part);
        if parts.next_if(long).is_none() {
            return false;
        }
        while parts.next_if(long).is_some() {}
    }
    parts.next().is_none()
}

/// At least one part follows, and each has `least` to eight letters or digits.
fn rest<'a>(parts: impl Iterator<Item = &'a str>, least: usize) -> bool {
    let mut any = false;
    for part in parts {
        any = true;
        if !(least..=8).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return false;
        }
    }
    any
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
                range = range.rsplit_once('-')?.0;
                // A single letter or digit says nothing without what follows it.
                if let Some((shorter, last)) = range.rsplit_once('-')
                    && last.len() == 1
                {
                    range = shorter;
                }
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
        ] {
            assert!(is_tag(good), "{good}");
        }
        let long = format!("en{}", "-abcdefgh".repeat(8));
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
        let localized = [("client_name#de", "Laden"), ("client_name#fr-CA", "Magasin"), ("tos_uri#de", "https://a/")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let metadata = ClientMetadata { localized, ..ClientMetadata::default() };
        for (wanted, expected) in [
            (&["de"] as &[&str], Some("Laden")),
            (&["DE-at"], Some("Laden")),
            (&["de-u-co"], Some("Laden")),
            (&["en", "fr-ca"], Some("Magasin")),
            (&["fr"], None),
            (&["en"], None),
            (&[], None),
        ] {
            assert_eq!(metadata.in_language("client_name", wanted), expected, "{wanted:?}");
        }
        assert_eq!(metadata.in_language("logo_uri", &["de"]), None);
    }
}
