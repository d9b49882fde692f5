//! The commented example and the JSON Schema, as they stand in `config/`.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{
    keys::{Key, Keys, schema as types},
    settings::Settings,
};

const HEAD: &str = "\
# Settings of Signet, all of them, with their defaults. Copy this file to config/signet.toml and take away the # before
# what is to be different. `signet config check` says what is wrong, `signet config show` what is in effect and why.
#
# What is written later in this list wins: defaults, this file, .env, the environment, flags. In the environment and in
# .env a setting is SIGNET_ and its name in capitals, with __ for the dot (tokens.access is SIGNET_TOKENS__ACCESS);
# lists have commas. DATABASE_URL and REDIS_URL are database.url and redis.url, SIGNET_LOG is log.level. As a flag it is
# --set tokens.access=10m. Secrets can stand in a file of their own: DATABASE_URL_FILE, SIGNET_SECRET_KEY_FILE.
#
# A running server takes over what is marked (live) on SIGHUP or `signet reload`; the rest needs a restart.
";

/// The JSON Schema, indented, with its members in order.
pub fn schema() -> String {
    let text = serde_json::to_string_pretty(&schema_value()).unwrap_or_default();
    format!("{text}\n")
}

/// The JSON Schema.
pub fn schema_value() -> Value {
    sorted(types().to_value())
}

/// The commented example.
pub fn example() -> String {
    let (keys, defaults) = (Keys::new(), serde_json::to_value(Settings::default()).unwrap_or_default());
    let mut text = HEAD.to_owned();
    for key in keys.iter().filter(|key| !key.path.contains('.')) {
        describe(&mut text, key, &key.path, &defaults);
    }
    for (section, about) in keys.sections() {
        text.push('\n');
        comment(&mut text, about);
        let _ = writeln!(text, "[{section}]");
        let prefix = format!("{section}.");
        for key in keys.iter() {
            if let Some(name) = key.path.strip_prefix(&prefix) {
                describe(&mut text, key, name, &defaults);
            }
        }
    }
    text
}

fn describe(text: &mut String, key: &Key, name: &str, defaults: &Value) {
    text.push('\n');
    let live = if key.live { " (live)" } else { "" };
    comment(text, &format!("{}{live}", key.description));
    let default = defaults.pointer(&format!("/{}", key.path.replace('.', "/"))).filter(|value| !value.is_null());
    // JSON's texts, numbers and lists are TOML's.
    let value = default.or(key.example.as_ref()).map_or_else(|| "\"\"".to_owned(), Value::to_string);
    let _ = writeln!(text, "#{name} = {value}");
}

/// A comment of at most 120 characters a line.
fn comment(text: &mut String, about: &str) {
    let mut line = String::from("#");
    for word in about.split_whitespace() {
        if line.chars().count() + word.chars().count() >= 120 {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut pairs: Vec<_> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        value => value,
    }
}
