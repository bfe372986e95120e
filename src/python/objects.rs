//! From a contact's bytes to a row's `dict`: a stand-in until the decoder is there.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::results::Status;

/// Builds rows.
#[derive(Default)]
pub(super) struct Decoder {}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {}
    }

    /// One row's result.
    pub(super) fn row<'py>(
        &mut self,
        py: Python<'py>,
        value: &Bound<'py, PyAny>,
        contact: Option<&[u8]>,
        status: Status,
    ) -> PyResult<Bound<'py, PyDict>> {
        let contact = match contact {
            Some(bytes) => py.import("json")?.call_method1("loads", (bytes,))?,
            None => py.None().into_bound(py),
        };
        let row = PyDict::new(py);
        row.set_item("value", value)?;
        row.set_item("enriched_contact", contact)?;
        row.set_item("status", status.as_str())?;
        Ok(row)
    }
}
