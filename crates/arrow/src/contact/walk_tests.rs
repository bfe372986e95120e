//! Compares the walk with a simple search for the same paths in `serde_json`'s tree.

#![allow(clippy::expect_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::Path;
use crate::contact::path::Step;

/// The values at a path in a tree, found by a simple search.
fn plainly(steps: &[Step], at: &Json, found: &mut Vec<Option<Json>>, is_there: &mut bool) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(Some(at.clone()));
        return;
    };
    match step {
        Step::Key(name) => {
            if let Some(member) = at.get(&**name) {
                plainly(rest, member, found, is_there);
            }
        }
        Step::Index(place) => {
            if let Some(element) = at.as_array().and_then(|list| list.get(*place)) {
                plainly(rest, element, found, is_there);
            }
        }
        Step::Where(name, text) => {
            let says = |element: &&Json| {
                element
                    .get(&**name)
                    .and_then(Json::as_str)
                    .is_some_and(|said| said.eq_ignore_ascii_case(text))
            };
            if let Some(element) = at.as_array().and_then(|list| list.iter().find(says)) {
                plainly(rest, element, found, is_there);
            }
        }
        Step::Every => {
            let Some(list) = at.as_array() else { return };
            *is_there = true;
            for element in list {
                let before = found.len();
                plainly(rest, element, found, is_there);
                if found.len() == before && !rest.contains(&Step::Every) {
                    found.push(None);
                }
            }
        }
    }
}

/// The same JSON written differently: with blanks, letters as escapes, and repeated keys.
fn write(value: &Json, odd: &mut dyn FnMut() -> u8, out: &mut String) {
    let blank = |odd: &mut dyn FnMut() -> u8| [" ", "\n", "", "", "", "\t "][usize::from(odd() % 6)];
    let text = |text: &str, odd: &mut dyn FnMut() -> u8, out: &mut String| {
        out.push('"');
        for letter in text.chars() {
            let mut units = [0; 2];
            match letter {
                '"' | '\\' => out.extend(['\\', letter]),
                _ if letter < ' ' || odd().is_multiple_of(5) => {
                    for unit in letter.encode_utf16(&mut units) {
                        out.extend(format!("\\u{unit:04x}").chars());
                    }
                }
                _ => out.push(letter),
            }
        }
        out.push('"');
    };
    out.push_str(blank(odd));
    match value {
        Json::String(said) => text(said, odd, out),
        Json::Array(list) => {
            out.push('[');
            for (place, element) in list.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(element, odd, out);
            }
            out.push_str(blank(odd));
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            let mut first = true;
            for (name, member) in members {
                let before: &[Option<&str>] = match odd() % 7 {
                    0 => &[Some("null"), Some(r#"[{"a": 1}]"#), None],
                    _ => &[None],
                };
                for earlier in before {
                    if !std::mem::take(&mut first) {
                        out.push(',');
                    }
                    out.push_str(blank(odd));
                    text(name, odd, out);
                    out.push_str(blank(odd));
                    out.push(':');
                    match earlier {
                        Some(earlier) => out.push_str(earlier),
                        None => write(member, odd, out),
                    }
                }
            }
            out.push_str(blank(odd));
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
    out.push_str(blank(odd));
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c d", "ü", "network", "A", "ab", "\u{1F600}"])
        .prop_map(str::to_owned)
}

fn tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[a-zA-Z\"\\\\\u{0}-\u{1f}é☃\u{1F600}{}\\[\\],:]{0,8}".prop_map(Json::from),
        name().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 60, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::vec((name(), inner), 0..5)
                .prop_map(|members| Json::Object(Map::from_iter(members))),
        ]
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => name().prop_map(|name| Step::Key(name.into())),
        1 => (0..3_usize).prop_map(Step::Index),
        2 => Just(Step::Every),
        1 => (name(), name()).prop_map(|(name, text)| Step::Where(name.into(), text.into())),
    ]
}

proptest! {
    /// Several contacts one after the other: what was learned from earlier ones must not change the values of later ones.
    #[test]
    fn finds_what_a_plain_reading_finds(
        trees in prop::collection::vec(tree(), 1..4),
        paths in prop::collection::vec(prop::collection::vec(step(), 0..5), 1..12),
        oddities in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let mut turn = 0;
        let mut odd = || {
            turn += 1;
            oddities[turn % oddities.len()]
        };
        let paths: Vec<Path> = paths.into_iter().map(|steps| Path { steps }).collect();
        let trie = Trie::new(paths.iter());
        let mut found = Found::default();
        for tree in &trees {
            let mut text = String::new();
            write(tree, &mut odd, &mut text);
            walk(&trie, text.as_bytes(), &mut found);
            for (column, path) in paths.iter().enumerate() {
                let (mut expected, mut is_there) = (Vec::new(), false);
                plainly(&path.steps, tree, &mut expected, &mut is_there);
                let values = found.column(column).expect("a column");
                let json = |span: Span| serde_json::from_slice(span.of(text.as_bytes())).expect("JSON");
                let said: Vec<Option<Json>> = values.spans.iter().map(|span| span.map(json)).collect();
                prop_assert_eq!(said, expected, "{:?} of {}", path, text);
                prop_assert_eq!(values.is_there, is_there, "{:?} of {}", path, text);
            }
        }
    }

    #[test]
    fn whatever_comes_it_ends(text in prop::collection::vec(any::<u8>(), 0..60)) {
        let paths = ["a[*].b", "a[0]", "a[b=c].d", "$"].map(|path| Path::parse(path).expect("a path"));
        let mut found = Found::default();
        walk(&Trie::new(paths.iter()), &text, &mut found);
        for column in 0..paths.len() {
            let values = found.column(column).expect("a column");
            for span in values.spans.iter().flatten() {
                prop_assert!(span.from <= span.to && span.to as usize <= text.len());
            }
        }
    }
}

#[test]
fn names_that_never_repeat_are_not_kept() {
    let path = Path::parse("last").expect("a path");
    let trie = Trie::new([&path].into_iter());
    let mut found = Found::default();
    for turn in 0..20 {
        let others: Vec<String> = (0..50).map(|name| format!("\"{turn}-{name}\":{name}")).collect();
        let text = format!("{{{},\"last\":\"{turn}\"}}", others.join(","));
        walk(&trie, text.as_bytes(), &mut found);
        let span = found.column(0).expect("a column").spans[0].expect("a value");
        assert_eq!(span.of(text.as_bytes()), format!("\"{turn}\"").as_bytes());
    }
}

#[test]
fn many_keys_are_no_trouble() {
    let names: Vec<String> = (0..150).map(|n| format!("key{n}")).collect();
    let paths: Vec<Path> = names.iter().map(|name| Path::parse(name).expect("a path")).collect();
    let contact: Map<String, Json> = names.iter().map(|name| (name.clone(), json!(name))).collect();
    let text = Json::Object(contact).to_string();
    let mut found = Found::default();
    walk(&Trie::new(paths.iter()), text.as_bytes(), &mut found);
    for (column, name) in names.iter().enumerate() {
        let span = found.column(column).expect("a column").spans[0].expect("a value");
        assert_eq!(span.of(text.as_bytes()), format!("\"{name}\"").as_bytes());
    }
}
