//! Who was purged does not come back in what is said of others: a contact that mentions them is not
//! stored when it comes in.
//!
//! All that is left of them is a keyed hash. So whatever stands in a contact and could be an
//! identifier is read as one, and its hash is looked for. That costs some tens of µs a contact, and nothing
//! where nobody was ever purged. A phone number that stands there with less than its area code is not
//! recognised: of a hash there is no last part.

use hashbrown::HashSet;
use rusqlite::Connection;

use crate::identifier::{FieldType, Identifier, Rules, identify};

use super::fault::Fault;
use super::key::{Key, Secret};
use super::mention::any_text;

/// Characters of an address before its `@`.
const LOCAL_PART: usize = 64;

/// Digits of a number, its country code included: fewer are a date or a part of one.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// Digits of a number without its country code, so that no date is taken for one.
const NATIONAL: usize = 9;

/// Those who were purged by what identifies them: not those who were merely old.
#[derive(Debug, Default)]
pub(super) struct Forgotten(HashSet<Key>);

impl Forgotten {
    /// Reads who they are.
    pub(super) fn load(connection: &Connection) -> Result<Self, Fault> {
        let mut ask = connection.prepare_cached("SELECT key FROM barred WHERE named = 1")?;
        Ok(Self(ask.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?))
    }

    /// Whether a contact's JSON, or a reply that may be none, mentions any of them.
    pub(super) fn is_mentioned(&self, secret: &Secret, json: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let seek = Search { forgotten: self, secret };
        any_text(json, &|text| seek.is_in_text(text))
    }
}

struct Search<'a> {
    forgotten: &'a Forgotten,
    secret: &'a Secret,
}

impl Search<'_> {
    fn is_in_text(&self, text: &str) -> bool {
        text.match_indices('@').any(|(at, _)| self.is_address(text, at))
            || text.contains('/') && words(text).any(|word| self.is_profile(word))
            || numbers(text).any(|number| self.is_number(number))
    }

    /// Whether one of them has an address around this `@`, wherever it begins: what stands before it
    /// may be a part of it or not.
    fn is_address(&self, text: &str, at: usize) -> bool {
        let (Some(before), Some(after)) = (text.get(..at), text.get(at + 1..)) else { return false };
        let end = after.find(|c: char| !is_part(c) && c != '.').unwrap_or(after.len());
        let Some(host) = after.get(..end).map(|host| host.trim_end_matches('.')) else { return false };
        let mut begins = before.char_indices().rev().take(LOCAL_PART).take_while(|(_, c)| !c.is_whitespace());
        host.contains('.')
            && begins.any(|(begin, _)| {
                let first = text.get(..begin).and_then(|text| text.chars().next_back());
                let cut = first.is_some_and(|c| is_part(c) || c == '.');
                let local = before.get(begin..).unwrap_or_default();
                !cut && self.is_known(FieldType::Email, &format!("{local}@{host}"))
            })
    }

    /// Whether it is the address of one of their profiles, or of something that belongs to one.
    fn is_profile(&self, word: &str) -> bool {
        let Ok(read) = identify(word, Some(FieldType::SocialProfile), &Rules::default()) else {
            return false;
        };
        let whole = read.canonical();
        let ends = whole.match_indices('/').skip(1).map(|(end, _)| end).chain([whole.len()]);
        ends.filter_map(|end| whole.get(..end)).any(|part| self.has(FieldType::SocialProfile, part))
    }

    /// Whether one of their numbers stands in it, with its country code or without. A zero in brackets
    /// behind the code, as in `+49 (0)171`, is dialled at home only; but in Italy it is a digit like any
    /// other.
    fn is_number(&self, number: &str) -> bool {
        self.has_digits(number) || number.contains("(0") && self.has_digits(&number.replace("(0", "("))
    }

    fn has_digits(&self, number: &str) -> bool {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let within = (0..digits.len()).any(|begin| {
            let rest = digits.get(begin..).unwrap_or_default();
            let mut windows = DIGITS.filter_map(|length| rest.get(..length));
            windows.any(|window| self.has(FieldType::Phone, &format!("+{window}")))
        });
        let national = digits.trim_start_matches('0');
        let is_national = !number.contains('+') && (NATIONAL..*DIGITS.end()).contains(&national.len());
        within
            || is_national
                && (1..1_000).any(|country| self.has(FieldType::Phone, &format!("+{country}{national}")))
    }

    fn is_known(&self, field_type: FieldType, text: &str) -> bool {
        identify(text, Some(field_type), &Rules::default()).is_ok_and(|known| self.has_key(&known))
    }

    fn has(&self, field_type: FieldType, canonical: &str) -> bool {
        self.has_key(&Identifier::from_canonical(field_type, canonical))
    }

    fn has_key(&self, identifier: &Identifier) -> bool {
        self.forgotten.0.contains(&self.secret.key(identifier))
    }
}

