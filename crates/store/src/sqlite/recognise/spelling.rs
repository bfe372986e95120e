//! The layers of a text: as it is, and with one or more of its encodings undone.
//!
//! Which encodings, full-width forms and invisible characters there are is decided by the core, as for rows. Undoing
//! never fails.

use std::borrow::Cow;

use exactbuyer_core::identifier::spelling::{decoded, folded};

/// Nested encodings that are undone.
///
/// Each layer is one more pass over the text, so this bounds the time.
const DEEPEST: usize = 4;

/// One layer of a text.
pub(super) struct Layer<'t> {
    /// As it is written.
    pub(super) text: &'t str,
    pub(super) folded: &'t str,
    /// Whether it has encodings.
    pub(super) is_encoded: bool,
}

/// Whether `is_such` is true for this text, as it is or with any number of its encodings undone.
///
/// Also true if an outer layer has it: a text such as `a%40b` may be meant as it is.
pub(super) fn any_of(text: &str, is_such: &mut impl FnMut(&Layer<'_>) -> bool) -> bool {
    let mut text = Cow::Borrowed(text);
    for _ in 0..=DEEPEST {
        let folded = folded(&text);
        let next = decoded(&folded);
        if is_such(&Layer { text: &text, folded: &folded, is_encoded: next.is_some() }) {
            return true;
        }
        let Some(next) = next else { return false };
        text = Cow::Owned(next);
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decoding_ends_on_any_input(text in r"[%&\\#;xu0-9a-f é]{0,40}") {
            any_of(&text, &mut |_| false);
        }
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
            assert!(any_of(text, &mut |layer| layer.folded == "ana@x.example"), "{text}");
        }
        for text in ["100 % & more", r"a\b", "%zz", "&nothing", r"\u12", "&#99999999;"] {
            any_of(text, &mut |_| false);
        }
        assert_eq!(decoded("plain"), None);
    }
}
