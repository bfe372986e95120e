//! Undoes the encodings of a text, also nested ones: percent-encoding, HTML entities, JSON escapes,
//! full-width forms, invisible characters.
//!
//! | written | read as |
//! |---|---|
//! | `ana%40x.example` | `ana@x.example` |
//! | `ana&#64;x.example`, `ana&commat;x.example` | the same |
//! | `ana\u0040x.example`, `ana\x40x.example` | the same |
//! | `ana%2540x.example` | the same, after two layers |
//! | full-width letters and digits | ASCII |
//!
//! The text as it is comes first, then one layer after another. Undoing never fails.

use std::borrow::Cow;

use super::plain::LONGEST_NAME;

/// Nested encodings that are undone.
///
/// Each layer is one more pass over the text, so this bounds the time.
const DEEPEST: usize = 4;

/// Whether `is_such` is true for this text, as it is or with any number of its encodings undone.
///
/// Also true if an outer layer has it: a text such as `a%40b` may be meant as it is.
pub(super) fn any_of(text: &str, is_such: &mut impl FnMut(&str) -> bool) -> bool {
    let mut text = folded(text);
    for _ in 0..=DEEPEST {
        if is_such(&text) {
            return true;
        }
        match decoded(&text) {
            Some(next) => text = Cow::Owned(folded(&next).into_owned()),
            None => return false,
        }
    }
    false
}

/// The text with full-width forms as ASCII, every blank as a plain one, and without invisible characters.
///
/// Most texts are ASCII and are not copied.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let seen = text.chars().filter(|c| !is_unseen(*c));
    Cow::Owned(
        seen.map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            '\u{fe6b}' => '@',
            c if c.is_whitespace() => ' ',
            c => c,
        })
        .collect(),
    )
}

/// Marks of direction, soft hyphens, zero-width blanks, byte-order marks, variation selectors. Joiners do not
/// count as invisible: some scripts need them.
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
    )
}

/// The text with one layer of its encodings undone; `None` if it has none.
///
/// All three kinds of encodings are undone in one pass from left to right.
pub(super) fn decoded(text: &str) -> Option<String> {
    memchr::memchr3(b'%', b'&', b'\\', text.as_bytes())?;
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = memchr::memchr3(b'%', b'&', b'\\', rest.as_bytes()) {
        let (before, marked) = rest.split_at_checked(at)?;
        bytes.extend_from_slice(before.as_bytes());
        rest = match marked.as_bytes().first() {
            Some(b'%') => percent(marked, &mut bytes),
            Some(b'&') => entity(marked, &mut bytes),
            _ => escape(marked, &mut bytes),
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    let decoded = String::from_utf8_lossy(&bytes).into_owned();
    (decoded != text).then_some(decoded)
}

/// A JSON string without its escapes.
///
/// What only looks like an escape stays as it is.
pub(super) fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(raw.len()), raw);
    while let Some((before, marked)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        bytes.extend_from_slice(before.as_bytes());
        rest = escape(marked, &mut bytes);
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// `None` if any character is no hexadecimal digit, such as the sign that Rust's parser would accept.
pub(super) fn hex(digits: impl AsRef<[u8]>) -> Option<u32> {
    let digits = std::str::from_utf8(digits.as_ref()).ok()?;
    let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if all { u32::from_str_radix(digits, 16).ok() } else { None }
}

/// Appends the character in UTF-8.
fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Undoes the `%40` that `text` begins with, and returns the rest.
///
/// One byte: a character beyond ASCII is written as several.
fn percent<'t>(text: &'t str, bytes: &mut Vec<u8>) -> &'t str {
    if let Some(byte) = text.get(1..3).and_then(hex) {
        bytes.extend(u8::try_from(byte));
        return text.get(3..).unwrap_or_default();
    }
    bytes.push(b'%');
    text.get(1..).unwrap_or_default()
}

/// Undoes the `&#64;`, `&#x40;` or `&commat;` that `text` begins with, and returns the rest. The semicolon
/// after a number may be missing, as in browsers.
fn entity<'t>(text: &'t str, bytes: &mut Vec<u8>) -> &'t str {
    const NAMED: [(&str, char); 22] = [
        ("amp", '&'),
        ("commat", '@'),
        ("period", '.'),
        ("sol", '/'),
        ("bsol", '\\'),
        ("plus", '+'),
        ("lowbar", '_'),
        ("colon", ':'),
        ("num", '#'),
        ("percnt", '%'),
        ("lpar", '('),
        ("rpar", ')'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("comma", ','),
        ("semi", ';'),
        ("nbsp", ' '),
        ("dash", '-'),
        ("ndash", '-'),
        ("shy", '\u{ad}'),
    ];
    let rest = text.get(1..).unwrap_or_default();
    if let Some(number) = rest.strip_prefix('#') {
        let (digits, radix) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16),
            None => (number, 10),
        };
        let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let value = digits.get(..end).and_then(|digits| u32::from_str_radix(digits, radix).ok());
        if let Some(c) = value.and_then(char::from_u32) {
            push(bytes, c);
            let after = digits.get(end..).unwrap_or_default();
            return after.strip_prefix(';').unwrap_or(after);
        }
    }
    let named = name_length(rest.bytes()).and_then(|length| rest.split_at_checked(length)).and_then(
        |(name, after)| {
            let (_, c) = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
            Some((*c, after.strip_prefix(';')?))
        },
    );
    if let Some((c, after)) = named {
        push(bytes, c);
        return after;
    }
    bytes.push(b'&');
    rest
}

