//! What a run would do, counted without doing it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::identifier::{FieldType, Identifier};

use super::Row;

/// An identifier in more rows than this, and in more than one in a hundred, looks like a
/// placeholder.
const SUSPICIOUS: u32 = 20;

/// What is known of a lookup before anybody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prior {
    /// Nothing that could be used: it is to be asked.
    #[default]
    Open,
    /// It is to be asked, and was paid for before.
    Again,
    /// A contact is there.
    Found,
    /// It is known that there is nobody.
    NotFound,
    /// It may have been charged, and is not sent again.
    Doubt,
    /// It is not sent.
    Closed,
}

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
    /// Rows whose answer is there.
    pub from_store: u64,
    /// Rows that stay unknown: a lookup of theirs is in doubt.
    pub unknown: u64,
    /// Rows that are not sent.
    pub not_sent: u64,
    /// Lookups if every first identifier is found.
    pub lookups_least: u64,
    /// Lookups if none is until the last.
    pub lookups_most: u64,
    /// Of these, lookups that were paid for before.
    pub bought_again: u64,
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
    asked: bool,
    asked_first: bool,
}

/// Identifiers, each once, by the order in which they come.
#[derive(Default)]
struct Names<'a> {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    seen: Vec<Seen<'a>>,
}

impl<'a> Names<'a> {
    /// Notes that a row names this identifier; its place.
    fn place(&mut self, identifier: &'a Identifier, row: u64) -> usize {
        let hash = self.hasher.hash_one(identifier);
        let seen = &self.seen;
        let same = |place: &u32| seen.get(*place as usize).is_some_and(|known| known.identifier == identifier);
        if let Some(place) = self.index.find(hash, same).copied() {
            if let Some(known) = self.seen.get_mut(place as usize) {
                known.rows += 1;
            }
            return place as usize;
        }
        let place = u32::try_from(self.seen.len()).unwrap_or(u32::MAX);
        self.seen.push(Seen { identifier, hash, row, rows: 1, asked: false, asked_first: false });
        let seen = &self.seen;
        let hash_at = |place: &u32| seen.get(*place as usize).map_or(0, |known| known.hash);
        self.index.insert_unique(hash, place, hash_at);
        place as usize
    }

    /// Notes that a row would ask for it, as its first or a later choice; whether an earlier row
    /// asks for it first already.
    fn ask(&mut self, place: usize, first: bool) -> bool {
        let Some(known) = self.seen.get_mut(place) else { return false };
        let asked_first = known.asked_first;
        known.asked = true;
        known.asked_first |= first;
        asked_first
    }
}

/// Every identifier that these rows name, once, by the order in which they come.
#[must_use]
pub fn distinct(rows: &[Row]) -> Vec<&Identifier> {
    let mut names = Names::default();
    for row in rows {
        match row {
            Row::Missing | Row::Invalid(..) => {}
            Row::One(identifier) => _ = names.place(identifier, 0),
            Row::Preference(preference) => {
                for (_, identifier) in &preference.alternatives {
                    names.place(identifier, 0);
                }
            }
        }
    }
    names.seen.into_iter().map(|seen| seen.identifier).collect()
}

