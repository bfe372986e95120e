//! Encodings inside a text: HTML entities, escapes of JSON, percent-encoding. One decoder for all who read texts: rows
//! ([`wrapping`](super::wrapping)) undo an encoding only where the whole value is written in it, and the store's
//! search for people undoes all of them.
//!
//! | written | read as |
//! |---|---|
//! | `ana%40x.example` | `ana@x.example` |
//! | `ana&#64;x.example`, `ana&commat;x.example` | the same |
//! | `ana\u0040x.example`, `ana\x40x.example` | the same |
//!
//! Every function takes time in proportion to the text.

use std::borrow::Cow;

/// The named HTML entities for the characters of addresses, and of what people put beside them.
const ENTITIES: [(&str, char); 22] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("commat", '@'),
    ("period", '.'),
    ("lowbar", '_'),
    ("plus", '+'),
    ("sol", '/'),
    ("colon", ':'),
    ("bsol", '\\'),
    ("num", '#'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("comma", ','),
    ("semi", ';'),
    ("dash", '-'),
    ("ndash", '-'),
    ("shy", '\u{ad}'),
];

/// The first entities of the list are those that rows undo. One more would change canonical forms.
const IN_ROWS: usize = 12;

/// The most bytes of an entity's name and its semicolon.
pub const LONGEST_NAME: usize = 10;

/// The text with one layer of its encodings undone; `None` if it has none.
///
/// All kinds of encodings are undone in one pass from left to right. What only looks like an encoding stays as it is.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    let find = |bytes: &[u8]| memchr::memchr3(b'%', b'&', b'\\', bytes);
    undone(text, find, |marked, bytes| match marked.as_bytes().first() {
        Some(b'%') => percent(marked, bytes),
        Some(b'&') => entity(marked).map(|entity| push(bytes, entity.character, entity.rest)),
        _ => escaped(marked, bytes),
    })
}

/// A JSON string without its escapes. What only looks like an escape stays as it is.
#[must_use]
pub fn unescaped(raw: &str) -> Cow<'_, str> {
    undone(raw, |bytes| memchr::memchr(b'\\', bytes), escaped).map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// The text with the HTML entities undone that rows undo: with their semicolon, and not for a control character.
/// `None` if it has none.
pub(super) fn without_entities(text: &str) -> Option<String> {
    undone(
        text,
        |bytes| memchr::memchr(b'&', bytes),
        |marked, bytes| {
            let entity =
                entity(marked).filter(|entity| entity.is_in_rows && !entity.character.is_control())?;
            Some(push(bytes, entity.character, entity.rest))
        },
    )
}

/// The number that these hexadecimal digits write; `None` for anything else, such as the sign that Rust's parser would
/// accept.
#[must_use]
pub fn hex(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(digits, 16).ok()
}

/// Undoes every encoding of a text; `None` if it has none. `find` finds the next mark with which an encoding may begin.
/// `undo` appends what the text stands for that begins with the mark, and returns the rest.
fn undone<'t>(
    text: &'t str,
    find: impl Fn(&[u8]) -> Option<usize>,
    undo: impl Fn(&'t str, &mut Vec<u8>) -> Option<&'t str>,
) -> Option<String> {
    let (mut bytes, mut rest, mut found) = (Vec::new(), text, false);
    while let Some((before, marked)) = find(rest.as_bytes()).and_then(|at| rest.split_at_checked(at)) {
        bytes.extend_from_slice(before.as_bytes());
        rest = if let Some(after) = undo(marked, &mut bytes) {
            found = true;
            after
        } else {
            let (mark, after) = marked.split_at_checked(1)?;
            bytes.extend_from_slice(mark.as_bytes());
            after
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    found.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Appends the character in UTF-8, and returns the rest.
fn push<'t>(bytes: &mut Vec<u8>, c: char, rest: &'t str) -> &'t str {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

/// Undoes the `%40` that `text` begins with, and returns the rest.
///
/// One byte: a character beyond ASCII is written as several.
fn percent<'t>(text: &'t str, bytes: &mut Vec<u8>) -> Option<&'t str> {
    let byte = text.as_bytes().get(1..3).and_then(hex)?;
    bytes.extend(u8::try_from(byte));
    text.get(3..)
}

