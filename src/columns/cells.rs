//! The cells of one column of Arrow, read as identifiers: whatever kind of string it holds, however
//! it is encoded, or whole numbers that lost no digit.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, PrimitiveArray};
use arrow_cast::{cast, display::array_value_to_string};
use arrow_schema::DataType;

use crate::error::{Error, ErrorKind};
use crate::identifier::FieldType;
use crate::identifier::reading::{EXACT_F16, EXACT_F32, EXACT_F64, Reader, Reading, whole_digits};

use super::join::Cell;

/// How the cells of one column are read.
#[derive(Debug, Clone, Copy)]
pub struct Lens<'a> {
    /// What the caller settled.
    pub reader: &'a Reader,
    /// Of every value; `None`: inferred for each.
    pub field_type: Option<FieldType>,
    /// What stands between several values of one cell.
    pub split: Option<&'a str>,
}

impl Lens<'_> {
    /// What the text of a cell comes to.
    #[must_use]
    pub fn text(&self, text: &str) -> Cell {
        match self.split {
            Some(mark) if text.contains(mark) => {
                Cell::Many(text.split(mark).map(|part| self.reader.text(part, self.field_type)).collect())
            }
            _ => Cell::One(self.reader.text(text, self.field_type)),
        }
    }

    fn float(&self, number: f64, exact_below: f64) -> Cell {
        if number.is_nan() {
            return Cell::One(Reading::Missing);
        }
        Cell::One(match whole_digits(number, exact_below) {
            Some(digits) => self.reader.text(&digits, self.field_type),
            None => self.reader.inexact(&format!("{number:?}"), self.field_type),
        })
    }

    /// Reads the cells of a column; `name` is the column's, for a message.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: nothing of this type can be looked up.
    pub fn read(&self, array: &dyn Array, name: &str) -> Result<Vec<Cell>, Error> {
        use DataType as D;
        let cells = match array.data_type() {
            D::Null => vec![Cell::One(Reading::Missing); array.len()],
            D::Utf8 => self.texts(array.as_string::<i32>().iter()),
            D::LargeUtf8 => self.texts(array.as_string::<i64>().iter()),
            D::Utf8View => self.texts(array.as_string_view().iter()),
            D::Int8 => self.integers::<Int8Type>(array.as_primitive()),
            D::Int16 => self.integers::<Int16Type>(array.as_primitive()),
            D::Int32 => self.integers::<Int32Type>(array.as_primitive()),
            D::Int64 => self.integers::<Int64Type>(array.as_primitive()),
            D::UInt8 => self.integers::<UInt8Type>(array.as_primitive()),
            D::UInt16 => self.integers::<UInt16Type>(array.as_primitive()),
            D::UInt32 => self.integers::<UInt32Type>(array.as_primitive()),
            D::UInt64 => self.integers::<UInt64Type>(array.as_primitive()),
            D::Float16 => self.floats::<Float16Type>(array.as_primitive(), EXACT_F16),
            D::Float32 => self.floats::<Float32Type>(array.as_primitive(), EXACT_F32),
            D::Float64 => self.floats::<Float64Type>(array.as_primitive(), EXACT_F64),
            D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => {
                self.decimals(array)?
            }
            D::Dictionary(..) => self.dictionary(array, name)?,
            D::List(_) => self.lists(array.as_list::<i32>(), name)?,
            D::LargeList(_) => self.lists(array.as_list::<i64>(), name)?,
            D::RunEndEncoded(_, values) => {
                let plain = cast(array, values.data_type()).map_err(|_| unreadable(name, array))?;
                self.read(&plain, name)?
            }
            _ => return Err(unreadable(name, array)),
        };
        Ok(cells)
    }

    fn texts<'b>(&self, texts: impl Iterator<Item = Option<&'b str>>) -> Vec<Cell> {
        texts.map(|text| text.map_or(Cell::One(Reading::Missing), |text| self.text(text))).collect()
    }

    fn integers<T>(&self, numbers: &PrimitiveArray<T>) -> Vec<Cell>
    where
        T: ArrowPrimitiveType,
        T::Native: std::fmt::Display,
    {
        let read = |number: T::Native| self.text(&number.to_string());
        numbers.iter().map(|number| number.map_or(Cell::One(Reading::Missing), read)).collect()
    }

    fn floats<T>(&self, numbers: &PrimitiveArray<T>, exact_below: f64) -> Vec<Cell>
    where
        T: ArrowPrimitiveType,
        T::Native: Into<f64>,
    {
        let read = |number: T::Native| self.float(number.into(), exact_below);
        numbers.iter().map(|number| number.map_or(Cell::One(Reading::Missing), read)).collect()
    }

    fn decimals(&self, array: &dyn Array) -> Result<Vec<Cell>, Error> {
        let read = |row| {
            if array.is_null(row) {
                return Ok(Cell::One(Reading::Missing));
            }
            let said = array_value_to_string(array, row).map_err(|_| unreadable("", array))?;
            // 12.00 is the number 12; 12.50 is no number to call.
            let whole = said.split_once('.').filter(|(_, rest)| rest.bytes().all(|digit| digit == b'0'));
            Ok(match whole {
                Some((digits, _)) => self.text(digits),
                None if said.contains('.') => Cell::One(self.reader.refused(&said, self.field_type)),
                None => self.text(&said),
            })
        };
        (0..array.len()).map(read).collect()
    }

    /// Each value of a dictionary is read once, however many rows name it.
    fn dictionary(&self, array: &dyn Array, name: &str) -> Result<Vec<Cell>, Error> {
        let Some(dictionary) = array.as_any_dictionary_opt() else { return Err(unreadable(name, array)) };
        let values = self.read(dictionary.values().as_ref(), name)?;
        let missing = || Cell::One(Reading::Missing);
        if values.is_empty() {
            return Ok(vec![missing(); array.len()]);
        }
        let keys = dictionary.normalized_keys().into_iter().enumerate();
        let cells = keys.map(|(row, key)| match values.get(key) {
            Some(cell) if dictionary.keys().is_valid(row) => cell.clone(),
            _ => missing(),
        });
        Ok(cells.collect())
    }

    fn lists<O: arrow_array::OffsetSizeTrait>(
        &self,
        lists: &arrow_array::GenericListArray<O>,
        name: &str,
    ) -> Result<Vec<Cell>, Error> {
        let mut cells = Vec::with_capacity(lists.len());
        for list in lists.iter() {
            let Some(list) = list else {
                cells.push(Cell::One(Reading::Missing));
                continue;
            };
            let flat = self.read(list.as_ref(), name)?.into_iter().flat_map(|cell| match cell {
                Cell::One(reading) => vec![reading],
                Cell::Many(readings) => readings,
            });
            cells.push(Cell::Many(flat.collect()));
        }
        Ok(cells)
    }
}

fn unreadable(name: &str, array: &dyn Array) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "column {name:?} is of type {}, which cannot be looked up: by names columns of text or of whole \
             numbers",
            array.data_type()
        ),
    )
}
