//! The vendor's books: what arrived, and who was billed for what, how often.
//!
//! Compact, because a benchmark bills millions: every identifier's text is kept once, an entry is
//! three numbers.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;

use exactbuyer_core::identifier::FieldType;

use super::fault::Fault;
use super::field_types;

/// One request as it arrived, whatever became of it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Request {
    /// Which one it was: the first is 1.
    pub number: u32,
    /// When its head was read, from the sandbox's start, on a clock that never goes back.
    #[serde(rename = "arrived_s", serialize_with = "as_seconds")]
    pub arrived: Duration,
    /// Its method and path.
    pub target: Box<str>,
    /// The names of its headers, in lower case.
    pub header_names: Arc<[Box<str>]>,
    /// Bytes of body that were read; none where the fault struck before.
    pub body_bytes: u64,
    /// The status it was to be answered with, though the client may have left before; `None` where it
    /// got no answer.
    pub status: Option<u16>,
    /// The bad luck it had.
    pub fault: Option<Fault>,
    /// Lookups it asked for; 0 where it was refused.
    pub lookups: u32,
    /// Credits it was charged.
    pub credits: u32,
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, into: S) -> Result<S::Ok, S::Error> {
    into.serialize_f64(duration.as_secs_f64())
}

impl Request {
    /// Whether it carried a header of that name; give it in lower case.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.header_names.iter().any(|known| &**known == name)
    }
}

/// One lookup of an accepted call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The number of the request that asked.
    pub request: u32,
    /// The field type it asked by.
    pub field_type: FieldType,
    /// The identifier, in the sandbox's folded spelling (lower case, digits only, no scheme): two
    /// spellings of one identifier are one.
    pub value: &'a str,
    /// What it cost: 1 for a match, 0 for none.
    pub credits: u32,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    hash: u64,
    start: usize,
    len: usize,
    field_type: FieldType,
    asked: u32,
    billed: u32,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    request: u32,
    known: u32,
    credits: u32,
}

/// The books, as they stood when they were asked for.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    seed: u64,
    requests: Vec<Request>,
    rows: Vec<Row>,
    known: Vec<Known>,
    index: HashTable<u32>,
    text: String,
    credits: u64,
    in_flight: u32,
    most_in_flight: u32,
    connections: u32,
}

