//! The places settings come from, each read into one layer: file, `.env`, environment, flags.

use std::{collections::BTreeMap, fs, io, path::Path};

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use toml::de::{DeTable, DeValue};

use super::{
    Flags,
    keys::{Keys, Kind},
};

/// The file that is read where no other is named.
pub const DEFAULT_FILE: &str = "config/signet.toml";

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// File and line, name of a variable, or flag.
    pub label: String,
    /// Whether the label says which setting it is.
    pub names_key: bool,
}

impl Place {
    /// An error line.
    pub fn line(&self, path: &str, message: &str) -> String {
        if self.names_key { format!("{}: {message}", self.label) } else { format!("{}: {path}: {message}", self.label) }
    }
}

/// Values of one place.
#[derive(Debug, Default)]
pub struct Layer {
    pub(super) name: &'static str,
    pub(super) values: BTreeMap<String, (Value, Place)>,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut all = Dict::new();
        for (path, (value, _)) in &self.values {
            match path.split_once('.') {
                None => {
                    all.insert(path.clone(), value.clone());
                }
                Some((section, name)) => {
                    let below = all.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
                    if let Value::Dict(_, below) = below {
                        below.insert(name.to_owned(), value.clone());
                    }
                }
            }
        }
        Ok(Profile::Default.collect(all))
    }
}

/// Reads layers and collects what is wrong.
pub struct Reader<'a> {
    pub(super) keys: &'a Keys,
    pub(super) errors: Vec<String>,
}

