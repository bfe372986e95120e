//! The stores that this process has open, and what happens to them in a fork.
//!
//! A child inherits memory and open files but no threads, and SQLite's record of its locks would be wrong there. So
//! before a fork every thread that uses SQLite closes its files and waits, and the child has no open database. A fork
//! cannot wait for long, though. Threads that wait for a lock postpone their work and stop at once. If a thread is in the
//! middle of a long statement, the fork does not wait for it, and the child then refuses to use any store. In each case
//! the child closes all descriptors of the parent's stores.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};
use std::time::Duration;

use exactbuyer_core::error::{Error, ErrorKind};

use super::super::clock::pause_shortly;
use super::super::file::{NearFork, place};
use super::super::platform::{self, FileId, Halt};
use super::super::threads::Parked;
use super::opening::Opening;

/// The openings of this process.
///
/// There is one in each process. A child makes its own.
#[derive(Default)]
pub(super) struct Registry {
    /// The process that it belongs to; 0 before its first use. After a fork, the child sees its parent's id here.
    pid: u32,
    /// By the file's identity and not by its path, because a file may be reached by several paths.
    pub(super) openings: BTreeMap<FileId, Weak<Opening>>,
    /// Files that a thread is opening or closing, each with its path. Both take long if another program keeps a lock, so
    /// the registry is not locked meanwhile, and no other thread may open such a file.
    reserved: BTreeMap<FileId, PathBuf>,
    /// Files that the parent process had open when it forked. If the parent did not announce the fork, SQLite's
    /// memory still has them open: they are not opened again.
    pub(super) inherited: Vec<FileId>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    pid: 0,
    openings: BTreeMap::new(),
    reserved: BTreeMap::new(),
    inherited: Vec::new(),
});

/// Whether this process was forked while a store was in use. A thread of the parent may have been changing the
/// registry or SQLite's memory at that moment. Processes that are forked from this one inherit the value.
static FORKED_IN_USE: AtomicBool = AtomicBool::new(false);

/// While this value exists, no store is opened or closed, and the threads of all stores wait.
///
/// Made by [`before_fork`] and ended by [`after_fork`], on the same thread. The fields are released in a certain
/// order: the registry first, the threads last.
struct Standstill {
    /// `None` if another thread had it locked for too long.
    registry: Option<MutexGuard<'static, Registry>>,
    parked: Vec<Parked>,
    /// Whether all threads have stopped in time.
    is_complete: bool,
    /// Makes threads that wait for locks postpone their work.
    near: NearFork,
    /// Keeps other threads from opening and closing descriptors.
    halt: Halt,
}

thread_local! {
    /// Set from before a fork until after it.
    static FORKING: RefCell<Option<Standstill>> = const { RefCell::new(None) };
}

/// Whether this thread is about to fork.
fn is_forking() -> bool {
    // While the thread ends, the value does not exist any more.
    FORKING
        .try_with(|forking| forking.try_borrow().map_or(true, |forking| forking.is_some()))
        .unwrap_or_default()
}

/// Locks the registry, so that no other thread of this process begins to open or close a store.
///
/// # Errors
/// In the middle of a fork, and in a child that was forked while a store was in use.
pub(super) fn lock() -> Result<MutexGuard<'static, Registry>, Error> {
    if is_forking() {
        return Err(Error::new(
            ErrorKind::Store,
            "a store cannot be opened while this process forks: do it after",
        ));
    }
    if is_unusable() {
        return Err(forked_in_use());
    }
    let mut registry = crate::lock(&REGISTRY);
    let pid = process::id();
    if registry.pid != pid {
        let known = mem::replace(&mut *registry, Registry { pid, ..Registry::default() });
        if known.pid != 0 {
            // The parent forked without announcing it, as through a C library.
            platform::close_all_inherited();
            registry.inherited = known.openings.keys().chain(known.reserved.keys()).copied().collect();
            leak(known);
        }
    }
    Ok(registry)
}

impl Registry {
    /// Whether no store is being opened or closed. The threads that do so cannot be stopped; an opening that waits for
    /// another program's lock gives up by itself, and begins again after the fork.
    fn is_quiet(&self) -> bool {
        self.reserved.is_empty()
    }

    /// Whether a thread is opening or closing the file at this path, or one that was there before.
    pub(super) fn is_reserved(&self, path: &Path) -> bool {
        if self.reserved.is_empty() {
            return false;
        }
        let (file, path) = (platform::file_id(path).ok(), place::canonical(path));
        self.reserved.iter().any(|(reserved, at)| Some(*reserved) == file || Some(at) == path.as_ref())
    }

    /// Notes that this thread opens or closes a file. Returns `None` if another thread does.
    ///
    /// From here on, a thread that opens the file waits, until the returned value is dropped.
    pub(super) fn reserve(&mut self, file: FileId, path: &Path) -> Option<Reservation> {
        if self.reserved.contains_key(&file) {
            return None;
        }
        self.reserved.insert(file, path.to_owned());
        Some(Reservation(file))
    }

