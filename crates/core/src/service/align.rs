//! Which lookup each contact of a reply answers, and what the call cost. Pure.
//!
//! The vendor promises the order of the query and repeats each `value`; where the two disagree,
//! the value decides as far as it is unambiguous, and what cannot be told stays unknown: a record
//! is never given to a row that it may not belong to. A contact that does not say which query it
//! answers is therefore nobody's, even where its place would fit: whether the order held is just
//! what could not be checked.

use std::collections::HashMap;

use crate::identifier::{FieldType, Identifier, Rules, identify};
use crate::outcome::Outcome;

use super::decode::{Contact, Decoded};

/// A billed call, settled.
#[derive(Debug)]
pub struct Settlement {
    /// What became of each lookup, in the order they were sent: a hit, a miss, or unknown.
    pub outcomes: Vec<Outcome>,
    /// Credits known to be charged: the larger of `records_enriched` and the contacts that are not
    /// null.
    pub credits: u32,
    /// Credits that may have been charged on top: where `records_enriched` is absent or absurd, up
    /// to the whole chunk.
    pub in_doubt: u32,
    /// What did not fit, in words, for the log and the receipt.
    pub note: Option<&'static str>,
}

const NO_CONTACT: &str = "the answer holds no contact for it";
const NAMELESS: &str = "the contact in its place does not say which query it answers";
const AMBIGUOUS: &str = "the answer holds several contacts for it that differ";
const SHARED: &str = "the contact fits more than one query of the request";

const NO_COUNT: &str = "the answer has no usable records_enriched: the whole request counts as charged";
const ABSURD_COUNT: &str = "records_enriched is more than was asked for: the whole request counts as charged";
const LOW_COUNT: &str = "the answer holds more contacts than records_enriched says: the larger counts";
const FEWER: &str = "the answer has fewer contacts than were asked for";
const MORE: &str = "the answer has more contacts than were asked for";
const REORDERED: &str = "the answer's contacts are not in the order of the request";
const NAMELESS_SOME: &str = "some contacts do not say which query they answer, or cannot be read";

/// Settles what was sent against what came back.
///
/// `sent` holds no lookup twice; the plan sees to that.
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

/// Whether each contact stands in its query's place and says so: the usual case, told without a
/// table.
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

/// The places of the queries, by what the reply may call them.
struct Index<'a> {
    /// Several where a text was asked for under several field types.
    by_text: HashMap<&'a str, Vec<usize>>,
    by_identifier: HashMap<&'a Identifier, usize>,
    rules: Rules,
}

impl<'a> Index<'a> {
    fn new(sent: &'a [Identifier]) -> Self {
        let mut by_text: HashMap<&str, Vec<usize>> = HashMap::with_capacity(sent.len());
        for (place, asked) in sent.iter().enumerate() {
            by_text.entry(asked.canonical()).or_default().push(place);
        }
        let by_identifier = sent.iter().enumerate().map(|(place, asked)| (asked, place)).collect();
        Self { by_text, by_identifier, rules: Rules::default() }
    }

    /// The queries that this value may be: the one spelled just so; else those whose canonical form
    /// it has, since the vendor may repeat a query in a spelling of its own.
    fn find(&self, value: &str) -> Vec<usize> {
        if let Some(places) = self.by_text.get(value) {
            return places.clone();
        }
        let mut places = Vec::new();
        for field_type in [FieldType::Email, FieldType::Phone, FieldType::SocialProfile] {
            if let Ok(identifier) = identify(value, Some(field_type), &self.rules)
                && let Some(&place) = self.by_identifier.get(&identifier)
            {
                places.push(place);
            }
        }
        places
    }
}