/// The length of the name that ends with a semicolon. Only the first few bytes are looked at: a text may have many
/// `&` and no semicolon.
fn name_length(bytes: impl Iterator<Item = u8>) -> Option<usize> {
    bytes.take(LONGEST_NAME).position(|byte| byte == b';')
}

/// Undoes the `\u0040`, `\/` or `\n` that `text` begins with, and returns the rest.
fn escape<'t>(text: &'t str, bytes: &mut Vec<u8>) -> &'t str {
    let code = |text: &str, mark: char, length| {
        text.strip_prefix('\\')?.strip_prefix(mark)?.get(..length).and_then(hex)
    };
    let mut after = text.get(2..).unwrap_or_default();
    match text.as_bytes().get(1) {
        Some(quoted @ (b'/' | b'"' | b'\\')) => bytes.push(*quoted),
        Some(b'n' | b'r' | b't' | b'f' | b'b') => bytes.push(b' '),
        Some(b'u') => {
            let Some(first) = code(text, 'u', 4) else {
                bytes.push(b'\\');
                return text.get(1..).unwrap_or_default();
            };
            after = text.get(6..).unwrap_or_default();
            // Characters beyond U+FFFF are written as two escapes.
            let second = code(after, 'u', 4).filter(|low| (0xdc00..0xe000).contains(low));
            if let (0xd800..0xdc00, Some(low)) = (first, second) {
                push(
                    bytes,
                    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00))
                        .unwrap_or('\u{fffd}'),
                );
                after = after.get(6..).unwrap_or_default();
            } else {
                push(bytes, char::from_u32(first).unwrap_or('\u{fffd}'));
            }
        }
        // An escape of JavaScript.
        Some(b'x') if code(text, 'x', 2).is_some() => {
            push(bytes, code(text, 'x', 2).and_then(char::from_u32).unwrap_or('\u{fffd}'));
            after = text.get(4..).unwrap_or_default();
        }
        _ => {
            bytes.push(b'\\');
            after = text.get(1..).unwrap_or_default();
        }
    }
    after
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn json_escapes_are_undone_as_json_says(text in ".{0,30}") {
            let quoted = serde_json::Value::from(&*text).to_string();
            let expected = text.replace(['\n', '\r', '\t', '\u{c}', '\u{8}'], " ");
            prop_assert_eq!(unescaped(&quoted[1..quoted.len() - 1]), expected);
        }

        #[test]
        fn decoding_ends_on_any_input(text in r"[%&\\#;xu0-9a-f é]{0,40}") {
            any_of(&text, &mut |_| false);
        }
    }

    #[test]
    fn of_many_entities_without_an_end_only_a_few_bytes_of_each_are_read() {
        let read = Cell::new(0);
        let text = "&".repeat(10_000);
        for start in 0..text.len() {
            assert_eq!(name_length(text[start..].bytes().inspect(|_| read.set(read.get() + 1))), None);
        }
        assert!(read.get() <= LONGEST_NAME * text.len(), "{}", read.get());
        assert_eq!(decoded(&text), None);
        assert_eq!(decoded(&format!("{text}amp;")), Some(text));
    }

    #[test]
    fn encodings_are_undone_one_inside_another() {
        for text in [
            "ana%40x.example",
            "ana&#64;x.example",
            "ana&#x40;x.example",
            "ana&#64x.example",
            "ana&commat;x.example",
            r"ana\u0040x.example",
            r"ana\x40x.example",
            "ana%2540x.example",
            "ana&amp;#64;x.example",
            r"ana\\u0040x.example",
            "ana\u{ff20}x\u{ff0e}example",
            "a\u{ad}na@x.\u{200b}example",
            "%61na%26%2364;x.example",
            "ana%25252540x.example",
        ] {
            assert!(any_of(text, &mut |text| text == "ana@x.example"), "{text}");
        }
        for text in ["100 % & more", r"a\b", "%zz", "&nothing", r"\u12", "&#99999999;"] {
            any_of(text, &mut |_| false);
        }
        assert_eq!(decoded("plain"), None);
    }
}
