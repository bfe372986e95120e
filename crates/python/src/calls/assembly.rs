//! Joins outcomes with the caller's values, and builds results of them. Knows neither runtime nor network.
//!
//! ```text
//! rows fed:       0   1   2   3   4   5        values: one for each row from `first` on
//! outcomes come:  1   0   5   2 …
//! fill (list):    each goes to the place of its row at once
//! take (stream):  1 waits in `early` until 0 is there; then 0, 1 are handed out, and 5 waits for 2, 3, 4
//! ```
//!
//! A row's value is given back when the row is handed out. What stays for the whole call is small: the problems,
//! and nine bytes for each origin.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::errors::{self, InvalidTexts};
use crate::objects::Decoder;
use crate::tables::origins::Origins;
use exactbuyer_core::results::{Reason, RowOutcome, Status};

/// The most problems of a stream that are remembered, because a stream may be endless. The status of every row is in
/// its result anyway. Problems of a list are all remembered.
const MOST_PROBLEMS_OF_A_STREAM: usize = 1_000_000;

/// Why a row is open or refused.
///
/// Its text is made only when somebody asks for the problems.
struct Problem {
    /// The number of the row in the input, from 0.
    row: u64,
    /// Not `found`, `not_found` or `missing`, which are no problems.
    status: Status,
    reason: Option<Reason>,
}

/// The values of the rows whose outcomes are awaited, and the problems of the rows handed out.
pub(crate) struct Assembly {
    /// Builds dicts. It lives as long as the call, because it learns from each contact.
    decoder: Decoder,
    /// One for each row from `first` on; `None` once handed out. Those at the front are dropped.
    ///
    /// The value of a row with several identifiers is a tuple of them: the outcome says which one it is about.
    values: VecDeque<Option<Py<PyAny>>>,
    /// The row of the first entry in `values`. Grows as the rows at the front are handed out.
    first: u64,
    /// Outcomes that arrived before their turn, from `turn` on.
    early: VecDeque<Option<RowOutcome>>,
    /// How many of `early` are there; the others are gaps.
    early_len: usize,
    /// The next row that `take` hands out. `fill` does not use it.
    turn: u64,
    /// In the order in which the rows were handed out.
    problems: Vec<Problem>,
    /// In input order, for both `fill` and `take`.
    origins: Origins,
    /// Rows of `values` that were handed out, also those that are no longer at the front.
    handed_out: u64,
    /// The values of rows that were handed out.
    spent: Vec<Py<PyAny>>,
}

impl Assembly {
    pub(crate) fn new() -> Self {
        Self {
            decoder: Decoder::default(),
            values: VecDeque::new(),
            first: 0,
            early: VecDeque::new(),
            early_len: 0,
            turn: 0,
            problems: Vec::new(),
            origins: Origins::default(),
            handed_out: 0,
            spent: Vec::new(),
        }
    }

    /// Keeps the values of rows about to be fed.
    ///
    /// They must be the rows that follow those kept before, and must be kept before the run gets the rows.
    pub(crate) fn keep(&mut self, values: Vec<Py<PyAny>>) {
        self.values.extend(values.into_iter().map(Some));
    }

    /// The values of the rows that were handed out since the last time. The caller drops them where Python code may
    /// run: the end of a value can run a `__del__`.
    pub(crate) fn spent(&mut self) -> Vec<Py<PyAny>> {
        std::mem::take(&mut self.spent)
    }

    /// The number of outcomes that wait here for their turn.
    pub(crate) fn early(&self) -> usize {
        self.early_len
    }

    /// Builds the outcomes that are ready, each at the place of its row, and returns how many they were. After an error
    /// the outcome that caused it is still in `ready`.
    ///
    /// # Errors
    /// `IndexError` if the list is too short; or that no object can be made, for example because there is no
    /// memory.
    pub(crate) fn fill(
        &mut self,
        ready: &mut VecDeque<RowOutcome>,
        into: &Bound<'_, PyList>,
        most: usize,
    ) -> PyResult<usize> {
        // There are some only if the caller used `take` before.
        ready.extend(self.early.drain(..).flatten());
        self.early_len = 0;

        let mut filled = 0;
        while filled < most
            && let Some(outcome) = ready.front()
        {
            let place =
                usize::try_from(outcome.row).ok().filter(|place| *place < into.len()).ok_or_else(|| {
                    PyIndexError::new_err("the list to fill has fewer places than rows were fed")
                })?;
            into.set_item(place, self.build(into.py(), outcome)?)?;
            self.origins.set(place, outcome);
            self.hand_out(outcome, usize::MAX);
            ready.pop_front();
            filled += 1;
        }
        Ok(filled)
    }

