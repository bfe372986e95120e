//! The sandbox's classes. Names, defaults, ranges and documentation are in `python/exactbuyer/sandbox/`.
//!
//! There are two objects: a running server, and its ledger as it was at one moment. Python's
//! `exactbuyer.sandbox` checks ranges and makes dataclasses of tuples and dictionaries.

use std::io;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::depythonize;

use crate::convert::{OrRaise, Serialized};
use crate::errors;
use crate::input::rows::Rows;
use crate::runtime::lock;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_sandbox::{BadLuck, Ledger, Options, Request, Sandbox};

/// Adds the sandbox's classes to the extension module.
pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySandbox>()?;
    module.add_class::<PyLedger>()
}

/// A running sandbox.
///
/// `None` once closed. A forked child inherits the object but not the server's thread, so its methods raise
/// there: the child can still call the parent's server by its address.
#[pyclass(name = "SandboxServer", module = "exactbuyer._core", frozen)]
struct PySandbox(Mutex<Option<Arc<Sandbox>>>);

impl PySandbox {
    /// # Errors
    /// `RuntimeError` if it is closed or belongs to the parent process.
    fn running(&self) -> PyResult<Arc<Sandbox>> {
        let slot = lock(&self.0);
        let sandbox = slot
            .as_ref()
            .ok_or_else(|| PyRuntimeError::new_err("this sandbox is closed: start another one"))?;
        if sandbox.is_here() {
            return Ok(Arc::clone(sandbox));
        }
        Err(PyRuntimeError::new_err(
            "this sandbox runs in the process that forked this one: call it by its url, and ask for its ledger there",
        ))
    }
}

#[pymethods]
impl PySandbox {
    /// Starts the server on the loopback interface.
    ///
    /// # Errors
    /// `ValueError` for options, `TransportError` if no thread can be started, `OSError` if there is no port.
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let options: Options = depythonize(options).or_raise(py)?;
        let sandbox = py.detach(|| Sandbox::start(options)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => errors::exception(py, &errors::no_thread(&error)),
            _ => error.into(),
        })?;
        Ok(Self(Mutex::new(Some(Arc::new(sandbox)))))
    }

    fn url(&self) -> PyResult<String> {
        Ok(self.running()?.url())
    }

    fn api_key(&self) -> PyResult<String> {
        Ok(self.running()?.api_key().to_owned())
    }

    /// # Errors
    /// `ValueError` if the contact is not a JSON object.
    fn person(&self, rows: &Rows, contact: &str) -> PyResult<()> {
        let sandbox = self.running()?;
        for identifier in rows.identifiers()? {
            let done = sandbox.person(identifier.field_type(), identifier.canonical(), contact);
            done.map_err(|error| PyValueError::new_err(error.to_string()))?;
        }
        Ok(())
    }

    fn nobody(&self, rows: &Rows) -> PyResult<()> {
        let sandbox = self.running()?;
        for identifier in rows.identifiers()? {
            sandbox.nobody(identifier.field_type(), identifier.canonical());
        }
        Ok(())
    }

    fn reject(&self, rows: &Rows) -> PyResult<()> {
        let sandbox = self.running()?;
        for identifier in rows.identifiers()? {
            sandbox.reject(identifier.field_type(), identifier.canonical());
        }
        Ok(())
    }

    /// Adds a fault: see [`BadLuck`].
    ///
    /// # Errors
    /// `ValueError` for a fault that does not exist.
    fn fail(&self, py: Python<'_>, rule: &Bound<'_, PyDict>) -> PyResult<()> {
        let rule: BadLuck = depythonize(rule).or_raise(py)?;
        self.running()?.fail(rule);
        Ok(())
    }

    fn top_up(&self, amount: u64) -> PyResult<()> {
        self.running()?.top_up(amount);
        Ok(())
    }

    /// `None` if the account has no limit.
    fn credits_left(&self) -> PyResult<Option<u64>> {
        Ok(self.running()?.credits_left())
    }

    /// A copy: what happens later does not change it.
    fn ledger(&self, py: Python<'_>) -> PyResult<PyLedger> {
        let sandbox = self.running()?;
        Ok(PyLedger(py.detach(|| sandbox.ledger())))
    }

    fn reset(&self) -> PyResult<()> {
        self.running()?.reset();
        Ok(())
    }

    /// Waits for the server's thread. A second close does nothing.
    fn close(&self, py: Python<'_>) {
        let sandbox = lock(&self.0).take();
        py.detach(|| drop(sandbox));
    }
}

/// The ledger at one moment.
///
/// It outlives the sandbox.
#[pyclass(name = "SandboxLedger", module = "exactbuyer._core", frozen)]
struct PyLedger(Ledger);

#[pymethods]
impl PyLedger {
    fn credits(&self) -> u64 {
        self.0.credits()
    }

    /// The number of the request, the field type, the value in the sandbox's own folded form, and the credits;
    /// in order.
    fn entries(&self) -> Vec<(u32, &'static str, &str, u32)> {
        self.0
            .entries()
            .map(|(request, field_type, value, credits)| (request, field_type.as_str(), value, credits))
            .collect()
    }

    /// Field type, value, how often it was asked for, and how often it was charged.
    fn identifiers(&self) -> Vec<(&'static str, &str, u32, u32)> {
        let identifiers = self.0.identifiers();
        identifiers
            .map(|(field_type, value, asked, billed)| (field_type.as_str(), value, asked, billed))
            .collect()
    }

    fn requests(&self) -> Serialized<&[Request]> {
        Serialized(self.0.requests())
    }

    fn times_billed(&self, rows: &Rows) -> PyResult<u32> {
        let times = |one: &Identifier| self.0.times_billed(one.field_type(), one.canonical());
        Ok(rows.identifiers()?.iter().map(times).sum())
    }

    fn times_asked(&self, rows: &Rows) -> PyResult<u32> {
        let times = |one: &Identifier| self.0.times_asked(one.field_type(), one.canonical());
        Ok(rows.identifiers()?.iter().map(times).sum())
    }

    fn most_in_flight(&self) -> u32 {
        self.0.most_in_flight()
    }

    fn connections(&self) -> u32 {
        self.0.connections()
    }
}
