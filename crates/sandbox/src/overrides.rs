//! Identifiers whose result was set in advance: a person, or a miss.
//!
//! A contact that a test gives is returned byte for byte. It is only looked through once, to know which
//! required fields it has: a field counts if its value is not null, not an empty text and not an empty list.

use serde_json::value::RawValue;

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

/// The fields of a contact that a request may require. Everything else is skipped without decoding, because a contact may
/// contain text that JSON allows and serde does not, such as half of a surrogate pair.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow)]
    current_work_email: Option<&'a RawValue>,
    #[serde(borrow)]
    personal_emails: Option<&'a RawValue>,
    #[serde(borrow)]
    phone_numbers: Option<&'a RawValue>,
    #[serde(borrow)]
    social_profiles: Option<&'a RawValue>,
}

impl Override {
    /// A result with this contact, given as JSON text. `None` if it is not an object.
    ///
    /// The text is kept as it is, without the blanks around it.
    pub(super) fn person(contact: &str) -> Option<Self> {
        let contact = contact.trim();
        // serde would accept a list in the place of a struct.
        let fields: Fields<'_> = contact.starts_with('{').then(|| serde_json::from_str(contact).ok())??;
        let has = Required::of(
            is_filled(fields.current_work_email)?,
            is_filled(fields.personal_emails)?,
            is_filled(fields.phone_numbers)?,
            is_filled(fields.social_profiles)?,
        );
        Some(Self::Person(contact.into(), has))
    }
}

/// Whether a field has a value: not null, for which serde gives `None`, not an empty text and not an empty list. Returns
/// `None` for a text that serde cannot decode.
fn is_filled(value: Option<&RawValue>) -> Option<bool> {
    let Some(json) = value.map(RawValue::get) else { return Some(false) };
    Some(match json.as_bytes() {
        [b'"', ..] => !serde_json::from_str::<String>(json).ok()?.is_empty(),
        [b'[', inside @ ..] => !inside.trim_ascii_start().starts_with(b"]"),
        _ => true,
    })
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
            has(r#"{"personal_emails": [1, {}], "phone_numbers": [ ], "social_profiles": null}"#),
            Some(of(false, true, false, false))
        );
        assert_eq!(
            has(r#"{"current_work_email": "", "phone_numbers": {"a": 1}, "social_profiles": true}"#),
            Some(of(false, false, true, true))
        );
    }

    #[test]
    fn odd_objects_are_objects_and_the_rest_is_not() {
        assert!(has(r#"{"personal_emails": ["\ud83d"]}"#).is_some());
        assert!(has(r#"{"current_work_email": "\ud83d"}"#).is_none());
        assert!(has(r#"{"note": "\ud83d", "big": 1000000000000000000000000000000, "far": 1e999}"#).is_some());
        for no in ["", "[]", "null", "1", "{", r#"{"a": NaN}"#, "{} {}"] {
            assert!(has(no).is_none(), "{no}");
        }
    }
}
