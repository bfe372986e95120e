//! Tables under construction: outcomes are added without the interpreter, record batches are taken out.
//!
//! ```text
//! expect(n)      announces a block of n rows         (once for each part of the input)
//! Run::gather    adds outcomes, in any order         (Table::take, without the interpreter)
//! blocks()       returns the blocks that are complete
//! finish(rows)   completes the others: rows without an outcome were not sent
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow_schema::ArrowError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyString};
use pyo3_arrow::PyDataType;
use pyo3_arrow::ffi::to_schema_pycapsule;

use crate::convert::OrRaise;
use crate::runtime::lock;
use crate::tables::arrow::Batches;
use crate::tables::origins;
use exactbuyer_arrow::{Assembler, DEFAULT, FIXED, Kind, Layout, Path, Wanted};
use exactbuyer_core::message::Words;
use exactbuyer_core::results::RowOutcome;

/// A table under construction. Python sees only the columns that are added.
///
/// One for each call that makes a table, or a stream of tables.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct Table {
    layout: Arc<Layout>,
    /// A thread that waits for it has released the interpreter, or the thread that holds it does not need the
    /// interpreter.
    assembler: Mutex<Assembler>,
}

#[pymethods]
impl Table {
    /// `by` names the columns that are looked up, and `words` are those of the reasons.
    ///
    /// # Errors
    /// `ConfigError` for a path, a type or a name that cannot be used. Nothing was sent.
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
            let path = Path::parse(&path).or_raise(py)?;
            Ok(Wanted { name, path, kind: self::kind(py, kind.as_ref())? })
        });
        let wanted = wanted.collect::<PyResult<_>>()?;
        let layout = Arc::new(Layout::new(prefix, wanted, by, words, large_text).or_raise(py)?);
        Ok(Self { assembler: Mutex::new(Assembler::new(layout.clone())), layout })
    }

    fn names(&self) -> Vec<String> {
        self.layout.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.layout.schema().as_ref())?)
    }

    /// Must come before the outcomes of these rows: an outcome without a block is ignored.
    fn expect(&self, py: Python<'_>, rows: usize) -> PyResult<()> {
        py.detach(|| self.lock().expect(rows)).or_raise(py)
    }

    /// A block that waits for an outcome holds back those after it, because rows come out in order.
    fn blocks(&self, py: Python<'_>) -> Vec<Batches> {
        py.detach(|| {
            let mut assembler = self.lock();
            let blocks = std::iter::from_fn(|| assembler.next_block());
            blocks.map(|batches| Batches::of(self.layout.schema(), batches)).collect()
        })
    }

    /// An internal error ended the run: rows that were announced and have no outcome are unknown.
    fn lose(&self, py: Python<'_>) {
        let why: Arc<str> = "an internal error ended the run: it may have been charged".into();
        py.detach(|| self.lock().lose(&why));
    }

    /// After it, `blocks` returns the rest.
    fn finish(&self, py: Python<'_>, rows: u64) -> PyResult<()> {
        py.detach(|| self.lock().finish(rows)).or_raise(py)
    }

    /// Makes outcomes of results that Python has, so that an old list becomes a table by the same code as a new
    /// call.
    fn add_results(
        &self,
        py: Python<'_>,
        first_row: u64,
        results: Vec<(String, Option<String>, Option<String>)>,
        origins: &[u8],
    ) -> PyResult<()> {
        let mut outcomes = origins::outcomes(first_row, results, origins)?;
        py.detach(|| self.take(&mut outcomes)).or_raise(py).map(drop)
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
        lock(&self.assembler)
    }

    /// Adds these outcomes. The calling thread must not hold the interpreter.
    ///
    /// # Errors
    /// If Arrow cannot build a column: see [`Assembler::add_all`].
    pub(crate) fn take(&self, outcomes: &mut VecDeque<RowOutcome>) -> Result<usize, ArrowError> {
        let count = outcomes.len();
        self.lock().add_all(outcomes)?;
        Ok(count)
    }
}

/// A text is the name of a kind, any other object an Arrow type. `None` means text.
fn kind(py: Python<'_>, kind: Option<&Bound<'_, PyAny>>) -> PyResult<Kind> {
    let Some(kind) = kind else { return Ok(Kind::default()) };
    match kind.cast::<PyString>() {
        Ok(name) => Kind::named(name.to_str()?).or_raise(py),
        Err(_) => Kind::of(kind.extract::<PyDataType>()?.into_inner()).or_raise(py),
    }
}

/// Adds the lists of columns to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("FIXED_COLUMNS", FIXED)?;
    module.add("DEFAULT_COLUMNS", DEFAULT.to_vec())
}
