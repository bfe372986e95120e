//! Writes whole record batches as lines of text, for rows from a file of another format.
//!
//! Here there are no bytes of the input to keep: every value is written anew, in one defined form.

use arrow_array::RecordBatch;

use super::Broken;
use super::values::{write_text, write_value};
use super::writing::{CellStyle, CellWriter, quoted, writable};

/// Writes a batch as records of a CSV file. `style` returns how the columns of a name are written.
///
/// # Errors
/// If a value cannot be written as text.
///
/// It writes no header: see [`csv_record`].
pub fn csv_lines(
    batch: &RecordBatch,
    delimiter: u8,
    style: impl Fn(&str) -> CellStyle,
    into: &mut Vec<u8>,
) -> Result<(), Broken> {
    let batch = writable(batch)?;
    let writers = CellWriter::of(&batch, delimiter, style)?;
    for row in 0..batch.num_rows() {
        let began = into.len();
        for (nth, writer) in writers.iter().enumerate() {
            if nth > 0 {
                into.push(delimiter);
            }
            writer.write(row, into)?;
        }
        end_record(began, into);
    }
    Ok(())
}

/// Writes texts as one record of a CSV file, such as its header.
///
/// ```
/// use exactbuyer_records::csv_record;
///
/// let mut line = Vec::new();
/// csv_record(["name", "a, b"].into_iter(), b',', &mut line);
/// assert_eq!(line, b"name,\"a, b\"\n");
/// ```
///
/// A cell is quoted only if it has the delimiter, a quote or a line break.
pub fn csv_record<'a>(cells: impl Iterator<Item = &'a str>, delimiter: u8, into: &mut Vec<u8>) {
    let began = into.len();
    for (nth, cell) in cells.enumerate() {
        if nth > 0 {
            into.push(delimiter);
        }
        quoted(cell.as_bytes(), delimiter, into);
    }
    end_record(began, into);
}

/// Ends a record that began at this position of `into`, with a line end.
fn end_record(began: usize, into: &mut Vec<u8>) {
    if into.len() == began {
        // A record with one empty cell would be a blank line, and so would not be a record.
        into.extend_from_slice(b"\"\"");
    }
    into.push(b'\n');
}

/// Writes a batch as lines of JSON. The columns in `as_json` contain JSON already.
///
/// # Errors
/// If a value cannot be written as text.
///
/// One object per row, with the names of the columns in their order. Nulls are written as `null`.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use exactbuyer_records::json_lines;
///
/// let size: ArrayRef = Arc::new(Int64Array::from(vec![Some(40), None]));
/// let contact: ArrayRef = Arc::new(StringArray::from(vec![Some(r#"{"city": "Lyon"}"#), None]));
/// let batch = RecordBatch::try_from_iter([("size", size), ("contact", contact)])?;
/// let mut out = Vec::new();
/// json_lines(&batch, &["contact".to_owned()], &mut out)?;
/// let lines = "{\"size\":40,\"contact\":{\"city\": \"Lyon\"}}\n{\"size\":null,\"contact\":null}\n";
/// assert_eq!(String::from_utf8(out).unwrap(), lines);
/// # Ok::<(), exactbuyer_records::Broken>(())
/// ```
pub fn json_lines(batch: &RecordBatch, as_json: &[String], into: &mut Vec<u8>) -> Result<(), Broken> {
    let columns = JsonColumns::of(batch, as_json);
    for row in 0..batch.num_rows() {
        into.push(b'{');
        columns.write(row, false, into)?;
        into.extend_from_slice(b"}\n");
    }
    Ok(())
}

/// The columns of a batch, to be written as members of objects.
pub(super) struct JsonColumns<'a> {
    /// The names are written once per batch, and copied for each row.
    batch: &'a RecordBatch,
    /// For each column, its name as JSON, and whether it contains JSON already.
    columns: Vec<(Vec<u8>, bool)>,
}

impl<'a> JsonColumns<'a> {
    /// Names in `as_json` that the batch does not have are ignored.
    pub(super) fn of(batch: &'a RecordBatch, as_json: &[String]) -> Self {
        let columns = batch.schema_ref().fields().iter().map(|field| {
            let mut name = Vec::new();
            write_text(field.name(), &mut name);
            (name, as_json.contains(field.name()))
        });
        Self { batch, columns: columns.collect() }
    }

    /// Whether a column has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.batch.schema_ref().fields().iter().any(|field| field.name() == name)
    }

    /// Writes the members of a row. `after` says whether another member comes before them, so that
    /// a comma is needed.
    ///
    /// # Errors
    /// If a value cannot be written as text.
    pub(super) fn write(&self, row: usize, after: bool, into: &mut Vec<u8>) -> Result<(), Broken> {
        for (nth, ((name, is_json), array)) in self.columns.iter().zip(self.batch.columns()).enumerate() {
            if after || nth > 0 {
                into.push(b',');
            }
            into.extend_from_slice(name);
            into.push(b':');
            match arrow_array::cast::AsArray::as_string_opt::<i32>(array) {
                Some(texts) if *is_json && arrow_array::Array::is_valid(texts, row) => {
                    // JSON may have line breaks between its tokens. They would end the line.
                    let json = texts.value(row).bytes();
                    into.extend(json.map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
                }
                _ => write_value(array, row, into)?,
            }
        }
        Ok(())
    }
}
