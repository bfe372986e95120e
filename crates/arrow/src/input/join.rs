//! Combines columns: the cells of several columns in one row become one row of the plan, in order
//! of preference.

use exactbuyer_core::identifier::reading::Reading;
use exactbuyer_core::plan::{Preference, Row};

/// The result of reading one cell.
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
/// The number of an entry contains its column and its position in the cell: the column is the
/// number modulo the count of columns.
/// number of columns is the column.
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
