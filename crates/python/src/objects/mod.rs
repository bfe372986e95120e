//! A record's bytes into Python objects, equal to what `json.loads` makes of them.
//!
//! Not a JSON library: it reads only what [`exactbuyer_core::service::decode`] has passed as JSON, and it is
//! quick because a run's records resemble each other. What was learned at one place of a record (a
//! [`site`]) is expected there again: the same keys in the same order ([`shape`]), the same few
//! texts ([`repeats`]). Expectations cost a comparison and never change what comes out.
//!
//! Knows nothing of requests, rows' outcomes or money. What was measured on the way here, and what
//! was left, is in `docs/performance.md`.

mod build;
mod collector;
mod repeats;
mod row;
mod shape;
mod site;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::errors;
use exactbuyer_core::outcome::Outcome;
use exactbuyer_core::results::Status;
use exactbuyer_core::service::decode::decode;

use build::Builder;
use row::Rows;
use site::Sites;

pub(super) use collector::{promote, without_collector};

/// Makes objects of records, and remembers what they had in common: one per call of the user's.
#[derive(Default)]
pub(super) struct Decoder {
    sites: Sites,
    rows: Rows,
    /// Values whose container is not closed yet.
    open: Vec<Py<PyAny>>,
}

impl Decoder {
    /// The dict of one record; `raw` is what [`Outcome::Hit`] holds. `asked` is the caller's own value: if it is
    /// a plain string, it is taken where a new one of the same text would be made.
    ///
    /// # Errors
    /// Where Python is out of memory, or `raw` has not passed the decoder.
    fn contact<'py>(
        &mut self,
        py: Python<'py>,
        raw: &[u8],
        asked: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Builder::new(py, raw, asked, &mut self.sites, &mut self.open).record()
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

/// What cannot be read here was not passed by [`exactbuyer_core::service::decode`]: a mistake of ours.
fn unread() -> PyErr {
    PyValueError::new_err("a record could not be read: please report this, with the package's version")
}

/// Takes a reply apart and makes objects of it: `(contacts, records_enriched, trouble)`, each contact
/// `(value, record)`, and a broken record the text of its reason. For the tests that compare it with
/// `json.loads`.
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
            Outcome::Hit(raw) => without_collector(py, || decoder.contact(py, raw, None))?,
            Outcome::Miss => py.None().into_bound(py),
            Outcome::Unknown(reason) | Outcome::Rejected(reason) => (**reason).into_pyobject(py)?.into_any(),
            Outcome::NotSent(reason) => errors::text(py, reason)?,
        };
        contacts.append((contact.value.as_deref(), record))?;
    }
    Ok((contacts, reply.records_enriched, reply.trouble))
}

/// What a result is made of.
type Made<'py> = (Option<Bound<'py, PyAny>>, Option<Bound<'py, PyBytes>>, usize);

/// Results of `(value, record, status)`, for the tests; a status by its place in [`Status::ALL`].
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

/// [`promote`], for the tests.
#[pyfunction]
#[pyo3(name = "_promote")]
fn promote_now(py: Python<'_>) -> PyResult<()> {
    promote(py)
}

/// Adds what the tests reach this room by, and has what it needs from Python ready.
pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    collector::gc(py)?;
    row::prepare(py)?;
    module.add_function(wrap_pyfunction!(make_rows, module)?)?;
    module.add_function(wrap_pyfunction!(promote_now, module)?)?;
    module.add_function(wrap_pyfunction!(decode_reply, module)?)
}
