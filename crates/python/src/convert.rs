//! What the other crates return, as Python has it: structs as dictionaries, under the names that their serde attributes
//! give, and errors as exceptions. Results have their own code, in `objects/`, because they are most of the work of a
//! call.

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
struct Types;

impl PythonizeTypes for Types {
    type Map = PyDict;
    type NamedMap = PythonizeUnnamedMappingAdapter<PyDict>;
    type List = PyTuple;
}

/// A value that a method returns as the Python object of its serde form.
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
pub(crate) trait Raise {
    fn exception(&self, py: Python<'_>) -> PyErr;
}

impl Raise for Error {
    fn exception(&self, py: Python<'_>) -> PyErr {
        errors::exception(py, self)
    }
}

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
pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T, E: Raise> OrRaise<T> for Result<T, E> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| error.exception(py))
    }
}
