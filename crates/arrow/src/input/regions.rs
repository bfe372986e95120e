//! A column that says, row by row, where the phone numbers are from.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, new_empty_array};
use arrow_cast::cast;
use arrow_schema::DataType;
use hashbrown::HashMap;

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::identifier::reading::{Reader, RowRegion};
use exactbuyer_core::message;
use exactbuyer_core::message::Setting;

/// There are fewer countries; a column with more names than this holds something else.
const MOST_NAMES: usize = 1_024;

/// The region of each row of a column.
#[derive(Debug, Clone, Copy)]
pub enum Regions<'a> {
    /// The same for all.
    Same(RowRegion),
    /// One for each row.
    ByRow(&'a [RowRegion]),
}

impl Regions<'_> {
    /// The region of this row.
    #[must_use]
    pub fn of(self, row: usize) -> RowRegion {
        match self {
            Self::Same(region) => region,
            // A row beyond the end would be a fault here: its region must not become the default.
            Self::ByRow(regions) => regions.get(row).copied().unwrap_or(RowRegion::Unknown),
        }
    }
}

/// Reads the names of regions, each different name once.
#[derive(Debug)]
pub struct RegionReader<'a> {
    reader: &'a Reader,
    known: HashMap<Box<str>, RowRegion>,
}

impl<'a> RegionReader<'a> {
    /// A reader that has read nothing yet.
    #[must_use]
    pub fn new(reader: &'a Reader) -> Self {
        Self { reader, known: HashMap::new() }
    }

    /// The region of this name.
    pub fn text(&mut self, name: &str) -> RowRegion {
        if let Some(region) = self.known.get(name) {
            return *region;
        }
        let region = self.reader.region(name);
        if self.known.len() < MOST_NAMES {
            self.known.insert(name.into(), region);
        }
        region
    }

    /// Adds the region of each row of a column; `column` is its name, for a message.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: a column of this type does not hold countries.
    pub fn read(&mut self, array: &dyn Array, column: &str, into: &mut Vec<RowRegion>) -> Result<(), Error> {
        use DataType as D;
        let wrong = || wrong_type(column, array);
        match array.data_type() {
            D::Null => into.resize(into.len() + array.len(), RowRegion::Default),
            D::Utf8 => self.names(array.as_string::<i32>().iter(), into),
            D::LargeUtf8 => self.names(array.as_string::<i64>().iter(), into),
            D::Utf8View => self.names(array.as_string_view().iter(), into),
            // pandas gives this type to a column without a value.
            D::Float64 => {
                let numbers = array.as_primitive::<Float64Type>().iter();
                let empty = |number: Option<f64>| number.is_none_or(f64::is_nan);
                let region = |empty| if empty { RowRegion::Default } else { RowRegion::Unknown };
                into.extend(numbers.map(|number| region(empty(number))));
            }
            D::Dictionary(_, values) => {
                let dictionary = array.as_any_dictionary_opt().ok_or_else(wrong)?;
                // A part of a long column can name few of its values.
                if dictionary.values().len() > array.len() {
                    return self.read(&cast(array, values).map_err(|_| wrong())?, column, into);
                }
                let mut named = Vec::with_capacity(dictionary.values().len());
                self.read(dictionary.values(), column, &mut named)?;
                if named.is_empty() {
                    into.resize(into.len() + array.len(), RowRegion::Default);
                    return Ok(());
                }
                let keys = dictionary.normalized_keys().into_iter().enumerate();
                into.extend(keys.map(|(row, key)| match named.get(key) {
                    Some(region) if dictionary.keys().is_valid(row) => *region,
                    _ => RowRegion::Default,
                }));
            }
            D::List(_) => self.lists(array.as_list::<i32>(), column, into)?,
            D::LargeList(_) => self.lists(array.as_list::<i64>(), column, into)?,
            D::RunEndEncoded(_, values) => {
                let plain = cast(array, values.data_type()).map_err(|_| wrong())?;
                self.read(&plain, column, into)?;
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// A list names a region if it has one value only.
    fn lists<O: arrow_array::OffsetSizeTrait>(
        &mut self,
        lists: &arrow_array::GenericListArray<O>,
        column: &str,
        into: &mut Vec<RowRegion>,
    ) -> Result<(), Error> {
        self.read(&new_empty_array(&lists.value_type()), column, &mut Vec::new())?;
        for list in lists.iter() {
            let mut named = Vec::new();
            if let Some(list) = list {
                self.read(&list, column, &mut named)?;
            }
            named.retain(|region| *region != RowRegion::Default);
            into.push(match named[..] {
                [] => RowRegion::Default,
                [region] => region,
                _ => RowRegion::Unknown,
            });
        }
        Ok(())
    }

    fn names<'t>(&mut self, names: impl Iterator<Item = Option<&'t str>>, into: &mut Vec<RowRegion>) {
        into.extend(names.map(|name| name.map_or(RowRegion::Default, |name| self.text(name))));
    }
}

fn wrong_type(column: &str, array: &dyn Array) -> Error {
    Error::new(
        ErrorKind::Config,
        message!(
            "{}{} names a column of text with ISO 3166 codes or names of countries",
            format!("column {column:?} is of type {}, which cannot hold regions: ", array.data_type()),
            Setting::Region
        ),
    )
}
