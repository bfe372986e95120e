//! Collects all texts of a JSON document: strings with their escapes undone, names of members, numbers as
//! they are written. The document may be broken: unlike a parser, the walk goes on after an error.
//!
//! Not a parser: it must find a person also in a reply that was cut off, has two documents in a row, or is HTML. It
//! checks no syntax beyond what `Walked::whole` needs. One pass, without recursion, so a deeply nested document
//! cannot overflow the stack.

use std::borrow::Cow;

use exactbuyer_core::identifier::Region;
use exactbuyer_core::identifier::spelling::unescaped;

/// Pieces of one object or array from which a number could be put together.
///
/// `{"country_code": "1", "number": "2015550123"}` has the pieces `1` and `2015550123`.
pub(super) struct Split {
    /// Each piece's digits, in the order of the document.
    pub(super) pieces: Vec<String>,
    /// Whether a member's name says that they belong to a phone number.
    pub(super) is_phone: bool,
}

/// What a walk has found.
///
/// Slices of the document where nothing had to be decoded.
pub(super) struct Walked<'t> {
    /// Names of members are among them, because a name may be an identifier.
    pub(super) texts: Vec<Cow<'t, str>>,
    pub(super) split: Vec<Split>,
    /// Countries that the contact names. A number without a country code is read by the rules of these countries.
    pub(super) regions: Vec<Region>,
    /// Whether only JSON stands outside of strings, and every string and bracket is closed.
    pub(super) whole: bool,
}

/// The most countries of one contact that are collected.
///
/// Each is one more attempt for every number.
const MOST_REGIONS: usize = 3;

/// The most characters of a piece of a number.
///
/// A number has 15 digits at most; the rest is room for what people put between them.
const LONGEST_PIECE: usize = 24;

/// Words in the names of members that hold a phone number, or a part that only phone numbers have.
const PHONE_WORDS: [&str; 11] = [
    "phone",
    "tel",
    "mobile",
    "cell",
    "fax",
    "dial",
    "national",
    "subscriber",
    "area_code",
    "areacode",
    "country_code",
];

/// What is known of an object or array that is not closed yet. The outermost one stands for the document itself.
#[derive(Default)]
struct Frame {
    /// Digits of its own values, and the single piece of an object inside it.
    pieces: Vec<String>,
    is_phone: bool,
}

/// Walks a document.
///
/// Never fails: what is not JSON is passed over.
pub(super) fn walk(json: &str) -> Walked<'_> {
    let mut walked = Walked { texts: Vec::new(), split: Vec::new(), regions: Vec::new(), whole: true };
    let mut frames = vec![Frame::default()];
    let mut name: Option<Cow<'_, str>> = None;
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => {
                let (raw, after, ended) = string(rest);
                let text = unescaped(raw);
                walked.whole &= ended;
                rest = after;
                if after.trim_start().starts_with(':') {
                    name = Some(text.clone());
                } else {
                    walked.value(&mut frames, name.take().as_deref(), &text);
                }
                walked.texts.push(text);
            }
            '{' | '[' => {
                // An object's name says what its members are about. An object in a list has the list's name.
                let outer = frames.last().is_some_and(|outer| outer.is_phone);
                let is_phone = name.take().map_or(outer, |name| is_about_phones(&name));
                frames.push(Frame { pieces: Vec::new(), is_phone });
                rest = rest.get(1..).unwrap_or_default();
            }
            '}' | ']' => {
                let frame = frames.pop().unwrap_or_default();
                walked.whole &= !frames.is_empty();
                if frames.is_empty() {
                    frames.push(Frame::default());
                }
                // `{"area": {"code": "201"}, "number": "5550123"}`
                if let ([piece], Some(outer)) = (&*frame.pieces, frames.last_mut()) {
                    outer.pieces.push(piece.clone());
                }
                walked.close(frame);
                rest = rest.get(1..).unwrap_or_default();
            }
            ' ' | '\n' | '\r' | '\t' | ':' | ',' => rest = rest.get(1..).unwrap_or_default(),
            _ => {
                let end = rest
                    .find(|c: char| {
                        c.is_ascii_whitespace() || matches!(c, '"' | '{' | '}' | '[' | ']' | ':' | ',')
                    })
                    .unwrap_or(rest.len());
                let (bare, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                rest = after;
                let is_number = bare.starts_with(|c: char| c.is_ascii_digit() || c == '-');
                walked.whole &= is_number || matches!(bare, "true" | "false" | "null");
                if is_number {
                    // `1.7734749362E10`
                    let plain = bare.contains(['e', 'E']).then(|| bare.parse::<f64>().ok()).flatten();
                    let text = plain.map_or(Cow::Borrowed(bare), |number| number.to_string().into());
                    walked.value(&mut frames, name.take().as_deref(), &text);
                    walked.texts.push(text);
                }
                name = None;
            }
        }
    }
    walked.whole &= frames.len() == 1;
    for frame in frames {
        walked.close(frame);
    }
    walked
}

