//! Records of text files: a file's bytes are fed, blocks of records and bytes to write come out. The crate `records`
//! says what a record is.
//!
//! Each class holds a value of the crate `records` behind a mutex, because Python may use it from several
//! threads. Everything that goes over bytes runs with the interpreter released. Names of columns come from the
//! header and are looked up here; the crate knows columns by their position.

// pyo3 makes the values that it passes: a list of names becomes a new vector.
#![allow(clippy::needless_pass_by_value)]

use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3_arrow::PyRecordBatchReader;

use crate::convert::OrRaise;
use crate::runtime::lock;
use crate::tables::arrow::Batches;
use exactbuyer_records::{Broken, CellStyle, CsvBlock, JsonBlock};

/// `defuse`: a cell that a spreadsheet would run as a formula is written so that it is read as text.
const fn style(defuse: bool) -> CellStyle {
    if defuse { CellStyle::Defused } else { CellStyle::Plain }
}

/// Writes with the interpreter released.
///
/// # Errors
/// `ValueError` if a cell cannot be written.
fn written(
    py: Python<'_>,
    write: impl Send + FnOnce(&mut Vec<u8>) -> Result<(), Broken>,
) -> PyResult<Bound<'_, PyBytes>> {
    let mut bytes = Vec::new();
    py.detach(|| write(&mut bytes)).or_raise(py)?;
    Ok(PyBytes::new(py, &bytes))
}

/// All columns must be equally long.
fn batches_of(py: Python<'_>, names: Vec<String>, columns: Vec<ArrayRef>) -> PyResult<Batches> {
    let columns = names.into_iter().zip(columns).map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).or_raise(py)?;
    Ok(Batches::of(batch.schema(), vec![batch]))
}

/// Cuts a CSV file into records.
///
/// Feed bytes in pieces of any size, take parts until there is none, feed again. At the end call `finish` and
/// take the rest.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct CsvSplitter {
    /// Keeps the bytes of records that are not complete yet.
    splitter: Mutex<exactbuyer_records::CsvSplitter>,
    /// The header's names; empty before it was read. Every part shares them.
    names: Mutex<Arc<[String]>>,
}

#[pymethods]
impl CsvSplitter {
    /// `preamble` is the number of bytes before the header, such as those of notes. They are written again unchanged and
    /// are not looked up.
    #[new]
    #[pyo3(signature = (delimiter, preamble=0))]
    fn new(delimiter: u8, preamble: usize) -> Self {
        let splitter = Mutex::new(exactbuyer_records::CsvSplitter::new(delimiter, preamble));
        Self { splitter, names: Mutex::new(Arc::new([])) }
    }

    /// # Errors
    /// `ValueError` for something that is no CSV, with the number of the line.
    fn feed(&self, py: Python<'_>, piece: &[u8]) -> PyResult<()> {
        py.detach(|| lock(&self.splitter).feed(piece)).or_raise(py)
    }

    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| lock(&self.splitter).finish()).or_raise(py)
    }

    /// Two columns may have the same name; `column` then means the first one.
    fn header(&self) -> Option<CsvPart> {
        let block = lock(&self.splitter).header()?;
        let cells = (0..block.width()).map(|place| block.column(place));
        let names: Arc<[String]> =
            cells.map(|cell| cell.iter().flatten().next().unwrap_or_default().to_owned()).collect();
        lock(&self.names).clone_from(&names);
        Some(CsvPart { block, names })
    }

    /// `None` if too few records are complete: feed more, or the file is at its end.
    fn take(&self, py: Python<'_>, rows: usize) -> Option<CsvPart> {
        let block = py.detach(|| lock(&self.splitter).take(rows))?;
        Some(CsvPart { block, names: lock(&self.names).clone() })
    }

    /// Bytes to be written after the output's last record, so that the output ends like the input.
    fn trailer<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, lock(&self.splitter).trailer())
    }
}

/// Whole records of a CSV file.
///
/// It keeps the bytes of the file, so that what is written again is equal to what was read.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct CsvPart {
    /// The records; no header, except in the part that `header` returned.
    block: CsvBlock,
    names: Arc<[String]>,
}

#[pymethods]
impl CsvPart {
    fn __len__(&self) -> usize {
        self.block.rows()
    }

    fn names(&self) -> Vec<String> {
        self.names.to_vec()
    }

    /// # Errors
    /// `KeyError` if the header has no such name.
    fn column(&self, py: Python<'_>, name: &str) -> PyResult<Batches> {
        let place = self.names.iter().position(|other| other == name);
        let place = place.ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        let cells = py.detach(|| self.block.column(place));
        batches_of(py, vec![name.to_owned()], vec![Arc::new(cells)])
    }

    fn table(&self, py: Python<'_>) -> PyResult<Batches> {
        let columns: Vec<_> = py
            .detach(|| {
                let texts =
                    (0..self.names.len()).map(|place| Ok(Arc::new(self.block.text(place)?) as ArrayRef));
                texts.collect::<Result<_, Broken>>()
            })
            .or_raise(py)?;
        batches_of(py, self.names.to_vec(), columns)
    }

