//! Reads one row: a string, a pair, a mapping as the service has it, or a list of those in order of preference.
//! [`entry`](super::entry) decides what a single value is.
//!
//! | the caller's row | is |
//! |---|---|
//! | `"ana@acme.example"` | a value whose field type is inferred, or that of the call |
//! | `("phone", "+1 201 555 0123")` | a value with its field type; a third part is the region |
//! | `{"field_type": "email", "value": "…"}` | the same, as the service has it; `region` is optional |
//! | `["ana@acme.example", ("phone", "…")]` | alternatives: the second is asked for only if the first is not found |
//!
//! Every error names the row (`row 17`, or `row 17, entry 2`) and the fix.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};

use crate::input::entry::{Entry, Hints, Reader};
use exactbuyer_core::identifier::FieldType;
use exactbuyer_core::plan::{Row, RowBuilder};

/// What a pair is, for messages about a wrong one.
///
/// It lists the field types of the core, so that a new one is in the message, too.
fn pair_form() -> String {
    format!("a pair is (field_type, value), the field type one of {}", FieldType::quoted(", "))
}

/// A value with its field type, and perhaps its region.
type Part<'py> = (FieldType, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// Reads rows one by one.
///
/// It has no state: rows can be read in any order.
pub(crate) struct RowReader {
    pub(crate) reader: Reader,
    /// The field type of values without one.
    pub(crate) field_type: Option<FieldType>,
}

impl RowReader {
    /// The value for the row's result, and what to look up. The value of a list-row is a tuple of its entries' values;
    /// no other value is a tuple.
    ///
    /// `number` is the row's number for messages, counted over all lists of the call. `builder` makes the row; a value
    /// that stands alone counts as the first of a list.
    ///
    /// # Errors
    /// `TypeError` or `ValueError` if the object is not a row.
    pub(crate) fn row(
        &self,
        item: &Bound<'_, PyAny>,
        number: u64,
        builder: &mut RowBuilder,
    ) -> PyResult<(Py<PyAny>, Row)> {
        let row = || format!("row {number}");
        let single = |entry: Entry| {
            builder.cell(0, [(0, entry.reading)]);
            (entry.value, builder.row())
        };
        if is_scalar(item) {
            return self.reader.entry(item, self.hints(), &row).map(single);
        }
        if let Ok(entries) = item.cast::<PyList>() {
            return self.list(entries, number, builder);
        }
        if !item.is_exact_instance_of::<PyTuple>()
            && !item.is_exact_instance_of::<PyDict>()
            && let Some(array) = array(item)?
        {
            return self.list(array.cast()?, number, builder);
        }
        self.value(item, &row).map(single)
    }

    /// A list-row: its entries that can be looked up, in order.
    ///
    /// An entry without a value is skipped, and an invalid one is kept as the reason in case no entry can be
    /// looked up. `place` is the entry's position in the list, which a result refers to. An empty list is a
    /// missing row.
    fn list(
        &self,
        entries: &Bound<'_, PyList>,
        number: u64,
        builder: &mut RowBuilder,
    ) -> PyResult<(Py<PyAny>, Row)> {
        let mut values = Vec::with_capacity(entries.len());
        for (place, item) in (0..).zip(entries.iter()) {
            let entry = self.value(&item, &|| format!("row {number}, entry {place}"))?;
            values.push(entry.value);
            builder.cell(place, [(place, entry.reading)]);
        }
        Ok((PyTuple::new(entries.py(), values)?.into_any().unbind(), builder.row()))
    }

    /// A value with or without its field type: what an entry of a list may be.
    ///
    /// # Errors
    /// `TypeError` for a list inside a list; and as [`pair_of`] and [`mapping_of`].
    fn value(&self, item: &Bound<'_, PyAny>, place: &dyn Fn() -> String) -> PyResult<Entry> {
        if let Ok(pair) = item.cast::<PyTuple>() {
            self.part(pair_of(pair, place)?, place)
        } else if item.is_instance_of::<PyList>() {
            Err(PyTypeError::new_err(format!(
                "{} is a list inside a list: a row is at most one list, in order of preference",
                place()
            )))
        } else if item.is_instance_of::<PyDict>() || (!is_scalar(item) && item.cast::<PyMapping>().is_ok()) {
            self.part(mapping_of(item, place)?, place)
        } else {
            self.reader.entry(item, self.hints(), place)
        }
    }

