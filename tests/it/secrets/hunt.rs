//! Remembers secrets, and looks for them in every form.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values would be met by chance.
const SHORTEST: usize = 12;

/// A secret.
struct Secret {
    name: String,
    forms: BTreeSet<String>,
    /// Pages carry it in their forms and links, error pages too.
    on_pages: bool,
}

/// Secrets, and where they were found.
#[derive(Default)]
pub struct Hunt {
    secrets: Vec<Secret>,
    places: usize,
    found: Vec<String>,
}

impl Hunt {
    /// Remembers a secret.
    pub fn keep(&mut self, name: &str, value: &str) {
        self.add(name, value, false);
    }

    /// Remembers a secret that pages rightly carry: a form token, an interaction.
    pub fn keep_of_pages(&mut self, name: &str, value: &str) {
        self.add(name, value, true);
    }

    fn add(&mut self, name: &str, value: &str, on_pages: bool) {
        assert!(value.len() >= SHORTEST, "{name} is too short to be looked for");
        if !self.secrets.iter().any(|secret| secret.forms.contains(value)) {
            self.secrets.push(Secret { name: name.to_owned(), forms: forms(value), on_pages });
        }
    }

    /// Looks for every secret.
    pub fn search(&mut self, place: &str, text: &str) {
        self.look(place, text, |_| true);
    }

    /// Looks for every secret but those of pages.
    pub fn search_page(&mut self, place: &str, text: &str) {
        self.look(place, text, |secret| !secret.on_pages);
    }

    fn look(&mut self, place: &str, text: &str, wanted: impl Fn(&Secret) -> bool) {
        self.places += 1;
        for secret in self.secrets.iter().filter(|secret| wanted(secret)) {
            for form in &secret.forms {
                if let Some(at) = text.find(form.as_str()) {
                    let line = text.get(..at).map_or(0, |before| before.rfind('\n').map_or(0, |end| end + 1));
                    let line = text.get(line..).and_then(|rest| rest.lines().next()).unwrap_or_default();
                    self.found.push(format!("{}, as {form}, in {place}: {line}", secret.name));
                    break;
                }
            }
        }
    }

    /// How many secrets are remembered.
    pub fn secrets(&self) -> usize {
        self.secrets.len()
    }

    /// In how many forms they are looked for.
    pub fn forms(&self) -> usize {
        self.secrets.iter().map(|secret| secret.forms.len()).sum()
    }

    /// How many places were searched.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Panics with what was found.
    pub fn end(self) {
        assert!(self.found.is_empty(), "{} secrets were told:\n{}", self.found.len(), self.found.join("\n"));
    }
}

/// A value as it is, percent-encoded, in JSON and Rust quotes, in hex, and in base64 at each place it can have in a
/// longer value.
fn forms(value: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([value.to_owned()]);
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    forms.insert(encoded.replace('+', "%20"));
    forms.insert(encoded.to_lowercase());
    forms.insert(encoded);
    let quoted = serde_json::to_string(value).expect("JSON");
    // Within a string of JSON once and twice.
    forms.insert(serde_json::to_string(&quoted).expect("JSON").trim_matches(['"', '\\']).to_owned());
    forms.insert(quoted.trim_matches('"').to_owned());
    forms.insert(format!("{value:?}").trim_matches('"').to_owned());
    let mut hex = String::new();
    for byte in value.bytes() {
        write!(hex, "{byte:02x}").expect("write to a string");
    }
    forms.insert(hex.to_uppercase());
    forms.insert(hex);
    for offset in 0..3_usize {
        let bytes = [&[0_u8; 3][..offset], value.as_bytes()].concat();
        // The characters that depend on this value alone.
        let (from, to) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.insert(alphabet.encode(&bytes)[from..to].to_owned());
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// a value that was planted is found in each form, and one that was not is not.
#[test]
fn what_is_planted_is_found() {
    let secret = "S3cret/+=\"ü & more";
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    for (what, text) in [
        ("plain", format!("password={secret};")),
        ("percent", format!("GET /?password={encoded} HTTP/1.1")),
        ("json", serde_json::json!({ "password": secret }).to_string()),
        ("json in json", serde_json::json!({ "body": serde_json::json!({ "a": secret }).to_string() }).to_string()),
        ("debug", format!("Password({secret:?})")),
        ("hex", format!("\\x{}", secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat())),
        ("basic", format!("Basic {}", STANDARD_NO_PAD.encode(format!("client:{secret}")))),
        ("basic, shifted", format!("Basic {}", STANDARD_NO_PAD.encode(format!("client1:{secret}!")))),
        ("basic, shifted again", format!("Basic {}", URL_SAFE_NO_PAD.encode(format!("client12:{secret}!!")))),
    ] {
        let mut hunt = Hunt::default();
        hunt.keep("secret", secret);
        hunt.search(what, &text);
        assert_eq!(hunt.found.len(), 1, "{what}: {text}");
        let mut other = Hunt::default();
        other.keep("secret", "another secret altogether");
        other.search(what, &text);
        other.end();
    }
}
