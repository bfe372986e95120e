//! Whole records of a CSV file: reads their cells, and adds cells to them.

use std::borrow::Cow;

use arrow_array::builder::StringBuilder;
use arrow_array::{RecordBatch, StringArray};

use super::Broken;
use super::pending::{Record, Records};
use super::writing::{CellStyle, CellWriter, writable};

impl Record {
    /// The error for a cell that is not UTF-8.
    fn not_text(&self) -> Broken {
        Broken::new(format!("the record in line {} is not UTF-8", self.line))
    }
}

/// Whole records of a CSV file, with their bytes unchanged.
///
/// It is independent of the splitter, and may be kept, or sent to another thread.
#[derive(Debug)]
pub struct CsvBlock {
    /// That of the file; added cells get the same one.
    delimiter: u8,
    /// The number of columns of the header, not of each record.
    width: usize,
    /// Together they cover all bytes.
    records: Records,
}

impl CsvBlock {
    pub(super) fn new(delimiter: u8, width: usize, records: Records) -> Self {
        Self { delimiter, width, records }
    }

    /// The number of records.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.records.all.len()
    }

    /// The number of columns in the header.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The cells of a column without their quotes. A cell is null if its record is too short. Bytes
    /// that are not UTF-8 are replaced, because such a cell cannot be looked up.
    #[must_use]
    pub fn column(&self, place: usize) -> StringArray {
        let mut column = StringBuilder::with_capacity(self.rows(), 0);
        for record in &self.records.all {
            let cell = self.cell(record, place).map(unquoted);
            column.append_option(cell.as_deref().map(String::from_utf8_lossy));
        }
        column.finish()
    }

    /// The cells of a column, for a file of another format, in which bytes cannot stay unchanged.
    ///
    /// # Errors
    /// If a cell is not UTF-8.
    pub fn text(&self, place: usize) -> Result<StringArray, Broken> {
        let mut column = StringBuilder::with_capacity(self.rows(), 0);
        for record in &self.records.all {
            let cell = self.cell(record, place).map(unquoted);
            let text = cell.as_deref().map(std::str::from_utf8).transpose();
            column.append_option(text.map_err(|_| record.not_text())?);
        }
        Ok(column.finish())
    }

    /// Writes the records with more columns to their right. `added` has one row for each record.
    /// The cells at the indices `dropped` are left out.
    ///
    /// # Errors
    /// If a value cannot be written as text.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use arrow_array::{ArrayRef, RecordBatch, StringArray};
    /// use exactbuyer_records::{CellStyle, CsvSplitter};
    ///
    /// let mut csv = CsvSplitter::new(b',', 0);
    /// csv.feed(b"id\n007\n")?;
    /// csv.finish()?;
    /// csv.header();
    /// let block = csv.take(1_000).unwrap();
    /// let status: ArrayRef = Arc::new(StringArray::from(vec!["found"]));
    /// let added = RecordBatch::try_from_iter([("status", status)])?;
    /// let mut out = Vec::new();
    /// block.beside(&[added], &[], CellStyle::Plain, &mut out)?;
    /// assert_eq!(out, b"007,found\n");
    /// # Ok::<(), exactbuyer_records::Broken>(())
    /// ```
    ///
    /// Added cells come before the record's own line end, so each record keeps the one it has. Missing rows of
    /// `added` leave records out, so it must have one for each.
    pub fn beside(
        &self,
        added: &[RecordBatch],
        dropped: &[usize],
        style: CellStyle,
        into: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        into.reserve(self.records.bytes.len() * 2);
        let mut records = self.records.all.iter();
        for batch in added {
            let batch = writable(batch)?;
            let writers = CellWriter::of(&batch, self.delimiter, |_| style)?;
            for row in 0..batch.num_rows() {
                let Some(record) = records.next() else { break };
                self.keep(record, dropped, into);
                for writer in &writers {
                    into.push(self.delimiter);
                    writer.write(row, into)?;
                }
                into.extend_from_slice(self.records.slice(record.tail..record.next));
            }
        }
        Ok(())
    }

    /// Writes the own cells of a record unchanged, and as many delimiters as a short record needs
    /// so that the next cell is under its name.
    fn keep(&self, record: &Record, dropped: &[usize], into: &mut Vec<u8>) {
        if dropped.is_empty() {
            into.extend_from_slice(self.records.slice(record.start..record.end));
            let lacking = self.width.saturating_sub(record.cells.len());
            into.resize(into.len() + lacking, self.delimiter);
        } else {
            into.extend_from_slice(self.records.slice(record.start..record.first));
            // A cell that a short record does not have is kept, too, as an empty one.
            let kept = (0..self.width).filter(|place| !dropped.contains(place));
            for (nth, place) in kept.enumerate() {
                if nth > 0 {
                    into.push(self.delimiter);
                }
                into.extend_from_slice(self.cell(record, place).unwrap_or_default());
            }
        }
    }

    /// The bytes of a cell with its quotes. `None` if the record is too short.
    ///
    /// `place` is the column's position in the header, from 0.
    fn cell(&self, record: &Record, place: usize) -> Option<&[u8]> {
        let at = record.cells.start + place;
        if at >= record.cells.end {
            return None;
        }
        let end = *self.records.cells.get(at)?;
        // After the delimiter that ended the cell before.
        let start = if place == 0 { record.first } else { self.records.cells.get(at - 1)? + 1 };
        self.records.bytes.get(start..end)
    }
}

/// The text of a cell, without its quotes and with one quote for each pair.
///
/// A cell without quotes at its start is returned as it is. Text after the closing quote is appended
/// unchanged.
fn unquoted(cell: &[u8]) -> Cow<'_, [u8]> {
    let Some(mut rest) = cell.strip_prefix(b"\"") else { return Cow::Borrowed(cell) };
    let mut text = Vec::with_capacity(rest.len());
    while let Some(at) = memchr::memchr(b'"', rest) {
        let (before, after) = rest.split_at(at);
        text.extend_from_slice(before);
        rest = after.get(1..).unwrap_or_default();
        if let Some(more) = rest.strip_prefix(b"\"") {
            text.push(b'"');
            rest = more;
        } else {
            break;
        }
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}
