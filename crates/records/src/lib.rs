//! Text files as rows. CSV and JSON Lines files are split into records, cells are read from them,
//! and columns are added to them. All bytes of the file stay unchanged. Pure: bytes in, bytes out.
//! It knows nothing of files, requests or Python.
//!
//! A [`CsvSplitter`] or [`JsonSplitter`] takes bytes in pieces of any size, and returns blocks of
//! whole records ([`CsvBlock`], [`JsonBlock`]). The bytes between two records (line ends, blank
//! lines) belong to one of them, so that writing all blocks gives the file again.
//!
//! ```
//! use exactbuyer_records::CsvSplitter;
//!
//! let mut csv = CsvSplitter::new(b',', 0);
//! csv.feed(b"name,email\nAna,ana@acme.example\n")?;
//! csv.finish()?;
//! let header = csv.header().map(|block| block.width());
//! let rows = csv.take(1_000).map(|block| block.rows());
//! assert_eq!((header, rows), (Some(2), Some(1)));
//! # Ok::<(), exactbuyer_records::Broken>(())
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `csv`, `json` | splitters: where a record ends, and when enough has arrived for a block |
//! | `csv_block`, `json_block` | blocks: cells or members of whole records, read and written beside new ones |
//! | `table` | whole batches as lines, for input in another format, such as Parquet |
//! | `writing`, `values` | one value as a CSV cell, or as JSON |
//!
//! A caller's loop: feed a piece, take blocks until there is none, feed the next piece; at the end `finish`,
//! take the rest, and write the trailer. Memory holds about one block and one piece, however long the file is.

mod csv;
mod csv_block;
mod json;
mod json_block;
mod pending;
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

/// What is wrong with a file: one line that says where, and what to do next. It contains nothing of
/// the file's content.
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

/// Arrow's formatters fail only for values that have no text, such as a date out of range.
impl From<arrow_schema::ArrowError> for Broken {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self(format!("a value cannot be written as text: {error}"))
    }
}

/// The most bytes of one record. In a longer record, a quote or a line end is missing.
///
/// Without it, a file with one missing quote would be read into memory as a single record.
const MAX_RECORD_BYTES: usize = 64 << 20;

/// The bytes after which a block is returned even if it has fewer rows than requested.
///
/// Rows may be long, and a caller asks for thousands. A block of a few megabytes keeps memory flat.
const BLOCK_BYTES: usize = 4 << 20;
