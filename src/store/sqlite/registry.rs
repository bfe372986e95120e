//! The stores that this process has open, and what happens to them in a fork.
//!
//! A child inherits memory and open files but no threads, and SQLite's record of its locks would be wrong
//! there. So before a fork every thread that uses SQLite closes its files and waits, and the child has no
//! open database. A fork cannot wait for long, though. Threads that wait for a lock postpone their work and
//! stop at once. If a thread is in the middle of a long statement, the fork goes ahead without it, and the
//! child then refuses to use any store.

use std::cell::RefCell;
use std::collections::HashMap;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::Duration;

use crate::error::{Error, ErrorKind};

use super::busy::{self, NearFork};
use super::opening::Opening;
use super::place::FileId;
use super::thread::Parked;

/// The openings of this process.
#[derive(Default)]
pub(super) struct Registry {
    pid: u32,
    pub(super) openings: HashMap<FileId, Weak<Opening>>,
    /// Files that the parent process had open when it forked.
    pub(super) inherited: Vec<FileId>,
}

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

/// The process id of a child that was forked while a store was in use. A thread of the parent may have been
/// changing the registry or SQLite's memory at that moment.
static UNUSABLE_IN: AtomicU32 = AtomicU32::new(0);

/// While this value exists, no store is opened or closed, and the threads of all stores wait.
struct Standstill {
    registry: Option<MutexGuard<'static, Option<Registry>>>,
    parked: Vec<Parked>,
    is_complete: bool,
    near: NearFork,
}

thread_local! {
    /// From before a fork until after it.
    static FORKING: RefCell<Option<Standstill>> = const { RefCell::new(None) };
}

/// Whether this thread is about to fork.
pub(super) fn is_forking() -> bool {
    FORKING.with(|forking| forking.try_borrow().map_or(true, |forking| forking.is_some()))
}

/// Locks the registry, so that no other thread of this process opens or closes a store.
///
/// # Errors
/// In the middle of a fork, and in a child that was forked while a store was in use.
pub(super) fn lock() -> Result<MutexGuard<'static, Option<Registry>>, Error> {
    if is_forking() {
        return Err(Error::new(
            ErrorKind::Store,
            "a store cannot be opened while this process forks: do it after",
        ));
    }
    if is_unusable() {
        return Err(forked_in_use());
    }
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let pid = process::id();
    if registry.as_ref().is_none_or(|known| known.pid != pid) {
        let inherited = registry.take().map(|known| {
            let files = known.openings.keys().copied().collect();
            leave_to_parent(known);
            files
        });
        let inherited = inherited.unwrap_or_default();
        *registry = Some(Registry { pid, openings: HashMap::new(), inherited });
    }
    Ok(registry)
}

fn is_unusable() -> bool {
    UNUSABLE_IN.load(Ordering::Acquire) == process::id()
}

pub(super) fn forked_in_use() -> Error {
    Error::new(
        ErrorKind::Store,
        "this process was forked while a store was in use: start it afresh (multiprocessing's \"spawn\"), or fork \
         through Python's own os.fork when nothing long is done with a store",
    )
}

/// In a forked child: gives up the openings of its parent, whose threads do not exist here.
fn leave_to_parent(registry: Registry) {
    for known in registry.openings.into_values() {
        if let Some(opening) = known.upgrade() {
            opening.shared.close_inherited();
            std::mem::forget(opening);
        }
        std::mem::forget(known);
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
        match REGISTRY.try_lock() {
            Ok(registry) => break Some(registry),
            Err(TryLockError::Poisoned(poisoned)) => break Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if left().is_zero() => break None,
            Err(TryLockError::WouldBlock) => busy::pause_shortly(),
        }
    };
    let mut standstill = Standstill { is_complete: registry.is_some(), registry, parked: Vec::new(), near };
    let known = standstill.registry.iter().flat_map(|registry| registry.iter());
    let openings: Vec<_> =
        known.flat_map(|known| known.openings.values()).filter_map(Weak::upgrade).collect();
    let (parked, stopped) = channel();
    for opening in openings {
        let threads =
            [opening.writer.park(&parked), opening.reader.park(&parked), opening.desk.park(&parked)];
        standstill.parked.extend(threads.into_iter().flatten());
        // If this is the last handle, it is not dropped: that would need the registry, which is locked.
        let still_held = Arc::strong_count(&opening) > 1;
        if still_held { drop(opening) } else { std::mem::forget(opening) }
    }
    drop(parked);
    for _ in 0..standstill.parked.len() {
        if stopped.recv_timeout(left()) == Err(RecvTimeoutError::Timeout) {
            standstill.is_complete = false;
            break;
        }
    }
    FORKING.with(|forking| *forking.borrow_mut() = Some(standstill));
}

/// To be called after the fork, in both processes, on the thread that forked.
pub fn after_fork() {
    let Some(standstill) = FORKING.with(|forking| forking.borrow_mut().take()) else { return };
    let Standstill { registry, parked, is_complete, near } = standstill;
    if near.process() != process::id() {
        if let Some(mut registry) = registry {
            registry.take().into_iter().for_each(leave_to_parent);
        }
        if !is_complete {
            UNUSABLE_IN.store(process::id(), Ordering::Release);
        }
        std::mem::forget(parked);
        return;
    }
    drop(registry);
    // Threads that have postponed work continue with it.
    drop(near);
    drop(parked);
}
