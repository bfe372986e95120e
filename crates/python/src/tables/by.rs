//! The columns of a table that are looked up: Arrow columns, which are read without the interpreter, or Python objects.
//!
//! A row is made in two steps: each column is read cell by cell, then the cells of one row are joined in the
//! order of the columns (`exactbuyer_arrow::join`). The number of an alternative tells its column, and that is
//! the column `matched_by`. The rows are read in parts, so that the values of a large table exist only a part
//! at a time.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, new_empty_array};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use pyo3_arrow::input::AnyArray;

use crate::convert::OrRaise;
use crate::input::entry::{Hints, Reader as ObjectReader, exact_below};
use crate::input::row::array;
use crate::input::rows::{Rows, named};
use crate::settings;
use crate::tables::arrow::Batches;
use exactbuyer_arrow::input::cells::ColumnReader;
use exactbuyer_arrow::input::marks::Marks;
use exactbuyer_arrow::input::regions::{RegionReader, Regions};
use exactbuyer_arrow::{Cell, join, key_batch, key_schema};
use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::reading::{Reader, Reading, RowRegion};
use exactbuyer_core::identifier::{FieldType, Invalid};
use exactbuyer_core::message::Words;
use exactbuyer_core::plan::{ColumnCounts, Row};

/// Cells with Python objects that are read between two checks for Ctrl-C.
const CELLS_BETWEEN_SIGNALS: usize = 1_024;

/// How a column was passed.
enum Cells {
    /// The chunks of an Arrow column.
    Arrow(Vec<ArrayRef>),
    /// Objects in a list, and the size from which its floats may have lost digits.
    Objects(Py<PyList>, f64),
}

impl Cells {
    /// # Errors
    /// If it is neither a list nor Arrow data.
    fn of(cells: &Bound<'_, PyAny>, dtype: &str) -> PyResult<Self> {
        if let Ok(list) = cells.cast::<PyList>() {
            return Ok(Self::Objects(list.clone().unbind(), exact_below(dtype)));
        }
        Ok(Self::Arrow(match cells.cast::<Batches>() {
            Ok(batches) => batches.get().first_column(),
            Err(_) => cells.extract::<AnyArray>()?.into_chunked_array()?.into_inner().0,
        }))
    }

    /// The number of rows.
    fn len(&self, py: Python<'_>) -> usize {
        match self {
            Self::Arrow(chunks) => chunks.iter().map(Array::len).sum(),
            Self::Objects(list, _) => list.bind(py).len(),
        }
    }

    /// Fails before anything is sent if the column's type cannot be read, wherever its first value is.
    ///
    /// It reads no row: an empty array of the type is enough. Lists of objects are checked cell by cell when
    /// they are read.
    fn check(&self, read: impl FnOnce(&dyn Array) -> Result<(), Error>) -> Result<(), Error> {
        match self {
            Self::Arrow(chunks) => {
                chunks.first().map_or(Ok(()), |chunk| read(&new_empty_array(chunk.data_type())))
            }
            Self::Objects(..) => Ok(()),
        }
    }
}

/// One column to look up.
struct Column {
    /// For messages, and for the fixed column `matched_by`.
    name: String,
    /// `None`: inferred for each value.
    field_type: Option<FieldType>,
    /// All rows of the table.
    cells: Cells,
    /// Where a cell is split into several values; empty: it is one value.
    marks: Marks,
}

impl Column {
    const fn reader<'a>(&'a self, reader: &'a Reader, regions: Regions<'a>) -> ColumnReader<'a> {
        ColumnReader { reader, field_type: self.field_type, marks: &self.marks, regions }
    }
}

/// The columns of a table that are looked up, in order of preference.
///
/// All columns have the same length. Nothing is read when it is made, apart from the types.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct ByColumns {
    columns: Vec<Column>,
    /// The column of regions, with its name.
    region: Option<(String, Cells)>,
    /// The caller's rules: default region, and texts that mean "no value".
    reader: Reader,
    /// The length of each column.
    rows: usize,
}