/// Undoes the escape that `text` begins with, and returns the rest. Half of a pair stands for no character.
fn escaped<'t>(text: &'t str, bytes: &mut Vec<u8>) -> Option<&'t str> {
    let (code, rest) = escape(text)?;
    Some(push(bytes, char::from_u32(code).unwrap_or('\u{fffd}'), rest))
}

/// An HTML entity with which a text begins.
struct Entity<'t> {
    character: char,
    /// The text after it.
    rest: &'t str,
    /// Whether rows undo it.
    is_in_rows: bool,
}

/// The `&#64;`, `&#x40;` or `&commat;` that `text` begins with. The semicolon after a number may be missing, as in
/// browsers.
fn entity(text: &str) -> Option<Entity<'_>> {
    let rest = text.strip_prefix('&')?;
    if let Some(number) = rest.strip_prefix('#') {
        let (digits, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |digits| (digits, 16));
        let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let (digits, rest) = digits.split_at_checked(end)?;
        let character = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)?;
        let after = rest.strip_prefix(';');
        return Some(Entity { character, rest: after.unwrap_or(rest), is_in_rows: after.is_some() });
    }
    let (name, rest) = rest.split_at_checked(name_length(rest.bytes())?)?;
    let known = |(_, (known, _)): &(usize, &(&str, char))| known.eq_ignore_ascii_case(name);
    let (place, (known, character)) = ENTITIES.iter().enumerate().find(known)?;
    let is_in_rows = place < IN_ROWS && *known == name;
    Some(Entity { character: *character, rest: rest.strip_prefix(';')?, is_in_rows })
}

/// The length of the name that ends with a semicolon. Only the first few bytes are looked at: a text may have many
/// `&` and no semicolon.
fn name_length(bytes: impl Iterator<Item = u8>) -> Option<usize> {
    bytes.take(LONGEST_NAME).position(|byte| byte == b';')
}

/// What the `\u0040`, `\/` or `\n` stands for that `text` begins with, and the rest. It is not a character if only one
/// half of a pair is there.
pub(super) fn escape(text: &str) -> Option<(u32, &str)> {
    let code = |text: &str, mark: &str, length| hex(text.strip_prefix(mark)?.as_bytes().get(..length)?);
    match text.as_bytes().get(1)? {
        quoted @ (b'/' | b'"' | b'\\') => Some((u32::from(*quoted), text.get(2..)?)),
        b'n' | b'r' | b't' | b'f' | b'b' => Some((u32::from(b' '), text.get(2..)?)),
        b'u' => {
            let (first, rest) = (code(text, "\\u", 4)?, text.get(6..)?);
            // Characters beyond U+FFFF are written as two escapes.
            let second = code(rest, "\\u", 4).filter(|low| (0xdc00..0xe000).contains(low));
            match (first, second) {
                (0xd800..0xdc00, Some(low)) => {
                    Some((0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00), rest.get(6..)?))
                }
                _ => Some((first, rest)),
            }
        }
        // An escape of JavaScript.
        b'x' => Some((code(text, "\\x", 2)?, text.get(4..)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

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
    fn rows_undo_fewer_entities() {
        assert_eq!(without_entities("a&#64;b&commat;c&#x40;").as_deref(), Some("a@b@c@"));
        for text in ["a&#64b", "a&COMMAT;b", "a&comma;b", "a&#10;b", "a&b;"] {
            assert_eq!(without_entities(text), None, "{text}");
        }
        assert_eq!(decoded("a&#64b&COMMAT;c&comma;d").as_deref(), Some("a@b@c,d"));
    }
}
