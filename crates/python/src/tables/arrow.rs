//! Record batches that Python objects hold, import and export by Arrow's C interface.
//!
//! `Batches` is the only form in which tables cross to Python. `ArrowInput` and `ArrowOutput` are its two ends
//! for data that is read, or written, piece by piece. A batch is reference counted: columns, slices and copies
//! of one share its memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchIterator, RecordBatchReader, StructArray};
use arrow_cast::cast;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyIterator, PyList};
use pyo3_arrow::PySchema;
use pyo3_arrow::ffi::{ArrayIterator, to_schema_pycapsule, to_stream_pycapsule};
use pyo3_arrow::input::AnyRecordBatch;

use crate::convert::OrRaise;
use crate::runtime::lock;

/// Record batches of one schema.
///
/// It never changes, so threads can share it. The batches are in the order of the rows; their lengths mean
/// nothing.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct Batches {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Batches {
    /// All batches must have this schema.
    pub(crate) fn of(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self { schema, batches }
    }

    pub(crate) fn first_column(&self) -> Vec<ArrayRef> {
        self.batches.iter().filter_map(|batch| batch.columns().first().cloned()).collect()
    }

    pub(crate) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// # Errors
    /// `KeyError` if there is no such column. If two have the name, the first one counts.
    fn place(&self, name: &str) -> PyResult<usize> {
        self.schema.index_of(name).map_err(|_| PyKeyError::new_err(name.to_owned()))
    }
}

#[pymethods]
impl Batches {
    /// Copies no values. The parts must have the given schema.
    #[staticmethod]
    #[allow(clippy::needless_pass_by_value)] // As pyo3 passes it.
    fn concat(schema: PySchema, parts: Vec<PyRef<'_, Batches>>) -> Self {
        let batches = parts.iter().flat_map(|part| part.batches.iter().cloned()).collect();
        Self { schema: schema.into_inner(), batches }
    }

    fn __len__(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Says how to make a table of it, because the object has no more than Arrow's C interface.
    fn __repr__(&self) -> String {
        let (rows, columns) = (self.__len__(), self.schema.fields().len());
        format!(
            "<{rows} rows of {columns} columns: pyarrow.table(…) or polars.DataFrame(…) of it makes a table>"
        )
    }

    fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    fn metadata(&self) -> HashMap<String, String> {
        self.schema.metadata().clone()
    }

    fn column(&self, py: Python<'_>, name: &str) -> PyResult<Self> {
        let place = self.place(name)?;
        let batches = self.batches.iter().map(|batch| batch.project(&[place]));
        let schema = self.schema.project(&[place]).or_raise(py)?;
        let batches = batches.collect::<Result<_, _>>().or_raise(py)?;
        Ok(Self { schema: Arc::new(schema), batches })
    }

    /// This many rows, from `start` on.
    ///
    /// Rows beyond the end are left out. Copies no values.
    fn slice(&self, start: usize, rows: usize) -> Self {
        let (mut skip, mut left) = (start, rows);
        let mut batches = Vec::new();
        for batch in &self.batches {
            let from = skip.min(batch.num_rows());
            let take = left.min(batch.num_rows() - from);
            skip -= from;
            left -= take;
            if take > 0 {
                batches.push(batch.slice(from, take));
            }
        }
        Self { schema: self.schema.clone(), batches }
    }

    /// These columns except those in `without`, with the other's columns beside them. The metadata is these columns'
    /// own, with these changes; `None` removes an entry.
    ///
    /// Both sides may be cut into batches at different rows, so the result is cut wherever one of them is.
    ///
    /// # Errors
    /// `RuntimeError` if the other has fewer rows than this one.
    #[allow(clippy::needless_pass_by_value)] // As pyo3 passes it.
    fn beside(
        &self,
        py: Python<'_>,
        other: &Self,
        without: Vec<String>,
        changes: Vec<(String, Option<String>)>,
    ) -> PyResult<Self> {
        let kept: Vec<usize> = (0..self.schema.fields().len())
            .filter(|place| !without.contains(self.schema.field(*place).name()))
            .collect();
        py.detach(|| beside(self, other, &kept, changes)).or_raise(py)
    }

    /// The values of a column as Python objects, and the name of their type.
    ///
    /// For pandas, whose types have these names. A timestamp becomes its microseconds since 1970, a list a
    /// list, and a value of a type without a case of its own its text.
    fn objects<'py>(&self, py: Python<'py>, name: &str) -> PyResult<(Bound<'py, PyList>, String)> {
        let place = self.place(name)?;
        let values = PyList::empty(py);
        for batch in &self.batches {
            add_objects(batch.column(place), &values)?;
        }
        let kind = match self.schema.field(place).data_type() {
            DataType::Boolean => "boolean".to_owned(),
            integer if integer.is_integer() => integer.to_string(),
            float @ (DataType::Float32 | DataType::Float64) => float.to_string().to_lowercase(),
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp".to_owned(),
            DataType::Date32 => "date".to_owned(),
            DataType::List(_) => "object".to_owned(),
            _ => "string".to_owned(),
        };
        Ok((values, kind))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.schema.as_ref())?)
    }

    /// Can be called as often as needed.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let batches = self.batches.clone().into_iter().map(Ok);
        exported(py, RecordBatchIterator::new(batches, self.schema.clone()), requested_schema)
    }
}

