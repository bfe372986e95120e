//! Reads the column that names the region of each row's phone numbers.

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

use crate::input::cells::{each_text, spread};

/// The most different names in the column. There are fewer countries, so a column with more has
/// other values.
const MOST_NAMES: usize = 1_024;

/// The regions of the rows.
#[derive(Debug, Clone, Copy)]
pub enum Regions<'a> {
    /// The same region for all rows.
    Same(RowRegion),
    /// One region for each row.
    ByRow(&'a [RowRegion]),
}

impl Regions<'_> {
    /// The region of the row with this index.
    #[must_use]
    pub fn of(self, row: usize) -> RowRegion {
        match self {
            Self::Same(region) => region,
            // An index beyond the end is a bug. Even then, the default region must not be used.
            Self::ByRow(regions) => regions.get(row).copied().unwrap_or(RowRegion::Unknown),
        }
    }
}

/// Reads names of regions. Each different name is read once.
///
/// A column repeats a few names many times, so each is looked up in the table of countries once.
#[derive(Debug)]
pub struct RegionReader<'a> {
    /// Its `na_values` are names that mean "no country".
    reader: &'a Reader,
    /// At most [`MOST_NAMES`]; others are read each time.
    known: HashMap<Box<str>, RowRegion>,
}

impl<'a> RegionReader<'a> {
    /// A reader without any names yet.
    #[must_use]
    pub fn new(reader: &'a Reader) -> Self {
        Self { reader, known: HashMap::new() }
    }

    /// The region with this name.
    ///
    /// A name that is not a country gives an unknown region, not an error: the row's national numbers become
    /// invalid.
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

    /// Appends the region of each row of a column to `into`. `column` is the name of the column,
    /// for messages.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if a column of this type cannot name countries.
    pub fn read(&mut self, array: &dyn Array, column: &str, into: &mut Vec<RowRegion>) -> Result<(), Error> {
        use DataType as D;
        let wrong = || wrong_type(column, array);
        match array.data_type() {
            D::Null => into.resize(into.len() + array.len(), RowRegion::Default),
            D::Utf8 | D::LargeUtf8 | D::Utf8View => {
                each_text(array, |name| into.push(name.map_or(RowRegion::Default, |name| self.text(name))));
            }
            // pandas gives this type to a column that has no values.
            D::Float64 => {
                let numbers = array.as_primitive::<Float64Type>().iter();
                let empty = |number: Option<f64>| number.is_none_or(f64::is_nan);
                let region = |empty| if empty { RowRegion::Default } else { RowRegion::Unknown };
                into.extend(numbers.map(|number| region(empty(number))));
            }
            D::Dictionary(_, values) => {
                let dictionary = array.as_any_dictionary_opt().ok_or_else(wrong)?;
                // A part of a long column may refer to only a few values of its dictionary.
                if dictionary.values().len() > array.len() {
                    return self.read(&cast(array, values).map_err(|_| wrong())?, column, into);
                }
                let mut named = Vec::with_capacity(dictionary.values().len());
                self.read(dictionary.values(), column, &mut named)?;
                into.extend(spread(dictionary, &named, &RowRegion::Default));
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

    /// Reads lists of names. A list names a region only if it has exactly one value.
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
}

/// The message names the column and its type, not the values.
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
