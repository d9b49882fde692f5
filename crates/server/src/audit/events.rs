//! The catalogue: every event that the audit log can hold. A crate declares its own by its `events!`; what it declares
//! is here by itself.

use signet_identity::EventKind as AccountEvent;
use signet_oidc::change::EventKind as ProtocolEvent;
use signet_rbac::EventKind as RoleEvent;

signet_oidc::events! {
    /// What happens to an installation as a whole.
    EventKind {
        /// Expired rows of the audit log were archived; the object names the file.
        AuditArchived = "audit.archived", success;
        /// A running server read its settings again; the detail names those that changed.
        ConfigurationReloaded = "configuration.reloaded", success;
        /// A delivery failed for the last time; the object names it.
        DeliveryGivenUp = "delivery.given_up", refused;
    }
}

/// A line of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    /// The stored code.
    pub event: &'static str,
    /// The results it is recorded with: `success`, `refused` or `either`.
    pub result: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Every event, in the order of its code.
pub fn catalogue() -> Vec<Listed> {
    let mut all = Vec::new();
    macro_rules! list {
        ($($kind:ty),*) => {
            $(all.extend(<$kind>::ALL.iter().map(|kind| Listed {
                event: kind.as_str(), result: kind.outcome(), meaning: kind.meaning(),
            }));)*
        };
    }
    list!(ProtocolEvent, AccountEvent, RoleEvent, EventKind);
    all.sort_by_key(|listed| listed.event);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a code stands for one thing, has the form `thing.verb_past`, and says what it means and how it can end.
    #[test]
    fn codes_are_unique_and_well_formed() {
        let all = catalogue();
        assert!(all.len() > 10, "{all:?}");
        for pair in all.windows(2) {
            assert_ne!(pair[0].event, pair[1].event, "a code stands for one event");
        }
        let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        for listed in &all {
            let (thing, verb) = listed.event.split_once('.').expect("thing.verb");
            assert!(word(thing) && word(verb), "{}", listed.event);
            assert!(["success", "refused", "either"].contains(&listed.result), "{}", listed.event);
            assert!(listed.meaning.ends_with('.') && !listed.meaning.starts_with(' '), "{}", listed.meaning);
        }
    }

    /// what is written to the log anywhere in the sources comes from the catalogue: a literal code is only found
    /// where events are declared.
    #[test]
    fn events_come_from_the_catalogue() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut folders = vec![root];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    seen += 1;
                    let text = std::fs::read_to_string(&path).expect("a source");
                    let production = text.split("#[cfg(test)]").next().unwrap_or_default();
                    for (number, line) in production.lines().enumerate() {
                        let literal = line.split_once("event: \"").is_some_and(|(_, rest)| rest.contains('.'));
                        let tests = path.components().any(|part| part.as_os_str() == "tests");
                        assert!(!literal || tests, "{}:{}: {line}", path.display(), number + 1);
                    }
                }
            }
        }
        assert!(seen > 50);
    }
}
