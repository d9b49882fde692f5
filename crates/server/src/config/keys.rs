//! The table of settings, read off the JSON Schema that the types give.

use schemars::{Schema, generate::SchemaSettings};
use serde_json::Value;

use super::settings::Settings;

/// What a setting is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list of texts; with commas in the environment.
    List,
}

/// One setting.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its dotted name: `tokens.access`.
    pub path: String,
    /// What it is written as.
    pub kind: Kind,
    /// Never shown.
    pub secret: bool,
    /// A running server takes a new value over.
    pub live: bool,
    /// What it means.
    pub description: String,
    /// A value to show where there is no default.
    pub example: Option<Value>,
}

/// All settings, sorted: those without a section first.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    list: Vec<Key>,
    sections: Vec<(String, String)>,
}

/// The JSON Schema (2020-12) of the configuration file.
pub fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Settings>()
}

impl Keys {
    /// The table.
    pub fn new() -> Self {
        let mut keys = Self::default();
        let schema = schema();
        for (name, property) in properties(schema.as_value()) {
            if property.get("properties").is_some() {
                keys.sections.push((name.clone(), text(property, "description")));
                for (below, inner) in properties(property) {
                    keys.list.push(key(format!("{name}.{below}"), inner, is_true(property, "x-live")));
                }
            } else {
                keys.list.push(key(name.clone(), property, false));
            }
        }
        keys.list.sort_by_key(|key| (key.path.contains('.'), key.path != "issuer", key.path.clone()));
        keys.sections.sort();
        keys
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.list.iter()
    }

    /// Sections and what each is for.
    pub fn sections(&self) -> &[(String, String)] {
        &self.sections
    }

    /// One by its dotted name.
    pub fn find(&self, path: &str) -> Option<&Key> {
        self.list.iter().find(|key| key.path == path)
    }

    /// Whether the name is that of a section.
    pub fn is_section(&self, name: &str) -> bool {
        self.sections.iter().any(|(section, _)| section == name)
    }

    /// The name most like `path`, if one is.
    pub fn nearest(&self, path: &str) -> Option<&str> {
        let alike = |name: &str| {
            let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
            let moved = if last(name) == last(path) { 0.85 } else { 0.0 };
            strsim::jaro_winkler(name, path).max(moved)
        };
        let names = self.list.iter().map(|key| key.path.as_str());
        let best = names.map(|name| (alike(name), name)).max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 > 0.8).then_some(best.1)
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn text(schema: &Value, name: &str) -> String {
    schema.get(name).and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

fn is_true(schema: &Value, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn key(path: String, schema: &Value, live: bool) -> Key {
    let is = |kind: &str| match schema.get("type") {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    };
    let kind = match () {
        () if is("integer") => Kind::Integer,
        () if is("boolean") => Kind::Boolean,
        () if is("array") => Kind::List,
        () => Kind::Text,
    };
    Key {
        path,
        kind,
        secret: is_true(schema, "writeOnly"),
        live: live || is_true(schema, "x-live"),
        description: text(schema, "description"),
        example: schema.get("examples").and_then(|examples| examples.get(0)).cloned(),
    }
}
