//! Builds Python objects from a record's bytes, equal to those of `json.loads`.
//!
//! It is not a JSON library: it reads only what [`exactbuyer_core::service::decode`] has checked as JSON. It is fast
//! because the records of a run resemble each other. What was seen at one [`location`] of a record is expected there
//! again: the same keys in the same order ([`shape`]), the same few texts ([`string_cache`]). An expectation costs a
//! comparison and never changes the result.
//!
//! Knows nothing about requests, outcomes of rows or money. Measurements, and ideas that were rejected, are in
//! `docs/design/performance.md`.

mod build;
mod location;
mod row;
mod shape;
mod string_cache;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::errors;
use crate::ffi::collector::{self, built_as_old};
use crate::ffi::template::Template;
use exactbuyer_core::outcome::Outcome;
use exactbuyer_core::results::Status;
use exactbuyer_core::service::decode::decode;

use build::Builder;
use location::Locations;
use row::Rows;

/// Builds objects from records, and remembers what they have in common. Each call of the user has its own.
#[derive(Default)]
pub(super) struct Decoder {
    /// Grows with the first records, and hardly afterwards.
    locations: Locations,
    /// The templates of results.
    rows: Rows,
    /// Values whose container is not closed yet.
    open: Vec<Py<PyAny>>,
}

impl Decoder {
    /// The dict of one record; `raw` is what [`Outcome::Hit`] holds. `asked` is the caller's own value: if it is
    /// a plain string, it is used instead of a new string with the same text.
    ///
    /// # Errors
    /// Where Python is out of memory, or `raw` has not passed the decoder.
    fn contact<'py>(
        &mut self,
        py: Python<'py>,
        raw: &[u8],
        asked: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Builder::new(py, raw, asked, &mut self.locations, &mut self.open).record()
    }

    /// A result: `{"value": …, "enriched_contact": …, "status": …}`.
    ///
    /// # Errors
    /// As [`Self::contact`].
    pub(super) fn row<'py>(
        &mut self,
        py: Python<'py>,
        value: Option<Bound<'py, PyAny>>,
        contact: Option<&[u8]>,
        status: Status,
    ) -> PyResult<Bound<'py, PyDict>> {
        let contact = contact.map(|raw| self.contact(py, raw, value.as_ref())).transpose()?;
        self.rows.make(py, value, contact, status)
    }
}

/// The error for a record that [`exactbuyer_core::service::decode`] should not have passed: a bug of this package.
fn unread() -> PyErr {
    PyValueError::new_err("a record could not be read: please report this, with the package's version")
}

/// Decodes a reply into objects: `(contacts, records_enriched, trouble)`. Each contact is `(value, record)`; a record
/// that cannot be read is the text of its reason. For the tests that compare it with `json.loads`.
#[pyfunction]
#[pyo3(name = "_decode_reply")]
fn decode_reply<'py>(
    py: Python<'py>,
    body: &Bound<'py, PyBytes>,
) -> PyResult<(Bound<'py, PyList>, Option<i64>, Option<&'static str>)> {
    let body = bytes::Bytes::copy_from_slice(body.as_bytes());
    let reply = decode(&body);
    let mut decoder = Decoder::default();
    let contacts = PyList::empty(py);
    for contact in &reply.contacts {
        let record = match &contact.outcome {
            Outcome::Hit(raw) => built_as_old(py, || decoder.contact(py, raw, None))?,
            Outcome::Miss => py.None().into_bound(py),
            Outcome::Unknown(reason) | Outcome::Rejected(reason) => (**reason).into_pyobject(py)?.into_any(),
            Outcome::NotSent(reason) => errors::text(py, reason)?,
        };
        contacts.append((contact.value.as_deref(), record))?;
    }
    Ok((contacts, reply.records_enriched, reply.trouble))
}

/// The parts of a result.
type Made<'py> = (Option<Bound<'py, PyAny>>, Option<Bound<'py, PyBytes>>, usize);

/// Results of `(value, record, status)`, for the tests; a status by its place in [`Status::ALL`].
///
/// # Errors
/// `ValueError` if there is no such status, or a record was not JSON.
#[pyfunction]
#[pyo3(name = "_make_rows")]
fn make_rows<'py>(py: Python<'py>, outcomes: Vec<Made<'py>>) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let mut decoder = Decoder::default();
    let rows = outcomes.into_iter().map(|(value, record, status)| {
        let status = Status::ALL.get(status).copied().ok_or_else(unread)?;
        decoder.row(py, value, record.as_ref().map(PyBytesMethods::as_bytes), status)
    });
    rows.collect()
}

/// Whether the values of dicts with these keys are replaced by their place on this Python, for the tests.
#[pyfunction]
#[pyo3(name = "_has_places")]
fn has_places(py: Python<'_>, keys: Vec<Bound<'_, PyString>>) -> PyResult<bool> {
    let keys: Vec<_> = keys.into_iter().map(Bound::unbind).collect();
    Ok(Template::new(shape::blank(py, &keys)?)?.has_places())
}

/// Adds the functions for the tests, and prepares what this module needs from Python.
pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    collector::prepare(py);
    row::prepare(py)?;
    module.add_function(wrap_pyfunction!(has_places, module)?)?;
    module.add_function(wrap_pyfunction!(make_rows, module)?)?;
    module.add_function(wrap_pyfunction!(decode_reply, module)?)
}
