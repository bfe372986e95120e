//! Closes an opening when nothing in this process needs it any more.

use std::process;
use std::sync::Arc;

use super::super::file::busy;
use super::opening::Opening;
use super::registry;

/// Lets an opening go. The last to do so closes it. That may take long, so the registry is not locked meanwhile; a
/// thread that opens the same file waits until it is closed.
pub(in super::super) fn close(opening: Arc<Opening>) {
    // What a garbage collector lets go of in the middle of a fork is not worth a deadlock.
    if opening.pid != process::id() {
        std::mem::forget(opening);
        return;
    }
    let Ok(mut registry) = registry::lock() else {
        std::mem::forget(opening);
        return;
    };
    // References are only dropped, and taken from the registry, while it is locked.
    if Arc::strong_count(&opening) > 1 || opening.is_over() {
        drop(opening);
        return;
    }
    let closing = registry.as_mut().and_then(|registry| registry.begin_closing(&opening));
    drop(registry);
    opening.end();
    drop(opening);
    drop(closing);
}

/// How often `finish` checks, at most, whether the tasks of runs that are over have dropped their handles:
/// every 10 ms, so for two seconds.
const LOOKS: u32 = 200;

/// Drops an opening after its user has closed it. The last user waits until the files are closed.
pub(in super::super) fn finish(opening: Arc<Opening>) {
    if opening.is_used() || opening.pid != process::id() {
        close(opening);
        return;
    }
    let file = opening.shared.file;
    let left = Arc::downgrade(&opening);
    close(opening);
    for _ in 0..LOOKS {
        if left.strong_count() == 0 {
            break;
        }
        busy::pause_shortly();
    }
    let Ok(mut registry) = registry::lock() else { return };
    if let Some(opening) = left.upgrade() {
        let closing = if opening.is_used() {
            None
        } else {
            registry.as_mut().and_then(|registry| registry.begin_closing(&opening))
        };
        drop(registry);
        if closing.is_some() {
            opening.end();
        }
        drop(closing);
        close(opening);
    } else {
        drop(registry);
    }
    registry::wait_until_closed(file);
}
