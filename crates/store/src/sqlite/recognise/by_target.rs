//! Recognises the person whom a user wants to find or purge. The identifier is known here; `by_hash` recognises people
//! of whom only a hash is left.
//!
//! A search reads every contact of the store, so most of them must be ruled out cheaply. `Needle` looks for letters
//! or digits that every spelling contains, in the bytes as they are, and undoes encodings only where there may be
//! any.

use memchr::memmem;

use exactbuyer_core::identifier::{FieldType, Identifier};

use super::numbers::last_digits;
use super::plain::is_plain;
use super::spelling::{decoded, folded};
use super::walk::walk;
use super::{Matcher, Sought, mentions, needle_of};

/// If two spellings of a phone number end with this many equal digits, they count as the same number. Without country
/// code and area code, they have no more digits in common.
const SHARED_DIGITS: usize = 7;

/// How many last digits of a number the quick check looks for.
const LAST_DIGITS: usize = 4;

/// How many nested encodings the quick check undoes before it rules a contact out.
const DEEPEST: usize = 4;

/// What to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The person with this identifier: lookups of it, and every contact that mentions it.
    Identifier(Identifier),
    /// Every lookup and every contact that contains this text.
    Text(String),
}

/// Recognises a target.
///
/// Made once for a search and shared by its pages.
#[derive(Debug)]
pub(crate) enum TargetMatcher {
    /// This text in upper or lower case, and what every spelling of it contains.
    Text(String, Needle),
    /// This identifier, and what every spelling of it contains.
    Identifier(Identifier, Needle),
}

/// What every spelling of an identifier contains after encodings are undone. For a quick check.
#[derive(Debug)]
pub(crate) enum Needle {
    /// ASCII letters and digits, in lower case; empty if the spellings have none in common.
    Letters(String),
    /// Digits. There may be other characters between them.
    Digits(String),
}

impl TargetMatcher {
    pub(crate) fn of(target: &Target) -> Self {
        match target {
            Target::Identifier(identifier) => Self::person(identifier),
            Target::Text(text) => Self::Text(text.to_lowercase(), Needle::in_text(text)),
        }
    }

    pub(crate) fn person(identifier: &Identifier) -> Self {
        Self::Identifier(identifier.clone(), needle_of(identifier))
    }
}

impl Matcher for TargetMatcher {
    fn matches_lookup(&self, identifier: &Identifier) -> bool {
        match self {
            Self::Text(text, _) => identifier.canonical().to_lowercase().contains(text.as_str()),
            Self::Identifier(sought, _) => sought == identifier,
        }
    }

    fn is_mentioned_in(&self, json: &[u8]) -> bool {
        match self {
            Self::Text(sought, needle) => needle.is_likely_in(json) && is_text_in(sought, json),
            Self::Identifier(identifier, needle) => {
                needle.is_likely_in(json) && mentions(json, &One(identifier))
            }
        }
    }
}

/// Whether any text of a contact's JSON contains this text, in upper or lower case. If it is not complete JSON, all of it
/// is searched.
fn is_text_in(sought: &str, json: &[u8]) -> bool {
    let json = String::from_utf8_lossy(json);
    let walked = walk(&json);
    walked.texts.iter().any(|text| text.to_lowercase().contains(sought))
        || !walked.whole && json.to_lowercase().contains(sought)
}

impl Needle {
    /// In the last digits of a number.
    pub(super) fn in_number(number: &str) -> Self {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        Self::Digits(last_digits(&digits, LAST_DIGITS).to_owned())
    }

    /// In a part of an identifier, which may be encoded.
    pub(super) fn in_part(part: Option<&str>) -> Self {
        let part = part.unwrap_or_default();
        Self::in_text(&decoded(part).unwrap_or_else(|| part.to_owned()))
    }

    fn in_text(text: &str) -> Self {
        let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
        let longest = runs.max_by_key(|run| run.len()).unwrap_or_default();
        // Nearly every contact contains a single letter.
        Self::Letters(if longest.len() > 1 { longest.to_ascii_lowercase() } else { String::new() })
    }

    /// Whether the quick check of the bytes cannot rule the contact out. It rules out most contacts.
    fn is_likely_in(&self, json: &[u8]) -> bool {
        let has = |text: &[u8]| match self {
            Self::Letters(letters) => memmem::find(&text.to_ascii_lowercase(), letters.as_bytes()).is_some(),
            Self::Digits(digits) => {
                let seen: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
                memmem::find(&seen, digits.as_bytes()).is_some()
            }
        };
        if matches!(self, Self::Letters(letters) if letters.is_empty()) || has(json) {
            return true;
        }
        if is_plain(json) {
            return false;
        }
        let lossy = String::from_utf8_lossy(json);
        let mut text = folded(&lossy).into_owned();
        // Digits of other scripts are rare, so such a contact is read in full.
        if matches!(self, Self::Digits(_)) && text.chars().any(|c| !c.is_ascii() && c.is_numeric()) {
            return true;
        }
        for _ in 0..DEEPEST {
            if has(text.to_lowercase().as_bytes()) {
                return true;
            }
            match decoded(&text) {
                Some(next) => text = folded(&next).into_owned(),
                None => return false,
            }
        }
        true
    }
}

/// One person with a known identifier.
struct One<'i>(&'i Identifier);

impl Sought for One<'_> {
    fn any(&self, field_type: FieldType) -> bool {
        self.0.field_type() == field_type
    }

    fn has(&self, field_type: FieldType, parts: &[&str]) -> bool {
        let mut rest = Some(self.0.canonical());
        for part in parts {
            rest = rest.and_then(|rest| rest.strip_prefix(part));
        }
        self.any(field_type) && rest == Some("")
    }

    fn may_end_with(&self, digits: &str) -> bool {
        self.0.canonical().ends_with(digits)
    }

    /// Seven digits are enough, because some people write a number without its area code.
    fn has_national(&self, digits: &str) -> bool {
        digits.len() >= SHARED_DIGITS && self.0.canonical().ends_with(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(field_type: FieldType, canonical: &str) -> TargetMatcher {
        TargetMatcher::person(&Identifier::from_canonical(field_type, canonical))
    }

    #[test]
    fn the_quick_check_rules_out_contacts_without_the_identifier() {
        for (field_type, canonical, others) in [
            (
                FieldType::Email,
                "ana@x.example",
                &[r#"{"a":"bob@x.example"}"#, r#"{"a":"bob\/&amp;%20"}"#][..],
            ),
            (FieldType::Phone, "+17734749362", &[r#"{"a":"+1 773 474 9361"}"#, r#"{"a":"é 9361"}"#]),
            (FieldType::SocialProfile, "linkedin.com/in/jos%C3%A9", &[r#"{"a":"linkedin.com/in/ana"}"#]),
        ] {
            let TargetMatcher::Identifier(_, needle) = matcher(field_type, canonical) else { continue };
            for json in others {
                assert!(!needle.is_likely_in(json.as_bytes()), "{json}");
            }
        }
    }

    #[test]
    fn a_text_is_found_in_upper_or_lower_case_and_with_escapes() {
        let zoe = TargetMatcher::of(&Target::Text("ZOË of".into()));
        assert!(
            zoe.is_mentioned_in(br#"{"name":"Zo\u00eb of Ghent"}"#)
                && zoe.is_mentioned_in("Zoë of".as_bytes())
        );
        assert!(!zoe.is_mentioned_in(br#"{"name":"Zoe of Ghent"}"#));
    }
}
