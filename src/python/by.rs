//! The columns of a table that are looked up: of Arrow, read without the interpreter, or Python's
//! own objects.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, new_empty_array};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use pyo3_arrow::input::AnyArray;

use super::arrow::Batches;
use super::entry::{Reader as ObjectReader, exact_below};
use super::rows::{Rows, named};
use super::{errors, settings};
use crate::columns::cells::Lens;
use crate::columns::{Cell, join};
use crate::identifier::reading::{Reader, Reading};
use crate::identifier::{FieldType, Invalid};

/// Cells of Python's own read between two looks for Ctrl-C.
const CELLS_BETWEEN_SIGNALS: usize = 1_024;

enum Cells {
    /// The chunks of a column of Arrow.
    Arrow(Vec<ArrayRef>),
    /// Objects in a list, and from which size on its floats may have lost digits.
    Objects(Py<PyList>, f64),
}

struct Column {
    name: String,
    field_type: Option<FieldType>,
    cells: Cells,
}

/// The columns of a table that are looked up, in order of preference.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(super) struct ByColumns {
    columns: Vec<Column>,
    reader: Reader,
    split: Option<String>,
    rows: usize,
}

#[pymethods]
impl ByColumns {
    #[new]
    #[pyo3(signature = (columns, *, split=None, default_region=None, na_values=None))]
    fn new(
        py: Python<'_>,
        columns: Vec<(String, Option<String>, Bound<'_, PyAny>, String)>,
        split: Option<String>,
        default_region: Option<&str>,
        na_values: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let reader = settings::texts(py, default_region, na_values)?;
        let mut read = Vec::with_capacity(columns.len());
        let mut rows = None;
        for (name, field_type, cells, dtype) in columns {
            let field_type = field_type.as_deref().map(named).transpose()?;
            let (cells, len) = if let Ok(list) = cells.cast::<PyList>() {
                (Cells::Objects(list.clone().unbind(), exact_below(&dtype)), list.len())
            } else {
                let chunks = match cells.cast::<Batches>() {
                    Ok(batches) => batches.get().first_column(),
                    Err(_) => cells.extract::<AnyArray>()?.into_chunked_array()?.into_inner().0,
                };
                if let Some(chunk) = chunks.first() {
                    // Of a type that cannot be looked up nothing is to be sent first.
                    let none = new_empty_array(chunk.data_type());
                    let lens = Lens { reader: &reader, field_type, split: None };
                    lens.read(&none, &name).map_err(|error| errors::exception(py, &error))?;
                }
                let len = chunks.iter().map(Array::len).sum();
                (Cells::Arrow(chunks), len)
            };
            if *rows.get_or_insert(len) != len {
                return Err(PyValueError::new_err("the columns to look up are of different lengths"));
            }
            read.push(Column { name, field_type, cells });
        }
        Ok(Self { columns: read, reader, split, rows: rows.unwrap_or(0) })
    }

    fn __len__(&self) -> usize {
        self.rows
    }

    fn rows(&self, py: Python<'_>, start: usize, stop: usize, first_row: u64) -> PyResult<Rows> {
        let stop = stop.min(self.rows);
        let start = start.min(stop);
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let (reader, field_type) = (&self.reader, column.field_type);
            let lens = Lens { reader, field_type, split: self.split.as_deref() };
            columns.push(match &column.cells {
                Cells::Arrow(chunks) => {
                    let read = py.detach(|| {
                        let mut cells = Vec::with_capacity(stop - start);
                        for chunk in cut(chunks, start, stop) {
                            cells.append(&mut lens.read(&chunk, &column.name)?);
                        }
                        Ok(cells)
                    });
                    read.map_err(|error| errors::exception(py, &error))?
                }
                Cells::Objects(list, exact_below) => {
                    let objects = ObjectReader { texts: self.reader.clone(), exact_below: *exact_below };
                    let list = list.bind(py);
                    let mut cells = Vec::with_capacity(stop - start);
                    for (nth, item) in list.iter().skip(start).take(stop - start).enumerate() {
                        cells.push(object(&objects, &lens, &item)?);
                        if nth % CELLS_BETWEEN_SIGNALS == 0 {
                            py.check_signals()?;
                        }
                    }
                    cells
                }
            });
        }
        Ok(Rows::of(py.detach(|| join(columns)), first_row))
    }
}

/// The parts of these chunks between two rows.
fn cut(chunks: &[ArrayRef], start: usize, stop: usize) -> Vec<Arc<dyn Array>> {
    let mut first = 0;
    let mut parts = Vec::new();
    for chunk in chunks {
        let (from, to) = (start.max(first), stop.min(first + chunk.len()));
        if from < to {
            parts.push(chunk.slice(from - first, to - from));
        }
        first += chunk.len();
    }
    parts
}

/// What an object in a cell comes to: junk is the row's trouble, not the table's.
fn object(objects: &ObjectReader, lens: &Lens<'_>, item: &Bound<'_, PyAny>) -> PyResult<Cell> {
    if let Ok(text) = item.cast::<PyString>()
        && let Ok(text) = text.to_str()
    {
        return Ok(lens.text(text));
    }
    let several = if item.is_instance_of::<PyList>() || item.is_instance_of::<PyTuple>() {
        Some(item.clone())
    } else {
        // An array of numpy's.
        let class = item.get_type();
        let is_array = class.hasattr("tolist")? && class.hasattr("ndim")? && item.getattr("ndim")?.gt(0)?;
        if is_array { Some(item.call_method0("tolist")?) } else { None }
    };
    let Some(several) = several else { return Ok(Cell::One(one(objects, lens, item)?)) };
    let mut readings = Vec::new();
    for value in several.try_iter()? {
        match object_in_list(objects, lens, &value?)? {
            Cell::One(reading) => readings.push(reading),
            Cell::Many(more) => readings.extend(more),
        }
    }
    Ok(Cell::Many(readings))
}

fn object_in_list(objects: &ObjectReader, lens: &Lens<'_>, item: &Bound<'_, PyAny>) -> PyResult<Cell> {
    match item.cast::<PyString>().map(|text| text.to_str()) {
        Ok(Ok(text)) => Ok(lens.text(text)),
        _ => Ok(Cell::One(one(objects, lens, item)?)),
    }
}

fn one(objects: &ObjectReader, lens: &Lens<'_>, item: &Bound<'_, PyAny>) -> PyResult<Reading> {
    match objects.entry(item, lens.field_type, &|| "this cell".to_owned()) {
        Ok(entry) => Ok(entry.reading),
        Err(trouble) if trouble.is_instance_of::<PyTypeError>(item.py()) => {
            Ok(Reading::Invalid(Invalid::NotText))
        }
        Err(trouble) => Err(trouble),
    }
}
