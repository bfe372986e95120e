//! The table, step by step: rows come, lookups are sent and settled.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use bytes::Bytes;

use super::*;
use crate::identifier::FieldType;
use crate::plan::Preference;

fn email(text: &str) -> Identifier {
    Identifier::from_canonical(FieldType::Email, text)
}

fn list(texts: &[&str]) -> Row {
    let alternatives = (0..).zip(texts).map(|(place, text)| (place, email(text))).collect();
    Row::Preference(Box::new(Preference { first: 0, alternatives }))
}

fn admit(table: &mut Table, rows: Vec<Row>) -> Vec<RowOutcome> {
    let (mut fresh, mut out, from) = (Vec::new(), Vec::new(), table.rows());
    for row in rows {
        table.admit(row, &mut fresh, &mut out);
    }
    table.activate(from, &mut out);
    out
}

fn hit() -> Outcome {
    Outcome::Hit(Bytes::from_static(b"{}"))
}

fn brief(out: &[RowOutcome]) -> Vec<(u64, Status, u32, Source)> {
    out.iter().map(|outcome| (outcome.row, outcome.status, outcome.alternative, outcome.source)).collect()
}

#[test]
fn a_lookup_is_asked_once_and_answers_every_row() {
    let mut table = Table::default();
    admit(&mut table, vec![Row::One(email("a")), Row::One(email("b")), Row::One(email("a"))]);
    let ids = table.take(10);
    assert_eq!(ids.len(), 2);
    let mut out = Vec::new();
    table.settle(ids[0], hit(), Source::Asked, &mut out);
    assert_eq!(brief(&out), [(0, Status::Found, 0, Source::Asked), (2, Status::Found, 0, Source::Duplicate)]);
    // The answer is remembered while a row that came after it names it.
    let out = admit(&mut table, vec![Row::One(email("b"))]);
    assert!(out.is_empty());
    let mut out = Vec::new();
    table.settle(ids[1], Outcome::Miss, Source::Asked, &mut out);
    assert_eq!(
        brief(&out),
        [(1, Status::NotFound, 0, Source::Asked), (3, Status::NotFound, 0, Source::Duplicate)]
    );
    assert_eq!((table.open(), table.rows()), (0, 4));
    // While more rows may come, an answer is remembered.
    let out = admit(&mut table, vec![Row::One(email("a"))]);
    assert_eq!(brief(&out), [(4, Status::Found, 0, Source::Duplicate)]);
    table.seal();
    assert!(table.lookups.is_empty() && table.rows.is_empty());
}

#[test]
fn a_list_row_asks_for_the_second_only_after_the_first_missed() {
    let mut table = Table::default();
    admit(&mut table, vec![list(&["a", "b", "c"]), Row::One(email("z"))]);
    let mut out = Vec::new();
    let ids = table.take(10);
    assert_eq!(ids.len(), 2);
    assert!(table.may_refill(&ids));
    assert!(!table.may_refill(&ids[1..]));
    table.settle(ids[0], Outcome::Miss, Source::Asked, &mut out);
    let ids = table.take(10);
    assert_eq!(table.identifier(ids[0]).unwrap().canonical(), "b");
    table.settle(ids[0], hit(), Source::Asked, &mut out);
    assert_eq!(brief(&out), [(0, Status::Found, 1, Source::Asked)]);
    assert_eq!(table.queued(), 0);
}

#[test]
fn rejected_alternatives_are_skipped_and_doubt_ends_the_paying() {
    let mut table = Table::default();
    admit(&mut table, vec![list(&["a", "b"]), list(&["c", "d"]), list(&["e"])]);
    let ids = table.take(10);
    let mut out = Vec::new();
    table.settle(ids[0], Outcome::Rejected("bad".into()), Source::Asked, &mut out);
    table.settle(ids[1], Outcome::Unknown("lost".into()), Source::Asked, &mut out);
    table.settle(ids[2], Outcome::Rejected("bad".into()), Source::Asked, &mut out);
    let ids = table.take(10);
    assert_eq!(ids.len(), 1);
    table.settle(ids[0], Outcome::Miss, Source::Asked, &mut out);
    let statuses: Vec<_> = out.iter().map(|outcome| (outcome.row, outcome.status)).collect();
    assert_eq!(statuses, [(1, Status::Unknown), (2, Status::Rejected), (0, Status::NotFound)]);
}

#[test]
fn a_stored_hit_of_any_alternative_is_used_before_anything_is_sent() {
    let mut table = Table::default();
    let (mut fresh, mut out) = (Vec::new(), Vec::new());
    table.admit(list(&["a", "b"]), &mut fresh, &mut out);
    table.know(fresh[1], hit(), Source::Store);
    table.activate(0, &mut out);
    assert_eq!(brief(&out), [(0, Status::Found, 1, Source::Store)]);
    assert_eq!(table.queued(), 0);
}

