#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use serde_json::Value;

use super::super::limits::{MAX_DEPTH, MAX_DIGITS};
use super::*;

/// The reply with these elements, and what became of it, in a form that is easy to compare:
/// `(value, found | "null" | "!")` each, the count, whether there was trouble.
type Seen = (Vec<(Option<String>, String)>, Option<i64>, bool);

fn seen(body: &[u8]) -> Seen {
    let body = Bytes::copy_from_slice(body);
    let reply = decode(&body);
    let contacts = reply.contacts.iter().map(|contact| {
        let record = match &contact.outcome {
            Outcome::Miss => "null".to_owned(),
            Outcome::Hit(raw) => String::from_utf8(raw.to_vec()).unwrap(),
            Outcome::Unknown(reason) => {
                assert!(!reason.is_empty());
                "!".to_owned()
            }
            other => panic!("no reply says so: {other:?}"),
        };
        (contact.value.as_deref().map(str::to_owned), record)
    });
    (contacts.collect(), reply.records_enriched, reply.trouble.is_some())
}

fn one(value: &str, record: &str) -> (Option<String>, String) {
    (Some(value.to_owned()), record.to_owned())
}

/// A reply whose middle contact of three is this text.
fn around(middle: &str) -> Vec<u8> {
    let first = r#"{"enriched_contact":{"n":1},"value":"a"}"#;
    let last = r#"{"enriched_contact":null,"value":"z"}"#;
    format!(r#"{{"contacts":[{first},{middle},{last}],"records_enriched":2}}"#).into_bytes()
}

/// What the middle one of three came to; the other two must be whole.
fn middle(text: &str) -> (Option<String>, String) {
    let (contacts, count, trouble) = seen(&around(text));
    assert_eq!((contacts.len(), count, trouble), (3, Some(2), false), "{text}");
    assert_eq!((&contacts[0], &contacts[2]), (&one("a", r#"{"n":1}"#), &one("z", "null")), "{text}");
    contacts[1].clone()
}

fn with_record(record: &str) -> (Option<String>, String) {
    middle(&format!(r#"{{"enriched_contact":{record},"value":"m"}}"#))
}

/// Whether the scanner takes this text for one whole JSON value.
fn accepts(text: &[u8]) -> bool {
    let mut scanner = Scanner::new(text, 0);
    std::str::from_utf8(text).is_ok() && scanner.value().is_ok() && scanner.peek().is_none()
}

#[test]
fn the_documented_reply() {
    let body = br#"
        {"contacts": [{"enriched_contact": {"full_name": "..."}, "value": "linkedin.com/in/ana"},
                      {"enriched_contact": null, "value": "linkedin.com/in/nobody"}],
         "records_enriched": 1} "#;
    let contacts =
        vec![one("linkedin.com/in/ana", r#"{"full_name": "..."}"#), one("linkedin.com/in/nobody", "null")];
    assert_eq!(seen(body), (contacts, Some(1), false));
}

#[test]
fn records_are_slices_of_the_body() {
    let body = Bytes::from(around(r#"{"value":"m","enriched_contact":{"k":[1,2]}}"#));
    let reply = decode(&body);
    let Outcome::Hit(raw) = &reply.contacts[1].outcome else { panic!("found") };
    assert!(body.as_ptr_range().contains(&raw.as_ptr()));
    assert!(matches!(reply.contacts[1].value, Some(Cow::Borrowed("m"))));
}

#[test]
fn order_and_unknown_keys_do_not_matter() {
    let body = br#"{"request":{"id":[1,{}]},"records_enriched":1,"contacts":[
        {"score":0.5,"value":"m","enriched_contact":{},"tags":["x"]}],"more":null}"#;
    assert_eq!(seen(body), (vec![one("m", "{}")], Some(1), false));
}

#[test]
fn what_only_python_takes_is_taken() {
    for record in [
        r#"{"a":NaN,"b":[Infinity,-Infinity]}"#,
        r#"{"a":"\ud800","b":"\udc00\ud800x"}"#,
        r#"{"a":123456789012345678901234567890,"b":-0,"c":1e400,"d":-0.0E-7}"#,
        r#"{"a":1,"a":2}"#,
        "{\"a\":\"\u{7f}\u{2028}\u{0085}\"}",
        r#"{"":{"":[]}}"#,
    ] {
        assert_eq!(with_record(record), one("m", record));
    }
}

#[test]
fn a_broken_record_leaves_its_neighbours_whole() {
    let long = "7".repeat(MAX_DIGITS + 1);
    for record in [
        "{\"a\":\"tab\there\"}",
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":-}"#,
        r#"{"a":1e}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":1,}"#,
        r"{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r"{a:1}",
        r"{'a':1}",
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":nul}"#,
        r#"{"a":True}"#,
        r#"{"a":-NaN}"#,
        r#"{"a":1 2}"#,
        r#"{"a":[1}"#,
        r#"{"a":"}]" 1}"#,
        "{\"a\":1\u{a0}}",
        "{\"a\":1\u{c}}",
        "nul",
        "{}{}",
        "",
        &format!(r#"{{"a":{long}}}"#),
    ] {
        let (value, text) = with_record(record);
        assert_eq!(text, "!", "{record}");
        assert!(value.is_none() || value.as_deref() == Some("m"), "{record}");
    }
    assert_eq!(with_record(r#"{"a":[1}"#), one("m", "!"));
    let most = format!(r#"{{"a":{}}}"#, "7".repeat(MAX_DIGITS));
    assert_eq!(with_record(&most), one("m", &most));
}

#[test]
fn what_is_no_record_is_broken() {
    for record in [r#""x""#, "[]", "1", "true", "NaN"] {
        assert_eq!(with_record(record), one("m", "!"));
    }
    assert_eq!(middle(r#"{"value":"m"}"#), one("m", "!"));
    assert_eq!(middle("{}"), (None, "!".to_owned()));
}

#[test]
fn what_is_no_contact_keeps_its_place() {
    for element in ["null", r#""x""#, "[{}]", "7", "oops", "[1,]", r#"{"value":"m" "x"}"#, r"{1:2}"] {
        assert_eq!(middle(element), (None, "!".to_owned()), "{element}");
    }
}

#[test]
fn a_broken_neighbour_key_spoils_the_record() {
    assert_eq!(middle(r#"{"value":"m","enriched_contact":{},"x":[01]}"#), one("m", "!"));
}

#[test]
fn of_keys_that_stand_twice_the_last_counts() {
    assert_eq!(
        middle(r#"{"value":"x","value":"m","enriched_contact":null,"enriched_contact":{"b":1}}"#),
        one("m", r#"{"b":1}"#)
    );
    assert_eq!(middle(r#"{"value":"m","value":null,"enriched_contact":null}"#), (None, "null".to_owned()));
    let body = br#"{"contacts":[{"value":"x","enriched_contact":null}],"records_enriched":5,
                    "records_enriched":"many","contacts":[{"value":"m","enriched_contact":null}]}"#;
    assert_eq!(seen(body), (vec![one("m", "null")], None, false));
}

#[test]
fn values_are_read_with_their_escapes() {
    let text = |said: &str| middle(&format!(r#"{{"enriched_contact":null,"value":"{said}"}}"#)).0.unwrap();
    assert_eq!(text(r"\u0061\n\t\r\b\f\/\\\u00E9"), "a\n\t\r\u{8}\u{c}/\\\u{e9}");
    assert_eq!(text(r#"\"q\""#), "\"q\"");
    assert_eq!(text(r"\ud83d\ude00"), "\u{1f600}");
    assert_eq!(text(r"\ud83d"), "\u{fffd}\u{fffd}\u{fffd}");
    assert_eq!(text(r"\ud83d\u0041"), "\u{fffd}\u{fffd}\u{fffd}A");
    assert_eq!(text(r"\ude00\ud83d\ude00x"), "\u{fffd}\u{fffd}\u{fffd}\u{1f600}x");
    let spelled = br#"{"c\u006fntacts":[{"\u0076alue":"m","enriched_contact":null}],"records_enriched":0}"#;
    assert_eq!(seen(spelled), (vec![one("m", "null")], Some(0), false));
    for odd in ["3", "{}", "null", "[\"m\"]"] {
        assert_eq!(middle(&format!(r#"{{"value":{odd},"enriched_contact":null}}"#)).0, None);
    }
}

#[test]
fn only_a_count_is_a_count() {
    let count = |said: &str| seen(format!(r#"{{"contacts":[],"records_enriched":{said}}}"#).as_bytes()).1;
    assert_eq!((count("0"), count(" 12 "), count("-0")), (Some(0), Some(12), Some(0)));
    assert_eq!(count("9223372036854775807"), Some(i64::MAX));
    for said in ["3.0", "1e2", "-1", r#""3""#, "null", "true", "[3]", "NaN", "9223372036854775808"] {
        assert_eq!(count(said), None, "{said}");
    }
}

#[test]
fn contacts_before_a_break_are_delivered() {
    let body = around(r#"{"enriched_contact":{"k":"v"},"value":"m"}"#);
    let (whole, _, _) = seen(&body);
    for cut in 0..body.len() {
        let (contacts, _, trouble) = seen(&body[..cut]);
        assert!(trouble);
        assert_eq!(contacts, whole[..contacts.len()]);
        // Each contact is there as soon as its last byte is.
        let closed = String::from_utf8_lossy(&body[..cut]).matches(r#""value":""#).count();
        assert!(contacts.len() + 1 >= closed);
    }
}

#[test]
fn what_is_no_reply_is_trouble() {
    for body in [
        "",
        " ",
        "null",
        "[]",
        "<!DOCTYPE html><html><body>busy</body></html>",
        "{}",
        r#"{"contacts":null}"#,
        r#"{"contacts":{}}"#,
        r#"{"contacts":[],"contacts":7}"#,
        r#"{"contacts":[]"#,
        r#"{"contacts":[]]"#,
        r#"{"contacts":[]} x"#,
        r#"{"contacts":[]}{}"#,
        r#"{"contacts":[],}"#,
        r#"{"contacts" []}"#,
        r#"{"contacts":[],"x":01}"#,
        "\u{feff}\u{feff}{\"contacts\":[]}",
    ] {
        let (contacts, _, trouble) = seen(body.as_bytes());
        assert!(trouble && contacts.is_empty(), "{body}");
    }
    assert_eq!(seen("\u{feff}{\"contacts\":[]}".as_bytes()), (vec![], None, false));
}

#[test]
fn a_broken_stranger_does_not_hide_the_contacts() {
    let body = br#"{"meta":{"at":01},"contacts":[{"value":"m","enriched_contact":{}}],"records_enriched":1}"#;
    assert_eq!(seen(body), (vec![one("m", "{}")], Some(1), true));
}

#[test]
fn what_is_not_utf8_breaks_only_its_own_record() {
    let mut body = around(r#"{"enriched_contact":{"n":"@"},"value":"m"}"#);
    let place = body.iter().position(|&b| b == b'@').unwrap();
    body[place] = 0xff;
    let (contacts, count, trouble) = seen(&body);
    assert_eq!(contacts, [one("a", r#"{"n":1}"#), one("m", "!"), one("z", "null")]);
    assert_eq!((count, trouble), (Some(2), false));

    let mut outside = br#"{"x":"@","contacts":[{"value":"m","enriched_contact":{}}]}"#.to_vec();
    outside[6] = 0xff;
    assert_eq!(seen(&outside), (vec![one("m", "{}")], None, true));
}

#[test]
fn depth_is_capped_and_costs_nothing() {
    let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    let deepest = nested(MAX_DEPTH);
    assert_eq!(with_record(&deepest), one("m", &deepest));
    assert_eq!(with_record(&nested(MAX_DEPTH + 1)), one("m", "!"));
    assert_eq!(with_record(&nested(100_000)), one("m", "!"));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    assert_eq!(with_record(&objects), one("m", "!"));
    let (contacts, _, trouble) = seen("[".repeat(1_000_000).as_bytes());
    assert!(contacts.is_empty() && trouble);
    let mut open = around("{}");
    open.truncate(60);
    open.extend_from_slice(&b"{\"a\":[".repeat(100_000));
    assert!(seen(&open).2);
}

#[test]
fn plain_stops_where_it_must() {
    for len in 0..40 {
        let text = vec![b'a'; len];
        assert_eq!(text::plain(&text), len);
        for at in 0..len {
            for stop in [b'"', b'\\', 0, 0x1f] {
                for other in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut text = vec![other; len];
                    text[at] = stop;
                    assert_eq!(text::plain(&text), at);
                }
            }
        }
    }
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn takes_what_serde_writes(document in document(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) };
        prop_assert!(accepts(&text.unwrap()));
    }

    /// Texts that are nearly JSON: serde_json agrees, but for what only Python takes.
    #[test]
    fn judges_as_serde_does(text in r#"(([\[\]{},:]|"[a\\"]{0,3}"|"\\\\[ubntx"]0?0?4?1?"|-?[0-9.eE+-]{0,4}|null|tru|true|false| |\n|\t){0,12})"#) {
        let serde = serde_json::from_str::<Value>(&text);
        if serde.as_ref().is_err_and(|error| error.to_string().contains("number out of range")) {
            return Ok(());
        }
        prop_assert_eq!(accepts(text.as_bytes()), serde.is_ok(), "{}", text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        seen(&bytes);
    }

    /// A reply with one byte changed gives no record that it did not hold, and no pair of value and
    /// record that did not stand together.
    #[test]
    fn one_changed_byte_mixes_nothing_up(place in any::<prop::sample::Index>(), byte in prop_oneof![0..b'0', b':'..]) {
        let contacts: Vec<String> =
            (0..5).map(|n| format!(r#"{{"enriched_contact":{{"id":{n},"t":["a",{{"b":"}}"}}]}},"value":"v{n}"}}"#)).collect();
        let mut body = format!(r#"{{"contacts":[{}],"records_enriched":5}}"#, contacts.join(",")).into_bytes();
        let place = place.index(body.len());
        body[place] = byte;
        let body = Bytes::from(body);
        for contact in decode(&body).contacts {
            let (Some(value), Outcome::Hit(raw)) = (contact.value, contact.outcome) else { continue };
            let number = value.strip_prefix('v').and_then(|number| number.parse::<i64>().ok());
            let id = serde_json::from_slice::<Value>(&raw).ok().and_then(|record| record["id"].as_i64());
            prop_assert!(number.is_none() || id.is_none() || number == id);
        }
    }

    #[test]
    fn strings_are_read_as_serde_reads_them(said in any::<String>()) {
        let text = serde_json::to_string(&said).unwrap();
        let raw = &text.as_bytes()[1..text.len() - 1];
        let read = text::read(raw, raw.contains(&b'\\'));
        prop_assert_eq!(read.as_deref(), Some(said.as_str()));
    }
}