#[pymethods]
impl ByColumns {
    /// # Errors
    /// `ConfigError` for a column whose type cannot be looked up, `ValueError` for columns of different
    /// lengths.
    #[new]
    #[pyo3(signature = (columns, *, region=None, default_region=None, na_values=None))]
    #[allow(clippy::type_complexity)] // As Python passes it.
    fn new(
        py: Python<'_>,
        columns: Vec<(String, Option<String>, Bound<'_, PyAny>, String, Vec<String>)>,
        region: Option<(String, Bound<'_, PyAny>, String)>,
        default_region: Option<&str>,
        na_values: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let reader = settings::texts(py, default_region, na_values)?;
        let mut read = Vec::with_capacity(columns.len());
        let mut rows = None;
        let mut fits = |cells: &Cells| {
            let len = cells.len(py);
            if *rows.get_or_insert(len) == len {
                return Ok(());
            }
            Err(PyValueError::new_err("the columns to look up are of different lengths"))
        };
        for (name, field_type, cells, dtype, marks) in columns {
            let field_type = field_type.as_deref().map(named).transpose()?;
            let cells = Cells::of(&cells, &dtype)?;
            fits(&cells)?;
            let column = Column { name, field_type, cells, marks: Marks::new(marks) };
            let column_reader = column.reader(&reader, Regions::Same(RowRegion::Default));
            column.cells.check(|none| column_reader.read(none, &column.name).map(drop)).or_raise(py)?;
            read.push(column);
        }
        let region = match region {
            Some((name, cells, dtype)) => {
                let cells = Cells::of(&cells, &dtype)?;
                fits(&cells)?;
                let mut regions = RegionReader::new(&reader);
                cells.check(|none| regions.read(none, &name, &mut Vec::new())).or_raise(py)?;
                Some((name, cells))
            }
            None => None,
        };
        Ok(Self { columns: read, region, reader, rows: rows.unwrap_or(0) })
    }

    fn __len__(&self) -> usize {
        self.rows
    }

    /// `first_row` is the number of the first of them in the call.
    fn rows(&self, py: Python<'_>, start: usize, stop: usize, first_row: u64) -> PyResult<Rows> {
        Ok(Rows::of(self.read(py, start, stop)?, first_row))
    }

    /// Rows with the same identifiers have the same key, in every process with this version of the rules.
    #[allow(clippy::needless_pass_by_value)] // As Python passes it.
    fn keys(&self, py: Python<'_>, start: usize, stop: usize, words: Words) -> PyResult<Batches> {
        let (rows, _) = self.read(py, start, stop)?;
        let columns = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
        let batch = py.detach(|| key_batch(&rows, columns, &words)).or_raise(py)?;
        Ok(Batches::of(key_schema(), vec![batch]))
    }
}

impl ByColumns {
    /// The rows between these two, and what each column contributes to them.
    ///
    /// The end is cut to the table. Arrow columns are read without the interpreter, lists of objects with it.
    ///
    /// # Errors
    /// `ConfigError` for a type, or `KeyboardInterrupt`. A cell that cannot be looked up is not an error.
    fn read(&self, py: Python<'_>, start: usize, stop: usize) -> PyResult<(Vec<Row>, Vec<ColumnCounts>)> {
        let stop = stop.min(self.rows);
        let start = start.min(stop);
        let named = self.regions(py, start, stop)?;
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            columns.push(match &column.cells {
                Cells::Arrow(chunks) => py
                    .detach(|| {
                        let mut cells = Vec::with_capacity(stop - start);
                        for chunk in cut(chunks, start, stop) {
                            let regions = regions_from(named.as_deref(), cells.len());
                            cells.append(
                                &mut column.reader(&self.reader, regions).read(&chunk, &column.name)?,
                            );
                        }
                        Ok::<_, Error>(cells)
                    })
                    .or_raise(py)?,
                Cells::Objects(list, exact_below) => {
                    let objects = ObjectReader { texts: self.reader.clone(), exact_below: *exact_below };
                    let regions = regions_from(named.as_deref(), 0);
                    let reader = CellReader { objects, column: column.reader(&self.reader, regions) };
                    let mut cells = Vec::with_capacity(stop - start);
                    each(list.bind(py), start, stop, |nth, item| {
                        cells.push(reader.read(item, regions.of(nth))?);
                        Ok(())
                    })?;
                    cells
                }
            });
        }
        Ok(py.detach(|| join(columns)))
    }

    /// The region of each row between these two, if there is a column of them.
    ///
    /// `None` without such a column: then the default region applies.
    fn regions(&self, py: Python<'_>, start: usize, stop: usize) -> PyResult<Option<Vec<RowRegion>>> {
        let Some((name, cells)) = &self.region else { return Ok(None) };
        let mut reader = RegionReader::new(&self.reader);
        let mut regions = Vec::with_capacity(stop - start);
        match cells {
            Cells::Arrow(chunks) => {
                py.detach(|| {
                    let mut chunks = cut(chunks, start, stop).into_iter();
                    chunks.try_for_each(|chunk| reader.read(&chunk, name, &mut regions))
                })
                .or_raise(py)?;
            }
            Cells::Objects(list, _) => each(list.bind(py), start, stop, |_, item| {
                regions.push(ObjectReader::region(item, |name| reader.text(name))?);
                Ok(())
            })?,
        }
        Ok(Some(regions))
    }
}

/// The regions from this row on.
///
/// A row without an entry has an unknown region: see [`Regions::of`].
fn regions_from(named: Option<&[RowRegion]>, row: usize) -> Regions<'_> {
    match named {
        Some(named) => Regions::ByRow(named.get(row..).unwrap_or_default()),
        None => Regions::Same(RowRegion::Default),
    }
}

