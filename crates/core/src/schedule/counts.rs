//! How many rows of the caller's each row of a run stands for.
//!
//! A frame of a cluster is looked up by its distinct rows. A row with the count 5 is looked up once, and
//! counts as five rows in the receipt.

use std::collections::VecDeque;

/// The counts of rows that are not all over yet. Rows that were fed without counts need no space.
#[derive(Debug, Default)]
pub(super) struct Counts {
    blocks: VecDeque<Block>,
    /// Rows before this one are counted in `more_admitted`.
    admitted: u64,
    /// How many rows the admitted ones stand for, beyond themselves; and the same for all that were fed.
    more_admitted: u64,
    more_fed: u64,
}

/// The counts of rows that were fed together.
///
/// Dropped when all its rows have their outcome.
#[derive(Debug)]
struct Block {
    first_row: u64,
    counts: Vec<u64>,
    /// How many of these rows have no outcome yet.
    open: usize,
}

impl Block {
    /// `None` for a row of another block.
    fn get(&self, row: u64) -> Option<u64> {
        self.counts.get(usize::try_from(row.checked_sub(self.first_row)?).ok()?).copied()
    }

    /// The first row after the block.
    fn end(&self) -> u64 {
        self.first_row + self.counts.len() as u64
    }
}

/// The other rows that a row with this count stands for. A row stands at least for itself.
const fn more(count: u64) -> u64 {
    count.saturating_sub(1)
}

impl Counts {
    /// Notes the counts of the rows from this one on.
    ///
    /// Rows must be announced in order; an empty list announces nothing.
    pub(super) fn expect(&mut self, first_row: u64, counts: Vec<u64>) {
        if !counts.is_empty() {
            self.more_fed += counts.iter().copied().map(more).sum::<u64>();
            self.blocks.push_back(Block { first_row, open: counts.len(), counts });
        }
    }

    /// Notes that the rows before this one are admitted.
    pub(super) fn admit(&mut self, rows: u64) {
        for block in &self.blocks {
            let new = self.admitted.max(block.first_row)..rows.min(block.end());
            self.more_admitted += new.filter_map(|row| block.get(row)).map(more).sum::<u64>();
        }
        self.admitted = rows;
    }

    /// The count of a row that has its outcome now.
    ///
    /// Each row has one outcome, so this is called once for each row. Rows without counts stand for themselves. The
    /// result is at least 1.
    pub(super) fn take(&mut self, row: u64) -> u64 {
        let next_block = self.blocks.partition_point(|block| block.first_row <= row);
        let Some(block) = next_block.checked_sub(1).and_then(|place| self.blocks.get_mut(place)) else {
            return 1;
        };
        let Some(count) = block.get(row) else { return 1 };
        block.open -= 1;
        while self.blocks.front().is_some_and(|block| block.open == 0) {
            self.blocks.pop_front();
        }
        count.max(1)
    }

    /// What is added to the rows of the run, for the receipt.
    pub(super) const fn more_admitted(&self) -> u64 {
        self.more_admitted
    }

    /// The same for all rows that were fed, for the progress.
    pub(super) const fn more_fed(&self) -> u64 {
        self.more_fed
    }
}
