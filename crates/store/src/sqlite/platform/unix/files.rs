//! Files that only their owner can read, the identity of a file, and renames that replace nothing.
#![allow(unsafe_code)] // `fsync`, `geteuid` and exclusive renames have no safe interface in the standard library

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;

use super::super::{FileId, FileStatus, OthersAccess};

/// Only the owner may read what was bought, and who was asked for.
const FILE_MODE: u32 = 0o600;

/// Only the owner may list the stores in a folder.
const FOLDER_MODE: u32 = 0o700;

/// The bits of a mode that give access to anybody but the owner.
const OTHERS: u32 = 0o077;

/// The status of the file at this path. Opens nothing: where locks belong to the process, closing the file would drop
/// them.
pub(crate) fn status(path: &Path) -> io::Result<FileStatus> {
    fs::metadata(path).map(|known| status_in(&known))
}

pub(crate) fn status_of(file: &File) -> io::Result<FileStatus> {
    file.metadata().map(|known| status_in(&known))
}

fn status_in(known: &Metadata) -> FileStatus {
    FileStatus {
        id: id_of(known),
        length: known.len(),
        is_file: known.is_file(),
        has_second_name: known.nlink() > 1,
    }
}

/// Device and inode.
fn id_of(known: &Metadata) -> FileId {
    (known.dev(), known.ino())
}

/// Whether the file belongs to another user. The system's files count as the user's own.
pub(crate) fn is_anothers(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|known| belongs_to_another(&known))
}

fn belongs_to_another(known: &Metadata) -> bool {
    // SAFETY: it takes no arguments and cannot fail.
    let user = unsafe { libc::geteuid() };
    known.uid() != user && known.uid() != 0
}

/// Whether there is something at this path that is not a plain file with one name which only this user can read.
pub(crate) fn is_taken(path: &Path) -> bool {
    let is_private = |known: &Metadata| {
        known.is_file() && known.nlink() == 1 && known.mode() & OTHERS == 0 && !belongs_to_another(known)
    };
    fs::symlink_metadata(path).is_ok_and(|known| !is_private(&known))
}

/// The access of others to a file or folder; `None` if only its owner has access.
pub(crate) fn access_of_others(path: &Path) -> Option<OthersAccess> {
    let known = fs::metadata(path).ok()?;
    let (mode, private) = (known.mode() & 0o777, if known.is_dir() { FOLDER_MODE } else { FILE_MODE });
    (mode & OTHERS != 0)
        .then(|| OthersAccess { what: format!("mode {mode:o}"), advice: format!("chmod {private:o} it") })
}

/// Opens a file to read and write, and creates it for its owner alone if it does not exist. Refuses symbolic links
/// and files with hard links, because the caller would write to another file.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let known = status_of(&file)?;
    if known.is_file && !known.has_second_name {
        Ok(file)
    } else {
        Err(io::Error::other("it is a hard link, or no plain file: move it away while nobody uses the store"))
    }
}

/// Creates a file that only its owner can read. Fails if the name exists, even as a symbolic link.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Creates a folder, and those above it that do not exist, for their owner alone.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Fills the buffer from this position of the file.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(buffer, at)
}

pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

/// Writes the content of a file to the disk. On macOS this is `F_FULLFSYNC`, which some disks (exFAT, SMB) do not
/// support. SQLite then uses `fsync`, and so does this function.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    or_plain(file.sync_data(), || {
        // SAFETY: the descriptor is open for as long as `file` lives.
        if unsafe { libc::fsync(file.as_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    })
}

fn or_plain(full: io::Result<()>, plain: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    full.or_else(|error| match error.raw_os_error() {
        Some(libc::ENOTSUP | libc::EINVAL | libc::ENOTTY) => plain(),
        _ => Err(error),
    })
}

/// Renames a file. Fails if the new name exists, even if it was created at this moment.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_exclusively(from, to) {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EINVAL | libc::ENOSYS | libc::ENOTSUP | libc::EPERM)
            ) =>
        {
            rename_to_reserved(from, to)
        }
        done => done,
    }
}

/// The same for systems and disks without an exclusive rename: reserves the name with an empty file, and replaces
/// only that file.
fn rename_to_reserved(from: &Path, to: &Path) -> io::Result<()> {
    let id = id_of(&create_private(to)?.metadata()?);
    let is_ours = || fs::symlink_metadata(to).is_ok_and(|known| id_of(&known) == id && known.len() == 0);
    if !is_ours() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let renamed = fs::rename(from, to);
    if renamed.is_err() && is_ours() {
        // The first failure is the one to report.
        let _ = fs::remove_file(to);
    }
    renamed
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_exclusively(from: &Path, to: &Path) -> io::Result<()> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    let [from, to] = [from, to].map(|path| CString::new(path.as_os_str().as_bytes()));
    let (from, to) = (from?, to?);
    // SAFETY: both names end with a zero byte and live until the call returns.
    #[cfg(target_vendor = "apple")]
    let failed = unsafe { libc::renamex_np(from.as_ptr(), to.as_ptr(), libc::RENAME_EXCL) != 0 };
    // SAFETY: as above.
    #[cfg(not(target_vendor = "apple"))]
    let failed = unsafe {
        let here = libc::AT_FDCWD;
        libc::syscall(libc::SYS_renameat2, here, from.as_ptr(), here, to.as_ptr(), libc::RENAME_NOREPLACE)
            != 0
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_exclusively(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// Sets whether others than the owner may read a file.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn set_others_may_read(path: &Path, may: bool) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, PermissionsExt::from_mode(if may { 0o644 } else { FILE_MODE })).unwrap();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_disk_that_knows_only_the_plain_sync_passes() {
        let error = |number| Err(io::Error::from_raw_os_error(number));
        for unknown in [libc::ENOTSUP, libc::EINVAL, libc::ENOTTY] {
            assert!(or_plain(error(unknown), || Ok(())).is_ok());
            assert!(or_plain(error(unknown), || error(libc::EINVAL)).is_err());
        }
        assert!(or_plain(error(libc::EIO), || Ok(())).is_err(), "what was not written is not on the disk");
        assert!(or_plain(Ok(()), || error(libc::EIO)).is_ok());
    }

    #[test]
    fn a_rename_never_replaces_a_file() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-rename-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let [draft, to] = ["draft", "a.db"].map(|name| folder.join(name));
        // The second is for systems without the first.
        for rename in [rename_new, rename_to_reserved] {
            fs::write(&draft, "backup").unwrap();
            // Created after the copy was begun: empty, as a reserved name is.
            fs::write(&to, "").unwrap();
            assert_eq!(rename(&draft, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!((fs::read(&to).unwrap(), draft.exists()), (Vec::new(), true));
            fs::remove_file(&to).unwrap();
            rename(&draft, &to).unwrap();
            assert_eq!((fs::read(&to).unwrap(), draft.exists()), (b"backup".to_vec(), false));
            assert!(!status(&to).unwrap().has_second_name);
            fs::remove_file(&to).unwrap();
            // A rename that fails leaves no empty file.
            assert!(rename(&draft, &to).is_err());
            assert!(!to.exists());
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
