//! From outcomes to columns.

#![allow(clippy::expect_used, clippy::indexing_slicing)]

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int8Type, Int64Type, TimestampMicrosecondType};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::values::kind::Form;
use crate::{DEFAULT, FIXED, Kind, Path, Wanted};
use exactbuyer_core::identifier::Invalid;
use exactbuyer_core::message::Words;
use exactbuyer_core::results::{Reason, Source, Status};

const CONTACT: &str = r#"{"full_name": "Ana \u00dcn", "current_work_email": null, "personal_emails": ["a@b.example", null],
  "phone_numbers": [{"E164": "+1"}, {"type": "x"}], "likelihood": 0.5, "age": 31, "big": 300, "whole": 4.0,
  "born": "1990-02-03", "at": "2026-01-02T03:04:05+01:00", "is": true, "torn": "\ud800",
  "social_profiles": [{"url": "t", "network": "twitter"}, {"url": "l", "network": "LinkedIn"}], "nobody_knows": {"x": [1]},
  "tags": ["a", null, 7, "b\u00e9", "\ud800", [";"]], "none": [], "nulls": [null]}"#;

fn wanted(name: &str, path: &str, kind: Kind) -> Wanted {
    Wanted { name: name.to_owned(), path: Path::parse(path).expect("a path"), kind }
}

fn layout(columns: Vec<Wanted>) -> Arc<Layout> {
    let by = vec!["one".to_owned(), "two".to_owned()];
    Arc::new(Layout::new("eb_", columns, by, Words::new(), false).expect("a layout"))
}

fn outcome(row: u64, status: Status) -> RowOutcome {
    let record = (status == Status::Found).then(|| Bytes::from_static(CONTACT.as_bytes()));
    RowOutcome {
        row,
        status,
        alternative: 0,
        record,
        reason: None,
        source: Source::Asked,
        fetched_at_ms: Some(7),
    }
}

/// The block of a single row that was found, with these columns.
fn found(columns: Vec<Wanted>) -> (RecordBatch, u64) {
    let mut assembler = Assembler::new(layout(columns));
    assembler.expect(1).expect("room");
    assembler.add(outcome(0, Status::Found)).expect("columns");
    let mut block = assembler.next_block().expect("a block");
    (block.remove(0), assembler.misfits())
}

#[test]
fn the_default_columns_are_what_they_were() {
    // Frozen within a major version: a change here is a breaking one.
    assert_eq!(FIXED, ["status", "matched_by", "source", "fetched_at", "reason"]);
    let names: Vec<&str> = DEFAULT.iter().map(|(name, ..)| *name).collect();
    assert_eq!(
        names.join(" "),
        "full_name first_name last_name work_email personal_emails phones linkedin_url city region country \
         company company_size title school contact"
    );
}

#[test]
fn the_default_columns_are_read() {
    let columns = DEFAULT.iter().map(|(name, path, kind)| {
        wanted(name, path, kind.map_or_else(Kind::default, |kind| Kind::named(kind).expect("a kind")))
    });
    let (batch, misfits) = found(columns.collect());
    let text = |name: &str| batch.column_by_name(name).expect("a column").as_string::<i32>().clone();
    assert_eq!(text("eb_full_name").value(0), "Ana Ün");
    assert!(text("eb_work_email").is_null(0) && text("eb_city").is_null(0));
    assert_eq!(text("eb_linkedin_url").value(0), "l");
    assert_eq!(text("eb_contact").value(0), CONTACT);
    assert_eq!((text("eb_status").value(0), text("eb_matched_by").value(0)), ("found", "one"));
    assert_eq!(text("eb_source").value(0), "paid");
    let at = batch.column_by_name("eb_fetched_at").expect("a column");
    assert_eq!(at.as_primitive::<TimestampMicrosecondType>().value(0), 7_000);
    assert_eq!((text("eb_phones").value(0), text("eb_personal_emails").value(0)), ("+1", "a@b.example"));
    assert_eq!(misfits, 0);
}

