//! Closes an opening when nothing in this process needs it any more.
//!
//! Two ways lead here. [`close`] is for a reference that is dropped, at any time and on any thread: only the last one
//! closes. [`finish`] is for a user who has closed a handle and wants the files to be closed: the last user waits for
//! the tasks of runs that still have references, and closes the store even if some never drop them.

use std::process;
use std::sync::Arc;

use super::super::clock::pause_shortly;
use super::opening::Opening;
use super::registry;

/// Drops a reference to an opening. If it was the last one, closes the store. That may take long, so the registry is not
/// locked meanwhile. A thread that opens the same file waits until it is closed.
///
/// In a fork, or in a child that cannot use stores, the reference is leaked.
pub(crate) fn close(opening: Arc<Opening>) {
    // The opening of another process is not ours to close.
    if opening.pid != process::id() {
        std::mem::forget(opening);
        return;
    }
    // A garbage collector may call this in the middle of a fork. A leak is better than a deadlock.
    let Ok(mut registry) = registry::lock() else {
        std::mem::forget(opening);
        return;
    };
    // References are only dropped, and taken from the registry, while it is locked.
    if Arc::strong_count(&opening) > 1 || opening.is_over() {
        drop(opening);
        return;
    }
    let closing = registry.begin_closing(&opening);
    drop(registry);
    opening.end();
    drop(opening);
    drop(closing);
}

/// How often `finish` checks, at most, whether the tasks of finished runs have dropped their handles: every 10 ms, so for
/// two seconds.
const MOST_CHECKS: u32 = 200;

/// Drops a reference to an opening whose user has closed it. The last user waits until the files are closed.
///
/// `finish` returns when no thread of this process has the file open through this opening, or another user uses it.
pub(super) fn finish(opening: Arc<Opening>) {
    if opening.is_used() || opening.pid != process::id() {
        close(opening);
        return;
    }
    let file = opening.shared.file;
    // Weak, so that the tasks' references are the only ones that are counted.
    let left = Arc::downgrade(&opening);
    close(opening);
    for _ in 0..MOST_CHECKS {
        if left.strong_count() == 0 {
            break;
        }
        pause_shortly();
    }
    let Ok(mut registry) = registry::lock() else { return };
    if let Some(opening) = left.upgrade() {
        let closing = if opening.is_used() { None } else { registry.begin_closing(&opening) };
        drop(registry);
        if closing.is_some() {
            opening.end();
        }
        drop(closing);
        close(opening);
    } else {
        drop(registry);
    }
    registry::wait_until_free(file);
}
