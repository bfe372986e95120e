//! Estimates what a run would do and cost, without doing it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::identifier::{FieldType, Identifier};

use super::Row;

/// An identifier looks like a placeholder if it is in more rows than this, and in more than one row
/// of a hundred.
///
/// Such values (`info@acme.example`, a switchboard) are not wrong, but the caller should know before paying for them.
const SUSPICIOUS: u32 = 20;

/// What a run would do. It is serialized under the names of Python's `Plan`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// All rows.
    pub rows: u64,
    /// Rows in which there is nothing to look up.
    pub missing: u64,
    /// Rows whose values cannot be looked up.
    pub invalid: u64,
    /// Rows whose first identifier is also the first of an earlier row.
    pub duplicates: u64,
    /// Rows that the store can answer without a request.
    pub from_store: u64,
    /// Rows for which nothing would be sent, because the first identifier that they need is in
    /// doubt or barred.
    #[serde(rename = "open_rows")]
    pub open: u64,
    /// Lookups for which the store has a contact, and which may nevertheless be paid for again.
    pub bought_again: u64,
    /// Lookups if every first identifier is found.
    #[serde(skip)]
    pub lookups_least: u64,
    /// Lookups if no identifier of any row is found before its last one.
    #[serde(skip)]
    pub lookups_most: u64,
    /// The most lookups that a single row may need, one after the other.
    #[serde(skip)]
    pub rounds: u64,
    /// The maximum cost in credits: one for each list of identifiers, unless another row's list begins with it.
    #[serde(rename = "max_credits")]
    pub credits_most: u64,
    /// Identifiers that are in suspiciously many rows, the most frequent first.
    pub suspects: Vec<Suspect>,
}

/// An identifier in suspiciously many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Suspect {
    /// The number of the first row that has it.
    pub row: u64,
    /// Its field type.
    pub field_type: FieldType,
    /// The number of rows that have it.
    pub rows: u32,
}

/// What a store has for an identifier, as far as an estimate needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stored {
    /// Nothing that prevents a request.
    #[default]
    Nothing,
    /// A contact that will not be used: it is too old, or the caller asks for everything again.
    Again,
    /// A contact that will be used.
    Hit,
    /// The stored answer that the service found nothing.
    Miss,
    /// It is in doubt or barred, so it would not be sent.
    Open,
}

/// One identifier, and how the rows use it.
///
/// One for each different identifier of the rows.
struct Seen<'a> {
    identifier: &'a Identifier,
    hash: u64,
    row: u64,
    rows: u32,
    /// Whether a row would ask for it as its first identifier.
    asked_first: bool,
    /// Whether a row would ask for it at all.
    asked: bool,
    /// Whether a row would ask for it first, and for another one if it finds nobody.
    continues: bool,
}

/// Each identifier once, in the order of the rows.
#[derive(Default)]
struct Index<'a> {
    seen: Vec<Seen<'a>>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<'a> Index<'a> {
    /// The position of an identifier that the row `row` names.
    fn note(&mut self, identifier: &'a Identifier, row: u64, count: u64) -> usize {
        let rows = u32::try_from(count).unwrap_or(u32::MAX);
        let hash = self.hasher.hash_one(identifier);
        let seen = &mut self.seen;
        let same =
            |place: &u32| seen.get(*place as usize).is_some_and(|known| known.identifier == identifier);
        if let Some(place) = self.places.find(hash, same).copied() {
            if let Some(known) = seen.get_mut(place as usize) {
                known.rows = known.rows.saturating_add(rows);
            }
            return place as usize;
        }
        let place = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        seen.push(Seen { identifier, hash, row, rows, asked_first: false, asked: false, continues: false });
        let seen = &*seen;
        self.places
            .insert_unique(hash, place, |place| seen.get(*place as usize).map_or(0, |known| known.hash));
        place as usize
    }

    /// Notes that a row would ask for this identifier. Returns true if it is the row's first
    /// identifier and was also the first of an earlier row.
    fn ask(&mut self, place: usize, first: bool) -> bool {
        let Some(known) = self.seen.get_mut(place) else { return false };
        known.asked = true;
        first && std::mem::replace(&mut known.asked_first, true)
    }

    /// Notes that a row would ask for this identifier first, and for another one after it.
    fn continues(&mut self, place: usize) {
        if let Some(known) = self.seen.get_mut(place) {
            known.continues = true;
        }
    }
}

/// The identifiers of these rows, each once, in the order in which [`summarize`] expects what
/// the store has.
#[must_use]
pub fn identifiers(rows: &[Row]) -> Vec<&Identifier> {
    let mut index = Index::default();
    for (number, row) in (0..).zip(rows) {
        for identifier in row.identifiers() {
            index.note(identifier, number, 1);
        }
    }
    index.seen.into_iter().map(|seen| seen.identifier).collect()
}

