//! What a run would do, counted without doing it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::identifier::{FieldType, Identifier};

use super::Row;

/// An identifier in more rows than this, and in more than one in a hundred, looks like a
/// placeholder.
const SUSPICIOUS: u32 = 20;

/// What a run would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows read.
    pub rows: u64,
    /// Rows with nothing to ask.
    pub missing: u64,
    /// Rows that cannot be looked up.
    pub invalid: u64,
    /// Rows whose first identifier an earlier row asks for already.
    pub duplicates: u64,
    /// Lookups if every first identifier is found.
    pub lookups_least: u64,
    /// Lookups if none is until the last.
    pub lookups_most: u64,
    /// Rounds of asking if every list-row comes to its last identifier.
    pub rounds: u64,
    /// Credits at most: one for each row that asks for something of its own.
    pub credits_most: u64,
    /// Identifiers in suspiciously many rows, the most frequent first.
    pub suspects: Vec<Suspect>,
}

/// An identifier in suspiciously many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// The first row that has it.
    pub row: u64,
    /// What it is.
    pub field_type: FieldType,
    /// In how many rows it stands.
    pub rows: u32,
}

struct Seen<'a> {
    identifier: &'a Identifier,
    hash: u64,
    row: u64,
    rows: u32,
    asked_first: bool,
}

/// Counts what these rows come to.
#[must_use]
pub fn summarize(rows: &[Row]) -> Summary {
    let hasher = DefaultHashBuilder::default();
    let mut index: HashTable<u32> = HashTable::new();
    let mut seen: Vec<Seen<'_>> = Vec::new();
    let mut summary = Summary { rows: rows.len() as u64, ..Summary::default() };
    // Rows that may cost a credit: a list-row costs at most one, a plain duplicate none.
    let mut payers = 0;
    for (number, row) in (0..).zip(rows) {
        let mut note = |identifier, first| note(&mut seen, &mut index, &hasher, identifier, number, first);
        match row {
            Row::Missing => summary.missing += 1,
            Row::Invalid(..) => summary.invalid += 1,
            Row::One(identifier) => {
                let duplicate = note(identifier, true);
                summary.duplicates += u64::from(duplicate);
                payers += u64::from(!duplicate);
                summary.rounds = summary.rounds.max(1);
            }
            Row::Preference(preference) => {
                payers += 1;
                summary.rounds = summary.rounds.max(preference.alternatives.len() as u64);
                let mut first = true;
                for (_, identifier) in &preference.alternatives {
                    summary.duplicates += u64::from(note(identifier, first) && first);
                    first = false;
                }
            }
        }
    }
    summary.lookups_least = seen.iter().filter(|seen| seen.asked_first).count() as u64;
    summary.lookups_most = seen.len() as u64;
    summary.credits_most = summary.lookups_most.min(payers);
    let often = u32::try_from(summary.rows / 100).unwrap_or(u32::MAX).max(SUSPICIOUS);
    summary.suspects = seen
        .iter()
        .filter(|seen| seen.rows > often)
        .map(|seen| Suspect { row: seen.row, field_type: seen.identifier.field_type(), rows: seen.rows })
        .collect();
    summary.suspects.sort_by_key(|suspect| (std::cmp::Reverse(suspect.rows), suspect.row));
    summary
}

/// Notes that a row names this identifier; whether an earlier row asks for it first already.
fn note<'a>(
    seen: &mut Vec<Seen<'a>>,
    index: &mut HashTable<u32>,
    hasher: &DefaultHashBuilder,
    identifier: &'a Identifier,
    row: u64,
    first: bool,
) -> bool {
    let hash = hasher.hash_one(identifier);
    let same = |place: &u32| seen.get(*place as usize).is_some_and(|known| known.identifier == identifier);
    if let Some(place) = index.find(hash, same).copied() {
        let Some(known) = seen.get_mut(place as usize) else { return false };
        known.rows += 1;
        let asked = known.asked_first;
        known.asked_first |= first;
        return asked;
    }
    let place = u32::try_from(seen.len()).unwrap_or(u32::MAX);
    seen.push(Seen { identifier, hash, row, rows: 1, asked_first: first });
    let seen = &*seen;
    index.insert_unique(hash, place, |place| seen.get(*place as usize).map_or(0, |known| known.hash));
    false
}

#[cfg(test)]
mod tests {
    use super::super::Preference;
    use super::*;
    use crate::identifier::Invalid;

    fn email(text: &str) -> Identifier {
        Identifier::from_canonical(FieldType::Email, text)
    }

    #[test]
    fn counts_add_up() {
        let list = Preference { first: 0, alternatives: Box::from([(0, email("a")), (1, email("c"))]) };
        let rows = [
            Row::Missing,
            Row::One(email("a")),
            Row::One(email("a")),
            Row::Invalid(0, Invalid::Unrecognised),
            Row::One(email("b")),
            Row::Preference(Box::new(list)),
        ];
        let summary = summarize(&rows);
        let expected = Summary {
            rows: 6,
            missing: 1,
            invalid: 1,
            duplicates: 2,
            lookups_least: 2,
            lookups_most: 3,
            rounds: 2,
            credits_most: 3,
            suspects: Vec::new(),
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn one_identifier_in_many_rows_is_suspicious() {
        let mut rows = vec![Row::One(email("real@x.example"))];
        rows.extend(std::iter::repeat_n(Row::One(email("none@x.example")), 30));
        let suspect = Suspect { row: 1, field_type: FieldType::Email, rows: 30 };
        assert_eq!(summarize(&rows).suspects, [suspect]);
    }
}