/// What a reply cost: known credits, credits in doubt, and what is odd about it.
///
/// A count above both what was asked and what was delivered is not a count of records. It is
/// neither believed (a stray timestamp would stop the run as if the money were gone) nor cut down
/// in silence: the whole chunk counts as charged or in doubt, and the note says why. Contacts that
/// nobody asked for were enriched all the same, so they count even beyond the chunk.
fn charged(asked: usize, decoded: &Decoded<'_>) -> (u32, u32, Option<&'static str>) {
    let delivered = decoded.contacts.iter().filter(|contact| contact.outcome != Outcome::Miss).count();
    let most = asked.max(decoded.contacts.len());
    let said = decoded.records_enriched.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    let (credits, in_doubt, note) = match said {
        Some(count) if count <= most => (count.max(delivered), 0, (count < delivered).then_some(LOW_COUNT)),
        Some(_) => (delivered, asked.saturating_sub(delivered), Some(ABSURD_COUNT)),
        None => (delivered, asked.saturating_sub(delivered), Some(NO_COUNT)),
    };
    let narrow = |credits: usize| u32::try_from(credits).unwrap_or(u32::MAX);
    (narrow(credits), narrow(in_doubt), note)
}

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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

    use std::borrow::Cow;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn asked(values: &[&str]) -> Vec<Identifier> {
        values.iter().map(|&value| Identifier::from_canonical(FieldType::Email, value)).collect()
    }

    fn contact(value: Option<&str>, outcome: Outcome) -> Contact<'static> {
        Contact { value: value.map(|value| Cow::Owned(value.to_owned())), outcome }
    }

    fn found(value: &str) -> Contact<'static> {
        contact(Some(value), Outcome::Hit(record_of(value)))
    }

    fn absent(value: &str) -> Contact<'static> {
        contact(Some(value), Outcome::Miss)
    }

    fn record_of(value: &str) -> Bytes {
        Bytes::from(format!(r#"{{"id":"{value}"}}"#))
    }

    fn unknown(reason: &str) -> Outcome {
        Outcome::Unknown(reason.into())
    }

    fn hit(value: &str) -> Outcome {
        Outcome::Hit(record_of(value))
    }

    fn reply(contacts: Vec<Contact<'static>>, count: Option<i64>) -> Decoded<'static> {
        Decoded { contacts, records_enriched: count, trouble: None }
    }

    #[test]
    fn what_fits_is_given_out_in_order() {
        let settled = settle(
            &asked(&["a@x.example", "b@x.example"]),
            reply(vec![found("a@x.example"), absent("b@x.example")], Some(1)),
        );
        assert_eq!(settled.outcomes, [hit("a@x.example"), Outcome::Miss]);
        assert_eq!((settled.credits, settled.in_doubt, settled.note), (1, 0, None));
    }

    #[test]
    fn nothing_asked_is_nothing_owed() {
        let settled = settle(&[], reply(vec![], None));
        assert_eq!((settled.outcomes.len(), settled.credits, settled.in_doubt), (0, 0, 0));
    }

    #[test]
    fn reordered_contacts_find_their_lookups() {
        let settled =
            settle(&asked(&["a", "b", "c"]), reply(vec![found("c"), absent("a"), found("b")], Some(2)));
        assert_eq!(settled.outcomes, [Outcome::Miss, hit("b"), hit("c")]);
        assert_eq!((settled.credits, settled.in_doubt, settled.note), (2, 0, Some(REORDERED)));
    }

    #[test]
    fn a_lookup_without_a_contact_is_unknown() {
        let settled = settle(&asked(&["a", "b", "c"]), reply(vec![found("a"), found("c")], Some(3)));
        assert_eq!(settled.outcomes, [hit("a"), unknown(NO_CONTACT), hit("c")]);
        assert_eq!((settled.credits, settled.in_doubt, settled.note), (3, 0, Some(FEWER)));
    }

    #[test]
    fn foreign_contacts_are_nobodys_but_cost() {
        let settled = settle(
            &asked(&["a", "b"]),
            reply(vec![found("a"), found("x"), found("y"), absent("b")], Some(1)),
        );
        assert_eq!(settled.outcomes, [hit("a"), Outcome::Miss]);
        assert_eq!((settled.credits, settled.in_doubt, settled.note), (3, 0, Some(LOW_COUNT)));

        let swapped = settle(&asked(&["a", "b"]), reply(vec![found("a"), found("x")], Some(2)));
        assert_eq!(swapped.outcomes, [hit("a"), unknown(NO_CONTACT)]);
    }

    #[test]
    fn a_value_that_comes_twice_must_say_the_same_twice() {
        let same = settle(&asked(&["a", "b"]), reply(vec![found("a"), found("a"), absent("b")], Some(2)));
        assert_eq!(same.outcomes, [hit("a"), Outcome::Miss]);
        assert_eq!(same.note, Some(MORE));
        let other = contact(Some("a"), Outcome::Hit(Bytes::from_static(b"{}")));
        let settled = settle(&asked(&["a", "b"]), reply(vec![found("a"), other, absent("b")], Some(2)));
        assert_eq!(settled.outcomes, [unknown(AMBIGUOUS), Outcome::Miss]);
        let settled = settle(&asked(&["a", "b"]), reply(vec![found("a"), absent("a"), found("a")], Some(2)));
        assert_eq!(settled.outcomes, [unknown(AMBIGUOUS), unknown(NO_CONTACT)]);
    }

    #[test]
    fn a_contact_that_names_no_query_is_nobodys() {
        let nameless = contact(None, Outcome::Hit(record_of("b")));
        let settled = settle(&asked(&["a", "b"]), reply(vec![found("a"), nameless], Some(2)));
        assert_eq!(settled.outcomes, [hit("a"), unknown(NAMELESS)]);
        assert_eq!((settled.credits, settled.note), (2, Some(NAMELESS_SOME)));
    }

    #[test]
    fn a_broken_record_is_unknown_and_counted() {
        let broken = contact(Some("b"), unknown("worn"));
        let lost = contact(None, unknown("torn"));
        let settled = settle(&asked(&["a", "b", "c"]), reply(vec![found("a"), broken, lost], Some(1)));
        assert_eq!(settled.outcomes, [hit("a"), unknown("worn"), unknown("torn")]);
        assert_eq!(settled.credits, 3);
    }

    #[test]
    fn a_spelling_of_the_vendors_own_is_recognised() {
        // The identifier's own rules say what a spelling is; trimming is one that stays.
        let settled = settle(
            &asked(&["a@x.example", "b@x.example"]),
            reply(vec![contact(Some(" b@x.example "), Outcome::Miss), found("a@x.example")], Some(1)),
        );
        assert_eq!(settled.outcomes, [hit("a@x.example"), Outcome::Miss]);
    }

    #[test]
    fn one_text_under_two_field_types_is_told_apart_by_place_only() {
        let both = [
            Identifier::from_canonical(FieldType::Email, "a"),
            Identifier::from_canonical(FieldType::SocialProfile, "a"),
        ];
        let in_place = settle(&both, reply(vec![found("a"), absent("a")], Some(1)));
        assert_eq!(in_place.outcomes, [hit("a"), Outcome::Miss]);
        let one = settle(&both, reply(vec![found("a")], Some(1)));
        assert_eq!(one.outcomes, [unknown(SHARED), unknown(SHARED)]);
    }

    #[test]
    fn a_broken_off_answer_says_so() {
        let mut cut = reply(vec![found("a")], None);
        cut.trouble = Some("cut");
        let settled = settle(&asked(&["a", "b", "c"]), cut);
        assert_eq!(settled.outcomes, [hit("a"), unknown("cut"), unknown("cut")]);
        assert_eq!((settled.credits, settled.in_doubt, settled.note), (1, 2, Some("cut")));
    }

    #[test]
    fn an_absent_or_absurd_count_puts_the_whole_chunk_in_doubt() {
        let sent = asked(&["a", "b", "c"]);
        let money = |count| {
            let settled = settle(&sent, reply(vec![found("a"), absent("b"), absent("c")], count));
            (settled.credits, settled.in_doubt, settled.note)
        };
        assert_eq!(money(None), (1, 2, Some(NO_COUNT)));
        assert_eq!(money(Some(0)), (1, 0, Some(LOW_COUNT)));
        assert_eq!(money(Some(1)), (1, 0, None));
        assert_eq!(money(Some(3)), (3, 0, None));
        assert_eq!(money(Some(4)), (1, 2, Some(ABSURD_COUNT)));
        assert_eq!(money(Some(i64::MAX)), (1, 2, Some(ABSURD_COUNT)));
    }

    #[test]
    fn a_count_that_the_contacts_bear_out_is_believed_beyond_the_chunk() {
        let sent = asked(&["a"]);
        let settled = settle(&sent, reply(vec![found("a"), found("x"), absent("y")], Some(3)));
        assert_eq!((settled.credits, settled.in_doubt), (3, 0));
    }

    proptest! {
        /// However a reply is shuffled, thinned and padded: a lookup gets its own record, or none.
        #[test]
        fn nobody_gets_a_strangers_record(
            len in 1_usize..12,
            picks in prop::collection::vec((0_usize..16, 0_u8..6), 0..16),
            count in prop::option::of(-1_i64..20),
        ) {
            let names: Vec<String> = (0..16).map(|n| format!("p{n}@x.example")).collect();
            let sent = asked(&names.iter().take(len).map(String::as_str).collect::<Vec<_>>());
            let contacts: Vec<_> = picks.iter().map(|&(who, what)| match what {
                0 => absent(&names[who]),
                1 => contact(None, Outcome::Hit(record_of(&names[who]))),
                2 => contact(Some(&names[who]), unknown("broken")),
                _ => found(&names[who]),
            }).collect();
            let paid = contacts.iter().filter(|contact| contact.outcome != Outcome::Miss).count();
            let settled = settle(&sent, reply(contacts, count));
            prop_assert_eq!(settled.outcomes.len(), len);
            for (name, answer) in names.iter().zip(&settled.outcomes) {
                let theirs: Vec<u8> = picks.iter().filter(|pick| names[pick.0] == *name && pick.1 != 1)
                    .map(|pick| pick.1.min(3)).collect();
                match answer {
                    Outcome::Hit(raw) => {
                        prop_assert_eq!(raw, &record_of(name));
                        prop_assert!(theirs.iter().all(|&what| what == 3));
                    }
                    Outcome::Miss => prop_assert!(!theirs.is_empty() && theirs.iter().all(|&what| what == 0)),
                    Outcome::Unknown(reason) => prop_assert!(!reason.is_empty()),
                    other => prop_assert!(false, "no reply says so: {other:?}"),
                }
            }
            prop_assert!(settled.credits as usize >= paid);
            prop_assert!((settled.credits + settled.in_doubt) as usize <= len.max(picks.len()));
        }
    }
}
