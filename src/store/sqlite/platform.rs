//! What differs between operating systems: locks on files, which file a path leads to, and opening one
//! without following links. Knows nothing of stores.
//!
//! POSIX locks belong to the process, and closing *any* descriptor of a file drops all of them: a backup
//! tool or a plain `open(path).read()` in the same process is enough. Locks of an open file description
//! (Linux 3.15, macOS 10.15) end with that description alone. They are used wherever they exist, for our
//! own locks and, through SQLite's table of system calls, for SQLite's. They meet POSIX locks of other
//! programs as those meet each other.
#![allow(unsafe_code)] // neither `fcntl` with a lock nor SQLite's table has a safe interface everywhere

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_int, c_short, c_void};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{LazyLock, Mutex, Once, PoisonError};

use nix::errno::Errno;
use nix::libc::{self, flock, off_t};
use rusqlite::ffi;

/// A file's identity, whatever it is called: device and inode.
pub(super) type FileId = (u64, u64);

/// Only the owner may read what was bought, or see who was asked for.
const FILE_MODE: u32 = 0o600;

/// Which file lies here. Opens nothing: where locks belong to the process, closing it would drop them.
pub(super) fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|known| id_of(&known))
}

pub(super) fn id_of(known: &Metadata) -> FileId {
    (known.dev(), known.ino())
}

/// Opens a file to read and write; makes it, for its owner alone, if it is not there. A symbolic link in
/// its place is refused: it would have somebody else's file written to.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    options.custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Makes a file for its owner alone. Fails if anything has that name, a symbolic link included.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Locks one byte. Fails if it is locked through another opening of the file.
pub(super) fn lock_byte(file: &File, at: i64) -> io::Result<()> {
    set(file, WRITE, at)
}

/// Locks one byte that others may lock in the same way.
pub(super) fn share_byte(file: &File, at: i64) -> io::Result<()> {
    set(file, READ, at)
}

pub(super) fn unlock_byte(file: &File, at: i64) -> io::Result<()> {
    set(file, UNLOCK, at)
}

/// Whether any of these bytes is locked through another opening of the file.
pub(super) fn is_locked(file: &File, bytes: Range<i64>) -> io::Result<bool> {
    let mut asked = lock_of(WRITE, bytes);
    outcome(call(file.as_raw_fd(), COMMANDS.get, &mut asked))?;
    Ok(asked.l_type != UNLOCK)
}

/// Whether locks outlive the closing of another descriptor of the file.
pub(super) fn locks_last() -> bool {
    COMMANDS.by_description
}

/// Closes this process's descriptor of a file that belongs to the process it was forked from, which
/// keeps its own. Its locks would otherwise last as long as either process lives.
pub(super) fn close_inherited(file: &File) {
    // SAFETY: nothing in a forked child uses or drops what it has of its parent's stores.
    drop(unsafe { OwnedFd::from_raw_fd(file.as_raw_fd()) });
}

#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)] // their types differ by platform
const READ: c_short = libc::F_RDLCK as c_short;
#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)]
const WRITE: c_short = libc::F_WRLCK as c_short;
#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)]
const UNLOCK: c_short = libc::F_UNLCK as c_short;

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

fn call(fd: RawFd, command: c_int, lock: &mut flock) -> c_int {
    // Locks of a description have no process; the kernel insists on that.
    lock.l_pid = 0;
    // SAFETY: the command takes a lock, which lives for the length of the call.
    unsafe { libc::fcntl(fd, command, std::ptr::from_mut(lock)) }
}

/// The commands of `fcntl` that set a lock and ask for one.
struct Commands {
    set: c_int,
    get: c_int,
    by_description: bool,
}

static COMMANDS: LazyLock<Commands> = LazyLock::new(|| {
    let by_process = Commands { set: libc::F_SETLK, get: libc::F_GETLK, by_description: false };
    by_description().unwrap_or(by_process)
});

/// Those for locks of a description, unless the system has none: some sandboxes refuse them.
#[cfg(all(
    target_pointer_width = "64", // elsewhere, SQLite's structure of a lock is another
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

/// Has SQLite take locks that last. To be called before the first connection is opened.
pub(super) fn let_sqlite_locks_last() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        if !locks_last() {
            return;
        }
        // SAFETY: SQLite's own file system is there from its start to the end of the process. It calls
        // what stands under this name with the arguments of `fcntl`, as `sqlite_fcntl` takes them.
        unsafe {
            ffi::sqlite3_initialize();
            let system = ffi::sqlite3_vfs_find(c"unix".as_ptr());
            if let Some(set) = system.as_ref().and_then(|system| system.xSetSystemCall) {
                let ours = sqlite_fcntl as *const c_void;
                set(
                    system,
                    c"fcntl".as_ptr(),
                    std::mem::transmute::<*const c_void, ffi::sqlite3_syscall_ptr>(ours),
                );
            }
        }
    });
}

