//! Tables under construction, as Python holds them: outcomes go in while the interpreter does
//! something else, record batches come out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_schema::ArrowError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyString};
use pyo3_arrow::PyDataType;
use pyo3_arrow::ffi::to_schema_pycapsule;

use crate::errors;
use crate::tables::arrow::Batches;
use exactbuyer_arrow::{Assembler, DEFAULT, FIXED, Kind, Layout, Path, Wanted};
use exactbuyer_core::error::Error;
use exactbuyer_core::message::Words;
use exactbuyer_core::results::RowOutcome;

/// A table under construction: what of it Python sees is the columns that are added.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct Table {
    layout: Arc<Layout>,
    /// Whoever waits for it has let go of the interpreter, or whoever holds it needs none.
    assembler: Mutex<Assembler>,
}

#[pymethods]
impl Table {
    #[new]
    #[pyo3(signature = (columns, *, prefix, by, words, large_text=false))]
    fn new(
        py: Python<'_>,
        columns: Vec<(String, String, Option<Bound<'_, PyAny>>)>,
        prefix: &str,
        by: Vec<String>,
        words: Words,
        large_text: bool,
    ) -> PyResult<Self> {
        let wanted = columns.into_iter().map(|(name, path, kind)| {
            let path = Path::parse(&path).map_err(|e| errors::exception(py, &e))?;
            Ok(Wanted { name, path, kind: self::kind(py, kind.as_ref())? })
        });
        let wanted = wanted.collect::<PyResult<_>>()?;
        let layout =
            Layout::new(prefix, wanted, by, words, large_text).map_err(|e| errors::exception(py, &e))?;
        let layout = Arc::new(layout);
        Ok(Self { assembler: Mutex::new(Assembler::new(layout.clone())), layout })
    }

    fn names(&self) -> Vec<String> {
        self.layout.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.layout.schema().as_ref())?)
    }

    fn expect(&self, py: Python<'_>, rows: usize) -> PyResult<()> {
        py.detach(|| self.lock().expect(rows)).map_err(|error| trouble(&error))
    }

    fn blocks(&self, py: Python<'_>) -> Vec<Batches> {
        py.detach(|| {
            let mut assembler = self.lock();
            let blocks = std::iter::from_fn(|| assembler.next_block());
            blocks.map(|batches| Batches::of(self.layout.schema(), batches)).collect()
        })
    }

    fn finish(&self, py: Python<'_>, rows: u64) -> PyResult<()> {
        py.detach(|| self.lock().finish(rows)).map_err(|error| trouble(&error))
    }

    fn misfits(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.lock().misfits())
    }

    fn unmet(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.lock().unmet().map(str::to_owned).collect())
    }

    fn unfit(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.lock().unfit().map(str::to_owned).collect())
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Assembler> {
        self.assembler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts these outcomes where they belong. Needs no interpreter, and must hold none.
    pub(crate) fn take(&self, outcomes: &mut VecDeque<RowOutcome>) -> Result<usize, ArrowError> {
        let count = outcomes.len();
        let mut assembler = self.lock();
        outcomes.drain(..).try_for_each(|outcome| assembler.add(outcome))?;
        Ok(count)
    }
}

/// What Arrow could not do although it was asked for nothing unusual: a mistake of ours.
pub(crate) fn trouble(error: &ArrowError) -> PyErr {
    PyRuntimeError::new_err(format!("columns could not be made: {error}: please report this"))
}

fn kind(py: Python<'_>, kind: Option<&Bound<'_, PyAny>>) -> PyResult<Kind> {
    let told = |error: Error| errors::exception(py, &error);
    match kind {
        None => Ok(Kind::default()),
        Some(kind) => match kind.cast::<PyString>() {
            Ok(name) => Kind::named(name.to_str()?).map_err(told),
            Err(_) => Kind::of(kind.extract::<PyDataType>()?.into_inner()).map_err(told),
        },
    }
}

/// Adds the frozen set of columns to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("FIXED_COLUMNS", FIXED)?;
    module.add("DEFAULT_COLUMNS", DEFAULT.to_vec())
}
