//! Lazy values without waiting. A thread that waits for another thread's initialisation can wait
//! for ever in the child of a `fork`, where the other thread does not exist.

use std::sync::OnceLock;

/// The value of the cell, which is made now if the cell is empty. If two threads make it at the
/// same moment, one of the two values is kept.
pub(super) fn once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if let Some(value) = cell.get() {
        return value;
    }
    let value = make();
    cell.get_or_init(|| value)
}