/// Calls `read` with each item between these two, and checks for Ctrl-C now and then.
fn each(
    list: &Bound<'_, PyList>,
    start: usize,
    stop: usize,
    mut read: impl FnMut(usize, &Bound<'_, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    for (nth, item) in list.iter().skip(start).take(stop - start).enumerate() {
        read(nth, &item)?;
        if nth % CELLS_BETWEEN_SIGNALS == 0 {
            list.py().check_signals()?;
        }
    }
    Ok(())
}

/// The parts of these chunks between two rows.
///
/// Without a copy. The parts have the chunks' own boundaries.
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

/// Reads objects in the cells of a column. One that cannot be read makes its row invalid, and is not an error of the
/// table.
struct CellReader<'a> {
    objects: ObjectReader,
    column: ColumnReader<'a>,
}

impl CellReader<'_> {
    /// A list or an array in a cell has several values, in order of preference. A list inside it is an invalid
    /// value.
    fn read(&self, item: &Bound<'_, PyAny>, region: RowRegion) -> PyResult<Cell> {
        let several = if item.is_instance_of::<PyString>() {
            None
        } else if item.is_instance_of::<PyList>() || item.is_instance_of::<PyTuple>() {
            Some(item.clone())
        } else {
            array(item)?
        };
        let Some(several) = several else { return self.scalar(item, region) };
        let mut readings = Vec::new();
        for value in several.try_iter()? {
            match self.scalar(&value?, region)? {
                Cell::One(reading) => readings.push(reading),
                Cell::Many(more) => readings.extend(more),
            }
        }
        Ok(Cell::Many(readings))
    }

    /// The same for an object that is not a list.
    fn scalar(&self, item: &Bound<'_, PyAny>, region: RowRegion) -> PyResult<Cell> {
        if let Ok(Ok(text)) = item.cast::<PyString>().map(|text| text.to_str()) {
            return Ok(self.column.text(text, region));
        }
        let hints = Hints { field_type: self.column.field_type, region };
        match self.objects.entry(item, hints, &|| "this cell".to_owned()) {
            Ok(entry) => Ok(Cell::One(entry.reading)),
            Err(trouble) if trouble.is_instance_of::<PyTypeError>(item.py()) => {
                Ok(Cell::One(Reading::Invalid(Invalid::NotText)))
            }
            Err(trouble) => Err(trouble),
        }
    }
}