    /// Reserves the file to close this opening. From then on, no thread finds the opening.
    pub(super) fn begin_closing(&mut self, opening: &Arc<Opening>) -> Option<Reservation> {
        let file = opening.shared.file;
        let reservation = self.reserve(file, &opening.shared.path)?;
        if self.openings.get(&file).is_some_and(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(opening))) {
            self.openings.remove(&file);
        }
        Some(reservation)
    }
}

/// While this value exists, a thread is opening or closing a file.
pub(super) struct Reservation(FileId);

impl Reservation {
    /// The file is open. From here on, other threads find this opening.
    pub(super) fn opened(self, opening: &Arc<Opening>) {
        let mut known = crate::lock(&REGISTRY);
        known.openings.retain(|_, opening| opening.strong_count() > 0);
        known.openings.insert(self.0, Arc::downgrade(opening));
        known.reserved.remove(&self.0);
        drop(known);
        // In one step with the above: the destructor could otherwise remove what another thread has begun since.
        mem::forget(self);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // A fork may keep the registry locked for a moment.
        crate::lock(&REGISTRY).reserved.remove(&self.0);
    }
}

/// Waits until no other thread is opening or closing this file.
pub(super) fn wait_until_free(file: FileId) {
    while lock().is_ok_and(|registry| registry.reserved.contains_key(&file)) {
        pause_shortly();
    }
}

fn is_unusable() -> bool {
    FORKED_IN_USE.load(Ordering::Acquire)
}

/// The error in a child that was forked before all threads of its parent's stores had stopped. Their locks may be held
/// for good in the child, so it can use no store at all.
pub(super) fn forked_in_use() -> Error {
    Error::new(
        ErrorKind::Store,
        "this process was forked while a store was in use: start it afresh (multiprocessing's \"spawn\"), or fork \
         through Python's own os.fork when nothing long is done with a store",
    )
}

/// In a forked child: leaks the openings of the parent, whose threads do not exist here.
fn leak(registry: Registry) {
    for known in registry.openings.into_values() {
        mem::forget(known.upgrade());
        mem::forget(known);
    }
}

/// To be called just before this process forks, on the thread that forks. Closes every store's files, so
/// that the child has no half-open database, and makes all users of a store wait until [`after_fork`].
/// `left` returns how long this may still take. If this function was not called, or the time was too
/// short, the child cannot open a store that was open in the parent.
pub fn before_fork(left: impl Fn() -> Duration) {
    if is_unusable() {
        return;
    }
    let near = NearFork::announce();
    let registry = loop {
        let registry = match REGISTRY.try_lock() {
            Ok(registry) => Some(registry),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        if registry.as_ref().is_some_and(|registry| registry.is_quiet()) || left().is_zero() {
            break registry;
        }
        drop(registry);
        pause_shortly();
    };
    let mut is_complete = registry.as_ref().is_some_and(|registry| registry.is_quiet());
    let openings = registry.iter().flat_map(|registry| registry.openings.values());
    let openings: Vec<_> = openings.filter_map(Weak::upgrade).collect();
    let mut waiting = Vec::new();
    let (parked, stopped) = channel();
    for opening in openings {
        let threads =
            [opening.writer.park(&parked), opening.reader.park(&parked), opening.user_reader.park(&parked)];
        waiting.extend(threads.into_iter().flatten());
        // If this is the last reference, it is not dropped: that would need the registry, which is locked.
        let still_held = Arc::strong_count(&opening) > 1;
        if still_held { drop(opening) } else { mem::forget(opening) }
    }
    drop(parked);
    for _ in 0..waiting.len() {
        if stopped.recv_timeout(left()) == Err(RecvTimeoutError::Timeout) {
            is_complete = false;
            break;
        }
    }
    let standstill = Standstill { registry, parked: waiting, is_complete, near, halt: Halt::begin() };
    FORKING.with(|forking| *forking.borrow_mut() = Some(standstill));
}

/// To be called after the fork, in both processes, on the thread that forked.
pub fn after_fork() {
    let Some(standstill) = FORKING.with(|forking| forking.borrow_mut().take()) else { return };
    let Standstill { registry, parked, is_complete, near, halt } = standstill;
    if near.process() != process::id() {
        // Also if there is no registry: then a thread of the parent had it locked, and in this process it stays locked.
        platform::close_all_inherited();
        if !is_complete || parked.iter().any(Parked::has_resumed) {
            FORKED_IN_USE.store(true, Ordering::Release);
        }
        if let Some(mut registry) = registry {
            leak(mem::take(&mut *registry));
        }
        mem::forget((parked, halt));
        return;
    }
    drop(registry);
    drop(halt);
    // From here on, threads with postponed work continue with it.
    drop(near);
    drop(parked);
}
