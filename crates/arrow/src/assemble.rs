//! Takes outcomes in any order, and returns record batches in the order of the rows.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use exactbuyer_core::results::RowOutcome;

use crate::block::{Block, Habits, Had};
use crate::layout::Layout;

/// Puts outcomes into the order of the rows, block by block. A block becomes a record batch as soon
/// as its last outcome has arrived, whatever the blocks before it are waiting for.
///
/// Call [`expect`](Self::expect) for each block before its outcomes, [`add`](Self::add) for each
/// outcome, and [`next_block`](Self::next_block) until it returns `None`.
///
/// ```
/// use std::sync::Arc;
///
/// use exactbuyer_arrow::{Assembler, Layout};
/// use exactbuyer_core::message::Words;
///
/// let layout = Layout::new("eb_", Vec::new(), vec!["mail".into()], Words::new(), false).unwrap();
/// let mut assembler = Assembler::new(Arc::new(layout));
/// assembler.expect(3).unwrap();
/// assert!(assembler.next_block().is_none()); // no outcome has arrived
/// assembler.finish(3).unwrap(); // the rows count as not sent
/// assert_eq!(assembler.next_block().unwrap()[0].num_rows(), 3);
/// ```
pub struct Assembler {
    /// The columns, the same for all blocks.
    layout: Arc<Layout>,
    /// The blocks that were announced and not returned yet, in order.
    blocks: VecDeque<Block>,
    /// How many rows were announced.
    ///
    /// The next block begins with this row.
    rows: u64,
    /// What the blocks so far have taught, for the next one, and the counts of what did not fit.
    habits: Habits,
}

impl Assembler {
    /// An assembler of tables with this layout.
    #[must_use]
    pub fn new(layout: Arc<Layout>) -> Self {
        Self { layout, blocks: VecDeque::new(), rows: 0, habits: Habits::default() }
    }

    /// Announces the number of rows of the next block. It must be called before any of their
    /// outcomes arrives.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn expect(&mut self, rows: usize) -> Result<(), ArrowError> {
        let mut block = Block::new(self.rows, rows);
        if rows == 0 {
            block.make(&self.layout, &mut self.habits)?;
        }
        self.rows += rows as u64;
        self.blocks.push_back(block);
        Ok(())
    }

    /// Adds an outcome. It is ignored if its row was not announced, or if the block of its row is complete.
    ///
    /// # Errors
    /// If Arrow cannot build a column.
    pub fn add(&mut self, outcome: RowOutcome) -> Result<(), ArrowError> {
        let next_block = self.blocks.partition_point(|block| block.first_row <= outcome.row);
        // An empty block begins where the block after it begins. Of several, the last one has rows.
        if let Some(block) = next_block.checked_sub(1).and_then(|place| self.blocks.get_mut(place))
            && block.batches.is_none()
            && block.land(outcome)
        {
            block.make(&self.layout, &mut self.habits)?;
        }
        Ok(())
    }

    /// Adds these outcomes, in any order.
    ///
    /// # Errors
    /// As [`Self::add`]. The outcomes after the one that completed the block stay where they were: they may have been
    /// paid for, and the next call adds them.
    pub fn add_all(&mut self, outcomes: &mut VecDeque<RowOutcome>) -> Result<(), ArrowError> {
        while let Some(outcome) = outcomes.pop_front() {
            self.add(outcome)?;
        }
        Ok(())
    }

    /// The next block in the order of the rows, if it is complete. It is one record batch, or
    /// several if its contacts are very large.
    pub fn next_block(&mut self) -> Option<Vec<RecordBatch>> {
        let batches = self.blocks.front_mut()?.batches.take()?;
        self.blocks.pop_front();
        Some(batches)
    }

    /// An internal error ended the run: the announced rows that have no outcome may have been charged. They become
    /// unknown. To be called before [`Self::finish`].
    pub fn lose(&mut self, why: &Arc<str>) {
        for block in self.blocks.iter_mut().filter(|block| block.batches.is_none()) {
            block.lose(why);
        }
    }

    /// Announces that no more outcomes come, and how many rows there should have been. Rows without
    /// an outcome count as not sent. A second call changes nothing.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn finish(&mut self, rows: u64) -> Result<(), ArrowError> {
        let unread = rows.saturating_sub(self.rows);
        if unread > 0 {
            self.expect(usize::try_from(unread).unwrap_or(usize::MAX))?;
        }
        for block in self.blocks.iter_mut().filter(|block| block.batches.is_none()) {
            block.make(&self.layout, &mut self.habits)?;
        }
        Ok(())
    }

    /// Columns without any value, although contacts were found. Their paths may be wrong.
    pub fn unmet(&self) -> impl Iterator<Item = &str> {
        self.columns_where(|had| had.values == 0).filter(|_| self.habits.contacts > 0)
    }

    /// Columns for which contacts had values, but none of the type of the column. Their types may
    /// be wrong.
    pub fn unfit(&self) -> impl Iterator<Item = &str> {
        self.columns_where(|had| had.values > 0 && had.misfits == had.values)
    }

    /// The names of the columns for which `is_so` is true.
    ///
    /// Columns about which nothing is known yet count as columns without values.
    fn columns_where(&self, is_so: impl Fn(Had) -> bool) -> impl Iterator<Item = &str> {
        let had = self.habits.had.iter().copied().chain(std::iter::repeat(Had::default()));
        let columns = self.layout.wanted.iter().zip(had).filter(move |(_, had)| is_so(*had));
        columns.map(|(wanted, _)| &*wanted.name)
    }

    /// How many values did not fit the type of their column. They are null in the table.
    #[must_use]
    pub fn misfits(&self) -> u64 {
        self.habits.had.iter().map(|had| had.misfits).sum()
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod spellings_tests;
