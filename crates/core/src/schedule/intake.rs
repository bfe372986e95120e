//! Rows that were fed and are not lookups yet.
//!
//! Rows are cheap while they wait here: a lookup in the table costs more memory. So a run with a million rows
//! keeps most of them here, and admits them as their requests come near.

use std::collections::VecDeque;

use crate::plan::{Row, Table};

use super::RunOptions;

/// While so many lookups wait to be sent, no more rows are admitted, unless the run says otherwise.
const READ_AHEAD: usize = 16_384;

/// Most rows admitted before the shell looks at its events again.
const ADMIT_AT_ONCE: usize = 16_384;

/// The rows of a run that wait to be admitted to its table.
#[derive(Debug)]
pub(super) struct Intake {
    /// All rows are known before the first one is admitted.
    whole: bool,
    /// While so many lookups wait to be sent, no rows are admitted.
    ///
    /// From [`RunOptions::read_ahead`].
    ahead: usize,
    /// How many rows will be fed, if known.
    ///
    /// From [`RunOptions::rows`].
    total: Option<u64>,
    /// In the parts in which they were fed; none of them is copied.
    pub(super) fed: VecDeque<std::vec::IntoIter<Row>>,
    /// No more rows come, or the run waits for none.
    pub(super) over: bool,
    /// The caller has said that no more rows come.
    pub(super) finished: bool,
}

impl Intake {
    /// Nothing was fed yet.
    pub(super) fn new(options: &RunOptions) -> Self {
        let (whole, ahead) = (options.whole, options.read_ahead.unwrap_or(READ_AHEAD).max(1));
        let total = options.rows;
        Self { whole, ahead, total, fed: VecDeque::new(), over: false, finished: false }
    }

    /// No more rows come.
    pub(super) fn finish(&mut self, table: &mut Table) {
        if self.whole && !self.over {
            table.foresee(self.fed.iter().flat_map(std::vec::IntoIter::as_slice));
        }
        (self.over, self.finished) = (true, true);
    }

    /// Whether rows should be admitted now. A waiting row needs less memory than a waiting lookup, so only
    /// rows whose lookups are sent soon are admitted.
    pub(super) fn wants_rows(&self, table: &Table, chunk_size: usize) -> bool {
        let known = !self.whole || self.over;
        known && !self.fed.is_empty() && (table.queued() < self.ahead.max(chunk_size) || table.is_full())
    }

    /// Hands out some of the rows, in order.
    ///
    /// At most [`ADMIT_AT_ONCE`], and only from the first part.
    pub(super) fn take_some(&mut self, mut admit: impl FnMut(Row)) {
        let Some(rows) = self.fed.front_mut() else { return };
        let mut most = self.ahead.min(ADMIT_AT_ONCE);
        for row in rows.take(most) {
            admit(row);
            most -= 1;
        }
        if most > 0 {
            self.fed.pop_front();
        }
    }

    /// How many rows are still to be fed after the first `fed`; 0 if the total is unknown.
    pub(super) fn to_come(&self, fed: u64) -> u64 {
        self.total.filter(|_| !self.over).map_or(0, |total| total.saturating_sub(fed))
    }

    /// Rows not yet admitted.
    pub(super) fn rows(&self) -> u64 {
        self.fed.iter().map(|rows| rows.len() as u64).sum()
    }
}
