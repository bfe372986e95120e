//! From any iterable of rows to identified ones, the caller's own values kept beside them. What
//! rows come in is decided in [`source`](crate::source), what one may be in [`row`](crate::row).

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::source;
use crate::input::entry::Reader;
use crate::input::row::RowReader;
use crate::stores::store::Store;
use crate::{errors, settings};
use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::{FieldType, Identifier};
use exactbuyer_core::plan::{Row, Stored, Summary, identifiers, summarize_with};
use exactbuyer_core::store::{Availability, Outcome, Terms};
use exactbuyer_dispatch::terms;
use exactbuyer_store::sqlite::{SqliteStore, Yield};

/// Rows read between two looks for Ctrl-C: some milliseconds.
const ROWS_BETWEEN_SIGNALS: u64 = 1_024;

/// Lookups of a plan that a store is asked for at once.
const LOOKUPS_AT_ONCE: usize = 4_096;

/// Beyond this many, a source's own word on its length is not trusted.
const MOST_EXPECTED: usize = 1 << 24;

/// What was read: as many rows as values, or, of a table, rows alone. The value of a list-row is a tuple of its entries'
/// values; no other row's is.
#[derive(Default)]
pub(crate) struct Stock {
    pub(crate) rows: Vec<Row>,
    pub(crate) values: Vec<Py<PyAny>>,
}

/// Rows, read and identified: the caller's own values, and what may be asked of each.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct Rows {
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
        let texts = settings::texts(py, default_region, na_values)?;
        let reader = Reader { texts, exact_below: source::float_limit(rows)? };
        let stock = read(&RowReader { reader, field_type }, rows, first_row)?;
        Ok(Self { len: stock.rows.len(), first_row, stock: Mutex::new(Some(stock)) })
    }

    fn __len__(&self) -> usize {
        self.len
    }

    fn invalid<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, Bound<'py, PyAny>)>> {
        let invalid: Vec<_> = self.look(|stock| {
            let numbered = (self.first_row..).zip(&stock.rows);
            numbered
                .filter_map(|(number, row)| match row {
                    Row::Invalid(_, why) => Some((number, *why)),
                    _ => None,
                })
                .collect()
        })?;
        invalid.into_iter().map(|(number, why)| Ok((number, errors::text(py, &why.message())?))).collect()
    }

    fn asking(&self) -> PyResult<usize> {
        let asks = |row: &&Row| matches!(row, Row::One(_) | Row::Preference(_));
        self.look(|stock| stock.rows.iter().filter(asks).count())
    }

    #[pyo3(signature = (settings, *, store=None, required_fields=None, refresh=false, store_only=false))]
    fn plan<'py>(
        &self,
        py: Python<'py>,
        settings: &Bound<'py, PyAny>,
        store: Option<&Store>,
        required_fields: Option<&Bound<'py, PyAny>>,
        refresh: bool,
        store_only: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let config = settings::read(settings)?.config;
        let required_fields = required_fields.map(settings::required_fields).transpose()?;
        let required = required_fields.unwrap_or_else(|| config.required_fields.clone());
        let asked = store.map(|store| store.handle(py)).transpose()?.map(|store| Asked {
            store,
            terms: terms(&config, refresh, true),
            required,
            store_only,
        });
        let chunk_size = config.chunk_size as u64;
        // The store is let go of in there, too.
        let counted = py.detach(move || {
            let asked = asked;
            self.look(|stock| count(stock, asked.as_ref()))
        })?;
        let (summary, lately, room) = counted.map_err(|error| errors::exception(py, &error))?;
        let told = self.tell(py, &summary, chunk_size)?;
        told.set_item("lately", lately.map(|lately| (lately.hits, lately.answered)))?;
        told.set_item("room", room)?;
        Ok(told)
    }
}

