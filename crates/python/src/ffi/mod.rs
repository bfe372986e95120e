//! The only module of this crate with `unsafe` code: what pyo3 has no safe function for. Each `unsafe` block says why it
//! is sound.
#![allow(unsafe_code)]

pub(super) mod collector;
pub(super) mod template;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// If this environment variable is set, only public functions of Python are used. A user can then find out whether a
/// crash comes from here, and work without it.
const PLAIN_OBJECTS: &str = "EXACTBUYER_PLAIN_OBJECTS";

/// The version of the interpreter if it is a release of `CPython` with the global interpreter lock. Others may have
/// other layouts under the same number. `None`, too, if [`PLAIN_OBJECTS`] is set.
fn released_cpython(py: Python<'_>) -> Option<(u8, u8, u8)> {
    static VERSION: PyOnceLock<Option<(u8, u8, u8)>> = PyOnceLock::new();
    let found = || {
        let version = py.version_info();
        let is_plain = std::env::var_os(PLAIN_OBJECTS).is_some_and(|text| !text.is_empty());
        if is_plain || version.suffix.is_some() || Python::version_str().contains("free-threading") {
            return Ok(None);
        }
        let name = py.import("sys")?.getattr("implementation")?.getattr("name")?;
        PyResult::Ok(name.eq("cpython")?.then_some((version.major, version.minor, version.patch)))
    };
    *VERSION.get_or_init(py, || found().ok().flatten())
}

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
