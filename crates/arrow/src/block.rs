//! A block of rows: collects their outcomes, and builds the record batches when all have arrived.
//!
//! Memory is the reason for its shape: a block holds the bytes of its contacts until its last outcome arrives.
//! Then it reads one contact after the other, appends its values to all columns, and frees it.

use std::sync::Arc;

use arrow_array::builder::TimestampMicrosecondBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::ArrowError;
use bytes::Bytes;

use exactbuyer_core::results::{Reason, RowOutcome, Source, Status};

use crate::contact::walk::{Found, walk};
use crate::layout::Layout;
use crate::values::column::{Column, Contact};
use crate::values::texts::Texts;

/// The most bytes of contacts for one record batch. Arrow counts the text of a column with 31 bits,
/// and no column has more text than its contacts. In tests the limit is small, so that blocks are
/// split.
const MOST_BYTES: usize = if cfg!(test) { 1 << 14 } else { 1 << 30 };

/// Successive rows that wait for their last outcome.
///
/// Its life: `new`, then `land` once for each outcome, then `make`. After `make` only `batches` matters.
pub(super) struct Block {
    /// The number of its first row in the whole input, from 0.
    pub(super) first_row: u64,
    /// May be zero: a table without rows still has a schema and needs one batch.
    pub(super) rows: usize,
    /// One entry for each row. It is allocated when the first outcome arrives.
    ///
    /// Empty before the first outcome, and again after `make`.
    landed: Vec<Option<RowOutcome>>,
    /// How many outcomes are still missing.
    ///
    /// The block is complete when this is zero, or when no more outcomes come.
    open: usize,
    /// The record batches of a complete block: one, unless its contacts are very large.
    pub(super) batches: Option<Vec<RecordBatch>>,
}

/// What one block tells the next one: the expected sizes of its buffers.
///
/// They only affect speed and memory: a wrong expectation costs a reallocation.
#[derive(Default)]
pub(super) struct Habits {
    /// The positions of the values of one contact, and what earlier contacts have taught.
    found: Found,
    /// For each column, slightly more than the bytes of text that 16 rows need.
    ///
    /// Per 16 rows, so that rounding up adds little.
    bytes: Vec<usize>,
    /// How many contacts were read so far.
    pub(super) contacts: u64,
    /// For each column, what the contacts had for it.
    pub(super) had: Vec<Had>,
}

/// What the contacts had for one column.
#[derive(Clone, Copy, Default)]
pub(super) struct Had {
    pub(super) values: u64,
    /// How many of these values did not fit the type of the column.
    pub(super) misfits: u64,
}

impl Block {
    /// No memory is allocated for the rows.
    pub(super) fn new(first_row: u64, rows: usize) -> Self {
        Self { first_row, rows, landed: Vec::new(), open: rows, batches: None }
    }

    /// Stores an outcome. Returns whether it was the last one of the block.
    ///
    /// An outcome of another block's row is ignored. A second outcome of the same row replaces the first, and
    /// is not counted again.
    pub(super) fn land(&mut self, outcome: RowOutcome) -> bool {
        if self.landed.is_empty() {
            self.landed.resize_with(self.rows, || None);
        }
        let place = outcome.row.checked_sub(self.first_row).and_then(|place| usize::try_from(place).ok());
        if let Some(slot) = place.and_then(|place| self.landed.get_mut(place))
            && slot.replace(outcome).is_none()
        {
            self.open -= 1;
            return self.open == 0;
        }
        false
    }

    /// Makes the rows that have no outcome unknown, for this reason.
    pub(super) fn lose(&mut self, why: &Arc<str>) {
        self.landed.resize_with(self.rows, || None);
        for (row, slot) in (self.first_row..).zip(&mut self.landed) {
            slot.get_or_insert_with(|| RowOutcome {
                row,
                status: Status::Unknown,
                alternative: 0,
                record: None,
                reason: Some(Reason::Run(why.clone())),
                source: Source::Asked,
                fetched_at_ms: None,
            });
        }
    }

    /// Builds the record batches from the outcomes that have arrived. Rows without an outcome were
    /// not sent.
    ///
    /// # Errors
    /// If Arrow cannot build a column.
    pub(super) fn make(&mut self, layout: &Layout, habits: &mut Habits) -> Result<(), ArrowError> {
        self.landed.resize_with(self.rows, || None);
        let mut landed = std::mem::take(&mut self.landed);
        let mut batches = Vec::with_capacity(1);
        loop {
            let mut bytes = 0;
            let fits = landed.iter().position(|landed| {
                bytes += contact(landed.as_ref()).map_or(0, Bytes::len);
                bytes > MOST_BYTES
            });
            let rest = fits.map(|rows| landed.split_off(rows.max(1)));
            let options = RecordBatchOptions::new().with_row_count(Some(landed.len()));
            let mut columns = Vec::from(fixed(layout, &landed)?);
            columns.extend(asked_for(layout, landed, habits)?);
            batches.push(RecordBatch::try_new_with_options(layout.schema(), columns, &options)?);
            match rest {
                Some(rest) => landed = rest,
                None => break,
            }
        }
        self.batches = Some(batches);
        Ok(())
    }
}

