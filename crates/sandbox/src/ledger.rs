//! The sandbox's ledger: which requests arrived, which identifiers were looked up, and what was
//! charged for them.
//!
//! It is compact, because a benchmark charges for millions of lookups: the text of each identifier
//! is kept once, and a lookup is three numbers.
//!
//! Three tables: `requests`, one entry for each request that arrived; `known`, one for each identifier; `rows`,
//! one for each lookup, which refers to the other two by number.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;

use exactbuyer_core::identifier::FieldType;

use super::fault::Fault;
use super::field_types;

/// One request as it arrived, whatever its outcome.
///
/// Noted when its head is read, and completed when its reply is decided: until then it has no status and no
/// lookups.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Request {
    /// Its number in order of arrival, from 1.
    pub number: u32,
    /// When its head was read, from the sandbox's start, on a clock that never goes back.
    #[serde(rename = "arrived_s", serialize_with = "as_seconds")]
    pub arrived: Duration,
    /// Its method and path, such as `POST /v1/bulk-enrich`.
    pub target: Box<str>,
    /// The names of its headers, in lower case.
    pub header_names: Arc<[Box<str>]>,
    /// How many bytes of its body were read. 0 if a fault struck before.
    pub body_bytes: u64,
    /// The status of its reply, even if the client had left before. `None` if it got no reply.
    pub status: Option<u16>,
    /// The fault that it met, if any.
    pub fault: Option<Fault>,
    /// How many lookups it asked for. 0 if it was refused.
    pub lookups: u32,
    /// How many credits it was charged.
    pub credits: u32,
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, into: S) -> Result<S::Ok, S::Error> {
    into.serialize_f64(duration.as_secs_f64())
}

#[derive(Debug, Clone, Copy)]
/// An identifier that was looked up, and how often.
///
/// It owns no text: the folded form is in [`Ledger::text`].
struct Known {
    /// With the ledger's seed.
    hash: u64,
    /// The position of its folded form in `text`.
    start: usize,
    len: usize,
    field_type: FieldType,
    /// How often it was looked up in accepted requests.
    asked: u32,
    /// How often it was charged.
    billed: u32,
}

#[derive(Debug, Clone, Copy)]
/// One lookup, as numbers.
///
/// Twelve bytes, so a benchmark with millions of lookups stays small.
struct Row {
    request: u32,
    /// The index of its identifier in [`Ledger::known`].
    known: u32,
    credits: u32,
}

/// The ledger at the moment when it was copied.
///
/// A copy does not follow what happens in the sandbox afterwards.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// That of the sandbox, for the hashes of identifiers.
    seed: u64,
    requests: Vec<Request>,
    /// In the order of the lookups: requests as they were decided, and entries as they were written.
    rows: Vec<Row>,
    /// In the order of their first lookups.
    known: Vec<Known>,
    /// Indices into `known`, by the hash of the identifier.
    index: HashTable<u32>,
    /// The folded forms of all identifiers, one after the other.
    text: String,
    /// The sum over `rows`, kept so that it need not be added up.
    credits: u64,
    /// Requests that wait for their replies at this moment.
    in_flight: u32,
    /// Since the start or the last reset.
    most_in_flight: u32,
    /// Also those on which no request came.
    connections: u32,
}

