//! What the other crates return, as Python has it: structs as dictionaries, under the names that their serde attributes
//! give, and errors as exceptions. Results have their own code, in `objects/`, because they are most of the work of a
//! call.
//!
//! There are two directions. `Serialized` is for values on their way to Python; `OrRaise` is for errors. A new
//! error type that should reach Python needs one `impl Raise`, after which `?` works on `result.or_raise(py)`.

use arrow_schema::ArrowError;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pythonize::{PythonizeError, PythonizeTypes, PythonizeUnnamedMappingAdapter, pythonize_custom};
use serde::Serialize;

use crate::errors;
use exactbuyer_core::error::Error;
use exactbuyer_records::Broken;

/// Sequences become tuples, because the dictionaries become frozen dataclasses.
///
/// It only selects types for `pythonize`: a struct becomes a plain `dict`, and so does a map.
struct Types;

impl PythonizeTypes for Types {
    type Map = PyDict;
    type NamedMap = PythonizeUnnamedMappingAdapter<PyDict>;
    type List = PyTuple;
}

/// A value that a method returns as the Python object of its serde form.
///
/// Python turns the dictionary into a frozen dataclass with the same names, so a field that is renamed in Rust
/// must be renamed in Python, too.
pub(crate) struct Serialized<T>(pub(crate) T);

impl<'py, T: Serialize> IntoPyObject<'py> for Serialized<T> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize_custom::<Types, _>(py, &self.0)?)
    }
}

/// An error that has a Python exception.
///
/// It needs the interpreter, because most exceptions are instances of classes that are written in Python.
pub(crate) trait Raise {
    fn exception(&self, py: Python<'_>) -> PyErr;
}

impl Raise for Error {
    /// Which class it is follows from the error's kind: see [`errors::exception`].
    fn exception(&self, py: Python<'_>) -> PyErr {
        errors::exception(py, self)
    }
}

/// A file that cannot be read as CSV or JSON Lines. The text names the line, so that a user can correct it.
impl Raise for Broken {
    fn exception(&self, _: Python<'_>) -> PyErr {
        PyValueError::new_err(self.to_string())
    }
}

impl Raise for PythonizeError {
    /// A value that serde cannot read. Python has checked values before, so this is for callers of the module itself.
    fn exception(&self, _: Python<'_>) -> PyErr {
        PyValueError::new_err(self.to_string())
    }
}

impl Raise for ArrowError {
    /// It was asked for nothing unusual, so it is a mistake of this package.
    fn exception(&self, _: Python<'_>) -> PyErr {
        PyRuntimeError::new_err(format!("columns could not be made: {self}: please report this"))
    }
}

/// Raises an error as its Python exception.
///
/// For code that is attached to the interpreter. Work that runs with the interpreter released returns the Rust
/// error, and the caller raises it afterwards.
pub(crate) trait OrRaise<T> {
    /// # Errors
    /// The exception of the error, if there is one.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T, E: Raise> OrRaise<T> for Result<T, E> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| error.exception(py))
    }
}