impl Reader<'_> {
    /// A TOML file. One that is missing is an error where it was asked for by name.
    pub fn file(&mut self, directory: &Path, flags: &Flags, asked: Option<&Path>) -> Layer {
        let mut layer = Layer { name: "file", ..Layer::default() };
        let asked = flags.config.as_deref().or(asked);
        let path = asked.unwrap_or(Path::new(DEFAULT_FILE));
        let name = path.display().to_string();
        match fs::read_to_string(directory.join(path)) {
            Ok(text) => self.toml(&mut layer, &name, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound && asked.is_none() => {}
            Err(error) => self.errors.push(format!("{name}: the file cannot be read: {error}")),
        }
        layer
    }

    fn toml(&mut self, layer: &mut Layer, name: &str, text: &str) {
        let line = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(1, |span| line(span.start));
            self.errors.push(format!("{name}:{at}: this is not TOML: {}", error.message().replace('\n', " ")));
        }
        for (key, value) in table.get_ref() {
            let at = |start: usize| Place { label: format!("{name}:{}", line(start)), names_key: false };
            let (key, place) = (key.get_ref().as_ref(), at(key.span().start));
            match value.get_ref() {
                DeValue::Table(below) if self.keys.find(key).is_none() => {
                    if !self.keys.is_section(key) {
                        self.unknown(&place, key, str::to_owned);
                        continue;
                    }
                    for (inner, value) in below {
                        let path = format!("{key}.{}", inner.get_ref());
                        self.put(layer, &path, value.get_ref(), at(inner.span().start));
                    }
                }
                _ if self.keys.is_section(key) => {
                    self.errors
                        .push(place.line(key, &format!("this is a section; write [{key}] and settings below it")));
                }
                value => self.put(layer, key, value, place),
            }
        }
    }

    fn put(&mut self, layer: &mut Layer, path: &str, value: &DeValue<'_>, place: Place) {
        if self.keys.find(path).is_none() {
            self.unknown(&place, path, str::to_owned);
        } else if value.as_str() != Some("") {
            layer.values.insert(path.to_owned(), (plain(value), place));
        }
    }

    /// `.env` of the working directory. Names of other programs are left alone.
    pub fn dotenv(&mut self, directory: &Path) -> Layer {
        let mut layer = Layer { name: ".env", ..Layer::default() };
        let text = match fs::read_to_string(directory.join(".env")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return layer,
            Err(error) => {
                self.errors.push(format!(".env: the file cannot be read: {}", error.kind()));
                return layer;
            }
        };
        let (good, bad) = readable(text.trim_start_matches('\u{FEFF}'));
        for line in bad {
            let message = "this is not NAME=value; put a value with spaces in quotes, and close them";
            self.errors.push(format!(".env:{line}: {message}"));
        }
        for pair in dotenvy::from_read_iter(good.as_bytes()) {
            match pair {
                Ok((name, value)) if name == "SIGNET_CONFIG" && !value.is_empty() => {
                    let message = "this is not read here; give it in the environment or by --config";
                    self.errors.push(format!(".env: SIGNET_CONFIG: {message}"));
                }
                Ok((name, value)) => self.variable(&mut layer, ".env: ", &name, &value),
                Err(error) => {
                    self.errors.push(format!(".env: the file cannot be read: {}", kind(&error)));
                    break;
                }
            }
        }
        layer
    }

    /// The environment.
    pub fn environment(&mut self, pairs: &[(String, String)]) -> Layer {
        let mut layer = Layer { name: "environment", ..Layer::default() };
        for (name, value) in pairs {
            self.variable(&mut layer, "", name, value);
        }
        layer
    }

    fn variable(&mut self, layer: &mut Layer, before: &str, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let Some(path) = path_of(name) else { return };
        let place = Place { label: format!("{before}{name}"), names_key: true };
        if self.keys.find(&path).is_none() {
            self.unknown(&place, &path, variable_of);
            return;
        }
        if let Some((other, earlier)) = layer.values.get(&path)
            && *other != self.text(&path, value)
        {
            self.errors
                .push(place.line(&path, &format!("{} says the same thing otherwise; set one of them", earlier.label)));
        }
        layer.values.insert(path.clone(), (self.text(&path, value), place));
    }

    /// The command line.
    pub fn flags(&mut self, flags: &Flags) -> Layer {
        let mut layer = Layer { name: "flags", ..Layer::default() };
        for set in &flags.set {
            let Some((path, value)) = set.split_once('=') else {
                // What stands there may be a secret: it is not repeated.
                self.errors.push("--set: write a setting and its value: --set tokens.access=10m".to_owned());
                continue;
            };
            // What is like no setting may be a part of a secret: it is not repeated.
            let like_one = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
            let label = match self.keys.nearest(path) {
                Some(_) if path.bytes().all(like_one) => format!("--set {path}"),
                _ => "--set".to_owned(),
            };
            let place = Place { label, names_key: true };
            if self.keys.find(path).is_none() {
                self.unknown(&place, path, |near| format!("--set {near}"));
            } else if !value.is_empty() {
                layer.values.insert(path.to_owned(), (self.text(path, value), place));
            }
        }
        let data_dir = flags.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
        for (path, flag, value) in [
            ("issuer", "--issuer", &flags.issuer),
            ("bind", "--bind", &flags.bind),
            ("data_dir", "--data-dir", &data_dir),
        ] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                let place = Place { label: flag.to_owned(), names_key: true };
                layer.values.insert(path.to_owned(), (Value::from(value.as_str()), place));
            }
        }
        layer
    }

    /// A value where everything is text: a number, a list or whatever the setting is.
    fn text(&self, path: &str, value: &str) -> Value {
        let trimmed = value.trim();
        let as_it_is = || Value::from(value);
        match self.keys.find(path).map(|key| key.kind) {
            Some(Kind::Integer) => trimmed.parse::<i64>().map_or_else(|_| as_it_is(), Value::from),
            Some(Kind::Boolean) => trimmed.parse::<bool>().map_or_else(|_| as_it_is(), Value::from),
            Some(Kind::List) => {
                let inner = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(trimmed);
                let parts = inner.split(',').map(|part| part.trim().trim_matches('"')).filter(|part| !part.is_empty());
                Value::from(parts.map(Value::from).collect::<Vec<_>>())
            }
            Some(Kind::Text) | None => as_it_is(),
        }
    }

    fn unknown(&mut self, place: &Place, path: &str, spelled: impl Fn(&str) -> String) {
        let near = self.keys.nearest(path).map(|near| format!("; did you mean {}?", spelled(near)));
        let near = near.unwrap_or_else(|| "; `signet config example` lists them all".to_owned());
        self.errors.push(place.line(path, &format!("there is no such setting{near}")));
    }
}

