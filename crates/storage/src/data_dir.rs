//! Signet's data directory: made private, locked for one process, with private places for sockets.
//!
//! ```text
//! data/              0700, owned by the user who runs Signet
//!   run/             0700
//!     lock           flock: one Signet per data directory
//!     pg/            0700, the embedded database's socket
//!     pg.path        instead of pg/ when the path is too long for a socket: where its directory is
//!   postgresql/      the embedded database's cluster
//! ```

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Longest path of a socket's directory, in bytes. A socket address holds 104 bytes on some systems;
/// 100 less `/.s.PGSQL.5432`, the longest name that is put there.
const LONGEST_SOCKET_DIR: usize = 100 - "/.s.PGSQL.5432".len();

/// Why the data directory cannot be used. Each message is one line and says what to change.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process holds it.
    #[error("{} is in use by another Signet: stop it, or give this one a directory of its own with SIGNET_DATA_DIR", .dir.display())]
    Locked {
        /// The data directory.
        dir: PathBuf,
    },
    /// It cannot be made, opened or written.
    #[error("cannot write to {}: {source}: make it writable for this user, or choose another directory with SIGNET_DATA_DIR", .path.display())]
    Unwritable {
        /// What could not be made, opened or written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It belongs to another user, who could read and change everything in it.
    #[error("{} belongs to user id {owner}, not to the one who runs Signet: change its owner, or name a new directory inside it with SIGNET_DATA_DIR", .path.display())]
    ForeignOwner {
        /// The data directory.
        path: PathBuf,
        /// The user id it belongs to.
        owner: u32,
    },
}

impl DataDirError {
    fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Unwritable { path, source }
    }
}

/// The data directory, held by this process until the value is dropped.
#[derive(Debug)]
pub struct DataDirLock {
    path: PathBuf,
    _file: File,
}

impl DataDirLock {
    /// The data directory as an absolute path without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the data directory and its `run` directory, both 0700, and locks it for this process.
/// A second call fails with [`DataDirError::Locked`] while the first lock is held, also within one process.
pub fn lock(data_dir: &Path) -> Result<DataDirLock, DataDirError> {
    lock_named(data_dir, "lock")
}

/// As [`lock`], with the file `run/{name}`: the embedded database has a lock of its own.
pub(crate) fn lock_named(data_dir: &Path, name: &str) -> Result<DataDirLock, DataDirError> {
    let path = prepare(data_dir)?;
    let file_path = path.join("run").join(name);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&file_path)
        .map_err(DataDirError::unwritable(&file_path))?;
    match file.try_lock() {
        Ok(()) => Ok(DataDirLock { path, _file: file }),
        Err(TryLockError::WouldBlock) => Err(DataDirError::Locked { dir: path }),
        Err(TryLockError::Error(source)) => Err(DataDirError::Unwritable { path: file_path, source }),
    }
}

/// Makes the data directory and `run` in it, 0700, and answers the absolute path.
pub fn prepare(data_dir: &Path) -> Result<PathBuf, DataDirError> {
    make_private(data_dir)?;
    let path = data_dir.canonicalize().map_err(DataDirError::unwritable(data_dir))?;
    make_private(&path.join("run"))?;
    Ok(path)
}

/// Makes a directory 0700, or tightens an existing one of ours to that.
pub(crate) fn make_private(dir: &Path) -> Result<(), DataDirError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(DataDirError::unwritable(dir))?;
    let found = fs::metadata(dir).map_err(DataDirError::unwritable(dir))?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(DataDirError::ForeignOwner { path: dir.to_owned(), owner: found.uid() });
    }
    if found.mode() & 0o777 != 0o700 {
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(DataDirError::unwritable(dir))?;
    }
    Ok(())
}