impl Rows {
    /// What was read, to be fed: once.
    pub(crate) fn take(&self) -> PyResult<Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(fed)
    }

    /// Every identifier that the rows name, once.
    pub(crate) fn identifiers(&self) -> PyResult<Vec<Identifier>> {
        self.look(|stock| identifiers(&stock.rows).into_iter().cloned().collect())
    }

    /// Rows that were read elsewhere, without values to keep.
    pub(crate) fn of(rows: Vec<Row>, first_row: u64) -> Self {
        let stock = Stock { rows, values: Vec::new() };
        Self { len: stock.rows.len(), first_row, stock: Mutex::new(Some(stock)) }
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
        plan.set_item("from_store", summary.from_store)?;
        plan.set_item("open_rows", summary.open)?;
        plan.set_item("bought_again", summary.bought_again)?;
        plan.set_item("to_send", (least, most))?;
        // Each round of asking may have to wait for the one before, and then travels alone.
        let later_rounds = summary.rounds.saturating_sub(1);
        plan.set_item("requests", (least.div_ceil(chunk), (most.div_ceil(chunk) + later_rounds).min(most)))?;
        plan.set_item("max_credits", summary.credits_most)?;
        let suspects = summary.suspects.iter();
        let suspects: Vec<_> =
            suspects.map(|s| (self.first_row + s.row, s.field_type.as_str(), s.rows)).collect();
        plan.set_item("suspects", suspects)?;
        Ok(plan)
    }
}

/// What a plan asks a store, and on which terms.
struct Asked {
    store: SqliteStore,
    terms: Terms,
    required: Box<[Box<str>]>,
    store_only: bool,
}

type Counted = (Summary, Option<Yield>, Option<u64>);

/// Counts rows; with what a store knows of them.
fn count(stock: &Stock, asked: Option<&Asked>) -> Result<Counted, Error> {
    let Some(Asked { store, terms, required, store_only }) = asked else {
        return Ok((summarize_with(&stock.rows, &[]), None, None));
    };
    let mut stored = Vec::new();
    // Some at a time: an answer comes with its contact.
    for some in identifiers(&stock.rows).chunks(LOOKUPS_AT_ONCE) {
        let availability = store.peek(terms, required, some)?;
        stored.extend(availability.iter().map(|availability| self::stored(availability, *store_only)));
    }
    let summary = summarize_with(&stock.rows, &stored);
    let room = terms.ceiling.as_ref().map(|ceiling| store.room(ceiling)).transpose()?;
    Ok((summary, Some(store.lately(required)?), room))
}

const fn stored(availability: &Availability, store_only: bool) -> Stored {
    match availability {
        Availability::Known(Outcome::Hit(_), _) => Stored::Hit,
        Availability::Known(Outcome::Miss | Outcome::Rejected(_), _) => Stored::Miss,
        Availability::Known(Outcome::Unknown(_) | Outcome::NotSent(_), _) => Stored::Open,
        _ if store_only => Stored::Open,
        Availability::Again => Stored::Again,
        Availability::Free | Availability::Held => Stored::Nothing,
    }
}

fn read(reader: &RowReader, rows: &Bound<'_, PyAny>, first_row: u64) -> PyResult<Stock> {
    source::refuse(rows)?;
    let column = source::column(rows)?;
    let rows = column.as_ref().unwrap_or(rows);
    let expected = rows.len().unwrap_or_default().min(MOST_EXPECTED);
    let mut stock = Stock { rows: Vec::with_capacity(expected), values: Vec::with_capacity(expected) };
    let mut number = first_row;
    let mut add = |item: Bound<'_, PyAny>| {
        let (value, row) = reader.row(&item, number)?;
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
        rows.try_iter()
            .map_err(|trouble| source::not_rows(rows, trouble))?
            .try_for_each(|item| add(item?))?;
    }
    Ok(stock)
}

pub(crate) fn named(name: &str) -> PyResult<FieldType> {
    FieldType::from_name(name).ok_or_else(|| {
        PyValueError::new_err(
            "field_type has to be \"email\", \"phone\" or \"social_profile\", or None to infer it",
        )
    })
}

fn fed() -> PyErr {
    PyRuntimeError::new_err("these rows were fed to a run already: read them again")
}
