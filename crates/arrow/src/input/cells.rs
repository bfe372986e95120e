//! Reads the cells of one Arrow column as identifiers: strings of any type and encoding, and whole
//! numbers that have lost no digits.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{AnyDictionaryArray, Array, BinaryArray, LargeBinaryArray};
use arrow_cast::cast;
use arrow_schema::DataType;

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::identifier::FieldType;
use exactbuyer_core::identifier::reading::{
    EXACT_F16, EXACT_F32, EXACT_F64, Reader, Reading, RowRegion, whole_digits,
};
use exactbuyer_core::message;
use exactbuyer_core::message::Setting;

use crate::input::join::Cell;
use crate::input::marks::Marks;
use crate::input::regions::Regions;

/// How the cells of one column are read.
#[derive(Debug, Clone, Copy)]
pub struct ColumnReader<'a> {
    /// The caller's rules.
    pub reader: &'a Reader,
    /// The field type of every value; `None` to infer it for each value.
    pub field_type: Option<FieldType>,
    /// The marks that separate several values in one cell.
    pub marks: &'a Marks,
    /// The region of each row's phone numbers.
    pub regions: Regions<'a>,
}

impl ColumnReader<'_> {
    /// Reads the text of a cell.
    #[must_use]
    pub fn text(&self, text: &str, region: RowRegion) -> Cell {
        let read = |text| self.reader.text_in(text, self.field_type, region);
        match self.marks.split(text) {
            Some(parts) => Cell::Many(parts.into_iter().map(read).collect()),
            None => Cell::One(read(text)),
        }
    }

    /// Reads a float. If it may have lost digits, it is refused, whatever it looks like.
    fn float(&self, number: f64, exact_below: f64, region: RowRegion) -> Cell {
        if number.is_nan() {
            return Cell::One(Reading::Missing);
        }
        Cell::One(match whole_digits(number, exact_below) {
            Some(digits) => self.reader.text_in(&digits, self.field_type, region),
            None => self.reader.inexact(&format!("{number:?}"), self.field_type),
        })
    }

    /// Reads the cells of a column. `name` is the name of the column, for messages.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if values of the column's type cannot be looked up.
    pub fn read(&self, array: &dyn Array, name: &str) -> Result<Vec<Cell>, Error> {
        use DataType as D;
        let cast_to = |to: DataType| cast(array, &to).map_err(|_| unreadable(name, array));
        let cells = match array.data_type() {
            D::Null => vec![Cell::One(Reading::Missing); array.len()],
            D::Utf8 | D::LargeUtf8 | D::Utf8View => self.texts(array),
            // An integer is read as the text of its digits.
            whole if whole.is_integer() => self.texts(&cast_to(D::Utf8View)?),
            D::Float16 => self.floats(&cast_to(D::Float64)?, EXACT_F16),
            D::Float32 => self.floats(&cast_to(D::Float64)?, EXACT_F32),
            D::Float64 => self.floats(array, EXACT_F64),
            D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => {
                self.decimals(&cast_to(D::Utf8View)?)
            }
            D::Dictionary(..) => self.dictionary(array, name)?,
            D::List(_) => self.lists(array.as_list::<i32>(), name)?,
            D::LargeList(_) => self.lists(array.as_list::<i64>(), name)?,
            D::RunEndEncoded(_, values) => self.read(&cast_to(values.data_type().clone())?, name)?,
            _ => return Err(unreadable(name, array)),
        };
        Ok(cells)
    }

    /// Reads each value of an array; nulls are missing.
    ///
    /// Row numbers count from the start of this array, as the regions do.
    fn each<T>(
        &self,
        values: impl Iterator<Item = Option<T>>,
        read: impl Fn(T, RowRegion) -> Cell,
    ) -> Vec<Cell> {
        let read = |(row, value): (usize, Option<T>)| match value {
            Some(value) => read(value, self.regions.of(row)),
            None => Cell::One(Reading::Missing),
        };
        values.enumerate().map(read).collect()
    }

    /// Each text may be split at the column's marks.
    fn texts(&self, array: &dyn Array) -> Vec<Cell> {
        let mut cells = Vec::with_capacity(array.len());
        each_text(array, |text| {
            let region = self.regions.of(cells.len());
            cells.push(text.map_or(Cell::One(Reading::Missing), |text| self.text(text, region)));
        });
        cells
    }

    /// Floats of 64 bits, as wide as they were or widened. `exact_below` is the limit of their own width.
    fn floats(&self, numbers: &dyn Array, exact_below: f64) -> Vec<Cell> {
        let numbers = numbers.as_primitive::<Float64Type>().iter();
        self.each(numbers, |number, region| self.float(number, exact_below, region))
    }

    /// Reads decimals, from their texts. They are exact, so that only their fraction matters.
    fn decimals(&self, texts: &dyn Array) -> Vec<Cell> {
        // 12.00 is the number 12. 12.50 is not a phone number.
        self.each(texts.as_string_view().iter(), |said, region| match said.split_once('.') {
            Some((digits, rest)) if rest.bytes().all(|digit| digit == b'0') => self.text(digits, region),
            Some(_) => Cell::One(self.reader.refused(said, self.field_type)),
            None => self.text(said, region),
        })
    }

    /// Reads each value of a dictionary once, however many rows refer to it. This is not possible
    /// if rows differ in region, because the same text then means different numbers. It is not
    /// worth it if a part of a long column refers to only a few of the values.
    fn dictionary(&self, array: &dyn Array, name: &str) -> Result<Vec<Cell>, Error> {
        let Some(dictionary) = array.as_any_dictionary_opt() else { return Err(unreadable(name, array)) };
        let values = dictionary.values();
        if !array.is_empty() && (matches!(self.regions, Regions::ByRow(_)) || values.len() > array.len()) {
            let plain = cast(array, values.data_type()).map_err(|_| unreadable(name, array))?;
            return self.read(&plain, name);
        }
        let values = self.read(values.as_ref(), name)?;
        Ok(spread(dictionary, &values, &Cell::One(Reading::Missing)))
    }

    /// Reads lists. The values of all elements of a list are the values of its cell.
    fn lists<O: arrow_array::OffsetSizeTrait>(
        &self,
        lists: &arrow_array::GenericListArray<O>,
        name: &str,
    ) -> Result<Vec<Cell>, Error> {
        let mut cells = Vec::with_capacity(lists.len());
        for (row, list) in lists.iter().enumerate() {
            let Some(list) = list else {
                cells.push(Cell::One(Reading::Missing));
                continue;
            };
            let of_row = ColumnReader { regions: Regions::Same(self.regions.of(row)), ..*self };
            let flat = of_row.read(list.as_ref(), name)?.into_iter().flat_map(|cell| match cell {
                Cell::One(reading) => vec![reading],
                Cell::Many(readings) => readings,
            });
            cells.push(Cell::Many(flat.collect()));
        }
        Ok(cells)
    }
}

