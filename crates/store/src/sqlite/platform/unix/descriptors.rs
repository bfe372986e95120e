//! The file descriptors of all stores of this process, in a list that a forked child can read without a lock.
//!
//! A child inherits every descriptor, and with it a share in the locks: a lock belongs to the open file description and
//! lasts until both parent and child have closed it. While the child lives, a parent that has died would look alive, and
//! its lock on the log would keep all other processes from writing. So the child closes all of these descriptors,
//! whatever the threads of the parent were doing when it forked. A child does not inherit SQLite's mappings: see
//! `system_calls`.
#![allow(unsafe_code)] // a descriptor that is only a number is closed

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::super::super::clock::pause_shortly;

/// Descriptors in one part of the list. A process with one open store has about ten.
const PART: usize = 64;

const FREE: RawFd = -1;

/// A part of the list, and the next one. No part is ever removed.
struct List {
    descriptors: [AtomicI32; PART],
    next: OnceLock<Box<Self>>,
}

static OPEN: List = List::new();

impl List {
    const fn new() -> Self {
        Self { descriptors: [const { AtomicI32::new(FREE) }; PART], next: OnceLock::new() }
    }

    fn add(&self, descriptor: RawFd) {
        if !self.replace(FREE, descriptor) {
            self.next.get_or_init(|| Box::new(Self::new())).add(descriptor);
        }
    }

    /// Returns whether it was in the list.
    fn remove(&self, descriptor: RawFd) -> bool {
        self.replace(descriptor, FREE) || self.next.get().is_some_and(|next| next.remove(descriptor))
    }

    fn replace(&self, from: RawFd, to: RawFd) -> bool {
        let replace =
            |known: &AtomicI32| known.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst);
        self.descriptors.iter().any(|known| replace(known).is_ok())
    }

    fn remove_all(&self, each: &mut impl FnMut(RawFd)) {
        let descriptors = self.descriptors.iter().map(|known| known.swap(FREE, Ordering::SeqCst));
        descriptors.filter(|descriptor| *descriptor != FREE).for_each(&mut *each);
        if let Some(next) = self.next.get() {
            next.remove_all(each);
        }
    }
}

/// How many threads are opening or closing a descriptor at this moment.
static CHANGING: AtomicU32 = AtomicU32::new(0);

/// How many threads are forking at this moment.
static HALTS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// How many of them are this thread's own. It must not wait for itself.
    static OWN_HALTS: Cell<u32> = const { Cell::new(0) };
}

/// How often a thread waits for a fork, at most, before it opens or closes a descriptor: for a minute in all. A fork
/// takes some milliseconds.
const MOST_WAITS: u32 = 6_000;

/// How often a fork waits for threads that are opening or closing a descriptor: for 0.1 s in all. The disk may not
/// answer.
const MOST_WAITS_OF_FORK: u32 = 10;

/// While this value exists, the list and the open descriptors may differ.
struct Change;

impl Change {
    fn begin() -> Self {
        for _ in 0..MOST_WAITS {
            CHANGING.fetch_add(1, Ordering::SeqCst);
            if HALTS.load(Ordering::SeqCst) == 0 || OWN_HALTS.get() > 0 {
                return Self;
            }
            CHANGING.fetch_sub(1, Ordering::SeqCst);
            pause_shortly();
        }
        CHANGING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        CHANGING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// While this value exists, no other thread opens or closes a descriptor of a store, so the list is complete.
#[derive(Debug)]
pub(crate) struct Halt;

impl Halt {
    pub(crate) fn begin() -> Self {
        HALTS.fetch_add(1, Ordering::SeqCst);
        OWN_HALTS.set(OWN_HALTS.get() + 1);
        for _ in 0..MOST_WAITS_OF_FORK {
            if CHANGING.load(Ordering::SeqCst) == 0 {
                break;
            }
            pause_shortly();
        }
        Self
    }
}

impl Drop for Halt {
    fn drop(&mut self) {
        HALTS.fetch_sub(1, Ordering::SeqCst);
        OWN_HALTS.set(OWN_HALTS.get().saturating_sub(1));
    }
}

/// Closes all descriptors of the parent's stores. To be called in a forked child, whose only thread this is. The parent
/// keeps its own descriptors.
pub(crate) fn close_all_inherited() {
    OPEN.remove_all(&mut |descriptor| {
        // SAFETY: a forked child does not use its copies of the parent's descriptors.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    });
    // The threads that were counted do not exist here.
    CHANGING.store(0, Ordering::SeqCst);
    HALTS.store(0, Ordering::SeqCst);
    OWN_HALTS.set(0);
}

/// Opens a descriptor with this function, and adds it to the list if that succeeded.
pub(crate) fn open(open: impl FnOnce() -> RawFd) -> RawFd {
    let _change = Change::begin();
    let descriptor = open();
    if descriptor >= 0 {
        OPEN.add(descriptor);
    }
    descriptor
}

/// Removes a descriptor from the list, and closes it with this function.
pub(crate) fn close<T>(descriptor: RawFd, close: impl FnOnce() -> T) -> T {
    let _change = Change::begin();
    OPEN.remove(descriptor);
    close()
}

/// An open file that is in the list.
#[derive(Debug)]
pub(crate) struct Listed<F: AsRawFd + IntoRawFd>(Option<F>);

impl<F: AsRawFd + IntoRawFd> Listed<F> {
    /// Opens a file with this function.
    pub(crate) fn open(open: impl FnOnce() -> io::Result<F>) -> io::Result<Self> {
        let _change = Change::begin();
        let file = open()?;
        OPEN.add(file.as_raw_fd());
        Ok(Self(Some(file)))
    }

    /// # Errors
    /// If it was closed.
    pub(crate) fn get(&self) -> io::Result<&F> {
        self.0.as_ref().ok_or_else(|| io::Error::other("the store has been closed"))
    }

    pub(crate) fn close(&mut self) {
        let Some(file) = self.0.take() else { return };
        let _change = Change::begin();
        if OPEN.remove(file.as_raw_fd()) {
            drop(file);
        } else {
            // A forked child has closed it: another file may have the number by now.
            let _ = file.into_raw_fd();
        }
    }
}

impl<F: AsRawFd + IntoRawFd> Drop for Listed<F> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_list_has_what_is_open_however_much_that_is() {
        let list = List::new();
        let many = 3 * i32::try_from(PART).unwrap();
        (0..many).for_each(|descriptor| list.add(descriptor));
        assert!((0..many).step_by(2).all(|descriptor| list.remove(descriptor)));
        assert!(!list.remove(0) && !list.remove(many));
        list.add(many);
        let mut left = Vec::new();
        list.remove_all(&mut |descriptor| left.push(descriptor));
        left.sort_unstable();
        assert_eq!(
            left,
            (0..=many).filter(|descriptor| descriptor % 2 == 1 || *descriptor == many).collect::<Vec<_>>()
        );
        list.remove_all(&mut |descriptor| left.push(descriptor));
        assert_eq!(left.len(), 1 + PART * 3 / 2, "each once");
    }
}
