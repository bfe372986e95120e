//! Everything that differs between operating systems. No other file of the package asks for which system it is
//! compiled; a port to another system is a folder beside `unix/` with the same items.
//!
//! Owns the identity, the owner and the access rights of a file, locks that belong to an open file, shared memory, the
//! kind of a disk as the system names it, SQLite's system calls, the open descriptors that a forked child must close,
//! and the meaning of the system's error numbers. Knows nothing of stores.

use std::io;
use std::path::Path;

#[cfg(any(target_os = "linux", test))]
mod mount_table;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

// Its judgement of access lists is tested on every system.
#[cfg(all(test, not(windows)))]
#[path = "windows/access_list.rs"]
mod access_list;

#[cfg(test)]
pub(super) use mount_table::kind_in;
#[cfg(unix)]
pub(super) use unix::*;
#[cfg(windows)]
pub(super) use windows::*;

/// A file's identity, independent of its name: its disk, and its number on that disk.
pub(crate) type FileId = (u64, u64);

/// What the system knows of a file or folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileStatus {
    pub(crate) id: FileId,
    pub(crate) length: u64,
    /// Whether it is a file: no folder, link, pipe or device.
    pub(crate) is_file: bool,
    /// Whether the file has a hard link besides its name.
    pub(crate) has_second_name: bool,
}

/// Who has access to a file besides its owner.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OthersAccess {
    /// As the system says it.
    pub(crate) what: String,
    /// What the user can do about it.
    pub(crate) advice: String,
}

/// The kind of a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DiskKind {
    /// As the system names it; on Linux, as the table of mounts does: `ext4`, `fuse.sshfs`.
    Named(String),
    /// The `f_type` of Linux, for processes that cannot read the table of mounts.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    Numbered(i64),
}

pub(crate) fn file_id(path: &Path) -> io::Result<FileId> {
    status(path).map(|known| known.id)
}

/// Whether the file with this identity is at this path. If there is no file at the path, it is not.
pub(crate) fn lies_at(id: FileId, path: &Path) -> io::Result<bool> {
    match file_id(path) {
        Ok(known) => Ok(known == id),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the error says that there is no such file. If it does not, the file may exist, but cannot be examined.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("exactbuyer-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_file_keeps_its_identity_under_another_name() {
        let folder = folder("identity");
        let [one, other] = ["one", "other"].map(|name| folder.join(name));
        let file = create_private(&one).unwrap();
        write_at(&file, b"123", 2).unwrap();
        let known = status_of(&file).unwrap();
        assert_eq!((known.length, known.is_file, known.has_second_name), (5, true, false));
        assert!(lies_at(known.id, &one).unwrap());
        fs::rename(&one, &other).unwrap();
        assert!(!lies_at(known.id, &one).unwrap(), "nothing is there");
        assert_eq!(status(&other).unwrap().id, known.id);
        fs::write(&one, "another").unwrap();
        assert!(!lies_at(known.id, &one).unwrap());
        fs::hard_link(&other, folder.join("second")).unwrap();
        assert!(status(&other).unwrap().has_second_name);
        assert!(open_private(&other).is_err(), "a write would change another file, too");
        assert!(!status(&folder).unwrap().is_file);
        assert!(is_absent(&status(&folder.join("none")).unwrap_err()));
        drop(file);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn only_its_owner_has_access_to_a_private_file() {
        let folder = folder("private").join("made");
        create_private_folder(&folder.join("below")).unwrap();
        let path = folder.join("a");
        drop(create_private(&path).unwrap());
        for made in [&folder, &folder.join("below"), &path] {
            assert_eq!(access_of_others(made), None, "{}", made.display());
            assert!(!is_anothers(made));
        }
        assert!(!is_taken(&path) && !is_taken(&folder.join("none")));
        assert!(is_taken(&folder), "a folder is no file");
        set_others_may_read(&path, true);
        assert!(access_of_others(&path).is_some() && is_taken(&path));
        assert_eq!(create_private(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_lock_is_seen_through_another_opening_of_the_file() {
        let folder = folder("locks");
        let path = folder.join("a");
        let (first, second) = (create_private(&path).unwrap(), open_private(&path).unwrap());
        write_at(&first, &[7; 64], 0).unwrap();
        if locks_last() {
            lock_byte(&first, 5).unwrap();
            assert!(is_locked(&second, 5..6).unwrap() && is_locked(&second, 0..i64::MAX).unwrap());
            assert!(!is_locked(&second, 6..i64::MAX).unwrap() && !is_locked(&second, 0..5).unwrap());
            assert!(lock_byte(&second, 5).is_err() && lock_byte(&second, 6).is_ok());
            share_byte(&first, 9).unwrap();
            share_byte(&second, 9).unwrap();
            assert!(!is_locked(&second, 9..10).unwrap(), "a shared lock keeps nobody from sharing");
            assert!(is_used(&first, 9..10).unwrap());
            // Locks do not keep others from the bytes: the file's mark is read while owners have their locks.
            let mut bytes = [0; 64];
            read_at(&second, &mut bytes, 0).unwrap();
            assert_eq!(bytes, [7; 64]);
            unlock_byte(&first, 5).unwrap();
            assert!(!is_locked(&second, 5..6).unwrap());
        }
        drop((first, second));
        fs::remove_dir_all(&folder).unwrap();
    }
}
