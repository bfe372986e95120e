//! What a run's many new objects cost `CPython`'s cyclic collector, and when.
//!
//! New containers are looked at when they are young, when they are middle-aged and when they are
//! old; a million of them that are known to be alive are looked at three times for nothing, and
//! that takes longer than it took to make them. Nothing here hides an object from the collector:
//! cycles that the user makes of results later are found and freed like any other.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::ffi::collector_is_on;

pub(in super::super) use crate::ffi::without_collector;

/// A user who freezes the objects of a running program freezes thousands: a bare interpreter has
/// over four. `CPython` 3.12 counts some hundred immortal ones of its own as frozen, and puts them
/// back by itself.
const FROZEN_BY_A_USER: usize = 2_000;

/// Counts what is alive now among the collector's old objects, without looking at it: for when many
/// rows were made that are there to stay. Not for streams, whose rows die young.
///
/// Does it by freezing and unfreezing all objects, which only joins lists. What else is young at
/// this moment ages with them, unexamined: not for a few rows. Does nothing where the user has switched
/// the collector off or has frozen objects, nor from 3.14 on, whose collector works otherwise.
///
/// # Errors
/// Where the `gc` module is not what it should be.
pub(in super::super) fn promote(py: Python<'_>) -> PyResult<()> {
    if !collector_is_on(py) || py.version_info() >= (3, 14) {
        return Ok(());
    }
    let gc = gc(py)?;
    // Paused, since what is counted as new by now would have it start at the first new container.
    // These are functions written in C: no Python code runs, no other thread gets its turn.
    without_collector(py, || {
        if gc.call_method0("get_freeze_count")?.extract::<usize>()? < FROZEN_BY_A_USER {
            gc.call_method0("freeze")?;
            gc.call_method0("unfreeze")?;
        }
        Ok(())
    })
}

/// The `gc` module; asked for early, so that [`promote`] finds it without importing anything.
pub(super) fn gc(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static GC: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    Ok(GC.get_or_try_init(py, || py.import("gc").map(Bound::unbind))?.bind(py))
}
