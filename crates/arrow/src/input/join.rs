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
use exactbuyer_core::plan::{Preference, Row};

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

/// The rows of columns with equal length. In each row, the cells of the first column are tried
/// before those of the next.
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
/// let rows = join(vec![mails, phones]);
/// let [Row::Preference(both), Row::Preference(second)] = &rows[..] else { unreachable!() };
/// assert_eq!(both.alternatives[..], [(0, mail), (1, phone.clone())]);
/// assert_eq!(second.alternatives[..], [(1, phone)]); // column 1, so not simply `Row::One`
/// ```
#[must_use]
pub fn join(columns: Vec<Vec<Cell>>) -> Vec<Row> {
    let count = u32::try_from(columns.len()).unwrap_or(u32::MAX);
    let rows = columns.first().map_or(0, Vec::len);
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    (0..rows)
        .map(|_| {
            let cells = columns.iter_mut().map(|column| column.next().unwrap_or(Cell::One(Reading::Missing)));
            row(cells, count)
        })
        .collect()
}

/// The row that these cells make.
///
/// Missing values are left out. If no value can be looked up, the first invalid one gives the reason.
fn row(cells: impl Iterator<Item = Cell>, columns: u32) -> Row {
    let mut alternatives = Vec::new();
    let mut first = None;
    let mut blamed = None;
    let mut take = |place: u32, reading: Reading| {
        match reading {
            Reading::Missing => return,
            Reading::Invalid(why) => blamed = blamed.or(Some((place, why))),
            Reading::Asks(identifier) => alternatives.push((place, identifier)),
        }
        first = first.or(Some(place));
    };
    for (column, cell) in (0..columns).zip(cells) {
        match cell {
            Cell::One(reading) => take(column, reading),
            Cell::Many(readings) => {
                // No cell has so many values that their numbers exceed 32 bits.
                for (nth, reading) in (0..u32::MAX / columns.max(1)).zip(readings) {
                    take(column + nth * columns, reading);
                }
            }
        }
    }
    match (first, blamed) {
        // The usual case needs no list.
        (Some(0), _) if alternatives.len() == 1 && blamed.is_none() => {
            alternatives.pop().map_or(Row::Missing, |(_, identifier)| Row::One(identifier))
        }
        (Some(first), _) if !alternatives.is_empty() => {
            Row::Preference(Box::new(Preference { first, alternatives: alternatives.into() }))
        }
        (_, Some((place, why))) => Row::Invalid(place, why),
        _ => Row::Missing,
    }
}
