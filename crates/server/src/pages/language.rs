//! The languages that people are told in: those the application asks for (OIDC Core §3.1.2.1 `ui_locales`), then those the
//! browser does (RFC 9110 §12.5.4).

use actix_web::{HttpRequest, http::header};

/// No header is read further than so many languages.
const MOST: usize = 16;

/// The languages that are wanted, the most wanted first: `ui_locales`, then the browser's, of which `*` is none.
pub fn wanted(http: &HttpRequest, ui_locales: &[String]) -> Vec<String> {
    let sent = http.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let mut wanted = ui_locales.to_vec();
    wanted.append(&mut read(sent.unwrap_or_default()));
    wanted
}

fn read(sent: &str) -> Vec<String> {
    let mut ranges: Vec<(u16, &str)> = sent
        .split(',')
        .take(MOST)
        .filter_map(|one| {
            let (range, weight) = one.split_once(';').unwrap_or((one, ""));
            let weight = match weight.trim().strip_prefix("q=") {
                Some(text) => text.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight))?,
                None => 1.0,
            };
            let range = range.trim();
            let said = !range.is_empty() && range != "*" && weight > 0.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a weight is 0 to 1")]
            said.then_some(((weight * 1_000.0) as u16, range))
        })
        .collect();
    ranges.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    ranges.into_iter().map(|(_, range)| range.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::read;

    /// R4: the order is that of the weights, then that of the header.
    #[test]
    fn languages_by_weight() {
        for (sent, expected) in [
            ("", &[] as &[&str]),
            ("de", &["de"]),
            ("en;q=0.5, de-AT, fr;q=0.8, *;q=0.1", &["de-AT", "fr", "en"]),
            ("en, de;q=0", &["en"]),
            ("en;q=2, de;q=x, fr", &["fr"]),
            ("da, en-gb;q=0.8, en;q=0.7", &["da", "en-gb", "en"]),
        ] {
            assert_eq!(read(sent), expected, "{sent}");
        }
        assert_eq!(read(&"de,".repeat(1_000)).len(), 16);
    }
}