fn beside(
    ours: &Batches,
    other: &Batches,
    kept: &[usize],
    changes: Vec<(String, Option<String>)>,
) -> Result<Batches, ArrowError> {
    let left = ours.schema.project(kept)?;
    let mut metadata = left.metadata().clone();
    metadata.retain(|key, _| !changes.iter().any(|(changed, _)| changed == key));
    metadata.extend(changes.into_iter().filter_map(|(key, value)| Some((key, value?))));
    let fields: Vec<_> = left.fields().iter().chain(other.schema.fields()).cloned().collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let mut batches = Vec::new();
    let mut rest = other.batches.iter().cloned();
    let mut right: Option<RecordBatch> = None;
    for batch in &ours.batches {
        let mut from = 0;
        while from < batch.num_rows() {
            let next = right.take().filter(|right| right.num_rows() > 0).or_else(|| rest.next());
            let Some(next) = next else {
                return Err(ArrowError::InvalidArgumentError("fewer rows beside than here".to_owned()));
            };
            let rows = next.num_rows().min(batch.num_rows() - from);
            let left = batch.project(kept)?.slice(from, rows);
            let columns = left.columns().iter().chain(next.slice(0, rows).columns()).cloned().collect();
            batches.push(RecordBatch::try_new(schema.clone(), columns)?);
            right = Some(next.slice(rows, next.num_rows() - rows));
            from += rows;
        }
    }
    Ok(Batches { schema, batches })
}

/// Adds the values of a column. Integers and floats of any width become Python's.
///
/// Smaller integers are cast to 64 bits first, which keeps every value; `UInt64` has a case of its own, because
/// it would not fit.
fn add_objects(array: &ArrayRef, into: &Bound<'_, PyList>) -> PyResult<()> {
    let py = into.py();
    match array.data_type() {
        DataType::Boolean => add(array.as_boolean(), into),
        DataType::Utf8 => add(array.as_string::<i32>(), into),
        DataType::UInt64 => add(array.as_primitive::<UInt64Type>(), into),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            add(array.as_primitive::<TimestampMicrosecondType>(), into)
        }
        DataType::List(_) => array.as_list::<i32>().iter().try_for_each(|list| {
            let Some(list) = list else { return into.append(py.None()) };
            let inside = PyList::empty(py);
            add_objects(&list, &inside)?;
            into.append(inside)
        }),
        integer if integer.is_integer() => {
            add(cast(array, &DataType::Int64).or_raise(py)?.as_primitive::<Int64Type>(), into)
        }
        float if float.is_floating() => {
            add(cast(array, &DataType::Float64).or_raise(py)?.as_primitive::<Float64Type>(), into)
        }
        _ => (0..array.len()).try_for_each(|row| {
            let text = (!array.is_null(row)).then(|| array_value_to_string(array, row));
            into.append(text.transpose().or_raise(py)?)
        }),
    }
}

