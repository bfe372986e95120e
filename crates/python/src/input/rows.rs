//! Reads any iterable of rows into identified rows, and keeps the caller's values. [`source`] decides what may contain
//! rows, [`row`](super::row) what a row may be.
//!
//! A [`Rows`] is made by the caller's thread before a run exists, so a mistake in the last row is found before
//! the first row is sent. It is either fed to a run, which takes its rows out, or only looked at, for plans and
//! questions to a store.

use std::sync::Mutex;

use arrow_schema::ArrowError;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use pyo3_arrow::input::AnyArray;
use serde::Serialize;

use super::columns;
use super::source;
use crate::convert::{OrRaise, Serialized};
use crate::errors::InvalidTexts;
use crate::input::entry::Reader;
use crate::input::row::RowReader;
use crate::runtime::lock;
use crate::settings;
use crate::stores::store::Store;
use exactbuyer_arrow::{counts_of, rows_of_asks};
use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::{FieldType, Identifier, Invalid};
use exactbuyer_core::plan::{ColumnCounts, Row, RowBuilder, Stored, Summary, identifiers, summarize};
use exactbuyer_core::store::{Availability, Outcome, Terms};
use exactbuyer_dispatch::terms;
use exactbuyer_store::sqlite::{SqliteStore, Yield};

/// Rows read between two checks for Ctrl-C: some milliseconds.
const ROWS_BETWEEN_SIGNALS: u64 = 1_024;

/// Lookups of a plan that a store is asked about together.
const LOOKUPS_AT_ONCE: usize = 4_096;

/// A source that claims to have more rows than this is not believed.
const MOST_EXPECTED: usize = 1 << 24;

/// Rows that were read, with as many values; for a table without values. The value of a list-row is a tuple of its
/// entries' values; no other value is a tuple.
///
/// `rows` and `values` have the same length, or `values` is empty.
#[derive(Default)]
pub(crate) struct ReadRows {
    /// What to look up, in input order.
    pub(crate) rows: Vec<Row>,
    /// What a result shows under `value`. A table has its own columns instead.
    pub(crate) values: Vec<Py<PyAny>>,
    /// How many rows of the caller's each of these stands for; empty: each stands for itself.
    pub(crate) counts: Vec<u64>,
    /// What each column contributes, or each position in rows that are lists.
    pub(crate) columns: Vec<ColumnCounts>,
}

/// Rows, read and identified: the caller's values, and what to look up for each.
///
/// It can be used by one thread at a time; a second one waits for the lock.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct Rows {
    /// Still known after the rows were fed.
    len: usize,
    /// The number of the first row in the call, for messages and plans.
    first_row: u64,
    /// `None` once fed to a run.
    read: Mutex<Option<ReadRows>>,
}

