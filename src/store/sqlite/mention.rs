//! Whether a contact mentions somebody: in any spelling that JSON and people have for it.

use memchr::memmem;
use serde_json::Value;

use crate::identifier::{FieldType, Identifier};

use super::find::Target;

/// Digits by which two spellings of a phone number are told to be one: without the country code,
/// they need not have more in common.
const SHARED_DIGITS: usize = 7;

/// Who is looked for.
#[derive(Debug)]
pub(super) enum Mention {
    /// Nobody by what is written.
    None,
    /// This text, in whatever case.
    Text(String),
    /// An e-mail address or profile, in whatever case, that does not go on on either side.
    Word(Identifier),
    /// A phone number; its digits.
    Phone(Identifier, String),
}

impl Mention {
    pub(super) fn of(target: &Target) -> Self {
        match target {
            Target::Identifier(identifier) if identifier.field_type() == FieldType::Phone => {
                let digits = identifier.canonical().chars().filter(char::is_ascii_digit).collect();
                Self::Phone(identifier.clone(), digits)
            }
            Target::Identifier(identifier) => Self::Word(identifier.clone()),
            Target::Text(text) => Self::Text(text.to_lowercase()),
            Target::OlderThan(_) => Self::None,
        }
    }

    /// Whether it was asked for by this.
    pub(super) fn is_asked_by(&self, identifier: &Identifier) -> bool {
        match self {
            Self::None => false,
            Self::Text(text) => identifier.canonical().to_lowercase().contains(text.as_str()),
            Self::Word(sought) | Self::Phone(sought, _) => sought == identifier,
        }
    }

    /// Whether a contact's JSON, or a reply that may be none, mentions it.
    pub(super) fn is_in(&self, json: &[u8]) -> bool {
        if !self.is_likely_in(json) {
            return false;
        }
        any_text(json, &|text| self.is_in_text(text))
    }

    /// What a look at the bytes cannot rule out. Most contacts end here.
    fn is_likely_in(&self, json: &[u8]) -> bool {
        let text = match self {
            Self::None => return false,
            Self::Text(text) => text.as_str(),
            Self::Word(identifier) => identifier.canonical(),
            Self::Phone(_, digits) => {
                let seen: Vec<u8> = json.iter().copied().filter(u8::is_ascii_digit).collect();
                return memmem::find(&seen, last(digits).as_bytes()).is_some();
            }
        };
        // An escape may spell anything.
        !text.is_ascii()
            || memchr::memchr(b'\\', json).is_some()
            || memmem::find(&json.to_ascii_lowercase(), text.as_bytes()).is_some()
    }

    fn is_in_text(&self, text: &str) -> bool {
        match self {
            Self::None => false,
            Self::Text(sought) => text.to_lowercase().contains(sought.as_str()),
            Self::Word(identifier) => stands_in(&text.to_lowercase(), identifier.canonical()),
            // A zero in brackets behind the code, as in `+49 (0)171`, is dialled at home only; but in
            // Italy it is a digit like any other.
            Self::Phone(_, digits) => {
                has_digits(text, digits)
                    || text.contains("(0") && has_digits(&text.replace("(0", "("), digits)
            }
        }
    }
}

/// Whether any text of a contact's JSON is such a one: strings, names of members, numbers as they are
/// written. Of what is no JSON, or too deep, all that is written there.
pub(super) fn any_text(json: &[u8], is_such: &impl Fn(&str) -> bool) -> bool {
    match serde_json::from_slice::<Value>(json) {
        Ok(value) => any_text_of(&value, is_such),
        Err(_) => is_such(&String::from_utf8_lossy(json)),
    }
}

fn any_text_of(value: &Value, is_such: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_such(text),
        Value::Number(number) => is_such(&number.to_string()),
        Value::Array(values) => values.iter().any(|value| any_text_of(value, is_such)),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| is_such(name) || any_text_of(value, is_such))
        }
        Value::Null | Value::Bool(_) => false,
    }
}

/// The digits that no spelling leaves out.
fn last(digits: &str) -> &str {
    digits.get(digits.len().saturating_sub(SHARED_DIGITS)..).unwrap_or(digits)
}

/// Whether these digits of a phone number stand there, or those of them without the country code.
fn has_digits(text: &str, digits: &str) -> bool {
    let seen: String = text.chars().filter(char::is_ascii_digit).collect();
    seen.contains(digits) || (seen.len() >= SHARED_DIGITS && digits.ends_with(seen.trim_start_matches('0')))
}

/// Whether it stands there, and not as a part of something longer: `ana@x.example` does not stand
/// in `diana@x.example`.
fn stands_in(text: &str, sought: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '%' | '+');
    text.match_indices(sought).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let mut after = text.get(at + sought.len()..).unwrap_or_default().chars();
        let goes_on = match after.next() {
            Some('.') => after.next().is_some_and(part),
            Some(next) => part(next),
            None => false,
        };
        // A profile's address may stand after `www.` or a country's subdomain.
        let begins = before.is_none_or(|c| !part(c) && (c != '.' || !sought.contains('@')));
        begins && !goes_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mention(field_type: FieldType, canonical: &str) -> Mention {
        Mention::of(&Target::Identifier(Identifier::from_canonical(field_type, canonical)))
    }

    #[test]
    fn a_person_is_found_in_any_spelling_and_nobody_else() {
        let ana = mention(FieldType::Email, "ana@x.example");
        for text in
            [r#"{"a":"ANA@X.example"}"#, r#"["mail: ana@x.example."]"#, r#"{"a":{"b":"\u0061na@x.example"}}"#]
        {
            assert!(ana.is_in(text.as_bytes()), "{text}");
        }
        for text in
            [r#""diana@x.example""#, r#""ana@x.example.org""#, r#""j.ana@x.example""#, "{}", r#""\\""#]
        {
            assert!(!ana.is_in(text.as_bytes()), "{text}");
        }
        let profile = mention(FieldType::SocialProfile, "linkedin.com/in/ana");
        assert!(profile.is_in(br#""https:\/\/www.LinkedIn.com\/in\/ana\/""#));
        assert!(!profile.is_in(br#""https://linkedin.com/in/ana-b""#));
        let phone = mention(FieldType::Phone, "+17734749362");
        for text in
            [r#"{"E164":"+17734749362"}"#, r#""(773) 474-9362""#, "17734749362", r#""001 773 474 93 62""#]
        {
            assert!(phone.is_in(text.as_bytes()), "{text}");
        }
        assert!(!phone.is_in(br#"["7734749361", "93 62"]"#));
        for (number, text) in [
            ("+491712345678", r#""+49 (0)171 2345678""#),
            ("+491712345678", r#""+49 (0171) 2345678""#),
            ("+390612345678", r#""+39 (06) 12345678""#),
        ] {
            assert!(mention(FieldType::Phone, number).is_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_looked_through_as_it_is() {
        assert!(mention(FieldType::Email, "ana@x.example").is_in(br#"{"contacts":[{"value":"ana@x.example"#));
    }
}
