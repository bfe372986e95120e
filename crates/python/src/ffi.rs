//! The one room where `unsafe` is allowed: calls of `CPython`'s stable interface that pyo3 has no
//! safe name for. Each is a few lines, each says why it is sound, and nothing here decides
//! anything.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;

/// A string of these characters, one a byte: the quickest way to one that is ASCII or Latin-1,
/// since nothing is left to decode.
pub(super) fn latin1<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    // A slice is never longer than `isize::MAX` bytes.
    let len = text.len().cast_signed();
    // SAFETY: the pointer and the length are a live slice's; the call copies from it, and gives a
    // new reference, or null with an exception set.
    unsafe {
        let made = ffi::PyUnicode_DecodeLatin1(text.as_ptr().cast(), len, std::ptr::null());
        Bound::from_owned_ptr_or_err(py, made)
    }
}

/// Does `work` with the cyclic collector paused, as it is anyway inside one call since `CPython`
/// 3.12: what is being built there is alive, so every look at it is in vain.
///
/// Nobody can see it. `work` must not run Python code nor let go of the interpreter (building
/// dicts, lists, strings and numbers does neither), so that no other thread can ask for or change
/// the collector's state meanwhile; a user's own `gc.disable()` stays in force; and it is undone on
/// every way out.
pub(super) fn without_collector<T>(_py: Python<'_>, work: impl FnOnce() -> T) -> T {
    struct Resume(bool);
    impl Drop for Resume {
        fn drop(&mut self) {
            if self.0 {
                // SAFETY: made and dropped within the borrow of `_py`, so attached.
                unsafe { ffi::PyGC_Enable() };
            }
        }
    }
    // SAFETY: `_py` says that this thread is attached. Returns whether it was enabled.
    let _resume = Resume(unsafe { ffi::PyGC_Disable() } != 0);
    work()
}

/// Whether the cyclic collector runs by itself.
pub(super) fn collector_is_on(_py: Python<'_>) -> bool {
    // SAFETY: `_py` says that this thread is attached.
    unsafe { ffi::PyGC_IsEnabled() != 0 }
}
