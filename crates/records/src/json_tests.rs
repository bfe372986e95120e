//! Splitting and writing a JSON Lines file gives the same file, and members are added in the right place.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::JsonSplitter;
use crate::{Broken, JsonBlock};

fn cut(file: &[u8], piece: usize, rows: usize) -> (Vec<JsonBlock>, Vec<u8>) {
    let mut splitter = JsonSplitter::default();
    let mut blocks = Vec::new();
    for piece in file.chunks(piece) {
        splitter.feed(piece).unwrap();
        while let Some(block) = splitter.take(rows) {
            blocks.push(block);
        }
    }
    splitter.finish();
    while let Some(block) = splitter.take(rows) {
        blocks.push(block);
    }
    (blocks, splitter.trailer().to_vec())
}

fn added(rows: usize) -> RecordBatch {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["\"1\""; rows]));
    let json: ArrayRef = Arc::new(StringArray::from(vec![Some("{\"a\":\r\n1}"); rows]));
    RecordBatch::try_from_iter([("eb_t", text), ("eb_j", json)]).unwrap()
}

const ADDED: &str = r#""eb_t":"\"1\"","eb_j":{"a":  1}"#;

fn beside(blocks: &[JsonBlock], dropped: &[&str]) -> Result<String, Broken> {
    let dropped: Vec<_> = dropped.iter().map(|name| (*name).to_owned()).collect();
    let mut bytes = Vec::new();
    for block in blocks {
        block.beside(&[added(block.rows())], &dropped, &["eb_j".to_owned()], &mut bytes)?;
    }
    Ok(String::from_utf8(bytes).unwrap())
}

#[test]
fn members_are_put_beside_those_that_are_there() {
    let file = "\u{feff}{\"a\" : 1.0, \"b\":[ 1,\"x\" ] } \r\n\n{}\n  { }";
    let (blocks, trailer) = cut(file.as_bytes(), 4, 2);
    assert_eq!(trailer, b"");
    assert_eq!(
        beside(&blocks, &[]).unwrap(),
        format!("\u{feff}{{\"a\" : 1.0, \"b\":[ 1,\"x\" ] ,{ADDED}}} \r\n\n{{{ADDED}}}\n  {{ {ADDED}}}")
    );
}

#[test]
fn members_of_an_earlier_call_are_left_out_and_others_are_in_the_way() {
    let (blocks, _) =
        cut(b"{\"a\":1 ,\"eb_t\": [\"}\"] , \"b\":2 }\n{\"eb_t\":0}\n{\"eb_t\":0,\"a\":1}\n", 99, 9);
    assert_eq!(
        beside(&blocks, &["eb_t"]).unwrap(),
        format!("{{\"a\":1 , \"b\":2 ,{ADDED}}}\n{{{ADDED}}}\n{{\"a\":1,{ADDED}}}\n")
    );
    let told = beside(&blocks, &[]).unwrap_err().to_string();
    assert_eq!(told, "line 1 has a member \"eb_t\" already: pass another --prefix");
}

#[test]
fn values_are_read_as_the_texts_they_stand_for() {
    let file = r#"{"v":"\u0041é"}
        {"v":17734749362, "v":null}
        {"v":["a", null, 7, {"b":1}]}
        {"w":1}
        {"v":{"x":"y"}}
        {"v":"\ud800"}"#;
    let (blocks, _) = cut(file.as_bytes(), 1000, 100);
    let texts = blocks.first().unwrap().texts(&["v".to_owned(), "w".to_owned()]).unwrap();
    assert_eq!(texts[1].iter().flatten().collect::<Vec<_>>(), ["1"]);
    let texts: Vec<_> = texts[0].iter().collect();
    let list = r#"["a", null, 7, {"b":1}]"#;
    assert_eq!(texts, [Some("Aé"), None, Some(list), None, Some(r#"{"x":"y"}"#), Some(r#""\ud800""#)]);
    let lists = blocks.first().unwrap().column("v").unwrap();
    let items = lists.value(2);
    let items: Vec<_> = items.as_any().downcast_ref::<StringArray>().unwrap().iter().collect();
    assert_eq!(items, [Some("a"), None, Some("7"), Some(r#"{"b":1}"#)]);
    assert_eq!((lists.value_length(0), lists.is_null(1), lists.is_null(3)), (1, true, true));
}

#[test]
fn of_names_that_stand_twice_the_last_counts_and_none_is_lost() {
    let (blocks, _) = cut(b"{\"v\":1,\"v\":2}\n{\"v\":3,\"w\":null}\n", 1000, 100);
    let names = ["v".to_owned()];
    let told = blocks.first().unwrap().texts(&names).unwrap_err().to_string();
    assert!(told.starts_with("line 2 has a member \"w\" that none of the first lines has"), "{told}");
    let texts = blocks.first().unwrap().texts(&[names, ["w".to_owned()]].concat()).unwrap();
    assert_eq!(texts[0].iter().collect::<Vec<_>>(), [Some("2"), Some("3")]);
}

#[test]
fn what_is_no_object_is_named_by_its_line_and_never_shown() {
    for (line, column) in [("{\"a\":secret}", 6), ("[1]", 0), ("{\"a\":1}{\"b\":2}", 8), ("{\"a\":1", 6)] {
        let (blocks, _) = cut(format!("{{}}\n\n{line}\n").as_bytes(), 1000, 100);
        let told = blocks.first().unwrap().names(|_| ()).unwrap_err().to_string();
        assert_eq!(
            told,
            format!("line 3 is not a JSON object (column {column}): JSON Lines has one object a line")
        );
    }
    let (blocks, _) = cut(b"{\"name\":\"M\xfcller\"}\n", 1000, 100);
    let told = blocks.first().unwrap().names(|_| ()).unwrap_err().to_string();
    assert_eq!(told, "line 1 is not UTF-8");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[\\PC\"\\\\{}\\[\\],:\u{2028}\n]{0,6}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c\"{]{0,2}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn objects_come_through_with_members_put_in_and_taken_out_again(
        rows in prop::collection::vec(prop::collection::btree_map("[a-c\"\\\\{]{0,2}", value(), 0..4), 1..6),
        pretty in any::<bool>(),
        piece in 1_usize..20,
    ) {
        let mut file = String::new();
        for row in &rows {
            let text = if pretty { format!("{:#}", json!(row)).replace('\n', " ") } else { json!(row).to_string() };
            file += &text;
            file.push('\n');
        }
        let (blocks, _) = cut(file.as_bytes(), piece, 2);
        let written = beside(&blocks, &[]).unwrap();
        for (line, row) in written.lines().zip(&rows) {
            let mut read: Value = serde_json::from_str(line).unwrap();
            let object = read.as_object_mut().unwrap();
            prop_assert_eq!(object.remove("eb_j"), Some(json!({"a": 1})));
            prop_assert_eq!(object.remove("eb_t"), Some(json!("\"1\"")));
            prop_assert_eq!(read, json!(row));
        }
        prop_assert_eq!(written.lines().count(), rows.len());
        // Run again on its own output it gives the same bytes.
        let (again, _) = cut(written.as_bytes(), piece, 2);
        prop_assert_eq!(beside(&again, &["eb_t", "eb_j"]).unwrap(), written);
    }
}
