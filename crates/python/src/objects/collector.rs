//! Reduces the time that `CPython`'s cyclic collector spends on the many new objects of a run.
//!
//! The collector looks at containers when they are young, middle-aged and old. A million of them that are alive are
//! looked at three times in vain, which takes longer than building them. Nothing here hides an object from the
//! collector: cycles that the user makes of results later are found and freed like any other.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::ffi::collector_is_on;

pub(in super::super) use crate::ffi::without_collector;

/// If more objects than this are frozen, the user froze them: a new interpreter already has over four thousand objects.
/// `CPython` 3.12 counts some hundred of its own immortal objects as frozen, and restores them by itself.
const FROZEN_BY_A_USER: usize = 2_000;

/// Moves all objects to the collector's old ones without looking at them. Use it after many rows were built that will
/// stay; not for streams, whose rows are short-lived.
///
/// It freezes and unfreezes all objects, which only joins lists. Other young objects become old with them without being
/// examined, so it is not for a few rows. It does nothing if the user has switched the collector off or has frozen
/// objects, and from 3.14 on, whose collector works differently.
///
/// # Errors
/// If the `gc` module lacks a function.
pub(in super::super) fn promote(py: Python<'_>) -> PyResult<()> {
    if !collector_is_on(py) || py.version_info() >= (3, 14) {
        return Ok(());
    }
    let gc = gc(py)?;
    // Paused, because the new objects would start a collection at the next new container. The functions are written in
    // C: no Python code and no other thread runs meanwhile.
    without_collector(py, || {
        if gc.call_method0("get_freeze_count")?.extract::<usize>()? < FROZEN_BY_A_USER {
            gc.call_method0("freeze")?;
            gc.call_method0("unfreeze")?;
        }
        Ok(())
    })
}

/// The `gc` module. It is imported early, so that [`promote`] need not import it.
///
/// # Errors
/// If the module cannot be imported.
pub(super) fn gc(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static GC: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    Ok(GC.get_or_try_init(py, || py.import("gc").map(Bound::unbind))?.bind(py))
}