#[pymethods]
impl Rows {
    /// # Errors
    /// `TypeError` or `ValueError` for something that is not rows, with the number of the row; or what the
    /// iterable raises. Nothing of the rows before it is kept.
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
        let read = read_rows(&RowReader { reader, field_type }, rows, first_row)?;
        Ok(Self { len: read.rows.len(), first_row, read: Mutex::new(Some(read)) })
    }

    /// The rows that a column `asks` of [`ByColumns::keys`](crate::tables::by::ByColumns) names; each stands for as
    /// many rows as `counts` says.
    ///
    /// Both are columns of one table, so they have the same chunks.
    #[staticmethod]
    fn of_asks(py: Python<'_>, asks: AnyArray, counts: AnyArray) -> PyResult<Self> {
        let (asks, counts) = (asks.into_chunked_array()?, counts.into_chunked_array()?);
        py.detach(move || {
            let mut read = ReadRows::default();
            for (asks, counts) in asks.chunks().iter().zip(counts.chunks()) {
                let Some(mut rows) = rows_of_asks(asks)? else { return Ok(None) };
                read.rows.append(&mut rows);
                read.counts.append(&mut counts_of(counts)?);
            }
            Ok::<_, ArrowError>(Some(read))
        })
        .or_raise(py)?
        .filter(|read| read.rows.len() == read.counts.len())
        .map(|read| Self { len: read.rows.len(), first_row: 0, read: Mutex::new(Some(read)) })
        .ok_or_else(|| PyValueError::new_err("these are not the asks of this version of the package"))
    }

    fn __len__(&self) -> usize {
        self.len
    }

    /// Rows in input order, with the reason as a text of Python. Rows with the same reason share one.
    fn invalid<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, Bound<'py, PyAny>)>> {
        let invalid: Vec<_> = self.look(|read| {
            let numbered = (self.first_row..).zip(&read.rows);
            numbered
                .filter_map(|(number, row)| match row {
                    Row::Invalid(_, why) => Some((number, *why)),
                    _ => None,
                })
                .collect()
        })?;
        let mut texts = InvalidTexts::default();
        invalid.into_iter().map(|(number, why)| Ok((number, texts.of(py, why)?))).collect()
    }

    /// Whether the invalid rows only do not look like identifiers, as a name or `n/a` does not. An identifier that is masked,
    /// lacks its country or is several is no such text.
    fn is_other_text(&self) -> PyResult<bool> {
        let is_refused = |row: &Row| matches!(row, Row::Invalid(_, why) if !matches!(why, Invalid::Unrecognised | Invalid::Placeholder));
        self.look(|read| !read.rows.iter().any(is_refused))
    }

    /// It counts rows, not lookups: duplicates are not recognised here.
    fn asking(&self) -> PyResult<usize> {
        let asks = |row: &&Row| matches!(row, Row::One(_) | Row::Preference(_));
        self.look(|read| read.rows.iter().filter(asks).count())
    }

    /// Counts duplicates and, with a store, what it can answer. Sends nothing, and reserves nothing.
    ///
    /// # Errors
    /// `ConfigError` for settings, `StoreError` if the store cannot be read, `RuntimeError` if the rows were
    /// fed.
    #[pyo3(signature = (settings, *, store=None, required_fields=None, refresh=false, store_only=false))]
    fn plan(
        &self,
        py: Python<'_>,
        settings: &Bound<'_, PyAny>,
        store: Option<&Store>,
        required_fields: Option<&Bound<'_, PyAny>>,
        refresh: bool,
        store_only: bool,
    ) -> PyResult<Py<PyAny>> {
        let config = settings::read(settings, None)?.config;
        let required_fields = required_fields.map(settings::required_fields).transpose()?;
        let required = required_fields.unwrap_or_else(|| config.required_fields.clone());
        let asked = store.map(|store| store.handle(py)).transpose()?.map(|store| Asked {
            store,
            terms: terms(&config, refresh, true),
            required,
            store_only,
        });
        let chunk_size = config.chunk_size as u64;
        // The store is dropped detached, too.
        let counted = py.detach(move || {
            let asked = asked;
            self.look(|read| count(read, asked.as_ref()))
        })?;
        let (mut summary, lately, room) = counted.or_raise(py)?;
        for suspect in &mut summary.suspects {
            suspect.row += self.first_row;
        }
        let (least, most) = (summary.lookups_least, summary.lookups_most);
        // The lookups of each later round may have to wait for the round before, and then need a request of their own.
        let later_rounds = summary.rounds.saturating_sub(1);
        let most_requests = (most.div_ceil(chunk_size) + later_rounds).min(most);
        let plan = Serialized(Plan {
            summary,
            to_send: (least, most),
            requests: (least.div_ceil(chunk_size), most_requests),
            lately,
            room,
        });
        let fields = plan.into_pyobject(py)?;
        // Made apart, because a reason is a text that each audience can read in its own words.
        fields.set_item("columns", columns::counted(py, self.look(|read| read.columns.clone())?)?)?;
        Ok(fields.unbind())
    }
}

impl Rows {
    /// Takes the rows, to feed them. Works once.
    ///
    /// # Errors
    /// `RuntimeError` if they were taken before.
    pub(crate) fn take(&self) -> PyResult<ReadRows> {
        lock(&self.read).take().ok_or_else(fed)
    }

    /// Every identifier in the rows, once.
    ///
    /// For questions to a store, in the order of their first rows.
    pub(crate) fn identifiers(&self) -> PyResult<Vec<Identifier>> {
        self.look(|read| identifiers(&read.rows).into_iter().cloned().collect())
    }

    /// Rows that were read elsewhere, without values.
    pub(crate) fn of((rows, columns): (Vec<Row>, Vec<ColumnCounts>), first_row: u64) -> Self {
        let read = ReadRows { rows, columns, ..ReadRows::default() };
        Self { len: read.rows.len(), first_row, read: Mutex::new(Some(read)) }
    }

