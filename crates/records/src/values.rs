//! Writes values of Arrow columns as JSON.
//!
//! There is one form for each type, so that a file written from a table can be read back without loss where
//! JSON allows: numbers keep all digits, moments are in UTC, and what JSON has no value for (`NaN`, infinities)
//! is null.

use std::fmt::Write as _;
use std::io::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

use super::Broken;

/// Converts timestamps with a named time zone to UTC. They stay the same moments.
///
/// An array of any other type is returned as it is; arrays are reference counted, so that costs nothing.
///
/// # Errors
/// If Arrow cannot convert it.
pub(super) fn read_in_utc(array: &ArrayRef) -> Result<ArrayRef, Broken> {
    match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            Ok(cast(array, &DataType::Timestamp(*unit, Some("+00:00".into())))?)
        }
        _ => Ok(array.clone()),
    }
}

/// How Arrow writes values as text. By default, it would write its error in the place of a value.
pub(super) const FORMAT: FormatOptions<'static> = FormatOptions::new().with_display_error(false);

fn text_of(array: &ArrayRef, row: usize) -> Result<String, Broken> {
    written(&ArrayFormatter::try_new(array, &FORMAT)?, array, row)
}

/// The text of a value. `formatter` is that of its column.
pub(super) fn written(
    formatter: &ArrayFormatter<'_>,
    array: &ArrayRef,
    row: usize,
) -> Result<String, Broken> {
    let mut text = String::new();
    let is_written = write!(text, "{}", formatter.value(row)).is_ok();
    // For a duration that is too long, Arrow writes this without an error.
    let is_invalid = matches!(array.data_type(), DataType::Duration(_)) && text == "<invalid>";
    if is_written && !is_invalid { Ok(text) } else { number_of(array, row) }
}

/// The stored number of a day, a moment or a duration. Some have no text, such as the largest number, which stands for
/// "never".
///
/// # Errors
/// If it is not stored as a number.
fn number_of(array: &ArrayRef, row: usize) -> Result<String, Broken> {
    let number = cast(&array.slice(row, 1), &DataType::Int64)?;
    Ok(number.as_primitive::<Int64Type>().value(0).to_string())
}

/// Writes a value as JSON: numbers, booleans, lists and objects in their JSON form, any other value
/// as text.
///
/// # Errors
/// If a value has no text.
pub(super) fn write_value(array: &ArrayRef, row: usize, into: &mut Vec<u8>) -> Result<(), Broken> {
    use DataType as D;
    if !array.is_valid(row) || matches!(array.data_type(), D::Null) {
        into.extend_from_slice(b"null");
        return Ok(());
    }
    match array.data_type() {
        D::Utf8 => write_text(array.as_string::<i32>().value(row), into),
        D::LargeUtf8 => write_text(array.as_string::<i64>().value(row), into),
        D::Utf8View => write_text(array.as_string_view().value(row), into),
        D::Boolean => write_display(array.as_boolean().value(row), into),
        D::Float16 => write_float(array.as_primitive::<Float16Type>().value(row).into(), into),
        D::Float32 => {
            // With the digits of the 32-bit float, not with those of the nearest 64-bit float.
            let number = array.as_primitive::<Float32Type>().value(row);
            if number.is_finite() { write_display(number, into) } else { into.extend_from_slice(b"null") }
        }
        D::Float64 => write_float(array.as_primitive::<Float64Type>().value(row), into),
        D::List(_) => write_list(&array.as_list::<i32>().value(row), into)?,
        D::LargeList(_) => write_list(&array.as_list::<i64>().value(row), into)?,
        D::FixedSizeList(..) => write_list(&array.as_fixed_size_list().value(row), into)?,
        D::Struct(_) => {
            let parts = array.as_struct();
            into.push(b'{');
            for (nth, (field, column)) in parts.fields().iter().zip(parts.columns()).enumerate() {
                if nth > 0 {
                    into.push(b',');
                }
                write_text(field.name(), into);
                into.push(b':');
                write_value(column, row, into)?;
            }
            into.push(b'}');
        }
        D::Map(..) => {
            let entries: ArrayRef = std::sync::Arc::new(array.as_map().value(row));
            write_list(&entries, into)?;
        }
        D::Dictionary(_, values) => {
            let plain = cast(&array.slice(row, 1), values)?;
            write_value(&plain, 0, into)?;
        }
        number if number.is_integer() || number.is_decimal() => {
            into.extend_from_slice(text_of(array, row)?.as_bytes());
        }
        _ => {
            let plain = read_in_utc(&array.slice(row, 1))?;
            write_text(&text_of(&plain, 0)?, into);
        }
    }
    Ok(())
}

/// Elements that are null are written as `null`.
fn write_list(items: &ArrayRef, into: &mut Vec<u8>) -> Result<(), Broken> {
    into.push(b'[');
    for item in 0..items.len() {
        if item > 0 {
            into.push(b',');
        }
        write_value(items, item, into)?;
    }
    into.push(b']');
    Ok(())
}

/// Writes a text as a JSON string.
///
/// With the escapes that JSON requires, and no others.
pub(super) fn write_text(text: &str, into: &mut Vec<u8>) {
    // Writing into memory cannot fail.
    let _ = serde_json::to_writer(into, text);
}

/// The shortest digits that give the same float again.
fn write_float(number: f64, into: &mut Vec<u8>) {
    // JSON has no infinities and no NaN; they become null.
    let _ = serde_json::to_writer(into, &number);
}

/// For numbers and booleans, whose Rust form is also their JSON form.
fn write_display(value: impl std::fmt::Display, into: &mut Vec<u8>) {
    let _ = write!(into, "{value}");
}
