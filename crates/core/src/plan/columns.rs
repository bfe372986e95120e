//! Makes rows out of the readings of their values, and counts what each column contributes. A value that cannot be
//! read makes its row invalid only if the row has nothing else to look up; otherwise only these counts show it.

use crate::identifier::reading::Reading;
use crate::identifier::{Identifier, Invalid};

use super::{Preference, Row};

/// What was read in one column of a table. In rows that are lists, the column is the position in the list.
///
/// A cell counts once, however many values it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnCounts {
    /// Cells that are not empty.
    pub values: u64,
    /// Cells that cannot be read, in rows for which another column has an identifier.
    pub skipped: u64,
    /// Why cells cannot be read: each reason, and for how many cells. Each cell has one reason, its first.
    pub reasons: Vec<(Invalid, u64)>,
}

impl ColumnCounts {
    fn count(&mut self, why: Invalid, cells: u64) {
        // There are few different reasons.
        match self.reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, known)) => *known += cells,
            None => self.reasons.push((why, cells)),
        }
    }

    /// Adds the counts of more rows, column by column.
    pub fn add(counts: &mut Vec<Self>, more: Vec<Self>) {
        if counts.len() < more.len() {
            counts.resize_with(more.len(), Self::default);
        }
        for (column, more) in counts.iter_mut().zip(more) {
            column.values += more.values;
            column.skipped += more.skipped;
            more.reasons.into_iter().for_each(|(why, cells)| column.count(why, cells));
        }
    }
}

/// Makes rows, one after the other, and counts their columns.
///
/// ```
/// use exactbuyer_core::identifier::reading::Reader;
/// use exactbuyer_core::plan::{Row, RowBuilder};
///
/// let (reader, mut builder) = (Reader::default(), RowBuilder::default());
/// builder.cell(0, [(0, reader.text("ana@acme.example", None))]);
/// builder.cell(1, [(1, reader.text("0151 12345678", None))]);
/// assert!(matches!(builder.row(), Row::Preference(_)));
/// let [mail, phone] = &builder.counts()[..] else { unreachable!() };
/// assert_eq!((mail.values, mail.skipped, phone.values, phone.skipped), (1, 0, 1, 1));
/// ```
#[derive(Debug, Default)]
pub struct RowBuilder {
    counts: Vec<ColumnCounts>,
    alternatives: Vec<(u32, Identifier)>,
    /// The position of the row's first value that is not missing.
    first: Option<u32>,
    /// The position of the row's first value that cannot be read, and the reason.
    blamed: Option<(u32, Invalid)>,
    /// The columns of the row's cells that cannot be read.
    unreadable: Vec<usize>,
}

impl RowBuilder {
    /// Adds a cell of this column to the row: its values in order of preference, each with its position.
    pub fn cell(&mut self, column: u32, values: impl IntoIterator<Item = (u32, Reading)>) {
        let before = self.alternatives.len();
        let (mut is_empty, mut blamed) = (true, None);
        for (place, reading) in values {
            match reading {
                Reading::Missing => continue,
                Reading::Invalid(why) => blamed = blamed.or(Some((place, why))),
                Reading::Asks(identifier) => self.alternatives.push((place, identifier)),
            }
            is_empty = false;
            self.first = self.first.or(Some(place));
        }
        self.blamed = self.blamed.or(blamed);
        let column = column as usize;
        if self.counts.len() <= column {
            self.counts.resize_with(column + 1, ColumnCounts::default);
        }
        if is_empty {
            return;
        }
        let Some(counts) = self.counts.get_mut(column) else { return };
        counts.values += 1;
        if let (Some((_, why)), true) = (blamed, self.alternatives.len() == before) {
            counts.count(why, 1);
            self.unreadable.push(column);
        }
    }

    /// The row of the cells that were added since the row before.
    ///
    /// Missing values are left out. If no value can be looked up, the first invalid one gives the reason.
    pub fn row(&mut self) -> Row {
        let (first, blamed) = (self.first.take(), self.blamed.take());
        if !self.alternatives.is_empty() {
            for column in &self.unreadable {
                if let Some(counts) = self.counts.get_mut(*column) {
                    counts.skipped += 1;
                }
            }
        }
        self.unreadable.clear();
        match (first, blamed) {
            // The usual case needs no list.
            (Some(0), None) if self.alternatives.len() == 1 => {
                self.alternatives.pop().map_or(Row::Missing, |(_, identifier)| Row::One(identifier))
            }
            (Some(first), _) if !self.alternatives.is_empty() => Row::Preference(Box::new(Preference {
                first,
                alternatives: self.alternatives.drain(..).collect(),
            })),
            (_, Some((place, why))) => Row::Invalid(place, why),
            _ => Row::Missing,
        }
    }

    /// What was counted in all rows so far, by column.
    #[must_use]
    pub fn counts(self) -> Vec<ColumnCounts> {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;
    use crate::identifier::FieldType;

    fn asks(text: &str) -> Reading {
        Reading::Asks(Identifier::from_canonical(FieldType::Email, text))
    }

    const WITHOUT_CODE: Reading = Reading::Invalid(Invalid::PhoneWithoutCountryCode);
    const HANDLE: Reading = Reading::Invalid(Invalid::SocialWithoutNetwork);

    fn counts_of(rows: &[&[&[Reading]]]) -> Vec<ColumnCounts> {
        let mut builder = RowBuilder::default();
        for row in rows {
            for (column, values) in (0..).zip(*row) {
                builder.cell(column, values.iter().map(|reading| (column, reading.clone())));
            }
            builder.row();
        }
        builder.counts()
    }

    #[test]
    fn a_cell_is_unreadable_if_none_of_its_values_can_be_read() {
        let counts = counts_of(&[
            &[&[asks("a")], &[WITHOUT_CODE]],
            &[&[asks("b")], &[WITHOUT_CODE, HANDLE]],
            &[&[asks("c")], &[HANDLE, asks("d")]],
            &[&[asks("e")], &[Reading::Missing]],
            &[&[], &[HANDLE]],
            &[&[HANDLE], &[HANDLE]],
        ]);
        let mail = ColumnCounts { values: 5, skipped: 0, reasons: vec![(Invalid::SocialWithoutNetwork, 1)] };
        let reasons = vec![(Invalid::PhoneWithoutCountryCode, 2), (Invalid::SocialWithoutNetwork, 2)];
        let phone = ColumnCounts { values: 5, skipped: 2, reasons };
        assert_eq!(counts, [mail, phone]);
    }

    #[test]
    fn the_counts_of_parts_add_up_to_those_of_all_rows() {
        let rows: [&[&[Reading]]; 3] =
            [&[&[asks("a")]], &[&[asks("b")], &[WITHOUT_CODE]], &[&[HANDLE], &[HANDLE], &[asks("c")]]];
        let mut added = Vec::new();
        for row in rows {
            ColumnCounts::add(&mut added, counts_of(&[row]));
        }
        assert_eq!(added, counts_of(&rows));
        assert_eq!((added[0].skipped, added[1].skipped, added[2].values), (1, 2, 1));
    }
}
