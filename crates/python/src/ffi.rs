//! The only module with `unsafe` code: calls of `CPython`'s stable interface for which pyo3 has no safe function. Each
//! is a few lines and says why it is sound. There are no decisions here.
#![allow(unsafe_code)]

use pyo3::ffi;
use pyo3::prelude::*;

/// A string with one character for each byte. For ASCII and Latin-1 this is the fastest way, because nothing is
/// decoded.
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

/// Does `work` with the cyclic collector paused: the objects that are being built are alive, so the collector would
/// look at them in vain. Since 3.12, `CPython` itself does not collect inside such a call.
///
/// `work` must not run Python code or release the interpreter. Building dicts, lists, strings and numbers does neither.
/// So no other thread can see or change the collector's state meanwhile, because the module asks for the interpreter's
/// lock. A user's own `gc.disable()` stays in force,
/// and the collector is resumed however `work` ends.
pub(super) fn without_collector<T>(_py: Python<'_>, work: impl FnOnce() -> T) -> T {
    /// Whether the collector has to be switched on again. It is a guard, so that a panic in `work` does the
    /// same.
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
