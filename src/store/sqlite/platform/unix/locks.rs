//! What differs between operating systems: locks on files, the identity of a file, and opening a file
//! without following links. Knows nothing of stores.
//!
//! POSIX locks belong to the process, and closing *any* descriptor of a file drops all of them: a backup
//! tool or a plain `open(path).read()` in the same process is enough. Locks of an open file description
//! (Linux 3.15, macOS 10.15) end with that description alone. They are used wherever they exist, for our
//! own locks and, by `system_calls`, for SQLite's. They meet POSIX locks of other
//! programs as those meet each other.
#![allow(unsafe_code)] // `fcntl` with a lock has no safe interface everywhere

use std::ffi::{c_int, c_short};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::LazyLock;

use nix::errno::Errno;
use nix::libc::{self, flock, off_t};

/// A file's identity, independent of its name: device and inode.
pub(in super::super::super) type FileId = (u64, u64);

/// Only the owner may read what was bought, or see who was asked for.
const FILE_MODE: u32 = 0o600;

/// The identity of the file at this path. Opens nothing: where locks belong to the process, closing the file
/// would drop them.
pub(in super::super::super) fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|known| id_of(&known))
}

/// Whether this file lies here. That nothing does is an answer, too.
pub(in super::super::super) fn lies_at(id: FileId, path: &Path) -> io::Result<bool> {
    match file_id(path) {
        Ok(known) => Ok(known == id),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether this says that there is no such file, and not that it cannot be looked at.
pub(in super::super::super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

pub(in super::super::super) fn id_of(known: &Metadata) -> FileId {
    (known.dev(), known.ino())
}

/// Opens a file to read and write; makes it, for its owner alone, if it is not there. A link of either
/// kind in its place is refused: it would have another file written to.
pub(in super::super::super) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let known = file.metadata()?;
    if known.is_file() && known.nlink() == 1 {
        Ok(file)
    } else {
        Err(io::Error::other("it is a hard link, or no plain file: move it away while nobody uses the store"))
    }
}

/// Whether a file is neither this user's nor the system's.
pub(in super::super::super) fn is_anothers(known: &Metadata) -> bool {
    // SAFETY: it takes nothing, and cannot fail.
    let user = unsafe { libc::geteuid() };
    known.uid() != user && known.uid() != 0
}

/// Creates a file that only its owner can read. Fails if the name exists, even as a symbolic link.
pub(in super::super::super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Renames a file. Fails if the new name exists, also if it was made at this moment.
pub(in super::super::super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
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

/// The same for a system or a disk that cannot: replaces only an empty file of our own.
pub(in super::super::super) fn rename_to_reserved(from: &Path, to: &Path) -> io::Result<()> {
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
    // SAFETY: both names end with a zero byte, and live for the length of the call.
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

/// Locks one byte. Fails if it is locked through another opening of the file.
pub(in super::super::super) fn lock_byte(file: &File, at: i64) -> io::Result<()> {
    set(file, WRITE, at)
}

/// Takes a shared lock on one byte.
pub(in super::super::super) fn share_byte(file: &File, at: i64) -> io::Result<()> {
    set(file, READ, at)
}

pub(in super::super::super) fn unlock_byte(file: &File, at: i64) -> io::Result<()> {
    set(file, UNLOCK, at)
}

/// Whether any of these bytes is locked through another opening of the file.
pub(in super::super::super) fn is_locked(file: &File, bytes: Range<i64>) -> io::Result<bool> {
    let mut asked = lock_of(WRITE, bytes);
    outcome(call(file.as_raw_fd(), COMMANDS.get, &mut asked))?;
    Ok(asked.l_type != UNLOCK)
}

/// Whether locks outlive the closing of another descriptor of the file.
pub(in super::super::super) fn locks_last() -> bool {
    COMMANDS.by_description
}

/// Closes a descriptor that this process has inherited from its parent. The parent keeps its own.
pub(in super::super::super) fn close_inherited(descriptor: RawFd) {
    // SAFETY: a forked child does not use its copy of the parent's stores.
    drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
}

#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)] // their types differ by platform
const READ: c_short = libc::F_RDLCK as c_short;
#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)]
const WRITE: c_short = libc::F_WRLCK as c_short;
#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)]
pub(in super::super::super) const UNLOCK: c_short = libc::F_UNLCK as c_short;

fn set(file: &File, kind: c_short, at: i64) -> io::Result<()> {
    let mut lock = lock_of(kind, at..at.saturating_add(1));
    outcome(call(file.as_raw_fd(), COMMANDS.set, &mut lock))
}

fn outcome(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[allow(clippy::cast_possible_truncation, clippy::unnecessary_cast)]
fn lock_of(kind: c_short, bytes: Range<i64>) -> flock {
    // SAFETY: a C structure of numbers, for each of which zero is a value.
    let mut lock: flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind;
    lock.l_whence = libc::SEEK_SET as c_short;
    lock.l_start = bytes.start as off_t;
    lock.l_len = (bytes.end - bytes.start) as off_t;
    lock
}

pub(in super::super::super) fn call(fd: RawFd, command: c_int, lock: &mut flock) -> c_int {
    // Locks of a description have no process; the kernel insists on that.
    lock.l_pid = 0;
    // SAFETY: the command takes a lock, which lives for the length of the call.
    unsafe { libc::fcntl(fd, command, std::ptr::from_mut(lock)) }
}

/// The commands of `fcntl` that set a lock and ask for one.
pub(in super::super::super) struct Commands {
    pub(in super::super::super) set: c_int,
    pub(in super::super::super) get: c_int,
    by_description: bool,
}

pub(in super::super::super) static COMMANDS: LazyLock<Commands> = LazyLock::new(|| {
    let by_process = Commands { set: libc::F_SETLK, get: libc::F_GETLK, by_description: false };
    by_description().unwrap_or(by_process)
});

/// The commands for locks of a description; `None` if the system refuses them, as some sandboxes do.
#[cfg(all(
    target_pointer_width = "64", // elsewhere, SQLite's `flock` structure differs from ours
    any(target_os = "linux", target_os = "android", target_vendor = "apple")
))]
fn by_description() -> Option<Commands> {
    let known = Commands { set: libc::F_OFD_SETLK, get: libc::F_OFD_GETLK, by_description: true };
    let refused = cfg!(not(target_vendor = "apple"))
        && File::open("/dev/null").is_ok_and(|file| {
            call(file.as_raw_fd(), known.get, &mut lock_of(WRITE, 0..1)) != 0
                && Errno::last() == Errno::EINVAL
        });
    (!refused).then_some(known)
}

#[cfg(not(all(
    target_pointer_width = "64",
    any(target_os = "linux", target_os = "android", target_vendor = "apple")
)))]
fn by_description() -> Option<Commands> {
    None
}