/// What an address goes on with.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '%' | '+')
}

/// What stands between blanks and brackets, without what ends a sentence; after a colon, too.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let apart = |c: char| {
        c.is_whitespace()
            || matches!(c, '"' | '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | '|')
    };
    let words = text.split(apart).map(|word| word.trim_end_matches(['.', '!', '?', ':', '\'']));
    words.filter(|word| word.contains('/')).flat_map(|word| {
        let labelled = word.rsplit_once(':').filter(|(_, rest)| !rest.starts_with("//"));
        std::iter::once(word).chain(labelled.map(|(_, rest)| rest))
    })
}

/// Digits and what people put between them.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let between =
        |c: char| matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '+' | '\u{a0}' | '\u{2011}' | '\u{2013}');
    let numbers = text.split(move |c: char| !c.is_ascii_digit() && !between(c));
    numbers.filter(|number| number.bytes().filter(u8::is_ascii_digit).count() >= *DIGITS.start())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn forgotten(those: &[(FieldType, &str)]) -> (Forgotten, Secret) {
        let secret = Secret::new(&[7; 32]).unwrap();
        let keys = those.iter().map(|(kind, text)| secret.key(&Identifier::from_canonical(*kind, *text)));
        (Forgotten(keys.collect()), secret)
    }

    #[test]
    fn a_person_is_recognised_in_any_spelling_and_nobody_else() {
        let (forgotten, secret) = forgotten(&[
            (FieldType::Email, "ana@x.example"),
            (FieldType::Email, "o'brien@x.example"),
            (FieldType::SocialProfile, "linkedin.com/in/ana"),
            (FieldType::Phone, "+17734749362"),
            (FieldType::Phone, "+491712345678"),
            (FieldType::Phone, "+390612345678"),
        ]);
        for text in [
            r#"{"a":"ANA@X.example"}"#,
            r#"["mail: ana@x.example."]"#,
            r#"{"a":{"b":"\u0061na@x.example"}}"#,
            r#"{"ana@x.example":1}"#,
            r#""mailto:ana@x.example?subject=x""#,
            r#""'O'Brien' <o'brien@x.example>, eve@x.example""#,
            r#""https:\/\/www.LinkedIn.com\/in\/ana\/""#,
            r#""see de.linkedin.com/in/ana.""#,
            r#""profile:linkedin.com/in/ana/details/skills""#,
            r#"{"E164":"+17734749362"}"#,
            r#""(773) 474-9362""#,
            "17734749362",
            r#""tel. 001 773 474 93 62, or ask""#,
            r#""+49 (0)171 2345678""#,
            r#""+49 (0171) 2345678""#,
            r#""+39 (06) 12345678""#,
            r#"{"contacts":[{"value":"ana@x.example"#,
        ] {
            assert!(forgotten.is_mentioned(&secret, text.as_bytes()), "{text}");
        }
        for text in [
            r#""diana@x.example""#,
            r#""ana@x.example.org""#,
            r#""j.ana@x.example""#,
            "{}",
            r#""@""#,
            r#""ana@""#,
            r#""https://linkedin.com/in/ana-b""#,
            r#""linkedin.com/in""#,
            r#"["7734749361", "2026-11-24", "93 62"]"#,
        ] {
            assert!(!forgotten.is_mentioned(&secret, text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn where_nobody_was_purged_nothing_is_looked_at() {
        let (forgotten, secret) = forgotten(&[]);
        assert!(!forgotten.is_mentioned(&secret, br#""ana@x.example""#));
    }
}
