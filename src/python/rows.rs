//! From any iterable of rows to identified ones, the caller's own values kept beside them. What a
//! row may be is decided here; what a value is, in [`entry`](super::entry).

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};

use super::entry::{EXACT_F64, Entry, Reader, Reading, exact_below};
use super::{errors, settings};
use crate::identifier::{FieldType, Rules};
use crate::plan::{Preference, Row, Summary, summarize};

/// Rows read between two looks for Ctrl-C: some milliseconds.
const ROWS_BETWEEN_SIGNALS: u64 = 1_024;

/// Beyond this many, a source's own word on its length is not trusted.
const MOST_EXPECTED: usize = 1 << 24;

/// What a pair is, said wherever one was got wrong.
const PAIR: &str =
    "a pair is (field_type, value), the field type one of \"email\", \"phone\", \"social_profile\"";

/// What was read: as many rows as values. The value of a list-row is a tuple of its entries'
/// values; no other row's is.
#[derive(Default)]
pub(super) struct Stock {
    pub(super) rows: Vec<Row>,
    pub(super) values: Vec<Py<PyAny>>,
}

/// Rows, read and identified: the caller's own values, and what may be asked of each.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(super) struct Rows {
    len: usize,
    first_row: u64,
    /// `None` once fed to a run.
    stock: Mutex<Option<Stock>>,
}

#[pymethods]
impl Rows {
    #[new]
    #[pyo3(signature = (rows, *, field_type=None, default_region=None, na_values=None, first_row=0))]
    fn new(
        rows: &Bound<'_, PyAny>,
        field_type: Option<&str>,
        default_region: Option<&str>,
        na_values: Option<&Bound<'_, PyAny>>,
        first_row: u64,
    ) -> PyResult<Self> {
        let py = rows.py();
        let field_type = field_type.map(named).transpose()?;
        let reader = Reader {
            rules: Rules::new(default_region).map_err(|e| errors::exception(py, &e))?,
            na_values: na_values.map(settings::na_values).transpose()?.unwrap_or_default(),
            exact_below: float_limit(rows)?,
        };
        let reading = RowReader { reader, field_type };
        let stock = reading.all(rows, first_row)?;
        Ok(Self { len: stock.rows.len(), first_row, stock: Mutex::new(Some(stock)) })
    }

    fn __len__(&self) -> usize {
        self.len
    }

    fn invalid(&self) -> PyResult<Vec<(u64, String)>> {
        self.look(|stock| {
            let numbered = (self.first_row..).zip(&stock.rows);
            numbered
                .filter_map(|(number, row)| match row {
                    Row::Invalid(_, why) => Some((number, why.to_string())),
                    _ => None,
                })
                .collect()
        })
    }

    fn plan<'py>(&self, py: Python<'py>, settings: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let chunk_size = settings::read(settings)?.config.chunk_size;
        let summary = py.detach(|| self.look(|stock| summarize(&stock.rows)))?;
        self.tell(py, &summary, chunk_size as u64)
    }
}

impl Rows {
    /// What was read, to be fed: once.
    pub(super) fn take(&self) -> PyResult<Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(fed)
    }

    /// Calls no Python: the lock may be waited for without letting go of the interpreter.
    fn look<T>(&self, at: impl FnOnce(&Stock) -> T) -> PyResult<T> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(at).ok_or_else(fed)
    }

    fn tell<'py>(&self, py: Python<'py>, summary: &Summary, chunk: u64) -> PyResult<Bound<'py, PyDict>> {
        let (least, most) = (summary.lookups_least, summary.lookups_most);
        let plan = PyDict::new(py);
        plan.set_item("rows", summary.rows)?;
        plan.set_item("missing", summary.missing)?;
        plan.set_item("invalid", summary.invalid)?;
        plan.set_item("duplicates", summary.duplicates)?;
        plan.set_item("from_store", 0)?;
        plan.set_item("to_send", (least, most))?;
        plan.set_item("requests", (least.div_ceil(chunk), most.div_ceil(chunk)))?;
        plan.set_item("max_credits", summary.credits_most)?;
        let suspects = summary.suspects.iter();
        let suspects: Vec<_> =
            suspects.map(|s| (self.first_row + s.row, s.field_type.as_str(), s.rows)).collect();
        plan.set_item("suspects", suspects)?;
        Ok(plan)
    }
}

/// Reads rows one by one.
struct RowReader {
    reader: Reader,
    field_type: Option<FieldType>,
}