/// A null becomes `None`.
fn add<'py, T: IntoPyObject<'py>>(
    values: impl IntoIterator<Item = Option<T>>,
    into: &Bound<'py, PyList>,
) -> PyResult<()> {
    values.into_iter().try_for_each(|value| into.append(value))
}

/// The record batches of any object that exports them by Arrow's C interface, one at a time.
///
/// A reader may be endless, or pull its data from a Python generator. It is read by one thread at a time.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct ArrowInput {
    schema: SchemaRef,
    reader: Mutex<Box<dyn RecordBatchReader + Send>>,
}

#[pymethods]
impl ArrowInput {
    /// # Errors
    /// What the source raises, or that it exports no Arrow data.
    #[new]
    fn new(source: &Bound<'_, PyAny>) -> PyResult<Self> {
        let reader = source.extract::<AnyRecordBatch>()?.into_reader()?;
        Ok(Self { schema: reader.schema(), reader: Mutex::new(reader) })
    }

    fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    fn metadata(&self) -> HashMap<String, String> {
        self.schema.metadata().clone()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.schema.as_ref())?)
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    /// An error of the source becomes a `ValueError`; batches that were read before are not affected.
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Batches>> {
        // It may wait, or run Python code.
        let next = py.detach(|| lock(&self.reader).next());
        match next {
            Some(Ok(batch)) => Ok(Some(Batches::of(self.schema.clone(), vec![batch]))),
            Some(Err(error)) => {
                Err(PyValueError::new_err(format!("the data to enrich ended with an error: {error}")))
            }
            None => Ok(None),
        }
    }
}

/// Exports the [`Batches`] of a Python iterator as they come. Works once.
///
/// A consumer that pulls a batch runs the Python iterator up to its next part.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct ArrowOutput {
    schema: SchemaRef,
    source: Mutex<Option<Py<PyIterator>>>,
}

#[pymethods]
impl ArrowOutput {
    #[new]
    fn new(schema: PySchema, source: Bound<'_, PyIterator>) -> Self {
        Self { schema: schema.into_inner(), source: Mutex::new(Some(source.unbind())) }
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.schema.as_ref())?)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let source = lock(&self.source).take();
        let source = source.ok_or_else(|| PyValueError::new_err("a reader can be read only once"))?;
        let batches = IteratorBatches { source, ready: Vec::new().into_iter() };
        exported(py, RecordBatchIterator::new(batches, self.schema.clone()), requested_schema)
    }
}

/// Takes the interpreter for each pull, because a consumer may call it from any thread.
struct IteratorBatches {
    source: Py<PyIterator>,
    ready: std::vec::IntoIter<RecordBatch>,
}

impl Iterator for IteratorBatches {
    type Item = Result<RecordBatch, ArrowError>;

    /// Ends early while the interpreter shuts down. An exception becomes an error of Arrow that carries it.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.next() {
                return Some(Ok(batch));
            }
            let pulled = Python::try_attach(|py| {
                let next = self.source.bind(py).clone().next()?;
                Some(next.and_then(|part| {
                    let part = part.extract::<PyRef<'_, Batches>>()?;
                    Ok(part.batches.clone())
                }))
            })??;
            match pulled {
                Ok(batches) => self.ready = batches.into_iter(),
                Err(error) => return Some(Err(ArrowError::ExternalError(Box::new(error)))),
            }
        }
    }
}

/// Arrow's C interface transfers record batches as arrays of structs, without a name.
fn exported<'py>(
    py: Python<'py>,
    reader: impl RecordBatchReader + Send + 'static,
    requested_schema: Option<Bound<'py, PyCapsule>>,
) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = reader.schema();
    let field = Field::new_struct("", schema.fields().clone(), false);
    let field = Arc::new(field.with_metadata(schema.metadata().clone()));
    let arrays = reader.map(|batch| Ok(Arc::new(StructArray::from(batch?)) as ArrayRef));
    Ok(to_stream_pycapsule(py, Box::new(ArrayIterator::new(arrays, field)), requested_schema)?)
}
