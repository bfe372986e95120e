//! What a splitter has read of a file and has not returned yet, and how blocks are cut off it.

use std::ops::Range;

use super::BLOCK_BYTES;

/// One record, as positions in the bytes of its block.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Where it begins, including the blank lines before it.
    pub(super) start: usize,
    /// Where its first cell or its object begins.
    pub(super) first: usize,
    /// Where its last cell or its object ends.
    pub(super) end: usize,
    /// Where its line ends. Only extra delimiters or blanks are between `end` and this.
    pub(super) tail: usize,
    /// Where the next record begins.
    pub(super) next: usize,
    /// The range of its cells in the block; empty for JSON.
    pub(super) cells: Range<usize>,
    /// The number of its first line in the file, from 1.
    pub(super) line: u64,
}

impl Record {
    /// The record after this many bytes and cells were removed from the start of the block.
    fn less(self, bytes: usize, cells: usize) -> Self {
        Self {
            start: self.start - bytes,
            first: self.first - bytes,
            end: self.end - bytes,
            tail: self.tail - bytes,
            next: self.next - bytes,
            cells: self.cells.start - cells..self.cells.end - cells,
            line: self.line,
        }
    }
}

/// Records with their bytes.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// What the records are positions of.
    pub(super) bytes: Vec<u8>,
    /// Where each cell ends; empty for JSON.
    pub(super) cells: Vec<usize>,
    /// In the order of the file. In a block they cover all bytes.
    pub(super) all: Vec<Record>,
}

impl Records {
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }
}

/// The records that were not returned yet. All positions are relative to the bytes, which begin at the
/// first of them.
#[derive(Debug)]
pub(super) struct Pending {
    /// Complete records, and the bytes and cells of the current one after them.
    pub(super) read: Records,
    /// The position of the next byte to read.
    pub(super) at: usize,
    /// The position where the current record begins, including the blank lines before it.
    pub(super) start: usize,
    /// The position of its first cell, or of the current line of JSON.
    pub(super) first: usize,
    /// The index of its first cell.
    pub(super) first_cell: usize,
    /// The number of the current line, from 1: the one at `start`, for JSON the one at `first`.
    pub(super) line: u64,
    /// Whether no more bytes come.
    pub(super) ended: bool,
}

impl Default for Pending {
    fn default() -> Self {
        Self { read: Records::default(), at: 0, start: 0, first: 0, first_cell: 0, line: 1, ended: false }
    }
}

impl Pending {
    /// The bytes that are still to be read.
    pub(super) fn rest(&self) -> &[u8] {
        self.read.bytes.get(self.at..).unwrap_or_default()
    }

    /// The blank lines after the last record, at the end of the file.
    pub(super) fn trailer(&self) -> &[u8] {
        self.read.bytes.get(self.start..).unwrap_or_default()
    }

    /// The next records: `rows` of them, or fewer if they have enough bytes for a block or the file
    /// has no more. `None` if more bytes are needed.
    pub(super) fn take(&mut self, rows: usize) -> Option<Records> {
        let there = self.read.all.len();
        let enough = there >= rows || self.ended || self.start >= BLOCK_BYTES;
        (there > 0 && enough).then(|| self.cut(rows.min(there)))
    }

    /// Removes the first `rows` records.
    ///
    /// Positions that remain are moved by the bytes and cells that the block takes with it. Costs a copy of
    /// what remains.
    pub(super) fn cut(&mut self, rows: usize) -> Records {
        let read = &mut self.read;
        let last = rows.checked_sub(1).and_then(|last| read.all.get(last));
        let (bytes, cells) = last.map_or((0, 0), |record| (record.next, record.cells.end));
        let rest = Records {
            bytes: read.bytes.split_off(bytes),
            cells: read.cells.split_off(cells).into_iter().map(|end| end - bytes).collect(),
            all: read.all.split_off(rows).into_iter().map(|record| record.less(bytes, cells)).collect(),
        };
        self.at -= bytes;
        self.start -= bytes;
        self.first -= bytes;
        self.first_cell -= cells;
        std::mem::replace(read, rest)
    }
}
