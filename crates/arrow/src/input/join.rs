//! Combines columns: the cells of several columns in one row become one row of the plan, in order
//! of preference.
//!
//! For two columns, a row's entries have these numbers:
//!
//! | | first value | second value | third value |
//! |---|---|---|---|
//! | column 0 | 0 | 2 | 4 |
//! | column 1 | 1 | 3 | 5 |
//!
//! The numbers say which column an answer belongs to, and are not the order of preference: all values of column
//! 0 are tried before those of column 1.

use exactbuyer_core::identifier::reading::Reading;
use exactbuyer_core::plan::{ColumnCounts, Row, RowBuilder};

/// The result of reading one cell.
///
/// A null of Arrow is `One(Missing)`, an empty list `Many` of nothing. Both leave the row without a value here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// One value.
    One(Reading),
    /// Several, in order of preference.
    Many(Vec<Reading>),
}

/// The rows of columns with equal length, and what each column contributes to them. In each row, the cells of the
/// first column are tried before those of the next.
///
/// The number of an entry contains its column and its position in the cell: the column is the number modulo the
/// count of columns.
///
/// A column that is too short counts as missing in the rows that it lacks.
///
/// ```
/// use exactbuyer_arrow::{Cell, join};
/// use exactbuyer_core::identifier::{FieldType, Identifier, reading::Reading};
/// use exactbuyer_core::plan::Row;
///
/// let mail = Identifier::from_canonical(FieldType::Email, "ana@acme.example");
/// let phone = Identifier::from_canonical(FieldType::Phone, "+12015550123");
/// let mails = vec![Cell::One(Reading::Asks(mail.clone())), Cell::One(Reading::Missing)];
/// let phones = vec![Cell::One(Reading::Asks(phone.clone())), Cell::One(Reading::Asks(phone.clone()))];
///
/// let (rows, _) = join(vec![mails, phones]);
/// let [Row::Preference(both), Row::Preference(second)] = &rows[..] else { unreachable!() };
/// assert_eq!(both.alternatives[..], [(0, mail), (1, phone.clone())]);
/// assert_eq!(second.alternatives[..], [(1, phone)]); // column 1, so not simply `Row::One`
/// ```
#[must_use]
pub fn join(columns: Vec<Vec<Cell>>) -> (Vec<Row>, Vec<ColumnCounts>) {
    let count = u32::try_from(columns.len()).unwrap_or(u32::MAX);
    let rows = columns.first().map_or(0, Vec::len);
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let mut builder = RowBuilder::default();
    let mut row = |_| {
        for (column, cells) in (0..count).zip(&mut columns) {
            match cells.next() {
                Some(Cell::One(reading)) => builder.cell(column, [(column, reading)]),
                Some(Cell::Many(readings)) => {
                    // No cell has so many values that their numbers exceed 32 bits.
                    let places = (0..u32::MAX / count).map(|nth| column + nth * count);
                    builder.cell(column, places.zip(readings));
                }
                None => {}
            }
        }
        builder.row()
    };
    let rows = (0..rows).map(&mut row).collect();
    (rows, builder.counts())
}
