//! The engine's cache: its native code and runtime files, unpacked once from Signet's own binary.
//!
//! The engine maps a file of it and runs it, after comparing its length with a receipt that lies beside it.
//! Whoever can write there runs code as this user, so the directory must be this user's alone. Its place is
//! fixed by the engine: `$XDG_CACHE_HOME/pglite-oxide`, else `~/.cache/pglite-oxide`.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use directories::ProjectDirs;

use super::EmbeddedError;

/// Makes the engine's cache directory, or checks that nobody else can change the existing one.
pub(super) fn check() -> Result<(), EmbeddedError> {
    // The names are the engine's: the same call as its own.
    let dirs = ProjectDirs::from("dev", "pglite-oxide", "pglite-oxide").ok_or(EmbeddedError::NoCacheDirectory)?;
    if !dirs.cache_dir().is_absolute() {
        return Err(EmbeddedError::NoCacheDirectory);
    }
    check_dir(dirs.cache_dir(), rustix::process::geteuid().as_raw())
}

fn check_dir(dir: &Path, user: u32) -> Result<(), EmbeddedError> {
    let unwritable = |source| EmbeddedError::UnwritableCache { path: dir.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unwritable)?;
    let path = dir.canonicalize().map_err(unwritable)?;
    let found = fs::metadata(&path).map_err(unwritable)?;
    if found.uid() != user || found.mode() & 0o022 != 0 {
        return Err(EmbeddedError::ForeignCache { path });
    }
    if found.mode() & 0o777 != 0o700 {
        fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(unwritable)?;
    }
    for above in path.ancestors().skip(1) {
        let found = fs::metadata(above).map_err(unwritable)?;
        // In a sticky directory (/tmp) only the owner can rename what lies in it.
        let replaceable = found.mode() & 0o002 != 0 && found.mode() & 0o1000 == 0;
        if replaceable || (found.uid() != user && found.uid() != 0) {
            return Err(EmbeddedError::ForeignCache { path: above.to_owned() });
        }
    }
    tempfile::tempfile_in(&path).map(drop).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn a_new_cache_is_private() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("cache/engine");
        check_dir(&dir, me()).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_cache_that_others_can_write_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for mode in [0o770, 0o707, 0o1777] {
            fs::set_permissions(home.path(), Permissions::from_mode(mode)).unwrap();
            let refused = check_dir(home.path(), me()).unwrap_err();
            assert!(matches!(refused, EmbeddedError::ForeignCache { .. }), "{mode:o}: {refused}");
        }
    }

    #[test]
    fn a_cache_of_another_user_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let refused = check_dir(home.path(), me() + 1).unwrap_err();
        assert!(refused.to_string().contains("XDG_CACHE_HOME"), "{refused}");
    }

    #[test]
    fn a_parent_in_which_others_can_rename_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("engine");
        fs::set_permissions(home.path(), Permissions::from_mode(0o777)).unwrap();
        let refused = check_dir(&dir, me()).unwrap_err();
        assert!(matches!(refused, EmbeddedError::ForeignCache { path } if path == home.path().canonicalize().unwrap()));
        fs::set_permissions(home.path(), Permissions::from_mode(0o1777)).unwrap();
        check_dir(&dir, me()).unwrap();
    }
}
