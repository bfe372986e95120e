//! The system calls of SQLite. SQLite makes them through a table whose entries can be replaced
//! (<https://www.sqlite.org/c3ref/vfs.html>). The functions here set locks of open file descriptions (see `locks`), add
//! SQLite's descriptors to the list of `descriptors`, and keep the error of a failed call, from which the message for
//! the user is made.
#![allow(unsafe_code)] // SQLite's interface is C

use std::cell::Cell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, Once};

use nix::errno::Errno;
use nix::libc::{self, flock, off_t};
use rusqlite::ffi;

use super::super::FileId;
use super::descriptors::{self, Listed};
use super::errors::is_passing;
use super::locks::{COMMANDS, UNLOCK, call, locks_last};

/// Puts our functions into SQLite's table. To be called before the first connection is opened.
pub(crate) fn install_system_calls() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        if locks_last() {
            replace(c"fcntl", sqlite_fcntl as *const c_void);
        }
        replace(c"open", sqlite_open as *const c_void);
        replace(c"close", sqlite_close as *const c_void);
        if cfg!(target_pointer_width = "64") {
            // On other systems, SQLite's functions take another type of offset.
            replace(c"pread", sqlite_pread as *const c_void);
            replace(c"pread64", sqlite_pread as *const c_void);
            replace(c"pwrite", sqlite_pwrite as *const c_void);
            replace(c"pwrite64", sqlite_pwrite as *const c_void);
            replace(c"mmap", sqlite_mmap as *const c_void);
        }
    });
}

fn replace(name: &CStr, ours: *const c_void) {
    // SAFETY: SQLite's file system `unix` exists until the end of the process. SQLite calls the function of a name
    // with the arguments of the system call of that name, and our functions take the same arguments.
    unsafe {
        ffi::sqlite3_initialize();
        let system = ffi::sqlite3_vfs_find(c"unix".as_ptr());
        if let Some(set) = system.as_ref().and_then(|system| system.xSetSystemCall) {
            // A name that this build of SQLite does not use changes nothing.
            set(system, name.as_ptr(), std::mem::transmute::<*const c_void, ffi::sqlite3_syscall_ptr>(ours));
        }
    }
}

thread_local! {
    static FAILURE: Cell<i32> = const { Cell::new(0) };
}

pub(crate) fn forget_failed_call() {
    FAILURE.set(0);
}

/// The error of the last failed call of SQLite on this thread, if it says nothing about the file.
pub(crate) fn failed_call() -> Option<io::Error> {
    Some(FAILURE.get()).filter(|error| *error != 0).map(io::Error::from_raw_os_error)
}

fn note_failure() {
    let error = Errno::last_raw();
    if is_passing(error) {
        FAILURE.set(error);
    }
}

/// SQLite passes all three arguments, to a function that takes three.
unsafe extern "C" fn sqlite_open(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // SAFETY: as SQLite passed them.
    let fd = descriptors::open(|| unsafe { libc::open(path, flags, mode) });
    if fd < 0 {
        note_failure();
    }
    fd
}

unsafe extern "C" fn sqlite_close(fd: c_int) -> c_int {
    // SAFETY: as SQLite passed it.
    descriptors::close(fd, || unsafe { libc::close(fd) })
}

unsafe extern "C" fn sqlite_pread(fd: c_int, to: *mut c_void, length: usize, at: off_t) -> isize {
    // SAFETY: as SQLite passed them.
    let read = unsafe { libc::pread(fd, to, length, at) };
    if read < 0 {
        note_failure();
        if is_passing(Errno::last_raw()) {
            // For all other errors, SQLite reports that the file is corrupt (`SQLITE_IOERR_CORRUPTFS`).
            Errno::ENOMEM.set();
        }
    }
    read
}

unsafe extern "C" fn sqlite_pwrite(fd: c_int, from: *const c_void, length: usize, at: off_t) -> isize {
    // SAFETY: as SQLite passed them.
    let written = unsafe { libc::pwrite(fd, from, length, at) };
    if written < 0 {
        note_failure();
    }
    written
}

/// SQLite maps the log's index. On Linux, a mapping keeps the open file description and its locks, even if all
/// descriptors are closed. So a forked child must not inherit it.
unsafe extern "C" fn sqlite_mmap(
    near: *mut c_void,
    length: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    at: off_t,
) -> *mut c_void {
    // SAFETY: as SQLite passed them.
    let mapped = unsafe { libc::mmap(near, length, protection, flags, fd, at) };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if mapped != libc::MAP_FAILED {
        // SAFETY: it was mapped with this length. If the call fails, only a child that is forked at a bad moment is
        // affected.
        unsafe { libc::madvise(mapped, length, libc::MADV_DONTFORK) };
    }
    mapped
}

/// `fcntl` as SQLite calls it. There it is variadic. On all systems but one, a variadic argument is passed like any
/// other.
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
    // SAFETY: with these commands, SQLite passes a lock that it owns. All other commands are passed on.
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
            note_failure();
            -1
        },
        |()| 0,
    )
}

/// The open file description that has all of SQLite's locks on one database. SQLite assumes that locks belong to the
/// process: it counts the locks of all its connections to a database, and sets them through any of their descriptors.
/// (SQLite has only one descriptor of the log's index, so that one has its own locks.)
struct Carrier {
    file: Listed<OwnedFd>,
    held: BTreeSet<off_t>,
}

impl Carrier {
    fn fd(&self) -> RawFd {
        self.file.get().map_or(-1, OwnedFd::as_raw_fd)
    }
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
    let mut carriers = crate::lock(&CARRIERS);
    let carrier = match carriers.entry(id) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(_) if lock.l_type == UNLOCK => return Ok(()),
        Entry::Vacant(new) => new.insert(Carrier { file: same_description(fd)?, held: BTreeSet::new() }),
    };
    let done = Errno::result(call(carrier.fd(), COMMANDS.set, lock)).map(drop);
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
    let carriers = crate::lock(&CARRIERS);
    let carrier = if lock.l_start < DATABASE { None } else { carriers.get(&id_of_fd(fd)?) };
    let fd = carrier.map_or(fd, Carrier::fd);
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

/// Another descriptor of the same description. It stays open when SQLite closes its own.
fn same_description(fd: RawFd) -> Result<Listed<OwnedFd>, Errno> {
    // SAFETY: the descriptor is SQLite's, and open; the new one is nobody else's.
    let new = Listed::open(|| unsafe {
        let new = Errno::result(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3))?;
        Ok(OwnedFd::from_raw_fd(new))
    });
    new.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}

/// Makes this error the last failed call of this thread.
#[cfg(test)]
pub(crate) fn set_failed_call(error: i32) {
    FAILURE.set(error);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_read_that_failed_is_not_reported_as_damage() {
        // Nothing is mapped at the first address, so the system returns EIO.
        let file = std::fs::File::open("/proc/self/mem").unwrap();
        let mut byte = 0_u8;
        forget_failed_call();
        assert!(failed_call().is_none());
        // SAFETY: there is room for one byte.
        let read = unsafe { sqlite_pread(file.as_raw_fd(), (&raw mut byte).cast(), 1, 0) };
        assert_eq!((read, Errno::last_raw() == libc::EIO), (-1, false));
        assert_eq!(failed_call().and_then(|error| error.raw_os_error()), Some(libc::EIO));
        forget_failed_call();
        assert!(failed_call().is_none());
    }
}
