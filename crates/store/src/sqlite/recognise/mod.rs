//! Recognises people in the contacts of others and in replies that could not be read. Incoming answers, `find` and
//! `purge` use the same recogniser.
//!
//! It reads all texts of a contact, undoes their encodings, and reads everything that could be an identifier by the same
//! rules as rows. If it is not certain, it counts the text as a mention: a purge that removes one contact too many costs
//! a credit, but a purge that leaves a person breaks a promise.
//!
//! Pure: knows nothing of files and tables. The caller says whom to look for.
//!
//! ```text
//!  bytes ─ walk ─▶ texts ─ spelling ─▶ each text as it is, and with 1 to 4 layers of encoding undone
//!                    │                    ├─ as a row ──┐
//!                    │                    ├─ addresses ─┤
//!                    │                    ├─ profiles  ─┼─▶ identify(…) ─▶ Sought::has(canonical form)
//!                    │                    └─ numbers   ─┘
//!                    ├─▶ split: pieces of a number in several members ─▶ numbers
//!                    └─▶ regions: countries that the contact names ────▶ numbers
//! ```
//!
//! `by_target` knows the identifier, and `by_hash` only hashes; both are a [`Matcher`] for the rest of the store, and
//! a `Sought` for this pipeline. `plain` is a quick check with which a search rules out most contacts. Every step has
//! an upper bound, so that the whole takes time in proportion to the text, whatever the text is.

mod addresses;
mod by_hash;
mod by_target;
mod numbers;
mod plain;
mod profiles;
#[cfg(test)]
mod rows_tests;
mod spelling;
mod walk;

use exactbuyer_core::identifier::spelling::is_named_in_host;
use exactbuyer_core::identifier::{FieldType, Identifier, Region, Rules, identify};

use spelling::Layer;
use walk::{Walked, walk};

pub(crate) use by_hash::{PurgedPeople, named};
pub use by_target::Target;
pub(crate) use by_target::TargetMatcher;

use by_target::Needle;

/// The fewest digits of a number without its country code. A year, or a day and a month, has fewer.
const FEWEST_DIGITS: usize = 7;

/// The most digits of a number, its country code included (E.164).
const MOST_DIGITS: usize = 15;

/// The most bytes of a text that is read as a row. Nearly all longer ones are refused there, too.
const LONGEST_ROW: usize = 4_096;

/// Recognises the people whom a search or a purge concerns.
///
/// Used by several threads. If it is not certain, the answer is `true`.
pub(crate) trait Matcher: Send + Sync {
    /// Whether a lookup of this identifier asked for one of them.
    fn matches_lookup(&self, identifier: &Identifier) -> bool;

    /// Whether a contact's JSON, or a reply that may not be JSON, mentions one of them.
    fn is_mentioned_in(&self, json: &[u8]) -> bool;
}

/// Whether a reply is complete JSON. If it is truncated, nobody can know who was in the missing part.
pub(crate) fn is_whole(reply: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(reply).is_ok()
}

/// The identifiers to look for.
///
/// The pipeline asks it about every text that could be one, and never sees who is looked for.
trait Sought {
    /// Whether any of them is identified by an identifier of this type.
    ///
    /// If not, texts are not read as identifiers of this type.
    fn any(&self, field_type: FieldType) -> bool;

    /// Whether this canonical form, which is given in parts, is one of their identifiers.
    ///
    /// In parts, so that a hash can be computed without putting them together.
    fn has(&self, field_type: FieldType, parts: &[&str]) -> bool;

    /// Whether one of their numbers may end with these digits. A cheap check before costlier ones.
    fn may_end_with(&self, _digits: &str) -> bool {
        true
    }

    /// Whether these are the digits of one of their numbers without its country code.
    fn has_national(&self, digits: &str) -> bool;
}

/// Whether a contact's JSON, or anything else that a service sent, mentions one of the identifiers.
///
/// Stops at the first mention.
fn mentions(bytes: &[u8], sought: &impl Sought) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Walked { texts, split, regions, whole } = walk(&text);
    let is_in = |text: &str| {
        spelling::any_of(text, &mut |layer| {
            let folded = layer.folded;
            FieldType::ALL.into_iter().filter(|field_type| sought.any(*field_type)).any(|field_type| {
                is_row(field_type, layer, &regions, sought)
                    || match field_type {
                        FieldType::Email => addresses::any(folded, sought),
                        FieldType::SocialProfile => profiles::any(folded, sought),
                        FieldType::Phone => numbers::any(folded, &regions, sought),
                    }
            })
        })
    };
    texts.iter().any(|text| is_in(text))
        || sought.any(FieldType::Phone) && split.iter().any(|split| numbers::any_split(split, sought))
        // If this is not complete JSON, an identifier may be outside of all strings.
        || !whole && is_in(&text)
}

