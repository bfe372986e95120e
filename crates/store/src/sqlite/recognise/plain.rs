//! A quick check whether all ASCII letters and digits of a text are written as such, without an encoding.
//!
//! It is cautious: a text that it calls plain can be searched byte by byte, and any other text is decoded first.

use exactbuyer_core::identifier::spelling::{LONGEST_NAME, hex};

/// Whether no encoding and no other script in it hides an ASCII letter, an ASCII digit or another encoding.
/// Then a search of the bytes finds every ASCII letter and digit of the text. May return `false` for a text
/// that hides nothing.
pub(super) fn is_plain(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = memchr::memchr3(b'%', b'&', b'\\', rest) {
        let marked = rest.get(at..).unwrap_or_default();
        let length = match marked {
            [b'\\', b'u', digits @ ..] => match digits.get(..4).and_then(hex) {
                Some(code) if !may_hide(code) => 6,
                _ => return false,
            },
            [b'\\', b'/' | b'"' | b'n' | b'r' | b't' | b'b' | b'f', ..] => 2,
            [b'%', digits @ ..] => match digits.get(..2).and_then(hex) {
                // One byte of a character of another script.
                Some(byte) if byte >= 0x80 => return false,
                Some(byte) if may_hide(byte) => return false,
                _ => 1,
            },
            // `A & B`, `?a=1&b=2`: not an entity.
            [b'&', after @ ..]
                if !after.starts_with(b"#") && !after.iter().take(LONGEST_NAME).any(|byte| *byte == b';') =>
            {
                1
            }
            _ => return false,
        };
        rest = marked.get(length..).unwrap_or_default();
    }
    json.is_ascii() || std::str::from_utf8(json).is_ok_and(|text| !text.chars().any(may_hide_unencoded))
}

/// Whether this character, if it is encoded, is or becomes an ASCII letter or digit, begins another encoding,
/// or is invisible.
fn may_hide(code: u32) -> bool {
    match char::from_u32(code) {
        Some(c) if c.is_ascii() => c.is_ascii_alphanumeric() || matches!(c, '%' | '&' | '\\'),
        Some(c) => may_hide_unencoded(c),
        None => true,
    }
}

/// The same for a character that is not encoded. Letters with accents, letters of Greek, Cyrillic, Chinese, Japanese
/// and Korean, and common punctuation hide nothing. All other characters are assumed to hide one.
pub(super) const fn may_hide_unencoded(c: char) -> bool {
    !matches!(
        c,
        '\0'..='\u{7f}' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{12f}' | '\u{131}'..='\u{2ff}' | '\u{370}'..='\u{58f}'
            | '\u{2010}'..='\u{2027}' | '\u{20a0}'..='\u{20a7}' | '\u{20a9}'..='\u{20bf}' | '\u{3001}'..='\u{30ff}'
            | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
    )
}

/// Whether this character, in a host, may be or become an ASCII letter or digit (UTS 46), or is invisible.
pub(super) const fn may_hide_in_host(c: char) -> bool {
    may_hide_unencoded(c)
        || matches!(c, '\u{80}'..='\u{bf}' | '\u{132}'..='\u{2ff}' | '\u{2024}'..='\u{20bf}' | '\u{3001}'..='\u{30ff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use exactbuyer_core::identifier::spelling::{decoded, digit, folded};
    use exactbuyer_core::identifier::{FieldType, Rules, identify};

    proptest! {
        /// Undoing the encodings of a plain text adds no letters or digits.
        #[test]
        fn plain_text_hides_no_letters(text in r"([%&\\\\]|u00[2-9a-f]{2}|[a-f0-9/ ;#x\u{e9}\u{ad}\u{ff21}\u{130}\u{3042}]){0,12}") {
            let ascii = |text: &str| text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect::<String>();
            if is_plain(text.as_bytes()) {
                let mut read = folded(&text).into_owned();
                while let Some(next) = decoded(&read) {
                    read = folded(&next).into_owned();
                }
                let (before, after) = (ascii(&text), ascii(&read));
                // Undoing an escape removes letters, and adds none.
                prop_assert!(is_within(&after, &before), "{before} {after}");
            }
        }
    }

    fn is_within(inner: &str, outer: &str) -> bool {
        let mut outer = outer.chars();
        inner.chars().all(|c| outer.any(|other| other == c))
    }

    #[test]
    fn a_character_that_hides_nothing_is_seen_and_becomes_no_other() {
        for c in (0x80..=0x10_ffff).filter_map(char::from_u32).filter(|c| !may_hide_unencoded(*c)) {
            let text = format!("x{c}y");
            // The ideographic space is among them.
            assert!(folded(&text) == text || c.is_whitespace(), "{c:?}");
            assert_eq!(digit(c), None);
            let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
            match identify(&format!("{text}@x.example"), Some(FieldType::Email), &Rules::default()) {
                Ok(read) => assert_eq!(letters(read.canonical()), "xyxexample", "{c:?}"),
                Err(_) => assert!(!c.is_alphanumeric(), "{c:?}"),
            }
            let host = identify(&format!("a@{text}.example"), Some(FieldType::Email), &Rules::default());
            assert!(
                may_hide_in_host(c)
                    || host.is_err()
                    || host.is_ok_and(|host| host.canonical().starts_with("a@xn--"))
            );
        }
    }

    #[test]
    fn typical_replies_are_plain() {
        for text in [
            r#"{"a":"https:\/\/x.example\/jos\u00e9","b":"A & B","c":"100 %"}"#,
            "{\"a\":\"Zo\u{eb} \u{2013} \u{738b}\"}",
        ] {
            assert!(is_plain(text.as_bytes()), "{text}");
        }
        for text in
            [r"\u0061na", "%61na", "&#97;na", "\u{ff41}na", "a\u{ad}na", r"a\u00adna", r"\\u0061", "&amp;"]
        {
            assert!(!is_plain(text.as_bytes()), "{text}");
        }
    }
}