    /// The next results in input order. `over`: no more outcomes come, so no gap is waited for.
    ///
    /// Outcomes of rows that were handed out already are ignored.
    ///
    /// # Errors
    /// That no object can be made. Then no result is lost: those before it are returned first.
    pub(crate) fn take<'py>(
        &mut self,
        py: Python<'py>,
        ready: &mut VecDeque<RowOutcome>,
        most: usize,
        over: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        for outcome in ready.drain(..) {
            let Some(ahead) = outcome.row.checked_sub(self.turn).and_then(|n| usize::try_from(n).ok()) else {
                continue;
            };
            if ahead >= self.early.len() {
                self.early.resize_with(ahead + 1, || None);
            }
            if let Some(place) = self.early.get_mut(ahead) {
                self.early_len += usize::from(place.replace(outcome).is_none());
            }
        }
        let taken = PyList::empty(py);
        while taken.len() < most
            && let Some(next) = self.early.pop_front()
        {
            match next {
                Some(outcome) => match self.build(py, &outcome).and_then(|result| taken.append(result)) {
                    Ok(()) => {
                        self.origins.append(&outcome);
                        self.hand_out(&outcome, MOST_PROBLEMS_OF_A_STREAM);
                        self.early_len -= 1;
                    }
                    // The results so far must not be lost. The error is raised by the next call, where it is the first.
                    Err(trouble) => {
                        self.early.push_front(Some(outcome));
                        return if taken.is_empty() { Err(trouble) } else { Ok(taken) };
                    }
                },
                None if !over => {
                    self.early.push_front(None);
                    break;
                }
                None => {}
            }
            self.turn += 1;
        }
        Ok(taken)
    }

    /// Where the answers of the latest rows came from: see [`Origins::latest`].
    pub(crate) fn origins(&self, rows: usize) -> Vec<u8> {
        self.origins.latest(rows)
    }

    /// Row, status and reason of the rows handed out that are invalid, rejected, unknown or not sent; by row.
    pub(crate) fn problems<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut texts = Texts::default();
        let mut problems: Vec<_> = self.problems.iter().collect();
        problems.sort_unstable_by_key(|problem| problem.row);
        let listed = PyList::empty(py);
        for problem in problems {
            let status = PyString::intern(py, problem.status.as_str());
            listed.append((problem.row, status, texts.of(py, problem.reason.as_ref())?))?;
        }
        Ok(listed)
    }

    /// Builds one result. It does not change what is kept, so it can be tried again.
    fn build<'py>(&mut self, py: Python<'py>, outcome: &RowOutcome) -> PyResult<Bound<'py, PyDict>> {
        let given = self.place(outcome.row).and_then(|place| self.values.get(place)?.as_ref());
        let value = given.and_then(|given| match given.bind(py).cast::<PyTuple>() {
            Ok(entries) => entries.get_item(outcome.alternative as usize).ok(),
            Err(_) => Some(given.bind(py).clone()),
        });
        self.decoder.row(py, value, outcome.record.as_deref(), outcome.status)
    }

    /// Counts the row, and remembers its problem if there are fewer than `most_problems`.
    ///
    /// The row counts as handed out only if its value was still there, so a repeated outcome does not count
    /// twice.
    fn hand_out(&mut self, outcome: &RowOutcome, most_problems: usize) {
        if let Some(value) = self.place(outcome.row).and_then(|place| self.values.get_mut(place)) {
            let spent = value.take();
            self.handed_out += u64::from(spent.is_some());
            self.spent.extend(spent);
        }
        while let Some(None) = self.values.front() {
            self.values.pop_front();
            self.first += 1;
        }
        match outcome.status {
            Status::Found | Status::NotFound | Status::Missing => {}
            _ if self.problems.len() >= most_problems => {}
            status @ (Status::Invalid | Status::Rejected | Status::Unknown | Status::NotSent) => {
                self.problems.push(Problem { row: outcome.row, status, reason: outcome.reason.clone() });
            }
        }
    }

    /// `None` for a row whose value was dropped together with all before it.
    fn place(&self, row: u64) -> Option<usize> {
        usize::try_from(row.checked_sub(self.first)?).ok()
    }
}

/// The texts of reasons. Rows with the same reason share one string.
///
/// It borrows nothing from the problems, but is used only while they live: see `of`.
#[derive(Default)]
struct Texts<'py> {
    /// By the address of the shared text, so that no text is compared.
    of_run: HashMap<*const u8, Bound<'py, PyAny>>,
    /// By the reason itself, which is a small enum.
    of_identifier: InvalidTexts<'py>,
}

impl<'py> Texts<'py> {
    fn of(&mut self, py: Python<'py>, reason: Option<&Reason>) -> PyResult<Bound<'py, PyAny>> {
        // The text lives as long as the problems, so its address identifies it.
        Ok(match reason {
            None => PyString::intern(py, "").into_any(),
            Some(Reason::Run(text)) => {
                let address = Arc::as_ptr(text).cast();
                self.of_run.entry(address).or_insert_with(|| PyString::new(py, text).into_any()).clone()
            }
            Some(Reason::NotSent(message)) => match self.of_run.entry(Arc::as_ptr(message).cast()) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => new.insert(errors::text(py, message)?).clone(),
            },
            Some(Reason::Invalid(why)) => self.of_identifier.of(py, *why)?,
        })
    }
}