/// Summarizes these rows, each of which stands for as many equal rows as `counts` says. Rows without a count stand for
/// themselves. `stored` says what a store has for each of their [`identifiers`], in that order. If it is empty, nothing is
/// stored.
///
/// ```
/// use exactbuyer_core::identifier::{FieldType, Identifier};
/// use exactbuyer_core::plan::{Row, summarize};
///
/// let ana = || Row::One(Identifier::from_canonical(FieldType::Email, "ana@acme.example"));
/// let summary = summarize(&[ana(), ana(), Row::Missing], &[], &[]);
/// assert_eq!((summary.duplicates, summary.missing, summary.credits_most), (1, 1, 1));
/// ```
#[must_use]
pub fn summarize(rows: &[Row], counts: &[u64], stored: &[Stored]) -> Summary {
    let mut index = Index::default();
    let mut summary = Summary::default();
    // What rows with several identifiers would ask for.
    let mut lists: Vec<Box<[usize]>> = Vec::new();
    let (mut places, mut asked) = (Vec::new(), Vec::new());
    let counts = counts.iter().copied().chain(std::iter::repeat(1));
    for ((number, row), count) in (0..).zip(rows).zip(counts) {
        summary.rows += count;
        match row {
            Row::Missing => summary.missing += count,
            Row::Invalid(..) => summary.invalid += count,
            Row::One(_) | Row::Preference(_) => {
                places.clear();
                places.extend(row.identifiers().map(|identifier| index.note(identifier, number, count)));
                let stored = |place: &usize| stored.get(*place).copied().unwrap_or_default();
                asked.clear();
                let (mut duplicate, mut open) = (false, false);
                if !places.iter().any(|place| stored(place) == Stored::Hit) {
                    for place in &places {
                        match stored(place) {
                            Stored::Miss | Stored::Hit => {}
                            Stored::Open => {
                                open = asked.is_empty();
                                break;
                            }
                            Stored::Nothing | Stored::Again => {
                                duplicate |= index.ask(*place, asked.is_empty());
                                asked.push(*place);
                            }
                        }
                    }
                }
                if let [first, _, ..] = asked[..] {
                    index.continues(first);
                    lists.push(asked.as_slice().into());
                }
                summary.rounds = summary.rounds.max(asked.len() as u64);
                // Of equal rows, only the first can ask for something of its own.
                summary.duplicates += if asked.is_empty() { 0 } else { count - u64::from(!duplicate) };
                summary.open += if open { count } else { 0 };
                summary.from_store += if asked.is_empty() && !open { count } else { 0 };
            }
        }
    }
    let asked = || (0..).zip(&index.seen).filter(|(_, seen)| seen.asked);
    let single = index.seen.iter().filter(|seen| seen.asked_first && !seen.continues).count() as u64;
    summary.lookups_least = index.seen.iter().filter(|seen| seen.asked_first).count() as u64;
    summary.lookups_most = asked().count() as u64;
    summary.bought_again =
        asked().filter(|(place, _)| stored.get(*place) == Some(&Stored::Again)).count() as u64;
    summary.credits_most = summary.lookups_most.min(single + payers(lists));
    let often = u32::try_from(summary.rows / 100).unwrap_or(u32::MAX).max(SUSPICIOUS);
    summary.suspects = index
        .seen
        .iter()
        .filter(|seen| seen.rows > often)
        .map(|seen| Suspect { row: seen.row, field_type: seen.identifier.field_type(), rows: seen.rows })
        .collect();
    summary.suspects.sort_by_key(|suspect| (std::cmp::Reverse(suspect.rows), suspect.row));
    summary
}

