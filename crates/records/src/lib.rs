//! RECORDS: text files as rows. CSV and JSON Lines are cut into records, cells are read out of them,
//! and columns are put beside them, every byte that was there before kept as it was. Pure: bytes in,
//! bytes out; nothing is known here of files, requests or Python.
//!
//! A [`CsvSplitter`] or [`JsonSplitter`] takes bytes as they come, in pieces cut anywhere, and gives
//! blocks of whole records ([`CsvBlock`], [`JsonBlock`]). What stands between two records (line
//! ends, blank lines) belongs to one of them, so that blocks written out again are the file again.

mod csv;
mod csv_block;
mod json;
mod json_block;
mod table;
mod values;
mod writing;

pub use csv::CsvSplitter;
pub use csv_block::CsvBlock;
pub use json::JsonSplitter;
pub use json_block::JsonBlock;
pub use table::{csv_lines, csv_record, json_lines};
pub use writing::CellStyle;

use std::fmt;

/// A file that is not what it should be; one line that says where, and what to do next. Never holds
/// what the file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(String);

impl Broken {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl From<arrow_schema::ArrowError> for Broken {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self(format!("a value cannot be written as text: {error}"))
    }
}

/// Most bytes of one record: beyond that a quote or a line end is missing, and memory has an end.
const MAX_RECORD_BYTES: usize = 64 << 20;

/// Bytes after which a block is handed out although it has fewer rows than were asked for.
const BLOCK_BYTES: usize = 4 << 20;
