//! The keys of rows as Arrow columns, for frames whose rows are read in many processes.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use exactbuyer_core::identifier::RULES_VERSION;
use exactbuyer_core::message::Words;
use exactbuyer_core::plan::{Row, key, row_of_text, text_of_row};
use exactbuyer_core::results::Status;

/// The columns that [`key_batch`] makes: the row's key of 16 bytes; what it asks for, as text; and, if it asks for
/// nothing, its status and the reason.
#[must_use]
pub fn key_schema() -> SchemaRef {
    let fields = vec![
        Field::new("key", DataType::Binary, false),
        Field::new("asks", DataType::Utf8, false),
        Field::new("status", DataType::Utf8, true),
        Field::new("reason", DataType::Utf8, true),
    ];
    let version = [("exactbuyer_rules_version".to_owned(), RULES_VERSION.to_string())];
    Arc::new(Schema::new_with_metadata(fields, version.into()))
}

/// The keys of these rows. `columns` is the number of columns that are looked up; reasons are in these `words`.
///
/// # Errors
/// If Arrow cannot build a column.
pub fn key_batch(rows: &[Row], columns: u32, words: &Words) -> Result<RecordBatch, ArrowError> {
    let mut keys = BinaryBuilder::with_capacity(rows.len(), rows.len() * 16);
    let mut asks = StringBuilder::new();
    let mut statuses = StringBuilder::new();
    let mut reasons = StringBuilder::new();
    for row in rows {
        let text = text_of_row(row, columns);
        keys.append_value(key(&text));
        asks.append_value(text);
        let (status, reason) = match row {
            Row::Missing => (Some(Status::Missing), None),
            Row::Invalid(_, why) => (Some(Status::Invalid), Some(why.message().in_words(words))),
            Row::One(_) | Row::Preference(_) => (None, None),
        };
        statuses.append_option(status.map(Status::as_str));
        reasons.append_option(reason);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(keys.finish()),
        Arc::new(asks.finish()),
        Arc::new(statuses.finish()),
        Arc::new(reasons.finish()),
    ];
    RecordBatch::try_new(key_schema(), columns)
}

/// The rows that a column of [`key_batch`]'s `asks` names. `None` if a cell of it names no row.
///
/// # Errors
/// If it is not a column of text.
pub fn rows_of_asks(asks: &dyn Array) -> Result<Option<Vec<Row>>, ArrowError> {
    let asks = cast(asks, &DataType::LargeUtf8)?;
    Ok(asks.as_string::<i64>().iter().map(|text| row_of_text(text?)).collect())
}

/// How many rows each of those stands for.
///
/// # Errors
/// If it is not a column of whole numbers.
pub fn counts_of(counts: &dyn Array) -> Result<Vec<u64>, ArrowError> {
    let counts = cast(counts, &DataType::UInt64)?;
    Ok(counts.as_primitive::<UInt64Type>().iter().map(|count| count.unwrap_or(1)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow_array::{Int64Array, LargeStringArray};

    use exactbuyer_core::identifier::{FieldType, Identifier, Invalid};

    use super::*;

    #[test]
    fn rows_become_keys_and_come_back() {
        let ana = || Row::One(Identifier::from_canonical(FieldType::Email, "ana@x.example"));
        let rows = [ana(), Row::Missing, Row::Invalid(0, Invalid::EmailSeveral), ana()];
        let words = [("separate_values".to_owned(), "split them".to_owned())].into();
        let batch = key_batch(&rows, 1, &words).unwrap();
        let keys = batch.column(0).as_binary::<i32>();
        assert!((0..4).all(|row| keys.value(row).len() == 16));
        assert_eq!(keys.value(0), keys.value(3));
        assert_ne!(keys.value(0), keys.value(1));
        let statuses: Vec<_> = batch.column(2).as_string::<i32>().iter().collect();
        assert_eq!(statuses, [None, Some("missing"), Some("invalid"), None]);
        let reasons: Vec<_> = batch.column(3).as_string::<i32>().iter().collect();
        assert_eq!(reasons, [None, None, Some("more than one e-mail address: split them"), None]);
        assert_eq!(rows_of_asks(batch.column(1)).unwrap().unwrap(), rows);
        assert_eq!(batch.schema().metadata()["exactbuyer_rules_version"], RULES_VERSION.to_string());
    }

    #[test]
    fn what_is_no_row_is_noticed() {
        let read = |texts: Vec<Option<&str>>| rows_of_asks(&LargeStringArray::from(texts)).unwrap();
        assert_eq!(read(vec![Some("\"missing\"")]), Some(vec![Row::Missing]));
        assert_eq!((read(vec![Some("missing")]), read(vec![None])), (None, None));
        assert_eq!(counts_of(&Int64Array::from(vec![Some(3), None])).unwrap(), [3, 1]);
    }
}