/// How many of these lists of identifiers can cost a credit.
///
/// Equal lists have the same outcome, and a list that is the beginning of another one finds nobody whom the other one does
/// not find. In order, it stands before one that begins with it.
fn payers(mut lists: Vec<Box<[usize]>>) -> u64 {
    lists.sort_unstable();
    let nexts = lists.iter().skip(1).map(Some).chain([None]);
    let ends = lists.iter().zip(nexts).filter(|(list, next)| next.is_none_or(|next| !next.starts_with(list)));
    ends.count() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

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
        let summary = summarize(&rows, &[], &[]);
        let expected = Summary {
            rows: 6,
            missing: 1,
            invalid: 1,
            duplicates: 2,
            from_store: 0,
            open: 0,
            bought_again: 0,
            lookups_least: 2,
            lookups_most: 3,
            rounds: 2,
            credits_most: 2,
            suspects: Vec::new(),
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn a_list_that_is_the_beginning_of_another_one_costs_nothing_in_addition() {
        let most = |rows: &[&[&str]]| {
            let row = |texts: &&[&str]| {
                let alternatives = (0..).zip(*texts).map(|(place, text)| (place, email(text))).collect();
                Row::Preference(Box::new(Preference { first: 0, alternatives }))
            };
            summarize(&rows.iter().map(row).collect::<Vec<_>>(), &[], &[]).credits_most
        };
        assert_eq!(most(&[&["a", "b"], &["a", "b"]]), 1);
        assert_eq!(most(&[&["a"], &["a", "b"], &["a", "b", "c"], &["a"]]), 1);
        assert_eq!(most(&[&["a", "b"], &["a", "c"]]), 2);
        assert_eq!(most(&[&["a", "b"], &["a", "b", "c"], &["a", "b", "d"], &["e"]]), 3);
        // Three rows, but only two identifiers.
        assert_eq!(most(&[&["a", "b"], &["b", "a"], &["a"]]), 2);
    }

    #[test]
    fn what_the_store_has_is_not_asked_for() {
        let list = |texts: &[&str]| {
            let alternatives = (0..).zip(texts).map(|(place, text)| (place, email(text))).collect();
            Row::Preference(Box::new(Preference { first: 0, alternatives }))
        };
        let rows = [
            Row::One(email("hit")),
            Row::One(email("hit")),
            Row::One(email("miss")),
            Row::One(email("doubt")),
            Row::One(email("new")),
            Row::One(email("old")),
            list(&["new", "hit"]),
            list(&["miss", "doubt", "new"]),
            list(&["miss", "new", "doubt", "old"]),
            list(&["miss", "miss"]),
        ];
        let stored: Vec<Stored> = identifiers(&rows)
            .into_iter()
            .map(|identifier| match identifier.canonical() {
                "hit" => Stored::Hit,
                "miss" => Stored::Miss,
                "doubt" => Stored::Open,
                "old" => Stored::Again,
                _ => Stored::Nothing,
            })
            .collect();
        let expected = Summary {
            rows: 10,
            duplicates: 1,
            from_store: 5,
            open: 2,
            bought_again: 1,
            lookups_least: 2,
            lookups_most: 2,
            rounds: 1,
            credits_most: 2,
            ..Summary::default()
        };
        assert_eq!(summarize(&rows, &[], &stored), expected);
    }

    #[test]
    fn a_row_that_stands_for_several_counts_as_these() {
        let list = |texts: &[&str]| {
            let alternatives = (0..).zip(texts).map(|(place, text)| (place, email(text))).collect();
            Row::Preference(Box::new(Preference { first: 0, alternatives }))
        };
        let distinct = [
            Row::Missing,
            Row::Invalid(0, Invalid::Unrecognised),
            Row::One(email("hit")),
            Row::One(email("doubt")),
            Row::One(email("new")),
            Row::One(email("often")),
            list(&["new", "last"]),
        ];
        let counts = [3, 2, 4, 5, 1, 30, 2];
        let stored = |rows: &[Row]| -> Vec<Stored> {
            let stored = identifiers(rows).into_iter().map(|identifier| match identifier.canonical() {
                "hit" => Stored::Hit,
                "doubt" => Stored::Open,
                _ => Stored::Nothing,
            });
            stored.collect()
        };
        let all: Vec<Row> = (distinct.iter().zip(counts))
            .flat_map(|(row, count)| std::iter::repeat_n(row.clone(), usize::try_from(count).unwrap()))
            .collect();
        let mut summary = summarize(&distinct, &counts, &stored(&distinct));
        let mut expected = summarize(&all, &[], &stored(&all));
        assert_eq!((summary.credits_most, expected.credits_most), (2, 2));
        // The number of a row is that in the given list.
        assert_eq!((summary.suspects[0].row, expected.suspects[0].row), (5, 15));
        assert_eq!((summary.suspects[0].rows, summary.rows), (30, 47));
        (summary.suspects, expected.suspects) = (Vec::new(), Vec::new());
        assert_eq!(summary, expected);
    }

    #[test]
    fn one_identifier_in_many_rows_is_suspicious() {
        let mut rows = vec![Row::One(email("real@x.example"))];
        rows.extend(std::iter::repeat_n(Row::One(email("none@x.example")), 30));
        let suspect = Suspect { row: 1, field_type: FieldType::Email, rows: 30 };
        assert_eq!(summarize(&rows, &[], &[]).suspects, [suspect]);
    }
}
