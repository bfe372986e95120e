//! Contacts as JSON that every reader accepts. RFC 8259 has no `NaN` and no `Infinity`, but
//! Python's `json` writes and reads them. They become `null` wherever a contact is returned as
//! text.

use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

use memchr::memmem::Finder;
use regex::bytes::Regex;

use crate::identifier::once::once;

static NAN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("NaN"));
static INFINITY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Infinity"));

/// Finds words, and strings, in which words stay. A string that breaks off ends with the text.
static WORDS_AND_STRINGS: OnceLock<Option<Regex>> = OnceLock::new();

/// The same JSON with `null` in place of `NaN`, `Infinity` and `-Infinity`. Text without these
/// words is returned unchanged, which costs two substring searches.
///
/// If `text` is not JSON, the result is meaningless.
///
/// ```
/// use exactbuyer_core::results::standard_json;
///
/// assert_eq!(&*standard_json(br#"{"age": NaN, "name": "NaN"}"#), br#"{"age": null, "name": "NaN"}"#);
/// ```
#[must_use]
pub fn standard_json(text: &[u8]) -> Cow<'_, [u8]> {
    if NAN.find(text).is_none() && INFINITY.find(text).is_none() {
        return Cow::Borrowed(text);
    }
    let make = || Regex::new(r#"(?s-u)-?Infinity|NaN|"(?:[^"\\]|\\.)*"?"#).ok();
    let Some(pattern) = once(&WORDS_AND_STRINGS, make) else { return Cow::Borrowed(text) };
    let mut out = Vec::with_capacity(text.len());
    let mut copied = 0;
    for found in pattern.find_iter(text).filter(|found| !found.as_bytes().starts_with(b"\"")) {
        out.extend_from_slice(text.get(copied..found.start()).unwrap_or_default());
        out.extend_from_slice(b"null");
        copied = found.end();
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    if copied > 0 { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_json_does_not_have_become_null_outside_strings() {
        for (text, expected) in [
            (r#"{"a":NaN}"#, r#"{"a":null}"#),
            (r#"{"a": [ NaN , -Infinity,Infinity ]}"#, r#"{"a": [ null , null,null ]}"#),
            ("-Infinity", "null"),
            (r#"{"NaN":"NaN, \" Infinity","b\\":NaN}"#, r#"{"NaN":"NaN, \" Infinity","b\\":null}"#),
            (r#"["\\\"NaN",NaN,"Infinity"]"#, r#"["\\\"NaN",null,"Infinity"]"#),
        ] {
            assert_eq!(&*standard_json(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn other_json_is_handed_back_as_it_is() {
        for text in [
            "",
            "{}",
            r#"{"a":1e999,"a":-0,"b":"\ud800","c":"Infinity Inc. \"NaN\"","d":[1.50, null]}"#,
            "{\n\t\"a\" : 1e-7\r\n}",
        ] {
            assert!(matches!(standard_json(text.as_bytes()), Cow::Borrowed(same) if same == text.as_bytes()));
        }
    }

    #[test]
    fn text_that_breaks_off_is_no_panic() {
        let text = r#"{"a":NaN,"b":"\"#;
        for end in 0..=text.len() {
            let _ = standard_json(text.get(..end).unwrap_or_default().as_bytes());
        }
    }
}
