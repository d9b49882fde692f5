//! The database's files: `postgresql/tmp/pglite/base` in the data directory is PostgreSQL's `PGDATA`.
//!
//! The cluster is unpacked here, beside its final place, and renamed when it is whole: an interrupted first
//! start begins again. Left to itself the engine would lay the cluster over the template in its cache and
//! copy each file at its first use, so that losing the cache, or a kill during a copy, would lose data.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::{Durability, EmbeddedError};
use crate::data_dir;

/// The directory that the engine is given.
pub(super) fn root(data_dir: &Path) -> PathBuf {
    data_dir.join("postgresql")
}

/// PostgreSQL's data directory. The engine fixes its place under [`root`].
fn pgdata(root: &Path) -> PathBuf {
    root.join("tmp/pglite/base")
}

/// Whether a whole cluster is there.
pub(super) fn exists(data_dir: &Path) -> bool {
    pgdata(&root(data_dir)).join("global/pg_control").is_file()
}

/// Makes the cluster if there is none, and asks the file system to write its files through.
pub(super) fn prepare(data_dir: &Path) -> Result<Durability, EmbeddedError> {
    let root = root(data_dir);
    data_dir::make_private(&root)?;
    if !exists(data_dir) {
        let staging = data_dir.join("postgresql.new");
        unpack(&staging)?;
        replace(&staging, &root).map_err(EmbeddedError::files(&root))?;
    }
    let pgdata = pgdata(&root);
    Ok(match write_through(&pgdata) {
        Ok(true) => Durability::Synchronous,
        Ok(false) => Durability::PowerCutMayLose,
        Err(error) => {
            tracing::debug!(%error, path = %pgdata.display(), "the file system does not take the synchronous flag");
            Durability::PowerCutMayLose
        }
    })
}

/// Unpacks the cluster that comes with the engine, and waits until it is on the disk.
fn unpack(staging: &Path) -> Result<(), EmbeddedError> {
    let failed = |source| EmbeddedError::Files { path: staging.to_owned(), source };
    match fs::remove_dir_all(staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    data_dir::make_private(staging)?;
    let template =
        pglite_oxide::build_pgdata_template(staging).map_err(|error| EmbeddedError::engine(&format!("{error:#}")))?;
    let pgdata = pgdata(staging);
    fs::create_dir_all(&pgdata).map_err(failed)?;
    let archive = File::open(&template.archive_path).map_err(failed)?;
    let plain = zstd::Decoder::new(BufReader::new(archive)).map_err(failed)?;
    tar::Archive::new(plain).unpack(&pgdata).map_err(failed)?;
    fs::remove_file(&template.archive_path).map_err(failed)?;
    fs::remove_file(&template.manifest_path).map_err(failed)?;
    flush(staging).map_err(failed)
}

/// Puts the staged cluster in place of the empty or half-made one.
fn replace(staging: &Path, root: &Path) -> io::Result<()> {
    fs::remove_dir_all(root)?;
    fs::rename(staging, root)?;
    match root.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn flush(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

#[cfg(not(target_os = "linux"))]
fn flush(dir: &Path) -> io::Result<()> {
    each(dir, &mut |file| file.sync_all())
}

/// Sets the synchronous flag on every file and directory, and answers whether it holds: for what is there,
/// and for what will be made, which on some file systems does not inherit it.
#[cfg(target_os = "linux")]
fn write_through(pgdata: &Path) -> io::Result<bool> {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

    let mut holds = true;
    each(pgdata, &mut |file| {
        let flags = ioctl_getflags(file)?;
        if !flags.contains(IFlags::SYNC) {
            ioctl_setflags(file, flags | IFlags::SYNC)?;
            holds &= ioctl_getflags(file)?.contains(IFlags::SYNC);
        }
        Ok(())
    })?;
    let probe = tempfile::Builder::new().prefix("signet-probe").tempdir_in(pgdata)?;
    let inner = tempfile::NamedTempFile::new_in(probe.path())?;
    holds &= ioctl_getflags(inner.as_file())?.contains(IFlags::SYNC);
    Ok(holds)
}

#[cfg(not(target_os = "linux"))]
fn write_through(_pgdata: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Calls `visit` for the directory and all that is in it. Links and sockets are passed over.
fn each(dir: &Path, visit: &mut impl FnMut(&File) -> io::Result<()>) -> io::Result<()> {
    visit(&File::open(dir)?)?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            each(&entry.path(), visit)?;
        } else if kind.is_file() {
            visit(&File::open(entry.path())?)?;
        }
    }
    Ok(())
}
