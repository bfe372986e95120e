//! Finds the records and cells of a CSV file.
//!
//! The format is RFC 4180, as tolerant as Python's `csv`. A record ends at `\n`, `\r\n` or `\r`. A quote opens
//! a quoted cell only at the start of a cell. Text after its closing quote belongs to the cell. Any other quote
//! is a normal character.
//!
//! The splitter reads each byte once. It keeps positions, not copies: where each cell ends, and where records
//! begin. For `a,b⏎⏎1,2⏎`:
//!
//! ```text
//! bytes    a , b ⏎ ⏎ 1 , 2 ⏎
//! records  └─ 0 ─┘ └── 1 ──┘      the blank line belongs to record 1
//! cells      ^   ^     ^   ^          where each cell ends
//! ```

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr3};

use super::csv_block::CsvBlock;
use super::pending::{Pending, Record, Records};
use super::{Broken, MAX_RECORD_BYTES};

/// The position in the grammar, which decides what the next byte means.
///
/// It survives from one piece to the next, so a piece may end anywhere, even between `\r` and `\n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a cell.
    Start,
    /// In a cell without quotes, or after the closing quote of a cell.
    Plain,
    /// Between the quotes of a cell.
    Quoted,
    /// After a quote inside quotes. It is the closing one, or the first of a pair.
    Closed,
    /// After a `\r`, which may be half of a line end.
    Return,
}

/// Splits a CSV file into records. The bytes may come in pieces of any size. The first record is
/// the header.
#[derive(Debug)]
pub struct CsvSplitter {
    /// One byte, such as `,`, `;` or a tab.
    delimiter: u8,
    /// The number of bytes before the header.
    preamble: usize,
    /// The number of cells in the header, once it was read.
    width: Option<usize>,
    /// What the byte at the current position means.
    state: State,
    /// What was read and not returned.
    pending: Pending,
}

impl CsvSplitter {
    /// A splitter for files with this delimiter. The first `preamble` bytes, which come before the header, are
    /// kept unchanged.
    #[must_use]
    pub fn new(delimiter: u8, preamble: usize) -> Self {
        Self { delimiter, preamble, width: None, state: State::Start, pending: Pending::default() }
    }