/// Calls `read` with each text of a column of texts, in order.
///
/// Arrow's libraries pass texts on without a check: in a Parquet file, for example, they may have any bytes. Bytes that
/// are not UTF-8 are replaced by U+FFFD, as in a CSV file. A text with this character cannot be looked up.
pub(super) fn each_text(array: &dyn Array, mut read: impl FnMut(Option<&str>)) {
    let mut read = |bytes: Option<&[u8]>| match bytes.map(|bytes| (bytes, str::from_utf8(bytes))) {
        None => read(None),
        Some((_, Ok(text))) => read(Some(text)),
        Some((bytes, Err(_))) => read(Some(&String::from_utf8_lossy(bytes))),
    };
    if let Some(texts) = array.as_string_opt::<i32>() {
        BinaryArray::from(texts.clone()).iter().for_each(read);
    } else if let Some(texts) = array.as_string_opt::<i64>() {
        LargeBinaryArray::from(texts.clone()).iter().for_each(read);
    } else if let Some(texts) = array.as_string_view_opt() {
        texts.clone().to_binary_view().iter().for_each(&mut read);
    }
}

/// For each row of a dictionary what was read from its value. A null is `missing`.
pub(super) fn spread<T: Clone>(dictionary: &dyn AnyDictionaryArray, read: &[T], missing: &T) -> Vec<T> {
    if read.is_empty() {
        return vec![missing.clone(); dictionary.len()];
    }
    let keys = dictionary.normalized_keys().into_iter().enumerate();
    let of_row = |(row, key)| read.get(key).filter(|_| dictionary.keys().is_valid(row)).unwrap_or(missing);
    keys.map(of_row).cloned().collect()
}

