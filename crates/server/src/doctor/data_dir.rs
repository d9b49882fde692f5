//! The data directory.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::Finding;
use crate::config::Config;

const CHECK: &str = "data directory";
/// The embedded database stops working without room for its log.
const FULL: u64 = 64 * 1024 * 1024;
/// Room for some time.
const TIGHT: u64 = 512 * 1024 * 1024;

/// What the directory is like.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    path: PathBuf,
    embedded: bool,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Absent { parent_writable: bool },
    NotADirectory,
    Unreadable(String),
    There(There),
}

#[derive(Debug, Clone)]
struct There {
    owner: u32,
    ours: u32,
    mode: u32,
    writable: bool,
    /// Bytes.
    free: Option<u64>,
    /// Whether the embedded database's files are written through; none where there are none.
    synchronous: Option<bool>,
}

pub(super) fn gather(config: &Config) -> Facts {
    let path = config.data_dir.clone();
    let state = match fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = path.ancestors().skip(1).find(|parent| parent.exists() || parent.as_os_str().is_empty());
            let parent = parent.filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            State::Absent { parent_writable: writable(parent) }
        }
        Err(error) => State::Unreadable(error.to_string()),
        Ok(found) if !found.is_dir() => State::NotADirectory,
        Ok(found) => State::There(There {
            owner: found.uid(),
            ours: rustix::process::geteuid().as_raw(),
            mode: found.permissions().mode() & 0o777,
            writable: writable(&path),
            free: rustix::fs::statvfs(&path).ok().map(|room| room.f_bavail.saturating_mul(room.f_frsize)),
            synchronous: synchronous(&path.join("postgresql")),
        }),
    };
    Facts { path, embedded: config.database_url.is_none(), state }
}

fn writable(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(target_os = "linux")]
fn synchronous(cluster: &Path) -> Option<bool> {
    use rustix::fs::{IFlags, ioctl_getflags};
    let directory = fs::File::open(cluster).ok()?;
    Some(ioctl_getflags(&directory).is_ok_and(|flags| flags.contains(IFlags::SYNC)))
}

#[cfg(not(target_os = "linux"))]
fn synchronous(cluster: &Path) -> Option<bool> {
    cluster.exists().then_some(false)
}

/// Where the issuer answers and there is nothing here, its Signet is another one.
pub(super) fn judge_elsewhere(config: &Config, elsewhere: bool) -> Option<Finding> {
    let what = format!("nothing is in {}, and yet the issuer answers", config.data_dir.display());
    let fix = "give the data_dir (SIGNET_DATA_DIR) with which the Signet that answers was started";
    elsewhere.then(|| Finding::broken(CHECK, what, fix))
}

/// Where old rows of the audit log go, if that is not the data directory.
pub(super) fn judge_archive(config: &Config) -> Option<Finding> {
    let path = config.audit.archive_dir.as_ref()?;
    let reason = match fs::metadata(path) {
        Ok(found) if !found.is_dir() => "is not a directory",
        Ok(_) if !writable(path) => "cannot be written",
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => "cannot be entered",
        _ => return None,
    };
    let fix = "choose another audit.archive_dir; until then no row leaves the database";
    Some(Finding::broken("audit archive", format!("{} {reason}", path.display()), fix))
}

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let path = facts.path.display();
    let broken = |what: String, fix: String| vec![Finding::broken(CHECK, what, fix)];
    let there = match &facts.state {
        State::Absent { parent_writable: true } => {
            return vec![Finding::ok(CHECK, format!("{path} is not there yet; the first start makes it"))];
        }
        State::Absent { parent_writable: false } => {
            let fix = "make it and give it to the user who runs Signet, or choose another data_dir".to_owned();
            return broken(format!("{path} is not there and cannot be made"), fix);
        }
        State::NotADirectory => {
            return broken(format!("{path} is not a directory"), "choose another data_dir".to_owned());
        }
        State::Unreadable(error) => {
            return broken(format!("{path}: {error}"), "run the doctor as the user who runs Signet".to_owned());
        }
        State::There(there) => there,
    };
    if there.owner != there.ours {
        let fix = format!("run as user id {}, or change its owner", there.owner);
        return broken(format!("{path} belongs to user id {}, not to {}", there.owner, there.ours), fix);
    }
    let mut findings = Vec::new();
    if there.mode & 0o077 != 0 {
        let what = format!("{path} has mode {:o}: others can enter it", there.mode);
        findings.push(Finding::warning(CHECK, what, format!("chmod 700 {path}; the next start does it too")));
    }
    if !there.writable {
        let fix = format!("chmod 700 {path}, or mount the file system writable");
        findings.push(Finding::broken(CHECK, format!("{path} cannot be written"), fix));
    }
    match there.free {
        Some(free) if free < FULL => {
            let what = format!("{path} has {} MiB left", free >> 20);
            findings.push(Finding::broken(CHECK, what, "make room on its file system"));
        }
        Some(free) if free < TIGHT => {
            let what = format!("{path} has {} MiB left", free >> 20);
            findings.push(Finding::warning(CHECK, what, "make room on its file system soon"));
        }
        _ => {}
    }
    if facts.embedded && there.synchronous == Some(false) {
        findings.push(Finding::warning(
            CHECK,
            "the file system does not write through: a power cut may lose data of the embedded database",
            "use a file system with the synchronous attribute (ext4, xfs), or a PostgreSQL server by database.url",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, path.to_string()));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;

    #[test]
    fn states() {
        let good =
            There { owner: 5, ours: 5, mode: 0o700, writable: true, free: Some(1 << 40), synchronous: Some(true) };
        let there = |change: fn(&mut There)| {
            let mut there = good.clone();
            change(&mut there);
            State::There(there)
        };
        for (state, grade, word) in [
            (there(|_| {}), Grade::Ok, "/d"),
            (State::Absent { parent_writable: true }, Grade::Ok, "first start"),
            (State::Absent { parent_writable: false }, Grade::Broken, "cannot be made"),
            (State::NotADirectory, Grade::Broken, "not a directory"),
            (State::Unreadable("denied".to_owned()), Grade::Broken, "denied"),
            (there(|there| there.owner = 6), Grade::Broken, "user id 6"),
            (there(|there| there.mode = 0o755), Grade::Warning, "755"),
            (there(|there| there.writable = false), Grade::Broken, "written"),
            (there(|there| there.free = Some(1 << 20)), Grade::Broken, "1 MiB"),
            (there(|there| there.free = Some(100 << 20)), Grade::Warning, "100 MiB"),
            (there(|there| there.synchronous = Some(false)), Grade::Warning, "power cut"),
            (there(|there| there.synchronous = None), Grade::Ok, "/d"),
        ] {
            let facts = Facts { path: PathBuf::from("/d"), embedded: true, state };
            let findings = judge(&facts);
            assert!(
                findings.len() == 1 && findings[0].grade == grade && findings[0].what.contains(word),
                "{findings:?}"
            );
        }
    }
}
