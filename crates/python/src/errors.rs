//! From the core's one error to the Python classes, which are written in Python
//! (`exactbuyer/exceptions.py`). Knows nothing of what went wrong.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::identifier::Invalid;
use exactbuyer_core::message::{Advice, Message, Part, Setting};

/// The Python class that stands for a kind.
pub(super) const fn class_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "ConfigError",
        ErrorKind::InvalidIdentifier => "InvalidIdentifierError",
        ErrorKind::Authentication => "AuthenticationError",
        ErrorKind::InsufficientCredits => "InsufficientCreditsError",
        ErrorKind::RateLimit => "RateLimitError",
        ErrorKind::BadRequest => "BadRequestError",
        ErrorKind::Server => "ServerError",
        ErrorKind::Api => "ApiError",
        ErrorKind::Transport => "TransportError",
        ErrorKind::UnknownOutcome => "UnknownOutcomeError",
        ErrorKind::BudgetExceeded => "BudgetExceededError",
        ErrorKind::Store => "StoreError",
    }
}

/// The names of all classes that [`class_name`] can give, for the test that compares them with
/// Python's.
#[pyfunction]
pub(super) fn error_classes() -> Vec<&'static str> {
    ErrorKind::ALL.into_iter().map(class_name).collect()
}

/// The names of all settings and advices, for the test that compares them with the words of each audience.
#[pyfunction]
pub(super) fn message_terms() -> Vec<&'static str> {
    let settings = Setting::ALL.iter().map(|setting| setting.as_str());
    settings.chain(Advice::ALL.iter().map(|advice| advice.as_str())).collect()
}

/// A message as a Python text, which each audience can say in its own words.
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
#[derive(Default)]
pub(super) struct InvalidTexts<'py>(HashMap<Invalid, Bound<'py, PyAny>>);

impl<'py> InvalidTexts<'py> {
    pub(super) fn of(&mut self, py: Python<'py>, why: Invalid) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.0.entry(why) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => new.insert(text(py, &why.message())?).clone(),
        })
    }
}

/// The Python exception of an error.
pub(super) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let made = py
        .import("exactbuyer.exceptions")
        .and_then(|module| module.getattr(class_name(error.kind())))
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
pub(super) fn config(message: impl Into<Message>) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// The error if the system starts no further thread. Nothing was sent.
pub(super) fn no_thread(error: &std::io::Error) -> Error {
    let message = format!(
        "the system allows no further thread ({error}), so nothing was sent: end other processes, or raise the \
         limit (ulimit -u, or pids of the container), and call again"
    );
    Error::new(ErrorKind::Transport, message)
}
