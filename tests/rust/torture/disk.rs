//! The disk, as SQLite sees it. Each operation that changes a file passes through this layer: it can be recorded, it
//! can fail, and the process can be killed at it.
//!
//! The layer lies over SQLite's own file system (<https://www.sqlite.org/vfs.html>) and becomes the default one of this
//! process. The store has no code for it.

#![allow(unsafe_code)] // SQLite's interface is C

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Mutex, OnceLock};

use rusqlite::ffi;

/// An operation on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act<'a> {
    /// It is opened. `syncs_folder`: whether its first sync also syncs its folder. SQLite does this for a journal and a
    /// log, which it may have created.
    Open {
        syncs_folder: bool,
    },
    Write {
        at: u64,
        bytes: &'a [u8],
    },
    Truncate(u64),
    Sync,
    /// It is deleted. `synced`: whether its folder is synced, too.
    Delete {
        synced: bool,
    },
}

/// What happens to the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// Nothing is done, and SQLite gets an error.
    Fails,
    /// Half of the bytes are written, and SQLite gets an error.
    Torn,
}

/// Decides about each operation. Called under a lock, on SQLite's threads: it must not call SQLite.
pub(crate) type Watch = Box<dyn FnMut(&Path, Act<'_>) -> Fate + Send>;

static WATCH: Mutex<Option<Watch>> = Mutex::new(None);

/// The open files, by the address of SQLite's structure.
static FILES: Mutex<Option<HashMap<usize, Open>>> = Mutex::new(None);

/// SQLite's own file system, which this layer calls.
static UNDER: OnceLock<Under> = OnceLock::new();

struct Under(ffi::sqlite3_vfs);

// SAFETY: it is a table of functions, copied and never changed.
unsafe impl Send for Under {}
// SAFETY: as above.
unsafe impl Sync for Under {}

#[derive(Clone)]
struct Open {
    path: PathBuf,
    methods: &'static ffi::sqlite3_io_methods,
}

/// Installs the layer, once for the process.
pub(crate) fn watch_all() {
    UNDER.get_or_init(|| {
        // SAFETY: SQLite's default file system is there from its start to the end of the process; ours
        // is a copy of it, is never freed, and leaves whatever it does not know to it.
        unsafe {
            ffi::sqlite3_initialize();
            let under = *ffi::sqlite3_vfs_find(ptr::null());
            let mut ours = under;
            ours.zName = c"watched".as_ptr();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1);
            Under(under)
        }
    });
}

/// Sets what decides from now on. If it is `None`, every operation is done.
pub(crate) fn decide_by(watch: Option<Watch>) {
    *WATCH.lock().unwrap() = watch;
}

/// Ends this process as `kill -9` does.
pub(crate) fn die() -> ! {
    // SAFETY: the signal cannot be caught; nothing after it runs.
    unsafe { nix::libc::kill(nix::libc::getpid(), nix::libc::SIGKILL) };
    unreachable!("the kernel ends it")
}

thread_local! {
    /// Whether the operations of this thread are done without a decision.
    static ASIDE: Cell<bool> = const { Cell::new(false) };
}

/// Does something on this thread without decisions about its operations.
pub(crate) fn aside<T>(act: impl FnOnce() -> T) -> T {
    ASIDE.set(true);
    let done = act();
    ASIDE.set(false);
    done
}

fn fate(path: &Path, act: Act<'_>) -> Fate {
    if ASIDE.get() {
        return Fate::Done;
    }
    WATCH.lock().unwrap().as_mut().map_or(Fate::Done, |watch| watch(path, act))
}

fn path_of(name: *const c_char) -> PathBuf {
    // SAFETY: SQLite's names end with a zero, and are only read here.
    PathBuf::from(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()))
}

fn file(key: *mut ffi::sqlite3_file) -> Open {
    FILES
        .lock()
        .unwrap()
        .as_ref()
        .and_then(|files| files.get(&(key as usize)))
        .cloned()
        .expect("an open file")
}

