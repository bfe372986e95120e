//! Replies in order and out of order, cut short, and with wrong counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::borrow::Cow;

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
    let settled = settle(&asked(&["a", "b", "c"]), reply(vec![found("c"), absent("a"), found("b")], Some(2)));
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
    let settled =
        settle(&asked(&["a", "b"]), reply(vec![found("a"), found("x"), found("y"), absent("b")], Some(1)));
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
    // The service enriched it once, unless it says otherwise.
    for (count, credits) in [(Some(1), 1), (Some(2), 2), (None, 1)] {
        let settled = settle(&asked(&["a", "b"]), reply(vec![found("a"), found("a"), absent("b")], count));
        assert_eq!(settled.credits, credits, "{count:?}");
    }
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
    // The rules of identifiers decide what a spelling is. They trim blanks, among other things.
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
fn what_cut_a_reply_short_is_why_its_lookups_are_unknown() {
    let body = Bytes::from_static(br#"{"contacts": [{"value": "a", "enriched_contact": {}}, {"val"#);
    let cut_by = |cut| Reply { status: 200, retry_after: None, body: body.clone(), cut: Some(cut) };
    let settled = settle_reply(&asked(&["a", "b"]), &cut_by(Cut::TimedOut));
    let timed_out = Cut::TimedOut.as_str();
    assert_eq!(settled.outcomes, [Outcome::Hit(Bytes::from_static(b"{}")), unknown(timed_out)]);
    assert_eq!(settled.note, Some(timed_out));
    // Of a damaged reply, no contact is believed.
    let settled = settle_reply(&asked(&["a", "b"]), &cut_by(Cut::Garbled));
    assert_eq!(settled.outcomes, [unknown(Cut::Garbled.as_str()), unknown(Cut::Garbled.as_str())]);
    assert_eq!((settled.credits, settled.in_doubt), (0, 2));
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
    assert_eq!(money(Some(3)), (3, 0, Some(HIGH_COUNT)));
    assert_eq!(money(Some(4)), (1, 2, Some(ABSURD_COUNT)));
    assert_eq!(money(Some(i64::MAX)), (1, 2, Some(ABSURD_COUNT)));
}

#[test]
fn a_count_that_the_contacts_bear_out_is_believed_beyond_the_chunk() {
    let sent = asked(&["a"]);
    let settled = settle(&sent, reply(vec![found("a"), found("x"), absent("y")], Some(3)));
    assert_eq!((settled.credits, settled.in_doubt), (3, 0));
}

/// A list of strings, or of anything else, is no evidence of as many people.
#[test]
fn elements_that_cannot_be_read_count_at_most_once_for_each_lookup() {
    let body = format!(r#"{{"contacts": [{}]"#, vec![r#""garbage""#; 67].join(","));
    let settled = |rest: &str| {
        let body = Bytes::from(format!("{body}{rest}}}"));
        let settled = settle(&asked(&["a"]), decode(&body));
        assert!(matches!(settled.outcomes[..], [Outcome::Unknown(_)]));
        (settled.credits, settled.in_doubt, settled.note)
    };
    assert_eq!(settled(""), (1, 0, Some(NO_COUNT)));
    assert_eq!(settled(r#", "records_enriched": 0"#), (1, 0, Some(LOW_COUNT)));
    assert_eq!(settled(r#", "records_enriched": 1"#), (1, 0, Some(MORE)));
    // Nor do they bear out a count beyond the chunk.
    assert_eq!(settled(r#", "records_enriched": 67"#), (1, 0, Some(ABSURD_COUNT)));

    let sent = asked(&["a", "b", "c"]);
    let credits = |contacts: Vec<Contact<'static>>| settle(&sent, reply(contacts, None)).credits;
    let torn = |_| contact(None, unknown("torn"));
    let worn = |value| contact(Some(value), unknown("worn"));
    let nameless = |_| contact(None, Outcome::Hit(record_of("x")));
    assert_eq!(credits((0..2).map(torn).collect()), 2);
    assert_eq!(credits((0..9).map(torn).collect()), 3);
    assert_eq!(credits((0..9).map(nameless).collect()), 3);
    assert_eq!(credits(["a", "b", "v", "w", "x"].map(worn).into()), 3);
    // People who were not asked for, but are named, cost in full.
    let strangers = ["v", "w", "x", "y"].map(found);
    assert_eq!(credits(strangers.into_iter().chain((0..9).map(torn)).collect()), 7);
}

proptest! {
    /// In a reply that is shuffled, or lacks contacts, or has extra ones, a lookup gets its own
    /// contact or none.
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
        // A contact that repeats another one costs nothing more, and a vague one at most what a lookup costs.
        let found: HashSet<_> = picks.iter().filter(|pick| pick.1 > 2).map(|pick| pick.0).collect();
        let paid = found.len() + picks.iter().filter(|pick| matches!(pick.1, 1 | 2)).count().min(len);
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