    /// The value of a pair or mapping.
    ///
    /// The field type holds for the value even if the value looks like another one.
    fn part(&self, (field_type, value, region): Part<'_>, place: &dyn Fn() -> String) -> PyResult<Entry> {
        let named = |name: &str| self.reader.texts.region(name);
        let region = region.map(|region| Reader::region(&region, named)).transpose()?.unwrap_or_default();
        let hints = Hints { field_type: Some(field_type), region };
        self.reader.entry(&value, hints, &|| format!("the value of {}", place()))
    }

    /// For a value that stands alone.
    fn hints(&self) -> Hints {
        Hints { field_type: self.field_type, ..Hints::default() }
    }
}

/// Three parts are tried first: their first must be a field type, so that a list of three identifiers in a
/// tuple is not mistaken for a pair with a region.
///
/// # Errors
/// `ValueError` for any other tuple, with what to write instead.
fn pair_of<'py>(pair: &Bound<'py, PyTuple>, place: &dyn Fn() -> String) -> PyResult<Part<'py>> {
    if let Ok((named, value, region)) =
        pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>, Bound<'_, PyAny>)>()
        && let Some(field_type) = field_type_of(&named)
    {
        return Ok((field_type, value, Some(region)));
    }
    if let Ok((named, value)) = pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>() {
        return match field_type_of(&named) {
            Some(field_type) => Ok((field_type, value, None)),
            None => Err(PyValueError::new_err(format!(
                "{} is a pair whose first part is not a field type: {}. Two identifiers of one row \
                 (such as zip gives of two columns) go in a list, in order of preference: \
                 [email, phone]",
                place(),
                pair_form()
            ))),
        };
    }
    let fix = match pair.len() {
        1 => "take its only part, such as row[0]",
        3 => {
            "with a region it is (field_type, value, region); identifiers of one row go in a list, in order of preference"
        }
        _ => "identifiers of one row go in a list, in order of preference",
    };
    Err(PyValueError::new_err(format!("{} is a tuple of {}: {}; {fix}", place(), pair.len(), pair_form())))
}

/// Makes now what pyo3 makes at the first use: see [`source::prepare`](super::source::prepare).
pub(crate) fn prepare(py: Python<'_>) {
    let _no_row = mapping_of(PyDict::new(py).as_any(), &String::new);
}

/// Any mapping is accepted, not only `dict`. Further keys are ignored.
///
/// # Errors
/// `TypeError` if a key is missing; `ValueError` if the field type is none.
fn mapping_of<'py>(mapping: &Bound<'py, PyAny>, place: &dyn Fn() -> String) -> PyResult<Part<'py>> {
    let py = mapping.py();
    let (named, value, region) = (intern!(py, "field_type"), intern!(py, "value"), intern!(py, "region"));
    if !mapping.contains(named)? || !mapping.contains(value)? {
        return Err(PyTypeError::new_err(format!(
            "{} is a mapping without the keys \"field_type\" and \"value\": take the value to look \
             up out of it, such as row[\"email\"]",
            place()
        )));
    }
    let field_type = field_type_of(&mapping.get_item(named)?).ok_or_else(|| {
        PyValueError::new_err(format!(
            "{}: its \"field_type\" has to be {}",
            place(),
            FieldType::quoted(" or ")
        ))
    })?;
    let region = if mapping.contains(region)? { Some(mapping.get_item(region)?) } else { None };
    Ok((field_type, mapping.get_item(value)?, region))
}

/// The field type of that name, if it is one.
///
/// `None` for anything else, including objects that are not text.
pub(crate) fn field_type_of(name: &Bound<'_, PyAny>) -> Option<FieldType> {
    FieldType::from_name(name.cast::<PyString>().ok()?.to_str().ok()?)
}

/// Whether it is one of Python's plain types, so that its attributes need not be looked at.
///
/// Only a shortcut: an object for which it says no is read with the same result, but more slowly.
fn is_scalar(item: &Bound<'_, PyAny>) -> bool {
    item.is_instance_of::<PyString>()
        || item.is_none()
        || item.is_exact_instance_of::<PyInt>()
        || item.is_exact_instance_of::<PyFloat>()
}

/// The elements of a cell that is an array, as in columns of lists. (A numpy scalar has no dimension.)
///
/// # Errors
/// What the object's own methods raise.
pub(crate) fn array<'py>(item: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let class = item.get_type();
    if class.hasattr("tolist")? && class.hasattr("ndim")? && item.getattr("ndim")?.gt(0)? {
        return item.call_method0("tolist").map(Some);
    }
    Ok(None)
}
