//! From the core's one error to the Python classes, which are written in Python
//! (`exactbuyer/exceptions.py`). Knows nothing of what went wrong.
//!
//! A message may contain terms: names of settings and of advice. The core leaves them as names, because the
//! same setting is called `max_credits` in Python and `--max-credits` on the command line. Here they become
//! `Term` objects, and `exactbuyer/report/message.py` puts the words of the audience in their place.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::identifier::Invalid;
use exactbuyer_core::message::{Message, Part};

/// A message as a Python text, which each audience can say in its own words.
///
/// A message without terms becomes an ordinary `str`. Any other becomes a `Message` of Python, which is a `str`
/// with the words of the Python API, and keeps its parts for the command line.
///
/// # Errors
/// If the package's module cannot be imported, or Python has no memory left.
pub(super) fn text<'py>(py: Python<'py>, message: &Message) -> PyResult<Bound<'py, PyAny>> {
    if let [Part::Text(text)] = message.parts() {
        return Ok(PyString::new(py, text).into_any());
    }
    let module = py.import("exactbuyer.report.message")?;
    let term = module.getattr("Term")?;
    let parts = message.parts().iter().map(|part| match part {
        Part::Text(text) => Ok(PyString::new(py, text).into_any()),
        Part::Term(name) => term.call1((name,)),
    });
    module.getattr("Message")?.call1(PyTuple::new(py, parts.collect::<PyResult<Vec<_>>>()?)?)
}

/// The texts of reasons why values cannot be looked up, each made once.
///
/// A file may have a million rows with the same fault. They share one Python string.
#[derive(Default)]
pub(super) struct InvalidTexts<'py>(HashMap<Invalid, Bound<'py, PyAny>>);

impl<'py> InvalidTexts<'py> {
    /// The text of a reason: made at its first use, and the same object afterwards.
    pub(super) fn of(&mut self, py: Python<'py>, why: Invalid) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.0.entry(why) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => new.insert(text(py, &why.message())?).clone(),
        })
    }
}

/// The Python exception of an error.
///
/// The exception has the message and, if the service answered, the HTTP status. If making it fails, for example
/// because there is no memory, the failure itself is returned: there is always something to raise.
pub(super) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let made = py
        .import("exactbuyer.exceptions")
        .and_then(|module| module.getattr(error.kind().as_str()))
        .and_then(|class| {
            let named = PyDict::new(py);
            if let Some(status) = error.status() {
                named.set_item("status", status)?;
            }
            class.call((text(py, error.message())?,), Some(&named))
        });
    made.map_or_else(|trouble| trouble, PyErr::from_value)
}

/// A setting is wrong; `message` names it and its range.
///
/// It is found before anything is sent, so it costs nothing and may be corrected and tried again.
pub(super) fn config(message: impl Into<Message>) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// The error if the system starts no further thread. Nothing was sent.
///
/// It has the kind of a failed connection: nothing was sent, and the same call may be made again.
pub(super) fn no_thread(error: &std::io::Error) -> Error {
    let message = format!(
        "the system allows no further thread ({error}), so nothing was sent: end other processes, or raise the \
         limit (ulimit -u, or pids of the container), and call again"
    );
    Error::new(ErrorKind::Transport, message)
}