impl RowReader {
    fn all(&self, rows: &Bound<'_, PyAny>, first_row: u64) -> PyResult<Stock> {
        refuse(rows)?;
        let column = column(rows)?;
        let rows = column.as_ref().unwrap_or(rows);
        let expected = rows.len().unwrap_or_default().min(MOST_EXPECTED);
        let mut stock = Stock { rows: Vec::with_capacity(expected), values: Vec::with_capacity(expected) };
        let mut number = first_row;
        let mut add = |item: Bound<'_, PyAny>| {
            let (value, row) = self.row(&item, number)?;
            stock.values.push(value);
            stock.rows.push(row);
            number += 1;
            if number.is_multiple_of(ROWS_BETWEEN_SIGNALS) {
                let py = item.py();
                // Other threads wait for the interpreter too.
                py.detach(std::thread::yield_now);
                py.check_signals()?;
            }
            PyResult::Ok(())
        };
        if let Ok(list) = rows.cast::<PyList>() {
            list.iter().try_for_each(add)?;
        } else if let Ok(tuple) = rows.cast::<PyTuple>() {
            tuple.iter().try_for_each(add)?;
        } else {
            rows.try_iter().map_err(|trouble| not_rows(rows, trouble))?.try_for_each(|item| add(item?))?;
        }
        Ok(stock)
    }

    fn row(&self, item: &Bound<'_, PyAny>, number: u64) -> PyResult<(Py<PyAny>, Row)> {
        let row = || format!("row {number}");
        if item.is_exact_instance_of::<PyString>() {
            return self.reader.entry(item, self.field_type, &row).map(single);
        }
        if let Ok(entries) = item.cast::<PyList>() {
            return self.list(entries, number);
        }
        if !plain(item)
            && let Some(array) = array(item)?
        {
            return self.list(array.cast()?, number);
        }
        self.value(item, &row).map(single)
    }

    /// A list-row: each entry read, those with something to ask kept in order.
    fn list(&self, entries: &Bound<'_, PyList>, number: u64) -> PyResult<(Py<PyAny>, Row)> {
        let mut values = Vec::with_capacity(entries.len());
        let mut alternatives = Vec::new();
        let mut first = None;
        let mut blamed = None;
        for (place, item) in (0..).zip(entries.iter()) {
            let entry = self.value(&item, &|| format!("row {number}, entry {place}"))?;
            values.push(entry.value);
            match entry.reading {
                Reading::Missing => continue,
                Reading::Invalid(why) => blamed = blamed.or(Some((place, why))),
                Reading::Asks(identifier) => alternatives.push((place, identifier)),
            }
            first = first.or(Some(place));
        }
        let row = match (first, blamed) {
            (Some(first), _) if !alternatives.is_empty() => {
                Row::Preference(Box::new(Preference { first, alternatives: alternatives.into() }))
            }
            (_, Some((place, why))) => Row::Invalid(place, why),
            _ => Row::Missing,
        };
        Ok((PyTuple::new(entries.py(), values)?.into_any().unbind(), row))
    }

    /// A value with or without its field type: all that an entry of a list may be.
    fn value(&self, item: &Bound<'_, PyAny>, place: &dyn Fn() -> String) -> PyResult<Entry> {
        if item.is_instance_of::<PyString>() {
            self.reader.entry(item, self.field_type, place)
        } else if let Ok(pair) = item.cast::<PyTuple>() {
            let (field_type, value) = pair_of(pair, place)?;
            self.part(&value, field_type, place)
        } else if item.is_instance_of::<PyDict>() || item.cast::<PyMapping>().is_ok() {
            let (field_type, value) = vendors_own(item, place)?;
            self.part(&value, field_type, place)
        } else if item.is_instance_of::<PyList>() {
            Err(PyTypeError::new_err(format!(
                "{} is a list inside a list: a row is at most one list, in order of preference",
                place()
            )))
        } else {
            self.reader.entry(item, self.field_type, place)
        }
    }

    /// The value of a pair or mapping.
    fn part(
        &self,
        value: &Bound<'_, PyAny>,
        field_type: FieldType,
        place: &dyn Fn() -> String,
    ) -> PyResult<Entry> {
        self.reader.entry(value, Some(field_type), &|| format!("the value of {}", place()))
    }
}

fn single(entry: Entry) -> (Py<PyAny>, Row) {
    let row = match entry.reading {
        Reading::Missing => Row::Missing,
        Reading::Invalid(why) => Row::Invalid(0, why),
        Reading::Asks(identifier) => Row::One(identifier),
    };
    (entry.value, row)
}