/// `fcntl` as SQLite calls it. It is variadic there: what stands for its third argument is passed like any
/// other on all systems but one.
#[cfg(not(all(target_vendor = "apple", target_arch = "aarch64")))]
unsafe extern "C" fn sqlite_fcntl(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: as SQLite passed them.
    unsafe { relay(fd, command, argument) }
}

/// The same where variadic arguments are passed on the stack, as the ninth of a function is
/// (developer.apple.com, "Writing ARM64 code for Apple platforms").
#[cfg(all(target_vendor = "apple", target_arch = "aarch64"))]
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn sqlite_fcntl(
    fd: c_int,
    command: c_int,
    _: usize,
    _: usize,
    _: usize,
    _: usize,
    _: usize,
    _: usize,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: as SQLite passed them.
    unsafe { relay(fd, command, argument) }
}

unsafe fn relay(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: with these commands SQLite passes a lock that is its own; all others are passed on.
    let result = unsafe {
        match (command, argument.cast::<flock>().as_mut()) {
            (libc::F_SETLK, Some(lock)) => set_for_sqlite(fd, lock),
            (libc::F_GETLK, Some(lock)) => get_for_sqlite(fd, lock),
            _ => return libc::fcntl(fd, command, argument),
        }
    };
    result.map_or_else(
        |error| {
            error.set();
            -1
        },
        |()| 0,
    )
}

/// SQLite counts the locks of all its connections to a database and sets them through whichever
/// descriptor is at hand, as they belong to the process. So one description carries those of each
/// database. (Of the log's index SQLite has one descriptor, which carries its own.)
struct Carrier {
    file: OwnedFd,
    held: BTreeSet<off_t>,
}

static CARRIERS: Mutex<BTreeMap<FileId, Carrier>> = Mutex::new(BTreeMap::new());

/// The first byte that SQLite locks in a database (<https://www.sqlite.org/fileformat.html>, "The
/// Lock-Byte Page"). In the log's index it locks the first hundreds.
const DATABASE: off_t = 0x4000_0000;

fn set_for_sqlite(fd: RawFd, lock: &mut flock) -> Result<(), Errno> {
    let all = lock.l_type == UNLOCK && lock.l_start == 0 && lock.l_len == 0;
    if !all && lock.l_start < DATABASE {
        return Errno::result(call(fd, COMMANDS.set, lock)).map(drop);
    }
    let id = id_of_fd(fd)?;
    let mut carriers = CARRIERS.lock().unwrap_or_else(PoisonError::into_inner);
    let carrier = match carriers.entry(id) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(_) if lock.l_type == UNLOCK => return Ok(()),
        Entry::Vacant(new) => new.insert(Carrier { file: same_description(fd)?, held: BTreeSet::new() }),
    };
    let done = Errno::result(call(carrier.file.as_raw_fd(), COMMANDS.set, lock)).map(drop);
    let bytes = lock.l_start..lock.l_start.saturating_add(lock.l_len);
    if done.is_ok() && lock.l_type == UNLOCK {
        carrier.held.retain(|at| !all && !bytes.contains(at));
    } else if done.is_ok() {
        carrier.held.insert(lock.l_start);
    }
    if carrier.held.is_empty() {
        carriers.remove(&id);
    }
    done
}

fn get_for_sqlite(fd: RawFd, lock: &mut flock) -> Result<(), Errno> {
    let carriers = CARRIERS.lock().unwrap_or_else(PoisonError::into_inner);
    let carrier = if lock.l_start < DATABASE { None } else { carriers.get(&id_of_fd(fd)?) };
    let fd = carrier.map_or(fd, |carrier| carrier.file.as_raw_fd());
    Errno::result(call(fd, COMMANDS.get, lock)).map(drop)
}

fn id_of_fd(fd: RawFd) -> Result<FileId, Errno> {
    // SAFETY: a C structure of numbers, which the call fills in; the descriptor is SQLite's, and open.
    unsafe {
        let mut known: libc::stat = std::mem::zeroed();
        Errno::result(libc::fstat(fd, &raw mut known))?;
        #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)] // the types differ by platform
        Ok((known.st_dev as u64, known.st_ino as u64))
    }
}

/// Another descriptor of the same description: it outlives the one that SQLite closes.
fn same_description(fd: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: the descriptor is SQLite's, and open; the new one is nobody else's.
    unsafe {
        let new = Errno::result(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3))?;
        Ok(OwnedFd::from_raw_fd(new))
    }
}