#[test]
fn what_somebody_else_asks_for_is_awaited_once_a_row_comes_to_it() {
    let mut table = Table::default();
    let (mut fresh, mut out) = (Vec::new(), Vec::new());
    for row in [list(&["ana", "bob"]), list(&["carla", "dora"]), Row::One(email("eve"))] {
        table.admit(row, &mut fresh, &mut out);
    }
    let [ana, bob, carla, dora, eve] = fresh[..] else { unreachable!("five people") };
    for id in [bob, dora, eve] {
        table.hold(id);
    }
    table.activate(0, &mut out);
    table.seal();
    assert_eq!(table.take_awaited(), [eve]);
    assert_eq!(table.take(10), [ana, carla]);
    // The first row has ended, and no row names Bob any more.
    table.settle(ana, hit(), Source::Asked, &mut out);
    assert_eq!(table.identifier(bob), None);
    assert!(table.take_awaited().is_empty());
    table.settle(carla, Outcome::Miss, Source::Asked, &mut out);
    assert_eq!((table.take_awaited(), table.queued()), (vec![dora], 0));
    for id in [dora, eve] {
        table.settle(id, hit(), Source::Duplicate, &mut out);
    }
    let found = [(0, 0, Source::Asked), (1, 1, Source::Duplicate), (2, 0, Source::Duplicate)];
    assert_eq!(brief(&out), found.map(|(row, place, source)| (row, Status::Found, place, source)));
}

#[test]
fn closed_means_that_nothing_more_is_queued() {
    let mut table = Table::default();
    admit(&mut table, vec![list(&["a", "b"]), Row::One(email("c")), Row::One(email("d"))]);
    let ids = table.take(2);
    let mut out = Vec::new();
    table.close(&Arc::new("enough".into()), &mut out);
    assert_eq!(brief(&out), [(2, Status::NotSent, 0, Source::Asked)]);
    table.settle(ids[0], Outcome::Miss, Source::Asked, &mut out);
    table.put_back(&ids[1..], &mut out);
    let statuses: Vec<_> = out.iter().map(|outcome| (outcome.row, outcome.status)).collect();
    assert_eq!(statuses, [(2, Status::NotSent), (0, Status::NotSent), (1, Status::NotSent)]);
    assert_eq!(table.open(), 0);
}

/// Answers `a` and `between` other rows, each before the next row comes. Returns how many lookups a
/// second `a` needs.
fn again_after(others: u32, foreseen: bool, window: Option<u64>) -> usize {
    let rows = ["a".to_owned()].into_iter().chain((0..others).map(|n| n.to_string())).chain(["a".to_owned()]);
    let rows: Vec<Row> = rows.map(|name| Row::One(email(&name))).collect();
    let mut table = Table::default();
    table.set_window(window);
    if foreseen {
        table.foresee(rows.iter());
    }
    let mut asked = 0;
    for row in rows {
        admit(&mut table, vec![row]);
        for id in table.take(1) {
            asked += 1;
            table.settle(id, hit(), Source::Asked, &mut Vec::new());
        }
    }
    table.seal();
    assert!(table.lookups.is_empty());
    asked - 1 - others as usize
}

#[test]
fn foreseen_rows_are_asked_for_once_and_a_stream_forgets_outside_its_window() {
    assert_eq!(again_after(99_990, false, None), 0);
    assert_eq!(again_after(100_010, false, None), 1);
    assert_eq!(again_after(100_010, true, None), 0);
    for (others, times) in [(0, 0), (9, 0), (10, 1)] {
        assert_eq!(again_after(others, false, Some(10)), times, "{others}");
    }
}

#[test]
fn only_answers_that_later_foreseen_rows_need_are_kept() {
    let mut table = Table::default();
    let rows = |names: &[&str]| names.iter().map(|name| Row::One(email(name))).collect::<Vec<_>>();
    let (first, then) = (rows(&["once", "twice", "thrice", "miss"]), rows(&["thrice", "miss", "twice"]));
    let listed = list(&["thrice", "once more", "thrice"]);
    table.foresee(first.iter().chain(&then).chain([&listed]));
    admit(&mut table, first);
    for id in table.take(10) {
        let outcome = if *table.identifier(id).unwrap() == email("miss") { Outcome::Miss } else { hit() };
        table.settle(id, outcome, Source::Asked, &mut Vec::new());
    }
    assert_eq!(table.lookups.kept(), (3, 2));
    assert_eq!(admit(&mut table, then).len(), 3);
    assert_eq!(table.lookups.kept(), (1, 1));
    let out = admit(&mut table, vec![listed]);
    assert_eq!(brief(&out), [(7, Status::Found, 0, Source::Duplicate)]);
    assert_eq!(table.lookups.kept(), (0, 0));
}

#[test]
fn a_window_that_becomes_longer_forgets_nothing_of_what_it_still_has() {
    let mut table = Table::default();
    table.set_window(Some(2));
    let settle_next = |table: &mut Table| {
        let ids = table.take(1);
        for id in &ids {
            table.settle(*id, hit(), Source::Asked, &mut Vec::new());
        }
        ids.len()
    };
    admit(&mut table, (0..5).map(|number| Row::One(email(&number.to_string()))).collect());
    // The first is forgotten with its row; the others are answered after the window has become longer.
    assert_eq!(settle_next(&mut table), 1);
    table.set_window(None);
    assert_eq!((1..5).map(|_| settle_next(&mut table)).sum::<usize>(), 4);
    admit(&mut table, (0..5).map(|number| Row::One(email(&number.to_string()))).collect());
    assert_eq!(table.queued(), 1);
    let asked = table.take(1);
    assert_eq!(table.identifier(asked[0]), Some(&email("0")));
}