/// Counts what these rows come to. `priors` says what is known of each of the [`distinct`]
/// identifiers; of those that it leaves out, nothing is.
#[must_use]
pub fn summarize(rows: &[Row], priors: &[Prior]) -> Summary {
    let prior = |place: usize| priors.get(place).copied().unwrap_or_default();
    let mut names = Names::default();
    let mut summary = Summary { rows: rows.len() as u64, ..Summary::default() };
    // Rows that may cost a credit: a list-row costs at most one, a plain duplicate none.
    let mut payers = 0;
    let mut places = Vec::new();
    for (number, row) in (0..).zip(rows) {
        match row {
            Row::Missing => summary.missing += 1,
            Row::Invalid(..) => summary.invalid += 1,
            Row::One(identifier) => {
                let place = names.place(identifier, number);
                match prior(place) {
                    Prior::Found | Prior::NotFound => summary.from_store += 1,
                    Prior::Doubt => summary.unknown += 1,
                    Prior::Closed => summary.not_sent += 1,
                    Prior::Open | Prior::Again => {
                        let duplicate = names.ask(place, true);
                        summary.duplicates += u64::from(duplicate);
                        payers += u64::from(!duplicate);
                        summary.rounds = summary.rounds.max(1);
                    }
                }
            }
            Row::Preference(preference) => {
                places.clear();
                let alternatives = preference.alternatives.iter();
                places.extend(alternatives.map(|(_, identifier)| names.place(identifier, number)));
                // What is there is used before anything is sent.
                if places.iter().any(|place| prior(*place) == Prior::Found) {
                    summary.from_store += 1;
                    continue;
                }
                let asked = ask_in_order(&mut names, &places, prior, &mut summary);
                payers += u64::from(asked > 0);
                summary.rounds = summary.rounds.max(asked);
            }
        }
    }
    let asked = || (0..).zip(&names.seen).filter(|(_, seen)| seen.asked);
    summary.lookups_least = asked().filter(|(_, seen)| seen.asked_first).count() as u64;
    summary.lookups_most = asked().count() as u64;
    summary.bought_again = asked().filter(|(place, _)| prior(*place) == Prior::Again).count() as u64;
    summary.credits_most = summary.lookups_most.min(payers);
    let often = u32::try_from(summary.rows / 100).unwrap_or(u32::MAX).max(SUSPICIOUS);
    summary.suspects = names
        .seen
        .iter()
        .filter(|seen| seen.rows > often)
        .map(|seen| Suspect { row: seen.row, field_type: seen.identifier.field_type(), rows: seen.rows })
        .collect();
    summary.suspects.sort_by_key(|suspect| (std::cmp::Reverse(suspect.rows), suspect.row));
    summary
}

/// A list-row none of whose identifiers is known to be found; how many of them it may ask for.
fn ask_in_order(
    names: &mut Names<'_>,
    places: &[usize],
    prior: impl Fn(usize) -> Prior,
    summary: &mut Summary,
) -> u64 {
    let mut asked = 0;
    let mut over = &mut summary.from_store;
    for &place in places {
        match prior(place) {
            Prior::Found | Prior::NotFound => {}
            Prior::Open | Prior::Again => {
                let duplicate = names.ask(place, asked == 0);
                summary.duplicates += u64::from(asked == 0 && duplicate);
                asked += 1;
            }
            // Nothing more is paid for that row.
            Prior::Doubt => {
                over = &mut summary.unknown;
                break;
            }
            Prior::Closed => {
                over = &mut summary.not_sent;
                break;
            }
        }
    }
    *over += u64::from(asked == 0);
    asked
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
        let summary = summarize(&rows, &[]);
        let expected = Summary {
            rows: 6,
            missing: 1,
            invalid: 1,
            duplicates: 2,
            lookups_least: 2,
            lookups_most: 3,
            rounds: 2,
            credits_most: 3,
            ..Summary::default()
        };
        assert_eq!(summary, expected);
    }

    fn list(names: &[&str]) -> Row {
        let alternatives = (0..).zip(names).map(|(place, name)| (place, email(name))).collect();
        Row::Preference(Box::new(Preference { first: 0, alternatives }))
    }

    #[test]
    fn what_is_known_is_not_asked() {
        let rows = [
            Row::One(email("found")),
            Row::One(email("found")),
            Row::One(email("nobody")),
            Row::One(email("doubt")),
            Row::One(email("closed")),
            Row::One(email("again")),
            list(&["open", "found"]),
            list(&["nobody", "nobody"]),
            list(&["nobody", "doubt", "open"]),
            list(&["closed", "open"]),
            list(&["nobody", "other", "doubt", "never"]),
        ];
        let priors: Vec<Prior> = distinct(&rows)
            .into_iter()
            .map(|identifier| match identifier.canonical() {
                "found" => Prior::Found,
                "nobody" => Prior::NotFound,
                "doubt" => Prior::Doubt,
                "closed" => Prior::Closed,
                "again" => Prior::Again,
                _ => Prior::Open,
            })
            .collect();
        let expected = Summary {
            rows: 11,
            from_store: 5,
            unknown: 2,
            not_sent: 2,
            lookups_least: 2,
            lookups_most: 2,
            bought_again: 1,
            rounds: 1,
            credits_most: 2,
            ..Summary::default()
        };
        assert_eq!(summarize(&rows, &priors), expected);
    }

    #[test]
    fn one_identifier_in_many_rows_is_suspicious() {
        let mut rows = vec![Row::One(email("real@x.example"))];
        rows.extend(std::iter::repeat_n(Row::One(email("none@x.example")), 30));
        let suspect = Suspect { row: 1, field_type: FieldType::Email, rows: 30 };
        assert_eq!(summarize(&rows, &[]).suspects, [suspect]);
    }
}