#[test]
fn several_values_are_a_list_or_joined() {
    let joined = || Kind::named("joined").expect("a kind");
    let (batch, misfits) = found(vec![
        wanted("each", "phone_numbers[*].E164", Kind::default()),
        wanted("joined", "tags[*]", joined()),
        wanted("one", "full_name", joined()),
        wanted("none", "none[*]", joined()),
        wanted("nulls", "nulls[*]", joined()),
        wanted("nowhere", "no.such[*]", joined()),
    ]);
    let column = |name: &str| batch.column_by_name(name).expect("a column");
    let each = column("eb_each").as_list::<i32>().value(0);
    let each = each.as_string::<i32>();
    assert_eq!((each.len(), each.value(0), each.is_null(1)), (2, "+1", true));
    assert_eq!(column("eb_joined").as_string::<i32>().value(0), r#"a;7;bé;[";"]"#);
    assert_eq!(column("eb_one").as_string::<i32>().value(0), "Ana Ün");
    assert!(["eb_none", "eb_nulls", "eb_nowhere"].iter().all(|name| column(name).is_null(0)));
    // A single surrogate is not text.
    assert_eq!(misfits, 1);
}

#[test]
fn a_value_of_another_type_is_null_and_counted() {
    let of = |data_type| Kind::of(data_type).expect("a kind");
    let (batch, misfits) = found(vec![
        wanted("whole", "whole", of(DataType::Int64)),
        wanted("half", "likelihood", of(DataType::Int64)),
        wanted("byte", "big", of(DataType::Int8)),
        wanted("float", "age", of(DataType::Float32)),
        wanted("born", "born", of(DataType::Date32)),
        wanted("at", "at", of(DataType::Timestamp(TimeUnit::Second, None))),
        wanted("never", "full_name", of(DataType::Date32)),
        wanted("is", "is", of(DataType::Boolean)),
        wanted("isnt", "age", of(DataType::Boolean)),
        wanted("torn", "torn", Kind::default()),
        wanted("text", "age", of(DataType::Utf8)),
        wanted("any", "nobody_knows", Kind::default()),
        wanted("list", "personal_emails", Kind::json()),
        wanted("none", "no.such[3].thing", of(DataType::Int8)),
    ]);
    let nulls: Vec<&str> = [
        "whole", "half", "byte", "float", "born", "at", "never", "is", "isnt", "torn", "text", "any", "list",
        "none",
    ]
    .into_iter()
    .filter(|name| batch.column_by_name(&format!("eb_{name}")).expect("a column").is_null(0))
    .collect();
    assert_eq!(nulls, ["half", "byte", "never", "isnt", "torn", "text", "none"]);
    assert_eq!(misfits, 6);
    let column = |name: &str| batch.column_by_name(name).expect("a column");
    assert_eq!(column("eb_whole").as_primitive::<Int64Type>().value(0), 4);
    assert!((column("eb_float").as_primitive::<Float32Type>().value(0) - 31.0).abs() < f32::EPSILON);
    assert_eq!(column("eb_any").as_string::<i32>().value(0), r#"{"x": [1]}"#);
    assert_eq!(column("eb_list").as_string::<i32>().value(0), r#"["a@b.example", null]"#);
    assert_eq!(column("eb_byte").as_primitive::<Int8Type>().len(), 1);
}

#[test]
fn columns_that_no_contact_has_a_value_for_are_named() {
    let columns = ["full_name", "full_nam", "personal_emails[*].x", "middle_name"]
        .map(|path| wanted(path, path, Kind::default()));
    let mut assembler = Assembler::new(layout(columns.to_vec()));
    assembler.expect(2).expect("room");
    assembler.add(outcome(0, Status::NotFound)).expect("columns");
    assert_eq!(assembler.unmet().count(), 0);
    assembler.add(outcome(1, Status::Found)).expect("columns");
    assert_eq!(assembler.unmet().collect::<Vec<_>>(), ["full_nam", "personal_emails[*].x", "middle_name"]);
}

#[test]
fn columns_that_no_value_fits_are_named() {
    let number = || Kind::named("int64").expect("a kind");
    let columns = vec![
        wanted("name", "full_name", number()),
        wanted("tags", "tags[*]", number()),
        wanted("text", "full_name", Kind::default()),
        wanted("nowhere", "no.such", number()),
    ];
    let mut assembler = Assembler::new(layout(columns));
    assembler.expect(1).expect("room");
    assembler.add(outcome(0, Status::Found)).expect("columns");
    // One of the tags is a number.
    assert_eq!(assembler.unfit().collect::<Vec<_>>(), ["name"]);
    assert_eq!(assembler.unmet().collect::<Vec<_>>(), ["nowhere"]);
}

#[test]
fn what_became_of_a_row_stands_beside_it() {
    let mut assembler = Assembler::new(layout(vec![]));
    assembler.expect(5).expect("room");
    let mut second = outcome(1, Status::Found);
    (second.alternative, second.source) = (3, Source::Duplicate);
    let mut fourth = outcome(3, Status::Invalid);
    fourth.reason = Some(Reason::Invalid(Invalid::EmailDomain));
    let mut third = outcome(2, Status::NotFound);
    third.source = Source::Store;
    for outcome in [fourth, second, third, outcome(0, Status::Unknown)] {
        assembler.add(outcome).expect("columns");
    }
    assert!(assembler.next_block().is_none());
    assembler.finish(6).expect("columns");
    assembler.finish(6).expect("columns");
    let column = |batch: &RecordBatch, at: usize| -> Vec<Option<String>> {
        batch.column(at).as_string::<i32>().iter().map(|said| said.map(str::to_owned)).collect()
    };
    let said = |said: [Option<&str>; 5]| said.map(|said| said.map(str::to_owned)).to_vec();
    let block = assembler.next_block().expect("a block").remove(0);
    let statuses = ["unknown", "found", "not_found", "invalid", "not_sent"].map(Some);
    assert_eq!(column(&block, 0), said(statuses));
    assert_eq!(column(&block, 1), said([None, Some("two"), None, None, None]));
    assert_eq!(column(&block, 2), said([None, Some("duplicate"), Some("store"), None, None]));
    assert_eq!(block.column(3).null_count(), 3);
    let reason = Invalid::EmailDomain.to_string();
    assert_eq!(column(&block, 4)[3].as_deref(), Some(reason.as_str()));
    // The sixth row was never read at all.
    assert_eq!(assembler.next_block().expect("a block").remove(0).num_rows(), 1);
    assert!(assembler.next_block().is_none());
}

#[test]
fn a_block_of_very_large_contacts_is_several_batches() {
    let mut assembler = Assembler::new(layout(vec![wanted("contact", "$", Kind::json())]));
    assembler.expect(100).expect("room");
    for row in 0..100 {
        assembler
            .add(outcome(row, if row % 3 == 0 { Status::Missing } else { Status::Found }))
            .expect("columns");
    }
    let block = assembler.next_block().expect("a block");
    let whole = 66 * CONTACT.len();
    assert_eq!(block.len(), whole.div_ceil(1 << 14));
    assert_eq!(block.iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
    let contacts: usize = block
        .iter()
        .map(|batch| {
            batch.column_by_name("eb_contact").expect("a column").as_string::<i32>().value_data().len()
        })
        .sum();
    assert_eq!(contacts, whole);
}

proptest! {
    #[test]
    fn blocks_come_in_order_whatever_the_outcomes_do(
        sizes in prop::collection::vec(0..6_usize, 0..8),
        order in prop::collection::vec(any::<prop::sample::Index>(), 40),
    ) {
        let mut assembler = Assembler::new(layout(vec![wanted("contact", "$", Kind::json())]));
        let mut left: Vec<u64> = Vec::new();
        for size in &sizes {
            assembler.expect(*size).expect("room");
            left.extend((left.len() as u64)..(left.len() + size) as u64);
        }
        let total = left.len();
        let mut rows = 0;
        let mut seen = 0;
        for turn in 0.. {
            while let Some(block) = assembler.next_block() {
                prop_assert_eq!(block.iter().map(RecordBatch::num_rows).sum::<usize>(), sizes[seen]);
                rows += sizes[seen];
                seen += 1;
            }
            if left.is_empty() {
                break;
            }
            let row = left.remove(order[turn % order.len()].index(left.len()));
            let status = if row.is_multiple_of(2) { Status::Found } else { Status::NotFound };
            assembler.add(outcome(row, status)).expect("columns");
            // The first of these rows was not announced; the second has an outcome already.
            assembler.add(outcome(total as u64, status)).expect("columns");
            assembler.add(outcome(row, status)).expect("columns");
        }
        prop_assert_eq!((rows, seen), (total, sizes.len()));
    }
}

#[test]
fn announced_rows_without_an_outcome_are_unknown_if_the_run_is_lost() {
    let mut assembler = Assembler::new(layout(Vec::new()));
    assembler.expect(3).expect("room");
    assembler.add(outcome(1, Status::NotFound)).expect("columns");
    assembler.lose(&"an internal error".into());
    assembler.finish(4).expect("columns");
    let blocks: Vec<_> = std::iter::from_fn(|| assembler.next_block()).flatten().collect();
    let statuses = blocks.iter().flat_map(|block| block.column(0).as_string::<i32>().iter().flatten());
    assert_eq!(statuses.collect::<Vec<_>>(), ["unknown", "not_found", "unknown", "not_sent"]);
}

/// No column that can be asked for fails in this way: its keys have room for 128 texts.
#[test]
fn outcomes_after_a_block_that_cannot_be_built_are_not_lost() {
    let small = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let small = Kind { form: Form::Text, data_type: small };
    let mut assembler = Assembler::new(layout(vec![wanted("n", "n", small)]));
    assembler.expect(200).expect("room");
    assembler.expect(1).expect("room");
    let found = |row| RowOutcome {
        record: Some(format!(r#"{{"n": "{row}"}}"#).into()),
        ..outcome(row, Status::Found)
    };
    let mut outcomes: VecDeque<_> = (0..201).map(found).collect();
    assert!(assembler.add_all(&mut outcomes).is_err());
    assert_eq!(outcomes.iter().map(|outcome| outcome.row).collect::<Vec<_>>(), [200]);
    assembler.add_all(&mut outcomes).expect("columns");
    assembler.finish(201).expect("columns");
    assert_eq!(
        std::iter::from_fn(|| assembler.next_block()).map(|block| block[0].num_rows()).sum::<usize>(),
        201
    );
}
