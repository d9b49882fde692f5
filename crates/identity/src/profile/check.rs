//! What a text must be. Each answers what is expected where it is not that.

use chrono::NaiveDate;
use url::Url;

/// The most characters of a name.
const MAX_TEXT: usize = 200;
/// The most characters of a part of an address.
const MAX_PART: usize = 500;
/// The most bytes of a URL.
const MAX_URL: usize = 2_048;

type Checked = Result<(), &'static str>;

fn only(good: bool, expected: &'static str) -> Checked {
    if good { Ok(()) } else { Err(expected) }
}

/// Without control characters, and without what stands for bytes that were no text.
pub(super) fn speakable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c == '\u{FFFD}')
}

/// 1 to `most` characters, none of them a control character, and not only blanks around nothing.
pub(super) fn plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && text.trim() == text && speakable(text)
}

/// A name.
pub(super) fn text(value: &str) -> Checked {
    only(
        plain(value, MAX_TEXT),
        "Use 1 to 200 characters, no control characters, no blanks around them; null clears it.",
    )
}

/// OIDC Core §5.1.1: a part of an address; some have `lines`.
pub(super) fn part(value: &str, lines: bool) -> Checked {
    let flat = if lines { value.replace("\r\n", " ").replace('\n', " ") } else { value.to_owned() };
    only(
        plain(&flat, MAX_PART),
        "Use 1 to 500 characters for each member, no blanks around them, and line breaks only in formatted and \
         street_address.",
    )
}

/// An `http` or `https` URL.
pub(super) fn url(value: &str) -> Checked {
    let shape = value.len() <= MAX_URL && speakable(value) && !value.contains(char::is_whitespace);
    let good = shape
        && Url::parse(value).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
        });
    only(good, "Use an http or https URL of at most 2048 bytes, without a name or password in it.")
}

/// OIDC Core §5.1: `YYYY`, `YYYY-MM-DD`, or `0000-MM-DD` where the year is not said.
pub(super) fn birthdate(value: &str) -> Checked {
    let digits = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    let good = match value.split('-').collect::<Vec<_>>()[..] {
        [year] => digits(year, 4) && year != "0000",
        [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2) => {
            // A year that is not said may have been a leap year.
            let year = if year == "0000" { "2000" } else { year };
            matches!((year.parse(), month.parse(), day.parse()),
                (Ok(year), Ok(month), Ok(day)) if NaiveDate::from_ymd_opt(year, month, day).is_some())
        }
        _ => false,
    };
    only(good, "Use YYYY-MM-DD, YYYY for the year alone, or 0000-MM-DD for the day alone.")
}

/// A name of the time zone database, by its characters.
pub(super) fn zone(value: &str) -> Checked {
    let part = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    };
    only(value.len() <= 64 && value.split('/').all(part), "Use a name of the time zone database such as Europe/Paris.")
}

/// BCP 47, by its characters.
pub(super) fn locale(value: &str) -> Checked {
    let part = |text: &str| (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let good = value.len() <= 35
        && value.split('-').all(part)
        && value.split('-').next().is_some_and(|language| language.bytes().all(|b| b.is_ascii_alphabetic()));
    only(good, "Use a language tag such as en-GB.")
}

/// OIDC Core §5.1: E.164 with its separators, and an extension as RFC 3966 writes it.
pub(super) fn phone(value: &str) -> Checked {
    let (number, extension) = value.split_once(";ext=").map_or((value, None), |(number, ext)| (number, Some(ext)));
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let good = number.strip_prefix('+').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            && rest.ends_with(|c: char| c.is_ascii_digit())
            && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b' ' | b'(' | b')' | b'-' | b'.'))
    });
    let extended = extension.is_none_or(|ext| (1..=10).contains(&ext.len()) && ext.bytes().all(|b| b.is_ascii_digit()));
    only(
        good && extended && value.len() <= 50 && (4..=15).contains(&digits),
        "Use an international number such as +44 20 7946 0000, if need be with ;ext= behind it.",
    )
}
