//! Recognises the person whom a user wants to find or purge. The identifier is known here; `by_hash` recognises people
//! of whom only a hash is left.
//!
//! A search reads every contact of the store, so most of them must be ruled out cheaply. `Needle` looks for letters
//! or digits that every spelling contains, in the bytes as they are, and undoes encodings only where there may be
//! any.

use memchr::memmem;

use exactbuyer_core::identifier::spelling::{decoded, digit, key, unescaped};
use exactbuyer_core::identifier::{FieldType, Identifier};

use super::numbers::last_digits;
use super::plain::{is_plain, may_hide_in_host};
use super::spelling::{Layer, any_of};
use super::walk::walk;
use super::{Matcher, Sought, is_whole, mentions, needle_of};

/// If two spellings of a phone number end with this many equal digits, they count as the same number. Without country
/// code and area code, they have no more digits in common.
const SHARED_DIGITS: usize = 7;

/// How many last digits of a number the quick check looks for.
const LAST_DIGITS: usize = 4;

/// How many digits are compared if letters stand for digits: four would match too many texts. Such a spelling has at least
/// four letters and three digits, two of which may be a dialling prefix.
const LAST_KEYS: usize = 5;

/// The most characters of `+` and a country code.
const LONGEST_CODE: usize = 4;

/// The telephone key of each byte that is a letter or a digit.
#[allow(clippy::indexing_slicing)] // The compiler computes it, and would refuse an index that is too large.
const KEYS: [u8; 256] = {
    let (mut keys, mut byte) = ([0; 256], 0_u8);
    while byte < 0x80 {
        if byte.is_ascii_alphanumeric() {
            keys[byte as usize] = key(byte as char) as u8;
        }
        byte += 1;
    }
    keys
};

/// How many layers of encodings the quick check looks at. It rules out no text that has more.
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
    /// The same in a host, where many characters stand for an ASCII letter (UTS 46).
    Host(String),
    /// Digits, and more of them, some of which may be written as letters. There may be other characters between them.
    Digits(Tail, Tail),
}

/// The last digits of a number, with four bits for each.
#[derive(Debug)]
pub(crate) struct Tail {
    digits: u64,
    /// The bits that count.
    mask: u64,
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
        let national = number.len().saturating_sub(LONGEST_CODE);
        // A number that is written as a power of ten lacks the zeros at its end.
        let last = last_digits(number, LAST_DIGITS.min(national)).trim_end_matches('0');
        Self::Digits(Tail::of(last), Tail::of(last_digits(number, LAST_KEYS)))
    }

    /// In a part of an identifier, which may be encoded.
    pub(super) fn in_part(part: &str) -> Self {
        Self::in_text(&decoded(part).unwrap_or_else(|| part.to_owned()))
    }

    /// In the name before a network's domain.
    pub(super) fn in_host(host: &str) -> Self {
        let label = host.split('.').next().unwrap_or_default();
        // The spellings of an international name share no letters with its ASCII form.
        Self::Host(if label.starts_with("xn--") { String::new() } else { longest_run(label) })
    }

    fn in_text(text: &str) -> Self {
        Self::Letters(longest_run(text))
    }

    /// Whether the quick check of the bytes cannot rule the contact out. It rules out most contacts.
    fn is_likely_in(&self, json: &[u8]) -> bool {
        if self.is_in(json) {
            return true;
        }
        let has_all = is_plain(json)
            && match self {
                Self::Letters(_) => true,
                Self::Host(_) => json.is_ascii() && memmem::find(json, b"\\u").is_none(),
                // It has digits itself, which may part those of a number.
                Self::Digits(..) => memchr::memchr(b'%', json).is_none(),
            };
        if has_all {
            return false;
        }
        let lossy = String::from_utf8_lossy(json);
        // Strings are read without their escapes, and so is, as it is written, all of a text that is not JSON.
        let unescaped = unescaped(&lossy);
        self.may_be_decoded_in(&unescaped)
            || unescaped != lossy && !is_whole(json) && self.may_be_decoded_in(&lossy)
    }

    /// Whether the text may have it, as it is or with encodings undone.
    fn may_be_decoded_in(&self, text: &str) -> bool {
        let mut layers = 0;
        any_of(text, &mut |Layer { folded, .. }| {
            layers += 1;
            // Without its semicolon, it is uncertain where an entity's number ends.
            layers > DEEPEST
                || folded.contains("&#")
                || match self {
                    Self::Digits(..) => self.is_in(folded.as_bytes()),
                    // In a quoted mailbox name, a backslash may stand before any letter.
                    _ => self.is_in(folded.to_lowercase().replace('\\', "").as_bytes()),
                }
                || self.may_be_in_other_script(folded)
        })
    }

    /// Whether the text has it as it is written there.
    fn is_in(&self, text: &[u8]) -> bool {
        match self {
            Self::Letters(letters) | Self::Host(letters) => {
                letters.is_empty() || memmem::find(&text.to_ascii_lowercase(), letters.as_bytes()).is_some()
            }
            Self::Digits(digits, dialled) => {
                let (mut seen, mut keys) = (0, 0);
                let mut bytes = text.iter();
                while let Some(byte) = bytes.next() {
                    if *byte == b'\\' && bytes.as_slice().starts_with(b"u") {
                        // The digits of an escape are not those of a number.
                        bytes.nth(4);
                        continue;
                    }
                    let Some(key @ b'0'..=b'9') = KEYS.get(usize::from(*byte)) else { continue };
                    keys = dialled.and(keys, *key);
                    if key == byte {
                        seen = digits.and(seen, *key);
                    }
                    if seen == digits.digits || keys == dialled.digits {
                        return true;
                    }
                }
                false
            }
        }
    }

    /// Whether another script may write it. Such contacts are rare, so they are read in full.
    fn may_be_in_other_script(&self, text: &str) -> bool {
        match self {
            Self::Letters(_) => false,
            Self::Host(_) => text.chars().any(may_hide_in_host),
            Self::Digits(..) => text.chars().any(|c| !c.is_ascii() && digit(c).is_some()),
        }
    }
}

impl Tail {
    fn of(digits: &str) -> Self {
        let mask = (1 << (4 * digits.len())) - 1;
        let tail = Self { digits: 0, mask };
        Self { digits: digits.bytes().fold(0, |seen, digit| tail.and(seen, digit)), mask }
    }

    /// The digits seen, and one more.
    const fn and(&self, seen: u64, digit: u8) -> u64 {
        (seen << 4 | (digit & 0xf) as u64) & self.mask
    }
}

/// The longest run of ASCII letters and digits, in lower case.
fn longest_run(text: &str) -> String {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
    let longest = runs.max_by_key(|run| run.len()).unwrap_or_default();
    // Nearly every contact contains a single letter.
    if longest.len() > 1 { longest.to_ascii_lowercase() } else { String::new() }
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