impl Ledger {
    /// Every request, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// Every lookup of every accepted call, in order.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.rows.iter().map(|row| {
            let known = self.known.get(at(row.known));
            Entry {
                request: row.request,
                field_type: known.map_or(FieldType::Email, |known| known.field_type),
                value: known.map_or("", |known| self.text_of(known)),
                credits: row.credits,
            }
        })
    }

    /// All credits charged.
    #[must_use]
    pub const fn credits(&self) -> u64 {
        self.credits
    }

    /// How often this identifier was billed, however it is spelled.
    #[must_use]
    pub fn times_billed(&self, value: &str) -> u32 {
        self.find_inferred(value).map_or(0, |known| known.billed)
    }

    /// How often this identifier was asked for in accepted calls, however it is spelled.
    #[must_use]
    pub fn times_asked(&self, value: &str) -> u32 {
        self.find_inferred(value).map_or(0, |known| known.asked)
    }

    /// Every identifier asked for in accepted calls: field type, folded spelling, times asked, times
    /// billed; in order of first appearance.
    #[must_use]
    pub fn identifiers(&self) -> impl ExactSizeIterator<Item = (FieldType, &str, u32, u32)> {
        self.known.iter().map(|known| (known.field_type, self.text_of(known), known.asked, known.billed))
    }

    /// Most requests that were waiting for their answer at the same time.
    #[must_use]
    pub const fn most_in_flight(&self) -> u32 {
        self.most_in_flight
    }

    /// Connections accepted.
    #[must_use]
    pub const fn connections(&self) -> u32 {
        self.connections
    }

    fn text_of(&self, known: &Known) -> &str {
        self.text.get(known.start..known.start + known.len).unwrap_or_default()
    }

    fn find_inferred(&self, value: &str) -> Option<&Known> {
        let (field_type, folded) = field_types::infer(value);
        let is_it = |known: &Known| known.field_type == field_type && self.text_of(known) == folded;
        let hash = field_types::hash(self.seed, field_type, &folded);
        let nth = self.index.find(hash, |nth| self.known.get(at(*nth)).is_some_and(is_it))?;
        self.known.get(at(*nth))
    }

    /// Empty books; the seed is that of the hashes it will be given.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Notes a request; its number is one more than the last one's.
    pub(super) fn arrive(&mut self, arrived: Duration, target: Box<str>, names: &[&str]) -> u32 {
        let number = u32::try_from(self.requests.len() + 1).unwrap_or(u32::MAX);
        // Most requests carry the same headers as the one before.
        let same = self
            .requests
            .last()
            .filter(|last| names.iter().copied().eq(last.header_names.iter().map(AsRef::as_ref)));
        let header_names = match same {
            Some(last) => Arc::clone(&last.header_names),
            None => names.iter().map(|name| Box::from(*name)).collect(),
        };
        self.requests.push(Request {
            number,
            arrived,
            target,
            header_names,
            body_bytes: 0,
            status: None,
            fault: None,
            lookups: 0,
            credits: 0,
        });
        number
    }

    /// The request of that number, to note more about it.
    pub(super) fn request(&mut self, number: u32) -> Option<&mut Request> {
        self.requests.get_mut(at(number.checked_sub(1)?))
    }

    /// Notes one lookup of an accepted call; `hash` is the identifier's own.
    pub(super) fn look_up(
        &mut self,
        request: u32,
        (field_type, folded, hash): (FieldType, &str, u64),
        found: bool,
    ) {
        let Self { known, index, text, .. } = self;
        let same = |nth: &u32| {
            known.get(at(*nth)).is_some_and(|known| {
                known.hash == hash
                    && known.field_type == field_type
                    && text.get(known.start..known.start + known.len) == Some(folded)
            })
        };
        let nth = index.find(hash, same).copied().unwrap_or_else(|| {
            let nth = u32::try_from(known.len()).unwrap_or(u32::MAX);
            let start = text.len();
            text.push_str(folded);
            known.push(Known { hash, start, len: folded.len(), field_type, asked: 0, billed: 0 });
            index.insert_unique(hash, nth, |nth| known.get(at(*nth)).map_or(0, |known| known.hash));
            nth
        });
        let credits = u32::from(found);
        if let Some(known) = known.get_mut(at(nth)) {
            known.asked += 1;
            known.billed += credits;
        }
        self.rows.push(Row { request, known: nth, credits });
        self.credits += u64::from(credits);
    }

    /// One more request waits for its answer.
    pub(super) fn begin(&mut self) {
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
    }

    /// One less.
    pub(super) fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// One more connection.
    pub(super) fn connect(&mut self) {
        self.connections += 1;
    }

    /// Empty books; requests still waiting stay counted as such.
    pub(super) fn forget(&mut self) {
        *self = Self {
            seed: self.seed,
            in_flight: self.in_flight,
            most_in_flight: self.in_flight,
            ..Self::default()
        };
    }
}

fn at(nth: u32) -> usize {
    usize::try_from(nth).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lookup_is_an_entry_and_every_match_a_credit() {
        let mut ledger = Ledger::new(3);
        let asked = ["a@x.example", "b@x.example", "a@x.example"];
        for (nth, value) in (1_u32..).zip(asked) {
            let hash = field_types::hash(3, FieldType::Email, value);
            ledger.look_up(nth, (FieldType::Email, value, hash), nth != 2);
        }
        let entries: Vec<_> =
            ledger.entries().map(|entry| (entry.request, entry.value, entry.credits)).collect();
        assert_eq!(entries, [(1, "a@x.example", 1), (2, "b@x.example", 0), (3, "a@x.example", 1)]);
        assert_eq!((ledger.times_billed("A@X.example"), ledger.times_asked("b@x.example")), (2, 1));
        assert_eq!((ledger.times_billed("b@x.example"), ledger.times_asked("c@x.example")), (0, 0));
        assert_eq!((ledger.credits(), ledger.identifiers().len()), (2, 2));
    }
}
