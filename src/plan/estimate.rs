//! What a run of these rows would ask and cost, before anything is asked. Pure.

use std::hash::{BuildHasher, RandomState};

use hashbrown::{HashSet, HashTable};

use super::Row;
use crate::identifier::{FieldType, Identifier};

/// One identifier in this many rows looks like a placeholder, ...
const SUSPECT_ROWS: u32 = 20;
/// ... if it is also in more than one row of so many.
const SUSPECT_SHARE: usize = 1_000;
/// Suspects worth naming.
const MOST_SUSPECTS: usize = 5;

/// What a run would ask. Ranges are `(if every first choice is found, if none is)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Rows read.
    pub rows: usize,
    /// Rows with nothing to ask.
    pub missing: usize,
    /// Rows that cannot be looked up.
    pub invalid: usize,
    /// Rows whose first choice another row asks for already.
    pub duplicates: usize,
    /// Lookups to send.
    pub to_send: (usize, usize),
    /// Requests that they fill.
    pub requests: (usize, usize),
    /// Most credits that it can cost.
    pub max_credits: usize,
    /// Identifiers in suspiciously many rows, most rows first.
    pub suspects: Vec<Suspect>,
}

/// One identifier in suspiciously many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// The first row that has it.
    pub first_row: u32,
    /// What kind it is.
    pub field_type: FieldType,
    /// How many rows have it.
    pub rows: u32,
}

/// One identifier, and where it stands. As small as it can be: there may be millions.
struct Tally<'a> {
    identifier: &'a Identifier,
    first_row: u32,
    rows: u32,
}

/// Estimates a run of these rows with chunks of at most `chunk_size` lookups.
#[must_use]
pub fn estimate(rows: &[Row], chunk_size: usize) -> Estimate {
    let mut told = Estimate { rows: rows.len(), ..Estimate::default() };
    let mut tallies = Tallies::default();

    // First choices first: what the table holds then is what is asked in any case.
    for (number, row) in (0..).zip(rows) {
        match row {
            Row::Missing => told.missing += 1,
            Row::Invalid(..) => told.invalid += 1,
            Row::One(identifier) => told.duplicates += usize::from(!tallies.add(identifier, number)),
            Row::Preference(preference) => {
                let first = preference.alternatives.first();
                let seen = first.is_some_and(|(_, identifier)| !tallies.add(identifier, number));
                told.duplicates += usize::from(seen);
            }
        }
    }
    let least = tallies.table.len();

    // A row pays at most once, and so do rows with the same choices, or with the first of them.
    let mut lists = HashSet::new();
    let mut led = HashSet::new();
    for (number, row) in (0..).zip(rows) {
        let Row::Preference(preference) = row else { continue };
        let mut choices = preference.alternatives.iter().map(|(_, identifier)| identifier);
        lists.insert(choices.clone().collect::<Box<[_]>>());
        led.extend(choices.next());
        choices.for_each(|identifier| {
            tallies.add(identifier, number);
        });
    }
    let most = tallies.table.len();

    told.to_send = (least, most);
    told.requests = (least.div_ceil(chunk_size.max(1)), most.div_ceil(chunk_size.max(1)));
    told.max_credits = most.min(least - led.len() + lists.len());
    told.suspects = tallies.suspects(rows.len());
    told
}

#[derive(Default)]
struct Tallies<'a> {
    table: HashTable<Tally<'a>>,
    hasher: RandomState,
}

impl<'a> Tallies<'a> {
    /// Whether it is the first of its kind.
    fn add(&mut self, identifier: &'a Identifier, row: u32) -> bool {
        let hash = |it: &Identifier| self.hasher.hash_one(it);
        let entry = self.table.entry(
            hash(identifier),
            |tally| tally.identifier == identifier,
            |tally| hash(tally.identifier),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(mut seen) => {
                let rows = &mut seen.get_mut().rows;
                *rows = rows.saturating_add(1);
                false
            }
            hashbrown::hash_table::Entry::Vacant(new) => {
                new.insert(Tally { identifier, first_row: row, rows: 1 });
                true
            }
        }
    }

    fn suspects(&self, rows: usize) -> Vec<Suspect> {
        let many = |tally: &&Tally<'_>| {
            tally.rows >= SUSPECT_ROWS && (tally.rows as usize).saturating_mul(SUSPECT_SHARE) > rows
        };
        let mut suspects: Vec<_> = self
            .table
            .iter()
            .filter(many)
            .map(|tally| Suspect {
                first_row: tally.first_row,
                field_type: tally.identifier.field_type(),
                rows: tally.rows,
            })
            .collect();
        suspects.sort_unstable_by_key(|s| (std::cmp::Reverse(s.rows), s.first_row));
        suspects.truncate(MOST_SUSPECTS);
        suspects
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use crate::identifier::Invalid;
    use crate::plan::Preference;

    fn id(canonical: &str) -> Identifier {
        Identifier::from_canonical(FieldType::Email, canonical)
    }

    fn one(canonical: &str) -> Row {
        Row::One(id(canonical))
    }

    fn list(canonicals: &[&str]) -> Row {
        let alternatives = (0..).zip(canonicals).map(|(place, text)| (place, id(text))).collect();
        Row::Preference(Box::new(Preference { first: 0, alternatives }))
    }

    #[test]
    fn rows_add_up() {
        let rows = [one("a"), Row::Missing, one("a"), Row::Invalid(0, Invalid::Unrecognised), one("b")];
        let told = estimate(&rows, 1);
        assert_eq!((told.rows, told.missing, told.invalid, told.duplicates), (5, 1, 1, 1));
        assert_eq!((told.to_send, told.requests, told.max_credits), ((2, 2), (2, 2), 2));
    }

    #[test]
    fn a_list_row_asks_for_its_first_at_least_and_for_all_at_most() {
        let told = estimate(&[list(&["a", "b", "c"]), list(&["d", "b"])], 1_000);
        assert_eq!((told.to_send, told.requests), ((2, 4), (1, 1)));
        assert_eq!(told.max_credits, 2);
    }

    #[test]
    fn lists_with_one_head_may_each_cost_a_credit() {
        let told = estimate(&[list(&["a", "b"]), list(&["a", "c"]), list(&["a", "c"]), one("a")], 10);
        assert_eq!((told.duplicates, told.to_send, told.max_credits), (3, (1, 3), 2));
    }

    #[test]
    fn the_ceiling_is_never_above_the_lookups() {
        let told = estimate(&[list(&["a", "b"]), list(&["b", "a"]), list(&["a"])], 10);
        assert_eq!((told.to_send, told.max_credits), ((2, 2), 2));
    }

    #[test]
    fn a_placeholder_stands_out() {
        let mut rows = vec![one("n/a@example.com"); 30];
        rows.extend((0..500).map(|n| one(&format!("{n}@example.com"))));
        rows.insert(0, Row::Missing);
        let told = estimate(&rows, 100);
        assert_eq!(told.suspects, [Suspect { first_row: 1, field_type: FieldType::Email, rows: 30 }]);
    }

    #[test]
    fn nothing_comes_to_nothing() {
        assert_eq!(estimate(&[], 0), Estimate::default());
    }
}
