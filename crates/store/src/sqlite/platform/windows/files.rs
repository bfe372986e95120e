//! Files that only their owner can read, and the identity of a file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use windows_sys::Win32::Foundation::ERROR_CANT_ACCESS_FILE;
use windows_sys::Win32::Storage::FileSystem::{
    CREATE_NEW, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES, OPEN_ALWAYS,
};

use super::super::{FileStatus, OthersAccess};
use super::{access_list, calls, security};

/// The status of the file or folder at this path. Programs that do not share the file do not keep us from that.
pub(crate) fn status(path: &Path) -> io::Result<FileStatus> {
    status_with(path, 0)
}

fn status_with(path: &Path, flags: u32) -> io::Result<FileStatus> {
    let mut options = OpenOptions::new();
    options.access_mode(FILE_READ_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS | flags);
    status_of(&options.open(path)?)
}

pub(crate) fn status_of(file: &File) -> io::Result<FileStatus> {
    let known = file.metadata()?;
    let (id, names) = calls::identity_of(file)?;
    Ok(FileStatus { id, length: known.len(), is_file: known.is_file(), has_second_name: names > 1 })
}

/// Whether the file belongs to another user. The system's files count as the user's own.
pub(crate) fn is_anothers(path: &Path) -> bool {
    descriptor_and_user(path).is_ok_and(|(descriptor, user)| access_list::is_anothers(&descriptor, &user))
}

/// Whether there is something at this path that is not a plain file with one name which only this user can read.
pub(crate) fn is_taken(path: &Path) -> bool {
    status_with(path, FILE_FLAG_OPEN_REPARSE_POINT).is_ok_and(|known| {
        !known.is_file || known.has_second_name || is_anothers(path) || access_of_others(path).is_some()
    })
}

/// The access of others to a file or folder; `None` if only its owner has access.
pub(crate) fn access_of_others(path: &Path) -> Option<OthersAccess> {
    let (descriptor, user) = descriptor_and_user(path).ok()?;
    let others = access_list::others(&descriptor, &user);
    (!others.is_empty()).then(|| OthersAccess {
        what: format!("its access list has {}", others.join(", ")),
        advice: "let only yourself have access, under Properties, Security, or with icacls".to_owned(),
    })
}

/// The security descriptor of the file, and the user in the same spelling.
fn descriptor_and_user(path: &Path) -> io::Result<(String, String)> {
    let user = security::normalised(&format!("O:{}", security::user()?))?;
    let user = access_list::owner(&user).unwrap_or_default().to_owned();
    Ok((security::descriptor_of(path)?, user))
}

/// Opens a file to read and write, and creates it for its owner alone if it does not exist. Refuses symbolic links
/// and files with hard links, because the caller would write to another file.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let file = calls::open(path, OPEN_ALWAYS)?;
    let known = file.metadata()?;
    if known.file_type().is_symlink() {
        return Err(io::Error::from_raw_os_error(ERROR_CANT_ACCESS_FILE.cast_signed()));
    }
    if known.is_file() && !status_of(&file)?.has_second_name {
        Ok(file)
    } else {
        Err(io::Error::other("it is a hard link, or no plain file: move it away while nobody uses the store"))
    }
}

/// Creates a file that only its owner can read. Fails if the name exists, even as a symbolic link.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    calls::open(path, CREATE_NEW)
}

/// Creates a folder, and those above it that do not exist, for their owner alone.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && fs::metadata(folder).is_err())
        .collect();
    missing.into_iter().rev().try_for_each(|folder| match calls::create_folder(folder) {
        // Another process has created it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        done => done,
    })
}

/// Fills the buffer from this position of the file.
pub(crate) fn read_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = file.seek_read(buffer, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = buffer.get_mut(read..).unwrap_or_default();
        at = at.saturating_add(read as u64);
    }
    Ok(())
}

pub(crate) fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = file.seek_write(bytes, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
        at = at.saturating_add(written as u64);
    }
    Ok(())
}

/// Writes the content of a file to the disk.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Sets whether others than the owner may read a file.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn set_others_may_read(path: &Path, may: bool) {
    let others = if may { "(A;;FR;;;WD)" } else { "" };
    security::set_access(path, &format!("{}{others}", access_list::private(&security::user().unwrap())))
        .unwrap();
}