impl Ledger {
    /// All requests, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// All lookups of accepted requests, in order: the number of the request, the field type, the identifier,
    /// and what it was charged, which is 1 credit for a match and 0 for no match.
    ///
    /// The identifier is in the sandbox's own folded form (lower case, digits only, no scheme). Two spellings of
    /// one identifier have the same form.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (u32, FieldType, &str, u32)> {
        self.rows.iter().map(|row| {
            let known = self.known.get(at(row.known));
            let (field_type, value) =
                known.map_or((FieldType::Email, ""), |known| (known.field_type, self.text_of(known)));
            (row.request, field_type, value, row.credits)
        })
    }

    /// The sum of all credits that were charged.
    #[must_use]
    pub const fn credits(&self) -> u64 {
        self.credits
    }

    /// How many times this identifier was charged. Its spelling does not matter.
    #[must_use]
    pub fn times_billed(&self, field_type: FieldType, value: &str) -> u32 {
        self.find(field_type, value).map_or(0, |known| known.billed)
    }

    /// How many times this identifier was looked up in accepted requests. Its spelling does not
    /// matter.
    #[must_use]
    pub fn times_asked(&self, field_type: FieldType, value: &str) -> u32 {
        self.find(field_type, value).map_or(0, |known| known.asked)
    }

    /// All identifiers that were looked up in accepted requests, in order of their first lookup:
    /// field type, folded form, how often it was looked up, how often it was charged.
    #[must_use]
    pub fn identifiers(&self) -> impl ExactSizeIterator<Item = (FieldType, &str, u32, u32)> {
        self.known.iter().map(|known| (known.field_type, self.text_of(known), known.asked, known.billed))
    }

    /// The largest number of requests that waited for their replies at the same time.
    #[must_use]
    pub const fn most_in_flight(&self) -> u32 {
        self.most_in_flight
    }

    /// The number of connections that were accepted.
    #[must_use]
    pub const fn connections(&self) -> u32 {
        self.connections
    }

    /// Positions always lie within `text`.
    fn text_of(&self, known: &Known) -> &str {
        self.text.get(known.start..known.start + known.len).unwrap_or_default()
    }

    /// An identifier, in any spelling. `None` if it was never looked up.
    fn find(&self, field_type: FieldType, value: &str) -> Option<&Known> {
        let folded = field_types::folded(field_type, value);
        let is_it = |known: &Known| known.field_type == field_type && self.text_of(known) == folded;
        let hash = field_types::hash(self.seed, field_type, &folded);
        let nth = self.index.find(hash, |nth| self.known.get(at(*nth)).is_some_and(is_it))?;
        self.known.get(at(*nth))
    }

    /// An empty ledger. `seed` is the seed of the hashes that it will get.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Adds a request and returns its number, which is one more than the last one.
    pub(super) fn arrive(&mut self, arrived: Duration, target: Box<str>, names: &[&str]) -> u32 {
        let number = u32::try_from(self.requests.len() + 1).unwrap_or(u32::MAX);
        // Most requests have the same headers as the one before.
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

    /// The request with this number, so that more can be noted about it.
    pub(super) fn request(&mut self, number: u32) -> Option<&mut Request> {
        self.requests.get_mut(at(number.checked_sub(1)?))
    }

    /// Adds one lookup of an accepted request. `hash` is the hash of its identifier.
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

    /// Counts one more request that waits for its reply.
    pub(super) fn begin(&mut self) {
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
    }

    /// Counts one request less.
    pub(super) fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Counts one more connection.
    pub(super) fn connect(&mut self) {
        self.connections += 1;
    }

    /// Empties the ledger. Requests that still wait for their replies remain counted as waiting.
    pub(super) fn forget(&mut self) {
        *self = Self {
            seed: self.seed,
            in_flight: self.in_flight,
            most_in_flight: self.in_flight,
            ..Self::default()
        };
    }
}

/// Numbers of the ledger are 32 bits, indices are as wide as the machine.
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
            ledger.entries().map(|(request, _, value, credits)| (request, value, credits)).collect();
        assert_eq!(entries, [(1, "a@x.example", 1), (2, "b@x.example", 0), (3, "a@x.example", 1)]);
        let times = |value| {
            let email = FieldType::Email;
            (ledger.times_billed(email, value), ledger.times_asked(email, value))
        };
        assert_eq!(["A@X.example", "b@x.example", "c@x.example"].map(times), [(2, 2), (0, 1), (0, 0)]);
        assert_eq!((ledger.credits(), ledger.identifiers().len()), (2, 2));
    }
}
