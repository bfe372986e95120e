//! Rows as text that another process can read, and a key that equal rows share. Pure.
//!
//! Frames of a cluster are read where they are: each worker turns its rows into keys and texts, and
//! only one text of each key travels to the process that sends.

use std::borrow::Cow;
use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::identifier::{FieldType, Identifier, Invalid, RULES_VERSION};

use super::{Preference, Row};

/// What a row looks up, in the form in which it is written as text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written<'a> {
    Missing,
    Invalid(u32, Invalid),
    Asks(Vec<(u32, FieldType, Cow<'a, str>)>),
}

/// The row as text: each identifier in order of preference, with the number of its column.
///
/// `columns` is the number of columns that are looked up. A cell may hold several values, so the
/// position of an entry modulo this number is its column
/// ([`join`](../../exactbuyer_arrow/fn.join.html) numbers them so). Two rows with the same text get
/// the same answer, and the same column in `matched_by`.
///
/// ```
/// use exactbuyer_core::identifier::{FieldType, Identifier};
/// use exactbuyer_core::plan::{Row, key, row_of_text, text_of_row};
///
/// let ana = Row::One(Identifier::from_canonical(FieldType::Email, "ana@acme.example"));
/// let text = text_of_row(&ana, 1);
/// assert_eq!(row_of_text(&text), Some(ana));
/// assert_eq!(key(&text), key(&text.clone()));
/// ```
#[must_use]
pub fn text_of_row(row: &Row, columns: u32) -> String {
    let column = |place: u32| place % columns.max(1);
    let asks = |place: u32, identifier: &Identifier| {
        (column(place), identifier.field_type(), Cow::Owned(identifier.canonical().to_owned()))
    };
    let written = match row {
        Row::Missing => Written::Missing,
        Row::Invalid(place, why) => Written::Invalid(column(*place), *why),
        Row::One(identifier) => Written::Asks(vec![asks(0, identifier)]),
        Row::Preference(preference) => {
            let alternatives = preference.alternatives.iter();
            Written::Asks(alternatives.map(|(place, identifier)| asks(*place, identifier)).collect())
        }
    };
    // No map has keys that JSON does not allow, so this cannot fail.
    serde_json::to_string(&written).unwrap_or_default()
}

/// The row of a text that [`text_of_row`] has written; `None` if it is no such text.
#[must_use]
pub fn row_of_text(text: &str) -> Option<Row> {
    Some(match serde_json::from_str(text).ok()? {
        Written::Missing => Row::Missing,
        Written::Invalid(place, why) => Row::Invalid(place, why),
        Written::Asks(asked) => {
            let read = |(place, field_type, canonical): (u32, FieldType, Cow<'_, str>)| {
                (place, Identifier::from_canonical(field_type, canonical.as_ref()))
            };
            let mut alternatives: Vec<_> = asked.into_iter().map(read).collect();
            let first = alternatives.first()?.0;
            if first == 0 && alternatives.len() == 1 {
                return alternatives.pop().map(|(_, identifier)| Row::One(identifier));
            }
            Row::Preference(Box::new(Preference { first, alternatives: alternatives.into() }))
        }
    })
}

/// The key of a row's text: the same in every process with the same [`RULES_VERSION`].
///
/// With other rules, a spelling may have another canonical form, so their keys never match.
#[must_use]
pub fn key(text: &str) -> [u8; 16] {
    let mut hasher = SipHasher24::new_with_keys(u64::from(RULES_VERSION), 0);
    hasher.write(text.as_bytes());
    hasher.finish128().as_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::identifier::{Rules, identify};

    fn identifier(field_type: FieldType, text: &str) -> Identifier {
        Identifier::from_canonical(field_type, text)
    }

    fn list(entries: &[(u32, &str)]) -> Row {
        let first = entries.first().map_or(0, |(place, _)| *place);
        let alternatives =
            entries.iter().map(|(place, text)| (*place, identifier(FieldType::Email, text))).collect();
        Row::Preference(Box::new(Preference { first, alternatives }))
    }

    #[test]
    fn every_kind_of_row_comes_back() {
        let disagrees = Invalid::Disagrees { given: FieldType::Email, seen: FieldType::Phone };
        let rows = [
            Row::Missing,
            Row::Invalid(1, Invalid::EmailIncomplete),
            Row::Invalid(0, disagrees),
            Row::One(identifier(FieldType::SocialProfile, "linkedin.com/in/\"ana\"")),
            list(&[(1, "a@x.example")]),
            list(&[(0, "a@x.example"), (1, "b@x.example")]),
        ];
        let mut keys = HashSet::new();
        for row in rows {
            let text = text_of_row(&row, 2);
            assert_eq!(row_of_text(&text).as_ref(), Some(&row), "{text}");
            assert!(keys.insert(key(&text)), "{text} has the key of another row");
        }
        assert_eq!((row_of_text(""), row_of_text("{\"asks\":[]}"), row_of_text("null")), (None, None, None));
    }

    #[test]
    fn two_spellings_of_one_address_have_one_key() {
        let key_of = |text: &str| {
            let identifier = identify(text, None, &Rules::default()).unwrap();
            key(&text_of_row(&Row::One(identifier), 1))
        };
        assert_eq!(key_of(" Ana@ACME.example"), key_of("mailto:ana@acme.example"));
        assert_ne!(key_of("ana@acme.example"), key_of("bea@acme.example"));
    }

    #[test]
    fn the_column_counts_and_not_the_place_in_its_cell() {
        // The second value of the first of two columns has the number 2.
        assert_eq!(
            text_of_row(&list(&[(0, "a"), (2, "b")]), 2),
            text_of_row(&list(&[(0, "a"), (4, "b")]), 2)
        );
        assert_ne!(
            text_of_row(&list(&[(0, "a"), (1, "b")]), 2),
            text_of_row(&list(&[(0, "a"), (2, "b")]), 2)
        );
    }

    #[test]
    fn keys_stay_the_same() {
        // Workers and the caller may run different releases with the same rules.
        let ana = text_of_row(&Row::One(identifier(FieldType::Email, "ana@acme.example")), 1);
        assert_eq!(ana, r#"{"asks":[[0,"email","ana@acme.example"]]}"#);
        assert_eq!(
            (RULES_VERSION, u128::from_le_bytes(key(&ana))),
            (4, 0xf162_5da9_c643_be21_9735_7a8a_483f_964b)
        );
    }

    proptest! {
        #[test]
        fn any_text_comes_back(texts in prop::collection::vec(any::<String>(), 1..4)) {
            let alternatives: Vec<_> = (0..).zip(&texts).map(|(n, text)| (n, text.as_str())).collect();
            let row = if let [(_, only)] = alternatives[..] {
                Row::One(identifier(FieldType::Email, only))
            } else {
                list(&alternatives)
            };
            prop_assert_eq!(row_of_text(&text_of_row(&row, 8)), Some(row));
        }
    }
}