/// What every spelling of an identifier contains, for a quick check.
///
/// The part that says most: the name before the `@`, the last digits, or the path of a profile.
fn needle_of(identifier: &Identifier) -> Needle {
    let canonical = identifier.canonical();
    match identifier.field_type() {
        FieldType::Email => Needle::in_part(canonical.rsplit_once('@').map_or(canonical, |(name, _)| name)),
        FieldType::Phone => Needle::in_number(canonical),
        FieldType::SocialProfile => match canonical.split_once('/') {
            Some((_, name)) if is_named_in_host(canonical) => Needle::in_host(name.trim_start_matches('@')),
            // Networks have several words for the first part: `reddit.com/u/ana` is `reddit.com/user/ana`.
            Some((_, path)) => Needle::in_part(path.split_once('/').map_or(path, |(_, name)| name)),
            // `ana.substack.com` is a page without a path.
            None => Needle::in_host(canonical),
        },
    }
}

/// Whether this text, read as a row, is one of their identifiers.
///
/// So every spelling is found that a row may have, whatever a program put around it.
fn is_row(field_type: FieldType, layer: &Layer<'_>, regions: &[Region], sought: &impl Sought) -> bool {
    // Most texts of a contact are words. They are ruled out by what every identifier has.
    let may_be_one = layer.is_encoded
        || match field_type {
            FieldType::Email => addresses::may_be_row(layer.folded),
            FieldType::SocialProfile => profiles::may_be_row(layer.folded),
            FieldType::Phone => numbers::may_be_row(layer.folded, !regions.is_empty()),
        };
    let in_region = |region| is_one(field_type, layer.text, region, sought);
    let regions = regions.iter().filter(|_| field_type == FieldType::Phone);
    may_be_one
        && layer.text.len() <= LONGEST_ROW
        && (in_region(None) || regions.copied().map(Some).any(in_region))
}

/// Whether a word ends between these characters although nothing separates them: one is an ASCII letter or digit, and
/// the other a letter of another script. Texts in Chinese, Japanese, Korean or Thai put no blanks around an identifier.
fn is_change_of_script(one: char, other: char) -> bool {
    let is_latin = |c: char| {
        matches!(c, '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{2c60}'..='\u{2c7f}' | '\u{a720}'..='\u{a7ff}'
            | '\u{ab30}'..='\u{ab6f}')
    };
    let is_other = |c: char| c.is_alphabetic() && !is_latin(c);
    one.is_ascii_alphanumeric() && is_other(other) || is_other(one) && other.is_ascii_alphanumeric()
}

/// Whether this text, read by the rules for rows, is one of their identifiers.
fn is_one(field_type: FieldType, text: &str, default_region: Option<Region>, sought: &impl Sought) -> bool {
    identify(text, Some(field_type), &Rules { default_region })
        .is_ok_and(|known| sought.has(field_type, &[known.canonical()]))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Recognises nobody, and counts how often and with how much text it is asked.
    #[derive(Default)]
    struct Nobody(Cell<usize>);

    impl Nobody {
        fn count(&self, text: &str) -> bool {
            self.0.set(self.0.get() + 1 + text.len());
            false
        }
    }

    impl Sought for Nobody {
        fn any(&self, _: FieldType) -> bool {
            true
        }

        fn has(&self, _: FieldType, parts: &[&str]) -> bool {
            parts.iter().any(|part| self.count(part))
        }

        fn has_national(&self, digits: &str) -> bool {
            self.count(digits)
        }
    }

    #[test]
    fn work_grows_no_faster_than_the_text() {
        for part in [
            "&",
            "%",
            "%25",
            "&amp;",
            "&amp;amp;amp;",
            r"\\u0026",
            "&#1",
            "@",
            "@a.co",
            "a@",
            "\\\"@",
            "\\\"a@",
            "1",
            "1 ",
            "+1",
            "2015550123 ",
            "201 ",
            "/a.co",
            ",a.co/x",
            "a.co/b/",
            ",a",
            "a",
            ".",
            "é@",
            "[",
            "{",
            "\",\"",
            "\",1,\"",
            "1,",
            ":",
        ] {
            let long = |length: usize| {
                let nobody = Nobody::default();
                assert!(!mentions(format!("[\"{}\"]", part.repeat(length / part.len())).as_bytes(), &nobody));
                nobody.0.get()
            };
            let (short, long) = (long(20_000), long(200_000));
            assert!(long <= 12 * short.max(10_000), "{part}: {short}, and for ten times the text {long}");
        }
    }
}
