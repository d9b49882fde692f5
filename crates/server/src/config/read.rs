//! From layers to settings: merged by figment, then read type by type until every mistake is found.

use std::{collections::BTreeMap, path::Path};

use figment::{Figment, error::Kind as Mistake};

use super::{
    Flags,
    keys::{Key, Keys, Kind},
    layers::{Layer, Place, Reader},
    settings::Settings,
};

/// Settings as they were written, where each was written, and what is wrong so far.
pub struct Read {
    /// The settings; defaults where one is missing or wrong.
    pub settings: Settings,
    /// Where the value that counts was written; a setting that is not here has its default.
    pub places: BTreeMap<String, Place>,
    /// Lines for people.
    pub errors: Vec<String>,
}

/// Reads every layer. `environment` is all of it; `directory` is what paths start from.
pub fn read(flags: &Flags, environment: &[(String, String)], directory: &Path) -> Read {
    let keys = Keys::new();
    let mut reader = Reader { keys: &keys, errors: Vec::new() };
    let asked = environment.iter().find(|(name, value)| name == "SIGNET_CONFIG" && !value.is_empty());
    let mut layers = [
        reader.file(directory, flags, asked.map(|(_, value)| Path::new(value))),
        reader.dotenv(directory),
        reader.environment(environment),
        reader.flags(flags),
    ];
    topmost(&mut layers);
    let mut errors = reader.errors;
    let mut places = BTreeMap::new();
    for layer in &layers {
        places.extend(layer.values.iter().map(|(path, (_, place))| (path.clone(), place.clone())));
    }
    let settings = loop {
        let merged = layers.iter().fold(Figment::new(), |merged, layer| merged.merge(layer));
        match merged.extract::<Settings>() {
            Ok(settings) => break settings,
            Err(error) => {
                let mut found = false;
                for one in error {
                    let path = one.path.iter().take(2).cloned().collect::<Vec<_>>().join(".");
                    let path =
                        if keys.find(&path).is_some() { path } else { one.path.first().cloned().unwrap_or_default() };
                    let Some(key) = keys.find(&path) else {
                        errors.push(one.to_string());
                        continue;
                    };
                    if let Some(place) = places.get(&path) {
                        errors.push(place.line(&path, &explain(key, &one.kind)));
                    }
                    for layer in &mut layers {
                        found |= layer.values.remove(&path).is_some();
                    }
                }
                if !found {
                    break Settings::default();
                }
            }
        }
    };
    Read { settings, places, errors }
}

/// A secret and the file it may stand in are one setting: the topmost place that gives either wins. A place that gives
/// both keeps both, and is refused later.
fn topmost(layers: &mut [Layer]) {
    for path in ["secret_key", "admin_password", "database.url", "redis.url"] {
        let file = format!("{path}_file");
        let gives = |layer: &Layer| layer.values.contains_key(path) || layer.values.contains_key(&file);
        let Some(top) = layers.iter().rposition(gives) else { continue };
        for layer in layers.iter_mut().take(top) {
            layer.values.remove(path);
            layer.values.remove(&file);
        }
    }
}

/// What is wrong with a value, and what to write. A secret is not repeated.
fn explain(key: &Key, mistake: &Mistake) -> String {
    let write = match key.kind {
        Kind::Integer => "write a whole number that is not negative",
        Kind::Boolean => "write true or false",
        Kind::List => "write a list of texts, such as [\"a\", \"b\"], or with commas in the environment",
        Kind::Text => "write text in quotes",
    };
    match mistake {
        _ if key.secret => format!("this is not text; {write}"),
        Mistake::Message(text) => text.clone(),
        Mistake::InvalidType(found, _) | Mistake::InvalidValue(found, _) => format!("this is {found}; {write}"),
        Mistake::UnknownVariant(found, known) => {
            format!("{found:?} is not possible; write one of {}", known.join(", "))
        }
        _ => format!("this is out of range; {write}"),
    }
}