/// The table of a file's methods, with those of this layer in place of SQLite's. There are few tables, which are never
/// freed.
fn ours(methods: &'static ffi::sqlite3_io_methods) -> &'static ffi::sqlite3_io_methods {
    static TABLES: Mutex<Vec<(usize, &'static ffi::sqlite3_io_methods)>> = Mutex::new(Vec::new());
    let key = ptr::from_ref(methods) as usize;
    let mut tables = TABLES.lock().unwrap();
    if let Some((_, known)) = tables.iter().find(|(of, _)| *of == key) {
        return known;
    }
    let table = Box::leak(Box::new(ffi::sqlite3_io_methods {
        xClose: Some(close),
        xWrite: Some(write),
        xTruncate: Some(truncate),
        xSync: Some(sync),
        ..*methods
    }));
    tables.push((key, table));
    table
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    key: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let under = UNDER.get().and_then(|under| under.0.xOpen).expect("SQLite's own");
    let journal = ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL;
    let syncs_folder = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & journal != 0;
    if !name.is_null() && fate(&path_of(name), Act::Open { syncs_folder }) != Fate::Done {
        // SAFETY: this tells SQLite that there is nothing to close.
        unsafe { (*key).pMethods = ptr::null() };
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: the arguments are SQLite's, for the function that it would have called without us; the
    // methods it leaves in the file are constants.
    unsafe {
        let opened = under(vfs, name, key, flags, out);
        if opened == ffi::SQLITE_OK && !name.is_null() && !(*key).pMethods.is_null() {
            let methods = &*(*key).pMethods;
            let file = Open { path: path_of(name), methods };
            FILES.lock().unwrap().get_or_insert_default().insert(key as usize, file);
            (*key).pMethods = ours(methods);
        }
        opened
    }
}

unsafe extern "C" fn close(key: *mut ffi::sqlite3_file) -> c_int {
    let known = FILES.lock().unwrap().as_mut().and_then(|files| files.remove(&(key as usize)));
    let under = known.and_then(|known| known.methods.xClose).expect("SQLite's own");
    // SAFETY: as in `open`.
    unsafe { under(key) }
}

unsafe extern "C" fn write(
    key: *mut ffi::sqlite3_file,
    from: *const c_void,
    length: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let file = file(key);
    let under = file.methods.xWrite.expect("SQLite's own");
    // SAFETY: SQLite says that there are so many bytes to read; otherwise as in `open`.
    unsafe {
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(length).unwrap());
        match fate(&file.path, Act::Write { at: u64::try_from(at).unwrap(), bytes }) {
            Fate::Done => under(key, from, length, at),
            Fate::Fails => ffi::SQLITE_FULL,
            Fate::Torn => {
                under(key, from, length / 2, at);
                ffi::SQLITE_IOERR_WRITE
            }
        }
    }
}

unsafe extern "C" fn truncate(key: *mut ffi::sqlite3_file, to: ffi::sqlite3_int64) -> c_int {
    let file = file(key);
    match fate(&file.path, Act::Truncate(u64::try_from(to).unwrap())) {
        // SAFETY: as in `open`.
        Fate::Done => unsafe { file.methods.xTruncate.expect("SQLite's own")(key, to) },
        Fate::Fails | Fate::Torn => ffi::SQLITE_IOERR_TRUNCATE,
    }
}

unsafe extern "C" fn sync(key: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    let file = file(key);
    match fate(&file.path, Act::Sync) {
        // SAFETY: as in `open`.
        Fate::Done => unsafe { file.methods.xSync.expect("SQLite's own")(key, flags) },
        Fate::Fails | Fate::Torn => ffi::SQLITE_IOERR_FSYNC,
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    match fate(&path_of(name), Act::Delete { synced: sync_folder != 0 }) {
        Fate::Done => {
            let under = UNDER.get().and_then(|under| under.0.xDelete).expect("SQLite's own");
            // SAFETY: as in `open`.
            unsafe { under(vfs, name, sync_folder) }
        }
        Fate::Fails | Fate::Torn => ffi::SQLITE_IOERR_DELETE,
    }
}