impl Walked<'_> {
    /// Collects a piece of a number, or a country, from a value.
    fn value(&mut self, frames: &mut [Frame], name: Option<&str>, text: &str) {
        let digits = super::numbers::piece(text);
        if !digits.is_empty()
            && text.len() <= LONGEST_PIECE
            && let Some(frame) = frames.last_mut()
        {
            frame.pieces.push(digits);
            frame.is_phone |= name.is_some_and(is_about_phones);
        }
        if text.len() == 2
            && self.regions.len() < MOST_REGIONS
            && name.is_some_and(|name| name.to_ascii_lowercase().contains("country"))
            && let Ok(region) = Region::new(text)
            && !self.regions.contains(&region)
        {
            self.regions.push(region);
        }
    }

    /// A single piece is not kept: it was among the texts.
    fn close(&mut self, frame: Frame) {
        let Frame { pieces, is_phone } = frame;
        if pieces.len() > 1 {
            self.split.push(Split { pieces, is_phone });
        }
    }
}

/// In upper or lower case, anywhere in the name.
fn is_about_phones(name: &str) -> bool {
    let mut words = PHONE_WORDS.iter().map(|word| word.as_bytes());
    words.any(|word| name.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// The text between the quotes, the rest after them, and whether the closing quote exists.
///
/// `text` begins with a quote. Without a closing quote, everything is the text.
fn string(text: &str) -> (&str, &str, bool) {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return (text.get(1..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default(), true);
        }
        at += 2;
    }
    (text.get(1..).unwrap_or_default(), "", false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_walk_ends_on_any_input(text in r#"[ -~\n"\\{}\[\]:,é\u{1f600}]{0,80}"#) {
            drop(walk(&text));
        }
    }

    #[test]
    fn all_texts_are_found_also_where_the_document_is_broken() {
        fn texts(json: &str) -> Vec<String> {
            walk(json).texts.into_iter().map(Cow::into_owned).collect()
        }
        let json = r#"{"a":["b\/c","\u0064\ud83d\ude00"],"a":1.5e3,"e":null,"g":{"h":"i""#;
        assert_eq!(
            texts(&format!("{json}}}}}")),
            ["a", "b/c", "d\u{1f600}", "a", "1500", "e", "g", "h", "i"]
        );
        assert!(walk(&format!("{json}}}}}")).whole);
        for (broken, last) in
            [(json, "i"), (&json[..json.len() - 1], "i"), (r#"{"a":\n"b"#, "b"), ("<a b=\"c\">", "c")]
        {
            assert!(!walk(broken).whole, "{broken}");
            assert_eq!(texts(broken).last().map(String::as_str), Some(last));
        }
    }

    #[test]
    fn the_parts_of_one_number_are_kept_together() {
        let walked =
            walk(r#"{"phones":[{"country_code":"1","number":"2015550123","kind":"x"}],"country":"de"}"#);
        assert_eq!(walked.split[0].pieces, ["1", "2015550123"]);
        assert!(walked.split[0].is_phone);
        assert_eq!(walked.regions.len(), 1);
    }
}