/// What to do about a failure of the system, in a few words: the first that are true of it.
pub(in super::super::super) fn advice(error: &io::Error) -> String {
    let words = match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => "the disk is full: make room, and run this again",
        Some(libc::EMFILE) => {
            "this process has too many files open: close some, or raise its limit (ulimit -n), and run this again"
        }
        Some(libc::ENFILE) => "the system has too many files open: close some programs, and run this again",
        Some(libc::ENOMEM) => "there is not enough memory: close some programs, and run this again",
        Some(libc::ENOLCK) => "the system has no locks left: close some programs, and run this again",
        Some(libc::EIO | libc::ENXIO | libc::ETIMEDOUT | libc::ESTALE) => {
            "the disk failed to read or write: run this again, and check the disk if that does not help"
        }
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => {
            "check the owner and mode of the file and its folder"
        }
        Some(libc::ELOOP) => "it is a symbolic link: move it away while nobody uses the store",
        _ => return error.to_string(),
    };
    words.to_owned()
}

pub(in super::super::super) fn has_no_locks(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOLCK)
}

/// Whether a failure says nothing about the file: the same may succeed a moment later.
pub(in super::super::super) fn is_passing(error: i32) -> bool {
    const PASSING: [i32; 10] = [
        libc::ENOSPC,
        libc::EDQUOT,
        libc::EFBIG,
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOMEM,
        libc::ENOLCK,
        libc::EIO,
        libc::ENXIO,
        libc::ETIMEDOUT,
    ];
    PASSING.contains(&error)
}
