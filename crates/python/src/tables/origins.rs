//! Where the answers of rows came from, kept for lists of results, so that a table can be made of them later. What else
//! a table needs is in the results themselves.

use std::collections::VecDeque;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use exactbuyer_core::results::{Reason, RowOutcome, Source, Status};

/// One byte for the source, eight for the time.
const BYTES: usize = 9;

/// The most rows of a stream whose origins are kept: more than can wait to be handed out.
const MOST_ROWS_OF_A_STREAM: usize = 200_000;

/// A source is stored as its index here, also in results that a user has pickled: new ones are added at the
/// end.
const SOURCES: [Source; 3] = [Source::Asked, Source::Duplicate, Source::Store];

/// Says that the service gave no answer.
const NEVER: i64 = i64::MIN;

/// For each row, the source of its answer and when the service gave it.
///
/// A list of a million results takes nine megabytes. They are kept as bytes because Python only passes them
/// back.
#[derive(Default)]
pub(crate) struct Origins(Vec<[u8; BYTES]>);

impl Origins {
    /// Notes the origin of the row at this place.
    ///
    /// For lists, whose rows are handed out in any order. A row before it whose turn has not come gets a
    /// placeholder.
    pub(crate) fn set(&mut self, place: usize, outcome: &RowOutcome) {
        if place >= self.0.len() {
            self.0.resize(place + 1, [0; BYTES]);
        }
        if let Some(slot) = self.0.get_mut(place) {
            *slot = packed(outcome);
        }
    }

    /// Notes the origin of the next row of a stream, and forgets those of rows long ago.
    ///
    /// So at most twice [`MOST_ROWS_OF_A_STREAM`] are kept.
    pub(crate) fn append(&mut self, outcome: &RowOutcome) {
        if self.0.len() >= 2 * MOST_ROWS_OF_A_STREAM {
            self.0.drain(..MOST_ROWS_OF_A_STREAM);
        }
        self.0.push(packed(outcome));
    }

    /// The origins of the last `rows` rows, to be given to [`outcomes`]. Fewer if there are fewer.
    pub(crate) fn latest(&self, rows: usize) -> Vec<u8> {
        self.0.get(self.0.len().saturating_sub(rows)..).unwrap_or_default().as_flattened().to_vec()
    }
}

fn packed(outcome: &RowOutcome) -> [u8; BYTES] {
    let source = SOURCES.iter().zip(0_u8..).find(|(source, _)| **source == outcome.source);
    let mut packed = [source.map_or(0, |(_, number)| number); BYTES];
    if let Some(time) = packed.last_chunk_mut() {
        *time = outcome.fetched_at_ms.unwrap_or(NEVER).to_le_bytes();
    }
    packed
}

/// Outcomes of rows from `first_row` on, out of their results (status, contact, reason) and origins.
///
/// # Errors
/// `ValueError` if a status is none, or the origins are not those of as many rows.
pub(crate) fn outcomes(
    first_row: u64,
    results: Vec<(String, Option<String>, Option<String>)>,
    origins: &[u8],
) -> PyResult<VecDeque<RowOutcome>> {
    let (origins, rest) = origins.as_chunks::<BYTES>();
    if origins.len() != results.len() || !rest.is_empty() {
        return Err(PyValueError::new_err("each result needs its origin"));
    }
    let rows = (first_row..).zip(results).zip(origins);
    rows.map(|((row, (status, contact, reason)), origin)| {
        let status =
            Status::from_name(&status).ok_or_else(|| PyValueError::new_err("not a status of a row"))?;
        let time = origin.last_chunk().map_or(NEVER, |time| i64::from_le_bytes(*time));
        let source = origin.first().and_then(|number| SOURCES.get(usize::from(*number)));
        Ok(RowOutcome {
            row,
            status,
            alternative: 0,
            record: contact.map(Into::into),
            reason: reason.map(|text| Reason::Run(Arc::from(text))),
            source: source.copied().unwrap_or(Source::Asked),
            fetched_at_ms: (time != NEVER).then_some(time),
        })
    })
    .collect()
}
