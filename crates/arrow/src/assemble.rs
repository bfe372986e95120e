//! Outcomes in any order on one side, record batches in the order of the rows on the other.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use exactbuyer_core::results::RowOutcome;

use crate::block::{Block, Habits, Had};
use crate::layout::Layout;

/// Puts outcomes into the order of the rows, block by block; each block is read and becomes a
/// record batch as soon as its last outcome is there, whatever the blocks before it wait for.
pub struct Assembler {
    layout: Arc<Layout>,
    blocks: VecDeque<Block>,
    rows: u64,
    habits: Habits,
}

impl Assembler {
    /// An assembler of tables of this layout.
    #[must_use]
    pub fn new(layout: Arc<Layout>) -> Self {
        Self { layout, blocks: VecDeque::new(), rows: 0, habits: Habits::default() }
    }

    /// Says that the next block has so many rows; to be said before any of their outcomes comes.
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

    /// Adds an outcome. One that nobody expects, or that came before, changes nothing.
    ///
    /// # Errors
    /// Arrow's own.
    pub fn add(&mut self, outcome: RowOutcome) -> Result<(), ArrowError> {
        let behind = self.blocks.partition_point(|block| block.first_row <= outcome.row);
        // Empty blocks begin where the one behind them does: the last that begins there has rows.
        if let Some(block) = behind.checked_sub(1).and_then(|place| self.blocks.get_mut(place))
            && block.batches.is_none()
            && block.land(outcome)
        {
            block.make(&self.layout, &mut self.habits)?;
        }
        Ok(())
    }

    /// The next block in the order of the rows, if it is complete: one record batch, or several
    /// where its contacts are very large.
    pub fn next_block(&mut self) -> Option<Vec<RecordBatch>> {
        let batches = self.blocks.front_mut()?.batches.take()?;
        self.blocks.pop_front();
        Some(batches)
    }

    /// Says that no more outcomes come, and that there should have been so many rows: those without
    /// an outcome count as not sent. Said again, it changes nothing.
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

    /// Columns that none of the contacts had a value for, though there were some: their paths may be
    /// wrong.
    pub fn unmet(&self) -> impl Iterator<Item = &str> {
        self.columns_where(|had| had.values == 0).filter(|_| self.habits.contacts > 0)
    }

    /// Columns that contacts had values for, none of which fitted: their types may be wrong.
    pub fn unfit(&self) -> impl Iterator<Item = &str> {
        self.columns_where(|had| had.values > 0 && had.misfits == had.values)
    }

    fn columns_where(&self, is_so: impl Fn(Had) -> bool) -> impl Iterator<Item = &str> {
        let had = self.habits.had.iter().copied().chain(std::iter::repeat(Had::default()));
        let columns = self.layout.wanted.iter().zip(had).filter(move |(_, had)| is_so(*had));
        columns.map(|(wanted, _)| &*wanted.name)
    }

    /// Values that did not fit the type of their column, and are null there.
    #[must_use]
    pub fn misfits(&self) -> u64 {
        self.habits.had.iter().map(|had| had.misfits).sum()
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod spellings_tests;
