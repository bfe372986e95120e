//! Identifiers whose result was set in advance: a person, or a miss.
//!
//! A contact that a test gives is returned byte for byte. It is only looked through once, to know which
//! required fields it has: a field counts if its value is not null, not an empty text and not an empty list.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::query::Required;

/// The result of an identifier.
#[derive(Debug)]
pub(super) enum Override {
    /// This contact, as JSON text, and which of the fields it has that can be required.
    Person(Box<str>, Required),
    /// A miss.
    ///
    /// Costs nothing, as any miss.
    Nobody,
}

/// Whether a field has a value. Everything else is skipped without decoding, because a contact may
/// contain text that JSON allows and serde does not, such as half of a surrogate pair.
///
/// `false` for null, for an empty text and for an empty list.
#[derive(Debug, Default)]
struct Filled(bool);

/// The fields of a contact that a request may require, and whether each has a value.
///
/// A field that the contact does not have counts as empty.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Fields {
    current_work_email: Filled,
    personal_emails: Filled,
    phone_numbers: Filled,
    social_profiles: Filled,
}

impl Override {
    /// A result with this contact, given as JSON text. `None` if it is not an object.
    ///
    /// The text is kept as it is, without the blanks around it.
    pub(super) fn person(contact: &str) -> Option<Self> {
        let contact = contact.trim();
        // serde would accept a list in the place of a struct.
        let fields: Fields = contact.starts_with('{').then(|| serde_json::from_str(contact).ok())??;
        let has = Required::of(
            fields.current_work_email.0,
            fields.personal_emails.0,
            fields.phone_numbers.0,
            fields.social_profiles.0,
        );
        Some(Self::Person(contact.into(), has))
    }
}

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

/// Finds out whether a value is present, without keeping it.
///
/// Each method takes the whole value, as serde demands, and remembers one bit of it.
struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Filled;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Filled, E> {
        Ok(Filled(false))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Filled, E> {
        Ok(Filled(true))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Filled, E> {
        Ok(Filled(true))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Filled, E> {
        Ok(Filled(true))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Filled, E> {
        Ok(Filled(true))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Filled, E> {
        Ok(Filled(!text.is_empty()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Filled, A::Error> {
        let mut filled = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            filled = true;
        }
        Ok(Filled(filled))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Filled, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Filled(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(contact: &str) -> Option<Required> {
        match Override::person(contact)? {
            Override::Person(text, has) => {
                assert_eq!(&*text, contact.trim());
                Some(has)
            }
            Override::Nobody => None,
        }
    }

    #[test]
    fn what_is_filled_can_be_required() {
        let of = Required::of;
        assert_eq!(has("{}"), Some(of(false, false, false, false)));
        assert_eq!(has(r#" {"current_work_email": "a@x"} "#), Some(of(true, false, false, false)));
        assert_eq!(
            has(r#"{"personal_emails": [1, {}], "phone_numbers": [], "social_profiles": null}"#),
            Some(of(false, true, false, false))
        );
        assert_eq!(
            has(r#"{"current_work_email": "", "phone_numbers": {"a": 1}, "social_profiles": true}"#),
            Some(of(false, false, true, true))
        );
    }

    #[test]
    fn odd_objects_are_objects_and_the_rest_is_not() {
        assert!(has(r#"{"note": "\ud83d", "big": 1000000000000000000000000000000, "far": 1e999}"#).is_some());
        for no in ["", "[]", "null", "1", "{", r#"{"a": NaN}"#, "{} {}"] {
            assert!(has(no).is_none(), "{no}");
        }
    }
}
