//! What may contain rows: columns, which convert themselves to lists, and any iterable that is not one of the common
//! mistakes. Objects are recognised by their attributes, because their libraries must not be imported.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PyString, PyTuple};

use crate::input::entry::exact_below;
use crate::input::row::field_type_of;
use exactbuyer_core::identifier::reading::EXACT_F64;

/// Makes now what pyo3 makes at the first call of [`refuse`]. pyo3 releases the interpreter while it holds a lock for
/// that. If another thread forked at that moment, the child would wait for ever.
pub(crate) fn prepare(py: Python<'_>) {
    let _no_mistake = refuse(PyList::empty(py).as_any());
}

/// A column that converts itself to a list does it many times faster than it iterates.
///
/// `None` if the object has no such method; it is then iterated over. The first of the three names that the
/// type has counts: Arrow, then pandas and polars, then numpy.
pub(crate) fn column<'py>(rows: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let class = rows.get_type();
    // numpy makes numbers of times and durations; one by one, they are refused.
    let kind = rows.getattr_opt("dtype")?.map(|dtype| dtype.getattr_opt("kind")).transpose()?.flatten();
    if kind.is_some_and(|kind| kind.eq("m").unwrap_or(false) || kind.eq("M").unwrap_or(false)) {
        return Ok(None);
    }
    for convert in ["to_pylist", "to_list", "tolist"] {
        if class.hasattr(convert)? {
            return rows.call_method0(convert).map(Some);
        }
    }
    Ok(None)
}

/// The size from which the floats of a column may have lost digits.
///
/// numpy, pandas and polars call the type `dtype`, Arrow `type`, the standard library `typecode` (an array) or `format`
/// (a memoryview). A category of pandas has the type of its categories. A list has no type, and its floats are Python's.
pub(crate) fn float_limit(rows: &Bound<'_, PyAny>) -> PyResult<f64> {
    for attribute in ["dtype", "type", "typecode", "format"] {
        if rows.get_type().hasattr(attribute)? {
            let kind = rows.getattr(attribute)?;
            let kind = match kind.getattr_opt("categories")? {
                Some(categories) => categories.getattr_opt("dtype")?.unwrap_or(kind),
                None => kind,
            };
            return Ok(exact_below(&kind.str()?.to_string_lossy()));
        }
    }
    Ok(EXACT_F64)
}

/// The common mistakes, each with its fix.
///
/// Each of them could be iterated over and would give nonsense that costs money: letters of a string, names of
/// columns, keys of a dict, the parts of a pair.
///
/// # Errors
/// `TypeError` for a mistake, or what the object's own attributes raise.
pub(crate) fn refuse(rows: &Bound<'_, PyAny>) -> PyResult<()> {
    let class = rows.get_type();
    let name = class.name()?;
    let name = name.to_string_lossy();
    if rows.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("rows is one string: wrap it in a list, [value]"));
    }
    if class.hasattr("decode")? && class.hasattr("hex")? {
        return Err(PyTypeError::new_err(format!(
            "rows is {name}: decode it, and wrap the text in a list, [value.decode()]"
        )));
    }
    if rows.getattr_opt("ndim")?.is_some_and(|dimensions| dimensions.eq(0).unwrap_or(false)) {
        return Err(PyTypeError::new_err(format!(
            "rows is a single value ({name} with 0 dimensions): wrap it in a list, [value.item()]"
        )));
    }
    if class.hasattr("columns")? || class.hasattr("__dataframe__")? {
        return Err(PyTypeError::new_err(format!(
            "rows is a frame ({name}): call enrich_table(frame, by=\"email\"), or plan(frame, by=\"email\"); or \
             pass one column of it, such as frame[\"email\"]"
        )));
    }
    if rows.is_instance_of::<PyDict>() || rows.cast::<PyMapping>().is_ok() {
        return Err(PyTypeError::new_err(
            "rows is one mapping: wrap it in a list where it is one row, or pass one of its values where \
             those are columns",
        ));
    }
    if let Ok(tuple) = rows.cast::<PyTuple>()
        && matches!(tuple.len(), 2 | 3)
        && tuple.get_item(0).is_ok_and(|first| field_type_of(&first).is_some())
    {
        return Err(PyTypeError::new_err("rows is one (field_type, value) pair: wrap it in a list, [pair]"));
    }
    Ok(())
}

/// The error for an object that cannot be iterated over; any other error is the iterable's own.
pub(crate) fn not_rows(rows: &Bound<'_, PyAny>, trouble: PyErr) -> PyErr {
    if !trouble.is_instance_of::<PyTypeError>(rows.py()) {
        return trouble;
    }
    let name = rows.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "rows is of type {name}, which cannot be iterated over: pass a list or a column"
    ))
}