/// The message names the column and its type, not the values.
fn unreadable(name: &str, array: &dyn Array) -> Error {
    Error::new(
        ErrorKind::Config,
        message!(
            "{}{} names columns of text or of whole numbers",
            format!("column {name:?} is of type {}, which cannot be looked up: ", array.data_type()),
            Setting::By
        ),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow_array::builder::{ListBuilder, StringBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, BinaryViewArray, DictionaryArray, Int64Array, LargeStringArray, StringArray,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::input::join::join;
    use crate::input::regions::RegionReader;
    use exactbuyer_core::identifier::{Identifier, Rules};
    use exactbuyer_core::plan::{Row, identifiers};

    fn reader(default_region: &str) -> Reader {
        Reader { rules: Rules::new(Some(default_region)).unwrap(), na_values: hashbrown::HashSet::default() }
    }

    fn rows(reader: &Reader, texts: &ArrayRef, regions: &ArrayRef) -> Vec<Row> {
        let mut named = Vec::new();
        RegionReader::new(reader).read(regions, "country", &mut named).unwrap();
        let field_type = Some(FieldType::Phone);
        let column =
            ColumnReader { reader, field_type, marks: &Marks::default(), regions: Regions::ByRow(&named) };
        join(vec![column.read(texts, "phone").unwrap()]).0
    }

    fn arrays(values: &[&str]) -> [ArrayRef; 2] {
        let plain: StringArray = values.iter().copied().map(Some).collect();
        let encoded: DictionaryArray<Int32Type> = values.iter().copied().collect();
        [Arc::new(plain), Arc::new(encoded)]
    }

    fn canonical(row: &Row) -> Option<&str> {
        match row {
            Row::One(identifier) => Some(identifier.canonical()),
            _ => None,
        }
    }

    #[test]
    fn rows_that_share_a_text_but_not_a_region_are_different_lookups_however_they_are_encoded() {
        let reader = reader("US");
        for texts in arrays(&["050 2345678"; 4]) {
            for regions in arrays(&["DE", "Austria", "NL", "DE"]) {
                let rows = rows(&reader, &texts, &regions);
                let sent: Vec<_> = rows.iter().filter_map(canonical).collect();
                assert_eq!(sent, ["+49502345678", "+43502345678", "+31502345678", "+49502345678"]);
                assert_eq!(identifiers(&rows).len(), 3);
            }
        }
    }

    #[test]
    fn numbers_and_lists_are_read_in_the_region_of_their_row() {
        let reader = reader("US");
        let regions: ArrayRef = Arc::new(StringArray::from(vec![Some("DE"), None, Some("Mars")]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![2_015_550_123; 3]));
        let read = rows(&reader, &numbers, &regions);
        let sent: Vec<_> = read.iter().map(canonical).collect();
        assert_eq!(sent, [Some("+492015550123"), Some("+12015550123"), None]);
        let mut lists = ListBuilder::new(StringBuilder::new());
        for _ in 0..3 {
            lists.values().append_value("2015550123");
            lists.append(true);
        }
        let lists: ArrayRef = Arc::new(lists.finish());
        assert_eq!(rows(&reader, &lists, &regions).iter().map(canonical).collect::<Vec<_>>(), sent);
    }

    #[test]
    fn a_part_of_a_dictionary_is_read_by_its_own_rows() {
        let reader = reader("US");
        let [_, texts] = arrays(&["201 555 0123", "201 555 0124", "201 555 0125"]);
        let regions = Regions::Same(RowRegion::Default);
        let column = ColumnReader { reader: &reader, field_type: None, marks: &Marks::default(), regions };
        let cells = column.read(&texts.slice(2, 1), "phone").unwrap();
        assert_eq!(canonical(join(vec![cells]).0.first().unwrap()), Some("+12015550125"));
    }

    /// Such an array cannot be made with safe code, but Arrow's libraries hand it on.
    #[test]
    #[allow(unsafe_code)]
    fn a_text_that_is_not_utf8_is_refused_however_it_is_stored() {
        let values: [&[u8]; 4] =
            [b"\xe9ana@x.example", b"bob@x.example", b"eve@x.example\xf0", b"+1 773 474 9362\xf0"];
        let bytes = BinaryArray::from_iter_values(values);
        let large = LargeBinaryArray::from_iter_values(values);
        let view = BinaryViewArray::from_iter_values(values);
        // SAFETY: the arrays are wrong, as in such a file, but nobody reads them as `str`.
        let arrays: [ArrayRef; 3] = unsafe {
            [
                Arc::new(StringArray::new_unchecked(
                    bytes.offsets().clone(),
                    bytes.values().clone(),
                    bytes.nulls().cloned(),
                )),
                Arc::new(LargeStringArray::new_unchecked(
                    large.offsets().clone(),
                    large.values().clone(),
                    large.nulls().cloned(),
                )),
                Arc::new(view.to_string_view_unchecked()),
            ]
        };
        let reader = reader("US");
        let regions = Regions::Same(RowRegion::Default);
        let column = ColumnReader { reader: &reader, field_type: None, marks: &Marks::default(), regions };
        for texts in arrays {
            let keys = arrow_array::Int32Array::from(vec![0, 1, 2, 3]);
            let encoded: ArrayRef = Arc::new(DictionaryArray::new(keys, texts.clone()));
            for texts in [texts, encoded] {
                let (rows, _) = join(vec![column.read(&texts, "mail").unwrap()]);
                let is_right =
                    matches!(rows[..], [Row::Invalid(..), Row::One(_), Row::Invalid(..), Row::Invalid(..)]);
                assert!(is_right, "{rows:?}");
                let mut named = Vec::new();
                RegionReader::new(&reader).read(&texts, "country", &mut named).unwrap();
                assert_eq!(named, [RowRegion::Unknown; 4]);
            }
        }
    }

    #[test]
    fn a_column_that_holds_no_text_holds_no_regions() {
        let numbers = Int64Array::from(vec![49]);
        let reader = reader("US");
        let error = RegionReader::new(&reader).read(&numbers, "country", &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("\"country\" is of type Int64"), "{error}");
    }

    proptest! {
        /// Two rows that share a text but not a region are never one lookup, unless the text has its country
        /// code.
        #[test]
        fn two_rows_that_share_a_text_but_not_a_region_are_never_one_lookup(
            drawn in proptest::collection::vec((0..3_usize, 0..6_usize), 1..60),
        ) {
            const TEXTS: [&str; 3] = ["050 2345678", "(020) 7946 0018", "2015550123"];
            const REGIONS: [&str; 6] = ["DE", "Austria", "GB", "us", "", "Mars"];
            let reader = reader("NL");
            let texts: Vec<_> = drawn.iter().filter_map(|&(text, _)| TEXTS.get(text).copied()).collect();
            let regions: Vec<_> = drawn.iter().filter_map(|&(_, region)| REGIONS.get(region).copied()).collect();
            for texts in arrays(&texts) {
                for regions in arrays(&regions) {
                    let mut owners: HashMap<Identifier, (usize, usize)> = HashMap::new();
                    for (row, drawn) in rows(&reader, &texts, &regions).into_iter().zip(&drawn) {
                        let Row::One(identifier) = row else { continue };
                        prop_assert_eq!(owners.entry(identifier).or_insert(*drawn), drawn);
                    }
                }
            }
        }
    }
}
