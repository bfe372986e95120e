//! Contacts as JSON that every reader accepts. RFC 8259 has no `NaN` and no `Infinity`, but
//! Python's `json` writes and reads them. They become `null` wherever a contact is returned as
//! text.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

/// The words, the longest first: `Infinity` must not be found inside `-Infinity`.
const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

static NAN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("NaN"));
static INFINITY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Infinity"));

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
    let mut out = Vec::with_capacity(text.len());
    let mut changed = false;
    let mut rest = text;
    while !rest.is_empty() {
        let (between, from_quote) = rest.split_at(memchr(b'"', rest).unwrap_or(rest.len()));
        changed |= replace_words(between, &mut out);
        let (string, after) = from_quote.split_at(string_length(from_quote));
        out.extend_from_slice(string);
        rest = after;
    }
    if changed { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

/// Copies JSON without strings and replaces the words. Returns whether it replaced any.
fn replace_words(between: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = between;
    while let Some((&byte, after)) = rest.split_first() {
        if let Some(after) = WORDS.iter().find_map(|word| rest.strip_prefix(*word)) {
            out.extend_from_slice(b"null");
            changed = true;
            rest = after;
        } else {
            out.push(byte);
            rest = after;
        }
    }
    changed
}

/// The length of the string that begins here, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
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