/// A 0700 directory of this user for one socket: `run/{name}` in the data directory or, where that path is
/// too long for a socket address, a directory under the system's temporary directory whose path is kept in
/// `run/{name}.path`, so that every process that can read the data directory finds the same one.
///
/// A kept path is used again only while it is a directory, ours and 0700: nobody else can put one there.
pub fn private_socket_dir(data_dir: &Path, name: &str) -> io::Result<PathBuf> {
    let run = data_dir.canonicalize()?.join("run");
    let near = run.join(name);
    if near.as_os_str().len() <= LONGEST_SOCKET_DIR {
        make_private(&run).and_then(|()| make_private(&near)).map_err(io::Error::other)?;
        return Ok(near);
    }
    let note = run.join(format!("{name}.path"));
    match fs::read(&note) {
        Ok(kept) => {
            let kept = PathBuf::from(OsString::from_vec(kept));
            if is_private_dir(&kept) {
                return Ok(kept);
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    make_private(&run).map_err(io::Error::other)?;
    let far = tempfile::Builder::new().prefix("signet-").permissions(Permissions::from_mode(0o700)).tempdir()?;
    if far.path().as_os_str().len() > LONGEST_SOCKET_DIR {
        return Err(io::Error::new(
            ErrorKind::InvalidFilename,
            format!("{} is too long for a socket: set TMPDIR to a shorter path", far.path().display()),
        ));
    }
    fs::write(&note, far.path().as_os_str().as_bytes())?;
    Ok(far.keep())
}

/// Whether the path is a directory, not a link to one, that only this user can enter.
fn is_private_dir(path: &Path) -> bool {
    path.is_absolute()
        && fs::symlink_metadata(path).is_ok_and(|found| {
            found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o777 == 0o700
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_directory_is_private() {
        let home = tempfile::tempdir().unwrap();
        let held = lock(&home.path().join("a/data")).unwrap();
        assert_eq!(mode(held.path()), 0o700);
        assert_eq!(mode(&held.path().join("run")), 0o700);
    }

    #[test]
    fn an_open_directory_is_tightened() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        let held = lock(home.path()).unwrap();
        assert_eq!(mode(held.path()), 0o700);
    }

    #[test]
    fn one_holder_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let held = lock(home.path()).unwrap();
        let refused = lock(home.path()).unwrap_err();
        assert!(matches!(&refused, DataDirError::Locked { dir } if dir == held.path()), "{refused}");
        assert!(!refused.to_string().contains('\n'));
        drop(held);
        lock(home.path()).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_one_clear_line() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data");
        fs::write(&path, "").unwrap();
        let refused = lock(&path).unwrap_err();
        assert!(matches!(refused, DataDirError::Unwritable { .. }), "{refused}");
        assert!(refused.to_string().contains("SIGNET_DATA_DIR"), "{refused}");
    }

    #[test]
    fn a_short_path_keeps_its_socket_at_home() {
        let home = tempfile::tempdir().unwrap();
        let dir = private_socket_dir(home.path(), "pg").unwrap();
        assert_eq!(dir, home.path().canonicalize().unwrap().join("run/pg"));
        assert_eq!(mode(&dir), 0o700);
    }

    #[test]
    fn a_long_path_gets_a_directory_that_is_found_again_and_checked() {
        let home = tempfile::tempdir().unwrap();
        let long = home.path().join("d".repeat(120));
        let held = lock(&long).unwrap();
        let first = private_socket_dir(held.path(), "pg").unwrap();
        assert!(first.as_os_str().len() <= LONGEST_SOCKET_DIR);
        assert_eq!(mode(&first), 0o700);
        assert_eq!(private_socket_dir(held.path(), "pg").unwrap(), first);

        fs::set_permissions(&first, Permissions::from_mode(0o755)).unwrap();
        let second = private_socket_dir(held.path(), "pg").unwrap();
        assert_ne!(second, first, "a directory that others can enter is left alone");

        fs::remove_dir(&second).unwrap();
        symlink(home.path(), &second).unwrap();
        let third = private_socket_dir(held.path(), "pg").unwrap();
        assert_ne!(third, second, "a link is not followed");

        fs::remove_dir(&first).unwrap();
        fs::remove_file(&second).unwrap();
        fs::remove_dir(&third).unwrap();
    }
}