/// The contact of a row that was found.
///
/// `None` for a row without an outcome, too.
fn contact(landed: Option<&RowOutcome>) -> Option<&Bytes> {
    landed.and_then(|outcome| outcome.record.as_ref())
}

/// The columns that every table has: the outcome of each row.
///
/// In the order of [`FIXED`](crate::layout::FIXED).
fn fixed(layout: &Layout, landed: &[Option<RowOutcome>]) -> Result<[ArrayRef; 5], ArrowError> {
    let rows = landed.len();
    let mut statuses = Texts::new(&layout.text, rows, rows * Status::NotFound.as_str().len());
    let mut matched_by =
        Texts::new(&layout.text, rows, rows * layout.by.iter().map(String::len).max().unwrap_or_default());
    let mut sources = Texts::new(&layout.text, rows, rows * "duplicate".len());
    let mut fetched_at = TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC");
    let mut reasons = Texts::new(&layout.text, rows, 0);
    for landed in landed {
        let Some(outcome) = landed else {
            statuses.push(Status::NotSent.as_str().as_bytes());
            matched_by.push_null();
            sources.push_null();
            fetched_at.append_null();
            reasons.push(b"stopped before it was read");
            continue;
        };
        statuses.push(outcome.status.as_str().as_bytes());
        let found = outcome.status == Status::Found;
        // `join` numbers the entries of a row cell by cell across the columns.
        let column = outcome.alternative as usize % layout.by.len().max(1);
        matched_by.push_option(layout.by.get(column).filter(|_| found).map(String::as_str));
        sources.push_option(source(outcome));
        let answered = matches!(outcome.status, Status::Found | Status::NotFound);
        let at_ms = outcome.fetched_at_ms.filter(|_| answered);
        fetched_at.append_option(at_ms.map(|at_ms| at_ms.saturating_mul(1_000)));
        match &outcome.reason {
            None => reasons.push_null(),
            Some(Reason::Run(text)) => reasons.push(text.as_bytes()),
            Some(Reason::NotSent(why)) => reasons.push(why.in_words(&layout.words).as_bytes()),
            Some(Reason::Invalid(why)) => reasons.push(why.message().in_words(&layout.words).as_bytes()),
        }
    }
    Ok([
        statuses.finish()?,
        matched_by.finish()?,
        sources.finish()?,
        Arc::new(fetched_at.finish()),
        reasons.finish()?,
    ])
}

/// Where the answer of a row came from. `None` if there is no answer, or if it was free anyway.
fn source(outcome: &RowOutcome) -> Option<&'static str> {
    match (outcome.status, outcome.source) {
        (Status::Found, Source::Asked) => Some("paid"),
        (Status::Found | Status::NotFound, Source::Duplicate) => Some("duplicate"),
        (Status::Found | Status::NotFound, Source::Store) => Some("store"),
        _ => None,
    }
}

/// The columns with values of the contacts. Each contact is freed as soon as it has been read.
fn asked_for(
    layout: &Layout,
    landed: Vec<Option<RowOutcome>>,
    habits: &mut Habits,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let rows = landed.len();
    habits.bytes.resize(layout.wanted.len(), 0);
    habits.had.resize(layout.wanted.len(), Had::default());
    let contacts = landed.iter().filter_map(|landed| contact(landed.as_ref()));
    let bytes_of_contacts: usize = contacts.map(Bytes::len).sum();
    let mut columns: Vec<Column> = layout
        .wanted
        .iter()
        .zip(&habits.bytes)
        .map(|(wanted, bytes)| {
            // The size of whole contacts is known. The size of their parts is expected to be as
            // before.
            let bytes =
                if wanted.path.steps.is_empty() { bytes_of_contacts } else { (bytes * rows).div_ceil(16) };
            Column::new(&wanted.kind, wanted.is_list(), rows, bytes)
        })
        .collect();
    for landed in landed {
        let Some(record) = landed.and_then(|outcome| outcome.record) else {
            columns.iter_mut().for_each(Column::push_null);
            continue;
        };
        habits.contacts += 1;
        walk(&layout.trie, &record, &mut habits.found);
        let contact = Contact { text: &record, has_words: habits.found.has_words };
        for (number, column) in columns.iter_mut().enumerate() {
            match habits.found.column(number) {
                Some(found) => column.push(contact, found),
                None => column.push_null(),
            }
        }
    }
    for (bytes, column) in habits.bytes.iter_mut().zip(&columns) {
        *bytes = (column.bytes() * 17).div_ceil(rows.max(1));
    }
    columns
        .into_iter()
        .zip(&mut habits.had)
        .map(|(column, had)| {
            had.values += column.met();
            let (array, misfits) = column.finish()?;
            had.misfits += misfits;
            Ok(array)
        })
        .collect()
}
