//! Finds the lookup that each contact of a reply answers, and the cost of the request. Pure.
//!
//! The service documents that the contacts come in the order of the query and that each repeats its
//! `value`. If the two disagree, the value decides, as long as it is unambiguous. Everything else
//! stays unknown, because a contact must never be given to a row that it may not belong to.
//!
//! So a contact without a `value` is given to no row, even if its position would fit: without the
//! values, nothing shows that the order was kept.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use crate::identifier::{FieldType, Identifier, Rules, identify};
use crate::outcome::Outcome;

use super::decode::{Contact, Decoded, decode};
use super::transport::{Cut, Reply};

/// The result of a request that was charged: its answers and its cost.
#[derive(Debug)]
pub struct Settlement {
    /// The outcome of each lookup, in the order in which they were sent: a hit, a miss, or unknown.
    pub outcomes: Vec<Outcome>,
    /// Credits known to be charged: the larger of `records_enriched` and the contacts that are not
    /// null, each counted once. Of elements that cannot be read, at most one for each lookup counts.
    pub credits: u32,
    /// Credits that may have been charged in addition. If `records_enriched` is missing or absurd,
    /// this is up to the rest of the chunk.
    pub in_doubt: u32,
    /// What was wrong with the reply, in words, for the log and the receipt.
    pub note: Option<&'static str>,
}

/// Why a lookup stays unknown: the texts from here on are the reasons of its rows.
const NO_CONTACT: &str = "the answer holds no contact for it";
const NAMELESS: &str = "the contact in its place does not say which query it answers";
const AMBIGUOUS: &str = "the answer holds several contacts for it that differ";
const SHARED: &str = "the contact fits more than one query of the request";

/// What was wrong with a reply as a whole. The receipt counts the replies that had each of these.
const NO_COUNT: &str = "the answer has no usable records_enriched: the whole request counts as charged";
const ABSURD_COUNT: &str = "records_enriched is more than was asked for: the whole request counts as charged";
const LOW_COUNT: &str = "the answer holds more contacts than records_enriched says: the larger counts";
const HIGH_COUNT: &str =
    "records_enriched is larger than the number of contacts in the answer: the larger counts";
const FEWER: &str = "the answer has fewer contacts than were asked for";
const MORE: &str = "the answer has more contacts than were asked for";
const REORDERED: &str = "the answer's contacts are not in the order of the request";
const NAMELESS_SOME: &str = "some contacts do not say which query they answer, or cannot be read";

/// Reads a reply that was charged, and compares it with the lookups that were sent.
#[must_use]
pub fn settle_reply(sent: &[Identifier], reply: &Reply) -> Settlement {
    let nothing = Bytes::new();
    // Compression is checked at its end only: if the check fails, any byte before may be wrong, and a damaged contact
    // may look like a sound one.
    let readable = if reply.cut == Some(Cut::Garbled) { &nothing } else { &reply.body };
    let mut settlement = settle(sent, decode(readable));
    // What cut the body short says more than where it breaks off.
    if let Some(cut) = reply.cut {
        settlement.note = Some(cut.as_str());
        for outcome in &mut settlement.outcomes {
            if let Outcome::Unknown(why) = outcome {
                *why = cut.as_str().into();
            }
        }
    }
    settlement
}

/// Compares the lookups that were sent with the reply to them.
///
/// `sent` must not contain a lookup twice; the plan ensures this. The sum of `credits` and
/// `in_doubt` is never less than the contacts that were delivered.
#[must_use]
pub fn settle(sent: &[Identifier], decoded: Decoded<'_>) -> Settlement {
    let in_order = in_order(sent, &decoded);
    let (credits, in_doubt, money) = charged(sent.len(), &decoded);
    let note = decoded.trouble.or(money).or_else(|| (!in_order).then(|| misfit(sent, &decoded)));
    let outcomes = if in_order {
        decoded.contacts.into_iter().map(|contact| contact.outcome).collect()
    } else {
        by_value(sent, &decoded)
    };
    Settlement { outcomes, credits, in_doubt, note }
}

/// Whether each contact stands in the position of its query and repeats its value. This is the
/// usual case, and it needs no hash table.
fn in_order(sent: &[Identifier], decoded: &Decoded<'_>) -> bool {
    sent.len() == decoded.contacts.len()
        && sent
            .iter()
            .zip(&decoded.contacts)
            .all(|(asked, contact)| contact.value.as_deref() == Some(asked.canonical()))
}

/// Gives each lookup the one contact that names it.
fn by_value(sent: &[Identifier], decoded: &Decoded<'_>) -> Vec<Outcome> {
    let unknown = |reason: &str| Outcome::Unknown(reason.into());
    let index = Index::new(sent);
    let mut outcomes: Vec<Option<Outcome>> = vec![None; sent.len()];
    for contact in &decoded.contacts {
        let Some(value) = contact.value.as_deref() else { continue };
        let places = index.find(value);
        for &place in &places {
            let Some(slot) = outcomes.get_mut(place) else { continue };
            let outcome = if places.len() > 1 { unknown(SHARED) } else { contact.outcome.clone() };
            *slot = Some(match slot.take() {
                // The same contact twice is still one outcome; two different ones are none.
                Some(before) if before != outcome => unknown(AMBIGUOUS),
                _ => outcome,
            });
        }
    }
    let same_count = sent.len() == decoded.contacts.len();
    let unanswered = |place: usize| match decoded.contacts.get(place) {
        _ if !same_count => unknown(decoded.trouble.unwrap_or(NO_CONTACT)),
        Some(Contact { value: None, outcome: Outcome::Unknown(reason) }) => Outcome::Unknown(reason.clone()),
        Some(Contact { value: None, .. }) => unknown(NAMELESS),
        _ => unknown(NO_CONTACT),
    };
    (0..).zip(outcomes).map(|(place, outcome)| outcome.unwrap_or_else(|| unanswered(place))).collect()
}

