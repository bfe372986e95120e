//! The dict of one result.
//!
//! All results of a run have the same three keys, so each is a copy of a template that already has its status.
//! The copy shares its keys with the template: see [`shape`](super::shape).

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use exactbuyer_core::results::Status;

use super::shape::blank;
use crate::ffi::template::Template;

/// Results without value and contact, one for each status, to be copied.
#[derive(Default)]
pub(super) struct Rows {
    /// By the number of the status. Made at its first use.
    templates: [Option<Template>; Status::ALL.len()],
}

impl Rows {
    /// A new dict: the caller can change it without changing the result of another row.
    ///
    /// # Errors
    /// If Python has no memory left.
    pub(super) fn make<'py>(
        &mut self,
        py: Python<'py>,
        value: Option<Bound<'py, PyAny>>,
        contact: Option<Bound<'py, PyAny>>,
        status: Status,
    ) -> PyResult<Bound<'py, PyDict>> {
        let slot = self.templates.get_mut(status as usize).ok_or_else(super::unread)?;
        let template = match slot {
            Some(template) => template,
            None => slot.insert(template(py, status)?),
        };
        let or_none = |part: Option<Bound<'py, PyAny>>| part.map_or_else(|| py.None(), Bound::unbind);
        template.filled(py, [value, contact].map(or_none).into_iter())
    }
}

/// Makes a result, so that what pyo3 makes at the first use exists before a fork.
pub(super) fn prepare(py: Python<'_>) -> PyResult<()> {
    let none = || Some(py.None().into_bound(py));
    Rows::default().make(py, none(), none(), Status::Found).map(drop)
}

/// The template: value and contact are `None`, the status is the interned string.
fn template(py: Python<'_>, status: Status) -> PyResult<Template> {
    let keys = ["value", "enriched_contact", "status"];
    let row = blank(py, &keys.map(|key| PyString::intern(py, key).unbind()))?;
    row.set_item(pyo3::intern!(py, "status"), PyString::intern(py, status.as_str()))?;
    Template::new(row)
}
