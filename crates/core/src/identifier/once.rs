//! What is made at its first use, and nobody ever waits for somebody else to make it: in the child of a
//! fork, whoever was at it just then is gone, and would be waited for without end.

use std::sync::OnceLock;

/// What the cell holds, or will from now on. Two who come first at the same moment both make it, and one
/// is kept.
pub(super) fn once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if let Some(value) = cell.get() {
        return value;
    }
    let value = make();
    cell.get_or_init(|| value)
}