/// The setting a variable names: `SIGNET_A__B`, and the spellings from before there was a file. `None` for names that
/// are not settings: other programs', the test suite's, and those Kubernetes makes for services called `signet` or `signet-…`.
fn path_of(name: &str) -> Option<String> {
    match name {
        "DATABASE_URL" => return Some("database.url".to_owned()),
        "DATABASE_URL_FILE" => return Some("database.url_file".to_owned()),
        "REDIS_URL" => return Some("redis.url".to_owned()),
        "REDIS_URL_FILE" => return Some("redis.url_file".to_owned()),
        "SIGNET_LOG" => return Some("log.level".to_owned()),
        "SIGNET_CONFIG" | "SIGNET_PORT" => return None,
        _ => {}
    }
    let rest = name.strip_prefix("SIGNET_")?;
    if ["TEST_", "SERVICE_", "PORT_"].iter().any(|other| rest.starts_with(other)) {
        return None;
    }
    if !rest.contains("__") && is_service_link(rest) {
        return None;
    }
    Some(rest.to_lowercase().replace("__", "."))
}

/// `REDIS_SERVICE_HOST`, `REDIS_SERVICE_PORT_TLS`, `REDIS_PORT`, `REDIS_PORT_6379_TCP_ADDR`: what Kubernetes tells each
/// container about the services beside it.
fn is_service_link(name: &str) -> bool {
    let numbered = |(at, word): (usize, &str)| {
        name.get(at + word.len()..).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    ["_SERVICE_HOST", "_SERVICE_PORT"].iter().any(|word| name.contains(word))
        || name.ends_with("_PORT")
        || name.match_indices("_PORT_").any(numbered)
}

/// The variable that names a setting.
pub fn variable_of(path: &str) -> String {
    match path {
        "database.url" => "DATABASE_URL".to_owned(),
        "redis.url" => "REDIS_URL".to_owned(),
        _ => format!("SIGNET_{}", path.to_uppercase().replace('.', "__")),
    }
}

/// The text of a `.env` without the lines that cannot be read, and the numbers of those. Whoever reads it would stop at
/// the first.
fn readable(text: &str) -> (String, Vec<usize>) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut good, mut bad, mut at) = (String::with_capacity(text.len()), Vec::new(), 0);
    while at < lines.len() {
        // A value in quotes may go on over some lines.
        let entry = (at + 1..=lines.len()).find_map(|end| {
            let entry = lines.get(at..end)?.join("\n") + "\n";
            match dotenvy::from_read_iter(entry.as_bytes()).next() {
                None | Some(Ok(_)) => Some(Some((end, entry))),
                // The quotes are still open.
                Some(Err(dotenvy::Error::LineParse(read, place))) if place == entry.len() && read == entry => None,
                Some(Err(_)) => Some(None),
            }
        });
        if let Some((end, entry)) = entry.flatten() {
            good.push_str(&entry);
            at = end;
        } else {
            bad.push(at + 1);
            at += 1;
        }
    }
    (good, bad)
}

fn kind(error: &dotenvy::Error) -> String {
    match error {
        dotenvy::Error::Io(error) => error.kind().to_string(),
        _ => "it is not understood".to_owned(),
    }
}

/// A value of a file.
fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(is) => Value::from(*is),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::from(number.as_str()), Value::from),
        DeValue::Float(number) => Value::from(number.as_str()),
        DeValue::Datetime(when) => Value::from(when.to_string()),
        DeValue::Array(list) => Value::from(list.iter().map(|one| plain(one.get_ref())).collect::<Vec<_>>()),
        DeValue::Table(table) => {
            let pairs = table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())));
            Value::from(pairs.collect::<Dict>())
        }
    }
}
