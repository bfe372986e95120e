//! Finds the records of a JSON Lines file: one object in each line.
//!
//! A line is not parsed here, only found: whether it is an object is decided when something is asked of its
//! block. A line break inside a JSON string must be escaped, so every `\n` ends a line.

use memchr::memchr;

use super::json_block::{JsonBlock, Record};
use super::{BLOCK_BYTES, Broken, MAX_RECORD_BYTES};

/// Splits a JSON Lines file into records. The bytes may come in pieces of any size.
///
/// ```
/// use exactbuyer_records::JsonSplitter;
///
/// let mut json = JsonSplitter::default();
/// json.feed(b"{\"mail\": \"ana@acme.example\"}\n\n{\"mail\"")?;
/// json.feed(b": null}")?; // the last line need not have a line end
/// json.finish();
/// assert_eq!(json.take(1_000).map(|block| block.len()), Some(2)); // the blank line is not a record
/// # Ok::<(), exactbuyer_records::Broken>(())
/// ```
#[derive(Debug)]
pub struct JsonSplitter {
    /// Complete lines that were not taken, and the beginning of the next one. All positions refer to it.
    bytes: Vec<u8>,
    /// The position of the next byte to read.
    at: usize,
    /// Complete records that were not returned yet.
    records: Vec<Record>,
    /// The position where the current record begins, including the blank lines before it.
    start: usize,
    /// The position where the current line begins.
    first: usize,
    /// The number of this line, from 1.
    line: u64,
    /// Whether no more bytes come.
    ended: bool,
}

impl Default for JsonSplitter {
    fn default() -> Self {
        Self { bytes: Vec::new(), at: 0, records: Vec::new(), start: 0, first: 0, line: 1, ended: false }
    }
}

impl JsonSplitter {
    /// Reads the next bytes of the file.
    ///
    /// # Errors
    /// If a line is longer than 64 MiB.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.bytes.extend_from_slice(bytes);
        while let Some(ahead) = memchr(b'\n', self.bytes.get(self.at..).unwrap_or_default()) {
            self.at += ahead + 1;
            self.end_line();
        }
        self.at = self.bytes.len();
        if self.at - self.start > MAX_RECORD_BYTES {
            return Err(Broken::new(format!(
                "line {} does not end within {} MiB: JSON Lines has one object a line",
                self.line,
                MAX_RECORD_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// Announces that no more bytes come.
    ///
    /// The last line need not have a line end. A second call does nothing.
    pub fn finish(&mut self) {
        if !self.ended {
            self.ended = true;
            self.end_line();
        }
    }

    /// The next records: `rows` of them, or fewer if they have enough bytes for a block or the file
    /// has no more. `None` if more bytes are needed.
    pub fn take(&mut self, rows: usize) -> Option<JsonBlock> {
        let there = self.records.len();
        let enough = there >= rows || self.ended || self.start >= BLOCK_BYTES;
        (there > 0 && enough).then(|| self.cut(rows.min(there)))
    }

    /// The blank lines after the last record. Only valid at the end of the file.
    #[must_use]
    pub fn trailer(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Ends a line at the current position.
    ///
    /// A byte order mark at the start of the file and blanks around the object belong to the record, but not to
    /// its object.
    fn end_line(&mut self) {
        let whole = self.bytes.get(self.first..self.at).unwrap_or_default();
        let mark = if self.line == 1 && whole.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        let text = whole.get(mark..).unwrap_or_default();
        let before = mark + text.len() - text.trim_ascii_start().len();
        let length = text.trim_ascii().len();
        let (first, line) = (self.first + before, self.line);
        self.line += 1;
        self.first = self.at;
        // A blank line is not a record.
        if length > 0 {
            self.records.push(Record { start: self.start, first, end: first + length, next: self.at, line });
            self.start = self.at;
        }
    }

    /// Removes the first `rows` records and returns them as a block.
    fn cut(&mut self, rows: usize) -> JsonBlock {
        let bytes =
            rows.checked_sub(1).and_then(|last| self.records.get(last)).map_or(0, |record| record.next);
        let rest = self.bytes.split_off(bytes);
        let bytes_of = std::mem::replace(&mut self.bytes, rest);
        let rest = self.records.split_off(rows).into_iter().map(|record| record.less(bytes)).collect();
        let records = std::mem::replace(&mut self.records, rest);
        self.at -= bytes;
        self.start -= bytes;
        self.first -= bytes;
        JsonBlock::new(bytes_of, records)
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