    /// Reads the next bytes of the file.
    ///
    /// # Errors
    /// If a record has more cells than the header, or is longer than 64 MiB.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        self.pending.read.bytes.extend_from_slice(bytes);
        if self.width.is_none() && self.pending.at == 0 {
            if self.pending.read.bytes.len() < self.preamble {
                return Ok(());
            }
            (self.pending.at, self.pending.first) = (self.preamble, self.preamble);
            // A byte-order mark is kept, but is not part of the first name.
            if self.pending.read.bytes.len() < MARK.len() && MARK.starts_with(&self.pending.read.bytes) {
                return Ok(());
            }
            if self.preamble == 0 && self.pending.read.bytes.starts_with(MARK) {
                (self.pending.at, self.pending.first) = (MARK.len(), MARK.len());
            }
        }
        self.scan()
    }

    /// Announces that no more bytes come.
    ///
    /// # Errors
    /// If a quoted cell has no closing quote.
    ///
    /// The last record need not end with a line end. A second call does nothing.
    pub fn finish(&mut self) -> Result<(), Broken> {
        if self.pending.ended {
            return Ok(());
        }
        self.scan()?;
        self.pending.ended = true;
        match self.state {
            State::Quoted => {
                let begins = self.pending.read.cells.get(self.pending.first_cell..).and_then(<[_]>::last);
                let line = self.line_of(begins.map_or(self.pending.first, |end| end + 1));
                return Err(Broken::new(format!(
                    "the quoted cell that begins in line {line} never ends: put its closing quote"
                )));
            }
            State::Return => self.end_record()?,
            _ if self.pending.at > self.pending.first
                || self.pending.read.cells.len() > self.pending.first_cell =>
            {
                self.pending.read.cells.push(self.pending.at);
                self.end_record()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The header, once it was read. It is returned only once.
    pub fn header(&mut self) -> Option<CsvBlock> {
        let header = (!self.pending.read.all.is_empty()).then(|| self.pending.cut(1));
        header.map(|header| self.block(header))
    }

    /// The next records: `rows` of them, or fewer if they have enough bytes for a block or the file
    /// has no more. `None` if more bytes are needed. The header must be taken first.
    ///
    /// A block with fewer rows than asked for is normal; only `None` after [`finish`](Self::finish) means the
    /// end.
    pub fn take(&mut self, rows: usize) -> Option<CsvBlock> {
        self.pending.take(rows).map(|records| self.block(records))
    }

    /// The blank lines after the last record. Only valid at the end of the file.
    #[must_use]
    pub fn trailer(&self) -> &[u8] {
        self.pending.trailer()
    }

    /// Reads all bytes that have arrived.
    ///
    /// The state decides what to search for, so that whole stretches are skipped: delimiters and line ends
    /// outside quotes, and the next quote inside.
    ///
    /// # Errors
    /// As [`Self::feed`].
    fn scan(&mut self) -> Result<(), Broken> {
        while let Some(&byte) = self.pending.read.bytes.get(self.pending.at) {
            match self.state {
                State::Start | State::Closed if byte == b'"' => {
                    self.state = State::Quoted;
                    self.pending.at += 1;
                }
                State::Start | State::Closed => self.state = State::Plain,
                State::Plain => match memchr3(self.delimiter, b'\n', b'\r', self.pending.rest()) {
                    Some(ahead) => {
                        self.pending.at += ahead;
                        self.end_cell()?;
                    }
                    None => self.pending.at = self.pending.read.bytes.len(),
                },
                State::Quoted => match memchr(b'"', self.pending.rest()) {
                    Some(ahead) => {
                        self.pending.at += ahead + 1;
                        self.state = State::Closed;
                    }
                    None => self.pending.at = self.pending.read.bytes.len(),
                },
                State::Return => {
                    self.pending.at += usize::from(byte == b'\n');
                    self.end_record()?;
                }
            }
        }
        if self.pending.at - self.pending.start > MAX_RECORD_BYTES {
            let line = self.line_of(self.pending.first);
            return Err(Broken::new(format!(
                "the record that begins in line {line} does not end within {} MiB: put the closing quote that \
                 it lacks",
                MAX_RECORD_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// Ends a cell at the current position.
    ///
    /// # Errors
    /// If the record has more cells than the header.
    fn end_cell(&mut self) -> Result<(), Broken> {
        let byte = self.pending.read.bytes.get(self.pending.at).copied();
        self.pending.read.cells.push(self.pending.at);
        self.pending.at += 1;
        if byte == Some(self.delimiter) {
            self.state = State::Start;
        } else if byte == Some(b'\r') {
            self.state = State::Return;
        } else {
            self.end_record()?;
        }
        Ok(())
    }

    /// Ends a record at the current position. A blank line belongs to the record after it.
    ///
    /// The first record decides the width. A record with fewer cells is accepted, one with more only if those
    /// are empty.
    ///
    /// # Errors
    /// If it has more cells than the header.
    fn end_record(&mut self) -> Result<(), Broken> {
        self.state = State::Start;
        let cells = self.pending.first_cell..self.pending.read.cells.len();
        let end = self.pending.read.cells.last().copied().unwrap_or(self.pending.at);
        if cells.len() == 1 && end == self.pending.first && self.width != Some(1) {
            // A blank line is a record only in a file with one column.
            self.pending.read.cells.pop();
            self.pending.first = self.pending.at;
            return Ok(());
        }
        let line = self.line_of(self.pending.first);
        let width = *self.width.get_or_insert(cells.len());
        let (mut cells, mut end, tail) = (cells, end, end);
        if let Some(last) = self.end_of_extra(&cells, width, tail) {
            // Some programs write extra delimiters at the end of a record.
            end = last;
            cells.end = cells.start + width;
            self.pending.read.cells.truncate(cells.end);
        }
        if cells.len() > width {
            return Err(Broken::new(format!(
                "the record in line {line} has {} cells, the header {width}: quote the cells that hold a \
                 delimiter",
                cells.len()
            )));
        }
        let (start, first, next) = (self.pending.start, self.pending.first, self.pending.at);
        self.pending.line = line + self.lines(first, next);
        self.pending.read.all.push(Record { start, first, end, tail, next, cells, line });
        (self.pending.start, self.pending.first, self.pending.first_cell) =
            (next, next, self.pending.read.cells.len());
        Ok(())
    }

    /// The end of the last cell that has a name, if all cells after it are empty.
    ///
    /// `None` if the record has no cells beyond the header, or if one of them has a value.
    fn end_of_extra(&self, cells: &Range<usize>, width: usize, tail: usize) -> Option<usize> {
        let last = cells.start + width.checked_sub(1)?;
        let end = *self.pending.read.cells.get(last).filter(|_| cells.len() > width)?;
        let is_nothing = |byte: &u8| *byte == self.delimiter || *byte == b' ';
        self.pending.read.bytes.get(end..tail)?.iter().all(is_nothing).then_some(end)
    }

    /// The number of the line with this byte, counted from `start`.
    fn line_of(&self, at: usize) -> u64 {
        self.pending.line + self.lines(self.pending.start, at)
    }

    /// The number of line ends between two positions.
    ///
    /// `\r\n` counts once, because its `\n` is counted. A text without any `\n` has `\r` as line ends.
    fn lines(&self, from: usize, to: usize) -> u64 {
        let text = self.pending.read.bytes.get(from..to).unwrap_or_default();
        let feeds = memchr_iter(b'\n', text).count();
        let lines = if feeds == 0 { memchr_iter(b'\r', text).count() } else { feeds };
        lines.try_into().unwrap_or(u64::MAX)
    }

    fn block(&self, records: Records) -> CsvBlock {
        CsvBlock::new(self.delimiter, self.width.unwrap_or(1), records)
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
