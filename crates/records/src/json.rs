//! Finds the records of a JSON Lines file: one object in each line.
//!
//! A line is not parsed here, only found: whether it is an object is decided when something is asked of its
//! block. A line break inside a JSON string must be escaped, so every `\n` ends a line.

use memchr::memchr;

use super::json_block::JsonBlock;
use super::pending::{Pending, Record};
use super::{Broken, MAX_RECORD_BYTES};

/// Splits a JSON Lines file into records. The bytes may come in pieces of any size.
///
/// ```
/// use exactbuyer_records::JsonSplitter;
///
/// let mut json = JsonSplitter::default();
/// json.feed(b"{\"mail\": \"ana@acme.example\"}\n\n{\"mail\"")?;
/// json.feed(b": null}")?; // the last line need not have a line end
/// json.finish();
/// assert_eq!(json.take(1_000).map(|block| block.rows()), Some(2)); // the blank line is not a record
/// # Ok::<(), exactbuyer_records::Broken>(())
/// ```
#[derive(Debug, Default)]
pub struct JsonSplitter(Pending);

impl JsonSplitter {
    /// Reads the next bytes of the file.
    ///
    /// # Errors
    /// If a line is longer than 64 MiB.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.0.read.bytes.extend_from_slice(bytes);
        while let Some(ahead) = memchr(b'\n', self.0.rest()) {
            self.0.at += ahead + 1;
            self.end_line();
        }
        self.0.at = self.0.read.bytes.len();
        if self.0.at - self.0.start > MAX_RECORD_BYTES {
            return Err(Broken::new(format!(
                "line {} does not end within {} MiB: JSON Lines has one object a line",
                self.0.line,
                MAX_RECORD_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// Announces that no more bytes come.
    ///
    /// The last line need not have a line end. A second call does nothing.
    pub fn finish(&mut self) {
        if !self.0.ended {
            self.0.ended = true;
            self.end_line();
        }
    }

    /// The next records: `rows` of them, or fewer if they have enough bytes for a block or the file
    /// has no more. `None` if more bytes are needed.
    pub fn take(&mut self, rows: usize) -> Option<JsonBlock> {
        self.0.take(rows).map(JsonBlock)
    }

    /// The blank lines after the last record. Only valid at the end of the file.
    #[must_use]
    pub fn trailer(&self) -> &[u8] {
        self.0.trailer()
    }

    /// Ends a line at the current position.
    ///
    /// A byte order mark at the start of the file and blanks around the object belong to the record, but not to
    /// its object.
    fn end_line(&mut self) {
        let read = &mut self.0;
        let whole = read.read.slice(read.first..read.at);
        let mark = if read.line == 1 && whole.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        let text = whole.get(mark..).unwrap_or_default();
        let before = mark + text.len() - text.trim_ascii_start().len();
        let length = text.trim_ascii().len();
        let (first, line) = (read.first + before, read.line);
        read.line += 1;
        read.first = read.at;
        // A blank line is not a record.
        if length > 0 {
            let (start, end, next) = (read.start, first + length, read.at);
            read.read.all.push(Record { start, first, end, tail: end, next, cells: 0..0, line });
            read.start = read.at;
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