fn pair_of<'py>(
    pair: &Bound<'py, PyTuple>,
    place: &dyn Fn() -> String,
) -> PyResult<(FieldType, Bound<'py, PyAny>)> {
    if let Ok((named, value)) = pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>() {
        return match field_type_of(&named) {
            Some(field_type) => Ok((field_type, value)),
            None => Err(PyValueError::new_err(format!(
                "{} is a pair whose first part is no field type: {PAIR}. Two identifiers of one row \
                 (such as zip gives of two columns) go in a list, in order of preference: \
                 [email, phone]",
                place()
            ))),
        };
    }
    let fix = match pair.len() {
        1 => "take its only part, such as row[0]",
        _ => "identifiers of one row go in a list, in order of preference",
    };
    Err(PyValueError::new_err(format!("{} is a tuple of {}: {PAIR}; {fix}", place(), pair.len())))
}

fn vendors_own<'py>(
    mapping: &Bound<'py, PyAny>,
    place: &dyn Fn() -> String,
) -> PyResult<(FieldType, Bound<'py, PyAny>)> {
    let py = mapping.py();
    let (named, value) = (intern!(py, "field_type"), intern!(py, "value"));
    if !mapping.contains(named)? || !mapping.contains(value)? {
        return Err(PyTypeError::new_err(format!(
            "{} is a mapping without the keys \"field_type\" and \"value\": take the value to look \
             up out of it, such as row[\"email\"]",
            place()
        )));
    }
    let field_type = field_type_of(&mapping.get_item(named)?).ok_or_else(|| {
        PyValueError::new_err(format!(
            "{}: its \"field_type\" has to be \"email\", \"phone\" or \"social_profile\"",
            place()
        ))
    })?;
    Ok((field_type, mapping.get_item(value)?))
}

fn field_type_of(name: &Bound<'_, PyAny>) -> Option<FieldType> {
    FieldType::from_name(name.cast::<PyString>().ok()?.to_str().ok()?)
}

fn named(name: &str) -> PyResult<FieldType> {
    FieldType::from_name(name).ok_or_else(|| {
        PyValueError::new_err(
            "field_type has to be \"email\", \"phone\" or \"social_profile\", or None to infer it",
        )
    })
}

/// A column that converts itself to a list does it many times faster than it iterates.
fn column<'py>(rows: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let class = rows.get_type();
    for convert in ["to_pylist", "to_list", "tolist"] {
        if class.hasattr(convert)? {
            return rows.call_method0(convert).map(Some);
        }
    }
    Ok(None)
}

/// What needs no look at its abilities.
fn plain(item: &Bound<'_, PyAny>) -> bool {
    item.is_none()
        || item.is_exact_instance_of::<PyTuple>()
        || item.is_exact_instance_of::<PyDict>()
        || item.is_exact_instance_of::<PyFloat>()
        || item.is_exact_instance_of::<PyInt>()
}

/// A cell that is an array: columns of lists may come as those. (A scalar of numpy's has no
/// dimension.)
fn array<'py>(item: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let class = item.get_type();
    if class.hasattr("tolist")? && class.hasattr("ndim")? && item.getattr("ndim")?.gt(0)? {
        return item.call_method0("tolist").map(Some);
    }
    Ok(None)
}

/// From which size on the floats of a column may have lost digits.
fn float_limit(rows: &Bound<'_, PyAny>) -> PyResult<f64> {
    for attribute in ["dtype", "type"] {
        if rows.get_type().hasattr(attribute)? {
            return Ok(exact_below(&rows.getattr(attribute)?.str()?.to_string_lossy()));
        }
    }
    Ok(EXACT_F64)
}

/// The common mistakes, each with its fix.
fn refuse(rows: &Bound<'_, PyAny>) -> PyResult<()> {
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
    if class.hasattr("columns")? || class.hasattr("__dataframe__")? {
        return Err(PyTypeError::new_err(format!(
            "rows is a frame ({name}): pass one column of it, such as frame[\"email\"]; several columns, in \
             order of preference, as lists: list(map(list, zip(frame[\"email\"], frame[\"phone\"])))"
        )));
    }
    if rows.is_instance_of::<PyDict>() || rows.cast::<PyMapping>().is_ok() {
        return Err(PyTypeError::new_err(
            "rows is one mapping: wrap it in a list where it is one row, or pass one of its values where \
             those are columns",
        ));
    }
    if let Ok(tuple) = rows.cast::<PyTuple>()
        && tuple.len() == 2
        && tuple.get_item(0).is_ok_and(|first| field_type_of(&first).is_some())
    {
        return Err(PyTypeError::new_err("rows is one (field_type, value) pair: wrap it in a list, [pair]"));
    }
    Ok(())
}

fn not_rows(rows: &Bound<'_, PyAny>, trouble: PyErr) -> PyErr {
    if !trouble.is_instance_of::<PyTypeError>(rows.py()) {
        return trouble;
    }
    let name = rows.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "rows is of type {name}, which cannot be iterated over: pass a list or a column"
    ))
}

fn fed() -> PyErr {
    PyRuntimeError::new_err("these rows were fed to a run already: read them again")
}