    /// One pass over the part: the bytes of kept cells are copied as they are, quotes included.
    fn beside<'py>(
        &self,
        py: Python<'py>,
        added: &Batches,
        dropped: Vec<String>,
        defuse: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let dropped = self.places(&dropped);
        written(py, |into| self.block.beside(added.batches(), &dropped, style(defuse), into))
    }

    /// For the part that `header` returned.
    fn beside_names<'py>(
        &self,
        py: Python<'py>,
        added: Vec<String>,
        dropped: Vec<String>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let dropped = self.places(&dropped);
        let cells = added.iter().map(|name| Arc::new(StringArray::from(vec![name.as_str()])) as ArrayRef);
        let names = batches_of(py, added.clone(), cells.collect())?;
        written(py, |into| self.block.beside(names.batches(), &dropped, CellStyle::Plain, into))
    }
}

impl CsvPart {
    /// Every column with one of these names, also if two have the same.
    fn places(&self, names: &[String]) -> Vec<usize> {
        let columns = self.names.iter().enumerate().filter(|(_, column)| names.contains(column));
        columns.map(|(place, _)| place).collect()
    }
}

/// Cuts a JSON Lines file into records.
///
/// As [`CsvSplitter`], for a file with one JSON object per line. There is no header: each line has its own
/// names.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct JsonSplitter {
    /// Keeps the bytes of a line that is not complete yet.
    splitter: Mutex<exactbuyer_records::JsonSplitter>,
}

#[pymethods]
impl JsonSplitter {
    #[new]
    fn new() -> Self {
        Self { splitter: Mutex::default() }
    }

    fn feed(&self, py: Python<'_>, piece: &[u8]) -> PyResult<()> {
        py.detach(|| lock(&self.splitter).feed(piece)).or_raise(py)
    }

    fn finish(&self, py: Python<'_>) {
        py.detach(|| lock(&self.splitter).finish());
    }

    fn take(&self, py: Python<'_>, rows: usize) -> Option<JsonPart> {
        let block = py.detach(|| lock(&self.splitter).take(rows))?;
        Some(JsonPart { block })
    }

    fn trailer<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, lock(&self.splitter).trailer())
    }
}

/// Whole records of a JSON Lines file.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct JsonPart {
    /// The lines, as bytes; each is read when something is asked of it.
    block: JsonBlock,
}

#[pymethods]
impl JsonPart {
    fn __len__(&self) -> usize {
        self.block.rows()
    }

    /// In the order in which they first occur.
    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        py.detach(|| {
            let (mut seen, mut names) = (std::collections::HashSet::new(), Vec::new());
            self.block.names(|name| {
                if !seen.contains(name) {
                    seen.insert(name.to_owned());
                    names.push(name.to_owned());
                }
            })?;
            Ok::<_, Broken>(names)
        })
        .or_raise(py)
    }

    fn column(&self, py: Python<'_>, name: &str) -> PyResult<Batches> {
        let cells = py.detach(|| self.block.column(name)).or_raise(py)?;
        batches_of(py, vec![name.to_owned()], vec![Arc::new(cells)])
    }

    fn table(&self, py: Python<'_>, names: Vec<String>) -> PyResult<Batches> {
        let texts = py.detach(|| self.block.texts(&names)).or_raise(py)?;
        batches_of(py, names, texts.into_iter().map(|column| Arc::new(column) as ArrayRef).collect())
    }

    /// Members that are kept are copied byte for byte. `as_json` names added columns whose text already is
    /// JSON.
    fn beside<'py>(
        &self,
        py: Python<'py>,
        added: &Batches,
        dropped: Vec<String>,
        as_json: Vec<String>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        written(py, |into| self.block.beside(added.batches(), &dropped, &as_json, into))
    }
}

/// Any Arrow data as records of a CSV file. The columns in `defused` are written so that a spreadsheet reads them as
/// text.
#[pyfunction]
pub(crate) fn csv_lines(
    py: Python<'_>,
    data: PyRecordBatchReader,
    delimiter: u8,
    defused: Vec<String>,
) -> PyResult<Bound<'_, PyBytes>> {
    let batches = read(py, data)?;
    let style = |name: &str| self::style(defused.iter().any(|other| other == name));
    written(py, |into| {
        batches.iter().try_for_each(|batch| exactbuyer_records::csv_lines(batch, delimiter, style, into))
    })
}

/// Texts as one record of a CSV file.
#[pyfunction]
pub(crate) fn csv_record(py: Python<'_>, cells: Vec<String>, delimiter: u8) -> Bound<'_, PyBytes> {
    let mut bytes = Vec::new();
    exactbuyer_records::csv_record(cells.iter().map(String::as_str), delimiter, &mut bytes);
    PyBytes::new(py, &bytes)
}

/// Any Arrow data as lines of JSON. The columns in `as_json` already contain JSON.
#[pyfunction]
pub(crate) fn json_lines(
    py: Python<'_>,
    data: PyRecordBatchReader,
    as_json: Vec<String>,
) -> PyResult<Bound<'_, PyBytes>> {
    let batches = read(py, data)?;
    written(py, |into| {
        batches.iter().try_for_each(|batch| exactbuyer_records::json_lines(batch, &as_json, into))
    })
}

/// Reads all of it before anything is written.
fn read(py: Python<'_>, data: PyRecordBatchReader) -> PyResult<Vec<RecordBatch>> {
    let reader = data.into_reader()?;
    py.detach(|| reader.collect::<Result<_, _>>()).or_raise(py)
}