    /// `at` must not call Python, so that other threads can wait for the lock while they hold the interpreter.
    ///
    /// Works as often as needed, until the rows are taken.
    fn look<T>(&self, at: impl FnOnce(&ReadRows) -> T) -> PyResult<T> {
        lock(&self.read).as_ref().map(at).ok_or_else(fed)
    }
}

/// What a call would send.
///
/// Python adds prices and limits and shows it as `exactbuyer.Plan`.
#[derive(Serialize)]
struct Plan {
    #[serde(flatten)]
    summary: Summary,
    /// Lookups: if every first choice is found, and if none is.
    ///
    /// The truth is between the two, unless the store changes meanwhile.
    to_send: (u64, u64),
    /// Requests, likewise.
    ///
    /// By the chunk size of the settings. Retries are not counted.
    requests: (u64, u64),
    /// The outcome of the store's latest requests.
    ///
    /// `None` without a store. From it Python estimates how many contacts will be found.
    lately: Option<Yield>,
    /// What is left of a limit that the store counts.
    ///
    /// In credits; `None` if no store counts, or there is no limit.
    room: Option<u64>,
}

/// The store of a plan, and the terms of the call.
///
/// Its store is a handle, so it must be dropped detached.
struct Asked {
    store: SqliteStore,
    terms: Terms,
    /// The fields that an answer must have been asked with: an answer to another question does not count.
    required: Box<[Box<str>]>,
    /// Whether a lookup that the store does not have stays open instead of being sent.
    store_only: bool,
}

/// The counts, what the store's latest requests found, and the room under its limit.
type Counted = (Summary, Option<Yield>, Option<u64>);

/// Counts rows, with what a store knows about them.
///
/// The store is asked in parts of [`LOOKUPS_AT_ONCE`], each in the order of `identifiers`, which
/// `summarize` expects.
fn count(read: &ReadRows, asked: Option<&Asked>) -> Result<Counted, Error> {
    let Some(Asked { store, terms, required, store_only }) = asked else {
        return Ok((summarize(&read.rows, &read.counts, &[]), None, None));
    };
    let mut stored = Vec::new();
    // Some at a time, because each answer includes its contact.
    for some in identifiers(&read.rows).chunks(LOOKUPS_AT_ONCE) {
        let availability = store.peek(terms, required, some)?;
        stored.extend(availability.iter().map(|availability| self::stored(availability, *store_only)));
    }
    let summary = summarize(&read.rows, &read.counts, &stored);
    let room = terms.ceiling.as_ref().map(|ceiling| store.room(ceiling)).transpose()?;
    Ok((summary, Some(store.lately(required)?), room))
}

/// An answer that cannot be used on these terms (`Again`) is paid for again, and a plan says so.
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

/// A list and a tuple are read without an iterator's overhead. A list is not locked: if another thread changes
/// it meanwhile, rows may be missing, but nothing breaks.
fn read_rows(reader: &RowReader, rows: &Bound<'_, PyAny>, first_row: u64) -> PyResult<ReadRows> {
    source::refuse(rows)?;
    let column = source::column(rows)?;
    let rows = column.as_ref().unwrap_or(rows);
    let expected = rows.len().unwrap_or_default().min(MOST_EXPECTED);
    let mut read = ReadRows {
        rows: Vec::with_capacity(expected),
        values: Vec::with_capacity(expected),
        ..ReadRows::default()
    };
    let mut builder = RowBuilder::default();
    let mut number = first_row;
    let mut add = |item: Bound<'_, PyAny>| {
        let (value, row) = reader.row(&item, number, &mut builder)?;
        read.values.push(value);
        read.rows.push(row);
        number += 1;
        if number.is_multiple_of(ROWS_BETWEEN_SIGNALS) {
            let py = item.py();
            // Other threads may wait for the interpreter.
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
    read.columns = builder.counts();
    Ok(read)
}

/// The field type of this name, or a `ValueError` that lists all names.
pub(crate) fn named(name: &str) -> PyResult<FieldType> {
    FieldType::from_name(name).ok_or_else(|| {
        PyValueError::new_err(format!(
            "field_type has to be {}, or None to infer it",
            FieldType::quoted(" or ")
        ))
    })
}

/// Each method of [`Rows`] that needs the rows raises it after they were fed.
fn fed() -> PyErr {
    PyRuntimeError::new_err("these rows were fed to a run already: read them again")
}
