//! Writes values of Arrow columns as cells of a CSV file.
//!
//! The type of a column is looked at once, and decides which of four ways its cells are written. The loop over
//! rows only matches on an enum.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StringArray};
use arrow_cast::display::ArrayFormatter;
use arrow_schema::DataType;
use memchr::{memchr, memchr3};

use super::Broken;
use super::values::{FORMAT, read_in_utc, write_value, written};

/// The separator of list values.
const BETWEEN: &str = ";";

/// How cells are written.
///
/// A cell such as `=HYPERLINK(…)` in a file from somebody else is code for a spreadsheet. The names of people
/// and companies are such text from others. The command line defuses what it adds with `--excel-safe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CellStyle {
    /// Unchanged.
    #[default]
    Plain,
    /// With an apostrophe before text that a spreadsheet would read as a formula.
    ///
    /// Numbers are never changed, and neither are phone numbers in E.164 form.
    Defused,
}

/// Writes the cells of one column. A null becomes an empty cell.
///
/// It borrows the column, and writes any of its rows.
pub(super) struct CellWriter<'a> {
    column: &'a ArrayRef,
    /// The column, seen as the type that it has.
    values: Values<'a>,
    /// A cell that contains it is quoted.
    delimiter: u8,
    style: CellStyle,
}

/// How the cells of a column are read.
enum Values<'a> {
    /// Most columns: text.
    Text(&'a StringArray),
    /// Lists of texts, and all their elements: written with [`BETWEEN`] between them.
    Texts(&'a ListArray, &'a StringArray),
    /// Other lists, and structs and maps. They have no plain text, so they are written as JSON.
    Nested,
    /// Text of a less common type, or values that are not text.
    Other(ArrayFormatter<'a>),
}

/// The columns in a form that can be written: timestamps with a named time zone in UTC.
///
/// # Errors
/// If Arrow cannot convert a column.
pub(super) fn writable(batch: &RecordBatch) -> Result<RecordBatch, Broken> {
    let columns = batch.columns().iter().map(read_in_utc).collect::<Result<Vec<_>, _>>()?;
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields = fields
        .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()))
        .collect::<Vec<_>>();
    Ok(RecordBatch::try_new(arrow_schema::Schema::new(fields).into(), columns)?)
}

impl<'a> CellWriter<'a> {
    /// A writer for each column. `style` returns how the columns of a name are written.
    ///
    /// # Errors
    /// If Arrow cannot write values of a type as text.
    pub(super) fn of(
        batch: &'a RecordBatch,
        delimiter: u8,
        style: impl Fn(&str) -> CellStyle,
    ) -> Result<Vec<Self>, Broken> {
        let schema = batch.schema_ref();
        let columns = schema.fields().iter().zip(batch.columns());
        columns
            .map(|(field, column)| {
                let style = style(field.name());
                Ok(Self { column, values: Values::of(column)?, delimiter, style })
            })
            .collect()
    }

    /// Writes the cell of a row.
    ///
    /// # Errors
    /// If the value has no text.
    pub(super) fn write(&self, row: usize, into: &mut Vec<u8>) -> Result<(), Broken> {
        if self.column.is_null(row) {
            return Ok(());
        }
        match &self.values {
            Values::Text(texts) => self.text(texts.value(row), into),
            Values::Texts(lists, texts) => self.text(&joined(lists, texts, row), into),
            Values::Nested => {
                let mut json = Vec::new();
                write_value(self.column, row, &mut json)?;
                quoted(&json, self.delimiter, into);
            }
            Values::Other(formatter) => {
                let said = written(formatter, self.column, row)?;
                match self.column.data_type() {
                    // Only text can be a formula: -5 is a number.
                    DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
                        self.text(&said, into);
                    }
                    _ => quoted(said.as_bytes(), self.delimiter, into),
                }
            }
        }
        Ok(())
    }

    /// Writes a text, with an apostrophe if the style asks for one.
    fn text(&self, text: &str, into: &mut Vec<u8>) {
        if self.style == CellStyle::Defused && is_formula(text) {
            quoted(format!("'{text}").as_bytes(), self.delimiter, into);
        } else {
            quoted(text.as_bytes(), self.delimiter, into);
        }
    }
}

impl<'a> Values<'a> {
    /// The common types come first; any other that Arrow can format is `Other`.
    fn of(array: &'a ArrayRef) -> Result<Self, Broken> {
        if let Some(texts) = array.as_string_opt::<i32>() {
            return Ok(Self::Text(texts));
        }
        if let Some(lists) = array.as_list_opt::<i32>()
            && let Some(texts) = lists.values().as_string_opt::<i32>()
        {
            return Ok(Self::Texts(lists, texts));
        }
        if array.data_type().is_nested() {
            return Ok(Self::Nested);
        }
        Ok(Self::Other(ArrayFormatter::try_new(array.as_ref(), &FORMAT)?))
    }
}

/// The values of a list with [`BETWEEN`] between them.
///
/// Nulls are left out.
fn joined(lists: &ListArray, texts: &StringArray, row: usize) -> String {
    let offsets = lists.value_offsets();
    let place =
        |at: usize| offsets.get(at).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or_default();
    let items = (place(row)..place(row + 1)).filter(|item| texts.is_valid(*item));
    items.map(|item| texts.value(item)).collect::<Vec<_>>().join(BETWEEN)
}

/// Whether a spreadsheet may read this text as a formula. A phone number in E.164 form is not a
/// formula, and neither is a list of them.
fn is_formula(text: &str) -> bool {
    // Include the full-width forms, which some spreadsheets read as the normal ones.
    let begins = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    begins && !text.split(BETWEEN).all(is_e164)
}

/// Whether `text` is `+` and 2 to 15 digits, and nothing else.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (2..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Writes a cell, with quotes if it needs them.
///
/// A quote inside is written twice, as RFC 4180 says. Bytes need not be UTF-8.
pub(super) fn quoted(cell: &[u8], delimiter: u8, into: &mut Vec<u8>) {
    if memchr3(delimiter, b'\n', b'\r', cell).is_none() && memchr(b'"', cell).is_none() {
        into.extend_from_slice(cell);
        return;
    }
    into.push(b'"');
    for part in cell.split_inclusive(|byte| *byte == b'"') {
        into.extend_from_slice(part);
        if part.ends_with(b"\"") {
            into.push(b'"');
        }
    }
    into.push(b'"');
}
