//! The key that seals what is stored.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use signet_storage::{
    inspect::{Inspection, Migrated, Sealed},
    seal::Sealer,
};
use zeroize::Zeroizing;

use super::Finding;
use crate::config::{self, Config};

const CHECK: &str = "secret key";

/// Where the key is, and whether it is one.
pub(super) struct Facts {
    source: Source,
    keys: Vec<Zeroizing<Vec<u8>>>,
}

enum Source {
    Configured,
    File {
        path: PathBuf,
        state: Result<u32, String>,
    },
    /// None yet: the first start makes one.
    Absent(PathBuf),
    /// There is no directory that it could be in.
    Nowhere,
}

pub(super) fn gather(config: &Config) -> Facts {
    if let Some(keys) = &config.secret_keys {
        return Facts { source: Source::Configured, keys: keys.clone() };
    }
    let path = config.data_dir.join("secret.key");
    match read(&path) {
        Ok((mode, keys)) => Facts { source: Source::File { path, state: Ok(mode) }, keys },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Facts { source: Source::Absent(path), keys: Vec::new() }
        }
        // The data directory is none, which its own check says.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Facts { source: Source::Nowhere, keys: Vec::new() }
        }
        Err(error) => Facts { source: Source::File { path, state: Err(error.to_string()) }, keys: Vec::new() },
    }
}

fn read(path: &Path) -> io::Result<(u32, Vec<Zeroizing<Vec<u8>>>)> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    let text = Zeroizing::new(fs::read_to_string(path)?);
    Ok((mode, config::parse_keys(text.trim()).map_err(io::Error::other)?))
}

impl Facts {
    /// What opens stored keys with it.
    pub(super) fn sealer(&self) -> Option<Sealer> {
        if self.keys.is_empty() { None } else { Sealer::new(self.keys.clone()).ok() }
    }
}

pub(super) fn judge(facts: &Facts, inspection: Option<&Inspection>) -> Vec<Finding> {
    let stored = inspection.is_some_and(|inspection| inspection.schema != Migrated::Empty);
    let mut findings = Vec::new();
    match &facts.source {
        Source::Absent(path) if stored => {
            let fix = "put the key back: what it sealed, signing keys above all, cannot be opened without it";
            findings.push(Finding::broken(CHECK, format!("{} is not there, but the database is", path.display()), fix));
        }
        Source::Absent(path) => {
            let what = format!("none yet; the first start makes one in {}", path.display());
            return vec![Finding::ok(CHECK, what)];
        }
        Source::File { path, state: Err(error) } => {
            let fix = "put back the key this database was made with, as base64 on one line";
            findings.push(Finding::broken(CHECK, format!("{}: {error}", path.display()), fix));
        }
        Source::File { path, state: Ok(mode) } if mode & 0o077 != 0 => {
            let what = format!("{} has mode {mode:o}: others can read it", path.display());
            findings.push(Finding::warning(CHECK, what, format!("chmod 600 {}", path.display())));
        }
        Source::Nowhere => return Vec::new(),
        Source::Configured | Source::File { .. } => {}
    }
    match inspection.and_then(|inspection| inspection.sealed) {
        Some(Sealed::Closed) => findings.push(Finding::broken(
            CHECK,
            "it does not open the stored keys",
            "give the key this database was made with; after a change of key the older ones follow it, after commas",
        )),
        Some(Sealed::Unreadable) => findings.push(Finding::broken(
            CHECK,
            "it opens the stored keys, and this version does not understand them",
            "run the version that wrote them, or a newer one",
        )),
        Some(Sealed::Open) if findings.is_empty() => {
            findings.push(Finding::ok(CHECK, "opens the stored keys"));
        }
        None if findings.is_empty() => findings.push(Finding::ok(CHECK, "there")),
        Some(Sealed::Open) | None => {}
    }
    findings
}