/// The positions of the queries, by the values that the reply may repeat.
struct Index<'a> {
    /// Several positions if the same text was sent under several field types.
    by_text: HashMap<&'a str, Vec<usize>>,
    /// For values that the service repeats in a spelling of its own.
    by_identifier: HashMap<&'a Identifier, usize>,
}

impl<'a> Index<'a> {
    fn new(sent: &'a [Identifier]) -> Self {
        let mut by_text: HashMap<&str, Vec<usize>> = HashMap::with_capacity(sent.len());
        for (place, asked) in sent.iter().enumerate() {
            by_text.entry(asked.canonical()).or_default().push(place);
        }
        let by_identifier = sent.iter().enumerate().map(|(place, asked)| (asked, place)).collect();
        Self { by_text, by_identifier }
    }

    /// The positions of the queries that this value may belong to: those with exactly this text; if
    /// there are none, those with this canonical form. The service may repeat a query in a spelling
    /// of its own.
    fn find(&self, value: &str) -> Vec<usize> {
        if let Some(places) = self.by_text.get(value) {
            return places.clone();
        }
        let rules = Rules::default();
        let mut places = Vec::new();
        for field_type in FieldType::ALL {
            if let Ok(identifier) = identify(value, Some(field_type), &rules)
                && let Some(&place) = self.by_identifier.get(&identifier)
            {
                places.push(place);
            }
        }
        places
    }
}

/// The cost of a request: the known credits, the credits in doubt, and what is wrong with the
/// count.
///
/// A count that is larger than both the lookups sent and the contacts delivered is not a count of
/// contacts. It is not believed: a stray timestamp would stop the run as if all credits were spent.
/// Nor is it silently reduced: the whole chunk counts as charged or in doubt, and the note says why.
/// Contacts that were not asked for also count, even beyond the chunk, because the service enriched
/// them. A contact that is delivered twice was enriched once. Elements that cannot be read, or name
/// nobody, show nothing but that something was delivered: together they count at most once for each
/// lookup.
fn charged(asked: usize, decoded: &Decoded<'_>) -> (u32, u32, Option<&'static str>) {
    let contacts = &decoded.contacts;
    let vague = contacts.iter().filter(|contact| is_vague(contact)).count();
    let most = asked.max(contacts.len() - vague + vague.min(asked));
    let said = decoded.records_enriched.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    let delivered = contacts.iter().filter(|contact| contact.outcome != Outcome::Miss).count();
    // Usually the two counts agree, and no contacts are compared.
    let delivered =
        if vague == 0 && said == Some(delivered) { delivered } else { different(asked, contacts) };
    let (credits, in_doubt, note) = match said {
        Some(count) if count <= most => {
            let note = match count.cmp(&delivered) {
                Ordering::Less => Some(LOW_COUNT),
                Ordering::Equal => None,
                // Contacts that are missing explain it, and have a note of their own.
                Ordering::Greater => (contacts.len() >= asked).then_some(HIGH_COUNT),
            };
            (count.max(delivered), 0, note)
        }
        Some(_) => (delivered, asked.saturating_sub(delivered), Some(ABSURD_COUNT)),
        None => (delivered, asked.saturating_sub(delivered), Some(NO_COUNT)),
    };
    let narrow = |credits: usize| u32::try_from(credits).unwrap_or(u32::MAX);
    (narrow(credits), narrow(in_doubt), note)
}

/// How many contacts are not null and do not repeat another one of the same query. Of those that are vague, at most
/// one for each lookup counts.
fn different(asked: usize, contacts: &[Contact<'_>]) -> usize {
    let (mut named, mut others) = (HashSet::new(), 0);
    for contact in contacts {
        match (contact.value.as_deref(), &contact.outcome) {
            (_, Outcome::Miss) => {}
            (Some(value), Outcome::Hit(record)) => {
                named.insert((value, record));
            }
            _ => others += 1,
        }
    }
    named.len() + asked.min(others)
}

/// Whether an element of the list cannot be read, or does not say which query it answers.
fn is_vague(contact: &Contact<'_>) -> bool {
    contact.value.is_none() || matches!(contact.outcome, Outcome::Unknown(_))
}

/// The note on a reply whose contacts do not stand in the order of the request.
fn misfit(sent: &[Identifier], decoded: &Decoded<'_>) -> &'static str {
    if decoded.contacts.len() < sent.len() {
        FEWER
    } else if decoded.contacts.len() > sent.len() {
        MORE
    } else if decoded.contacts.iter().any(|contact| contact.value.is_none()) {
        NAMELESS_SOME
    } else {
        REORDERED
    }
}

#[cfg(test)]
mod tests;
