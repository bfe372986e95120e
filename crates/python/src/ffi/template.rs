//! Dicts that are made as copies of a template, whose values are then replaced without looking up the keys.
//!
//! A template shares its keys with its copies (`objects/shape.rs`). So each copy has its values in an array, where a
//! key has the same place in every copy. `PyDict_SetItem` looks the key up again and counts references twice, and no
//! public function sets a value by its place. So this module writes into the array, on known versions of `CPython`,
//! after a check that the values of a test copy are found there ([`places`]). Otherwise values are set by their keys.
//!
//! Nobody else can have seen a copy when it is filled, and no key changes, so nothing that `CPython` remembers of dicts
//! becomes wrong: `docs/decisions/0017-values-by-place.md`.

use std::ffi::c_void;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::released_cpython;

/// A dict (`PyDictObject`), from 3.10 to 3.15.
#[repr(C)]
struct Dict {
    base: ffi::PyObject,
    used: ffi::Py_ssize_t,
    /// A version (up to 3.13), or bits for watchers (from 3.12 on). A copy has its own, and nobody has read it yet.
    version: u64,
    keys: *mut c_void,
    /// Null if the dict does not share its keys.
    values: *mut *mut ffi::PyObject,
}

/// A dict to be copied, and its keys in order.
pub(in super::super) struct Template {
    dict: Py<PyDict>,
    keys: Vec<Py<PyAny>>,
    /// Where the values of a copy begin, in pointers from the address in [`Dict::values`]; `None` if values are set by
    /// their keys.
    first: Option<usize>,
}

impl Template {
    /// Copies of `dict` share its keys only if it does so already.
    ///
    /// # Errors
    /// If Python has no memory left.
    pub(in super::super) fn new(dict: Bound<'_, PyDict>) -> PyResult<Self> {
        let first = places(&dict)?;
        let keys = dict.keys().iter().map(Bound::unbind).collect();
        Ok(Self { dict: dict.unbind(), keys, first })
    }

    /// Whether values are replaced without looking up their keys.
    pub(in super::super) fn has_places(&self) -> bool {
        self.first.is_some()
    }

    /// A copy with these values for the first keys. Further keys keep the template's values.
    ///
    /// # Errors
    /// If Python has no memory left.
    pub(in super::super) fn filled<'py>(
        &self,
        py: Python<'py>,
        values: impl Iterator<Item = Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let copy = self.dict.bind(py).copy()?;
        // SAFETY: `first` was found on this interpreter.
        match self.first.and_then(|first| unsafe { slots(&copy, first, self.keys.len()) }) {
            // SAFETY: nobody has seen the copy, and it has as many slots as keys, none of them empty.
            Some(slots) => unsafe { replace(&copy, slots, values.take(self.keys.len())) },
            None => {
                for (key, value) in self.keys.iter().zip(values) {
                    copy.set_item(key, value)?;
                }
            }
        }
        Ok(copy)
    }
}

/// The array of a dict's values, which begins `first` pointers after the address in [`Dict::values`]. `None` if the
/// dict does not share its keys, or has not exactly `len` of them, in the first `len` slots: from 3.14 on, the collector
/// shows the template to everybody, and somebody may have changed it.
///
/// # Safety
/// `first` is right for this version of `CPython`: see [`places`].
unsafe fn slots(dict: &Bound<'_, PyDict>, first: usize, len: usize) -> Option<*mut *mut ffi::PyObject> {
    let dict = dict.as_ptr().cast::<Dict>().cast_const();
    // SAFETY: dicts of this version have this layout. An array that is there has room for all keys of the dict.
    unsafe {
        let (used, values) = ((*dict).used, (*dict).values);
        if values.is_null() || used != len.cast_signed() {
            return None;
        }
        let slots = values.wrapping_add(first);
        let is_full = (0..len).all(|number| !(*slots.wrapping_add(number)).is_null());
        is_full.then_some(slots)
    }
}

/// Replaces the first values of a dict.
///
/// # Safety
/// Nobody else has seen the dict. It has at least as many `slots` as there are values, and none of them is empty.
unsafe fn replace(
    dict: &Bound<'_, PyDict>,
    slots: *mut *mut ffi::PyObject,
    values: impl Iterator<Item = Py<PyAny>>,
) {
    let mut holds_container = false;
    for (number, value) in values.enumerate() {
        holds_container = holds_container || may_hold_others(value.bind(dict.py()));
        // SAFETY: the slot owns its object. The old object is dropped after the slot holds the new one.
        unsafe {
            let old = ptr::replace(slots.wrapping_add(number), value.into_ptr());
            ffi::Py_DECREF(old);
        }
    }
    // Up to 3.13, a dict is tracked from the first value on that can be a part of a cycle.
    // SAFETY: the dict is alive and sound, and it is tracked only if it is not yet.
    unsafe {
        if holds_container && ffi::PyObject_GC_IsTracked(dict.as_ptr()) == 0 {
            ffi::PyObject_GC_Track(dict.as_ptr().cast());
        }
    }
}

/// Whether an object can be a part of a cycle. Most values are strings, which cannot.
fn may_hold_others(value: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive, so its type is.
    unsafe {
        let kind = ffi::Py_TYPE(value.as_ptr());
        !ptr::eq(kind, &raw const ffi::PyUnicode_Type)
            && ffi::PyType_GetFlags(kind) & ffi::Py_TPFLAGS_HAVE_GC != 0
    }
}

/// Where the values of copies of `dict` begin, in pointers from the address in [`Dict::values`]. `None` if they are not
/// where they are expected, or if `dict` does not share its keys.
fn places(dict: &Bound<'_, PyDict>) -> PyResult<Option<usize>> {
    let py = dict.py();
    let first = match released_cpython(py) {
        Some((3, 10..=12, _)) => 0,
        // In front of the values are four numbers of one byte each, and padding.
        Some((3, 13..=15, _)) => 1,
        _ => return Ok(None),
    };
    // Each value is another object, set in the ordinary way.
    let probe = dict.copy()?;
    let values: Vec<_> = dict.iter().map(|_| PyList::empty(py)).collect();
    for (key, value) in dict.keys().iter().zip(&values) {
        probe.set_item(key, value)?;
    }
    // SAFETY: `first` is that of this version.
    let Some(slots) = (unsafe { slots(&probe, first, values.len()) }) else { return Ok(None) };
    // SAFETY: there are as many slots as values.
    let found = (0..values.len()).map(|number| unsafe { *slots.wrapping_add(number) });
    let is_expected = found.eq(values.iter().map(Bound::as_ptr));
    Ok(is_expected.then_some(first))
}
