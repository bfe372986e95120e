//! Recognises people in the contacts of others and in replies that could not be read. Incoming answers,
//! `find` and `purge` use the same recogniser.
//!
//! It walks all texts of a contact, undoes their encodings, and reads everything that could be an
//! identifier by the same rules as rows. In doubt it recognises somebody: a purge that removes one contact
//! too many costs a credit, but a purge that leaves a person breaks a promise.
//!
//! Knows nothing of files. The caller says whom to look for.

mod addresses;
mod numbers;
mod plain;
mod profiles;
mod spelling;
mod walk;

use crate::identifier::{FieldType, Rules, identify};

use walk::Walked;

pub(super) use numbers::last_digits;
pub(super) use plain::is_plain;
pub(super) use spelling::{decoded, folded};
pub(super) use walk::walk;

/// The fewest digits of a number without its country code: a year or a day and month has fewer.
const FEWEST_DIGITS: usize = 7;

/// The most digits of a number, its country code included (E.164).
const MOST_DIGITS: usize = 15;

/// The people to look for.
pub(super) trait Sought {
    /// Whether any of them is identified by an identifier of this type.
    fn any(&self, field_type: FieldType) -> bool;

    /// Whether this canonical form, given in parts to be joined, is one of their identifiers.
    fn has(&self, field_type: FieldType, parts: &[&str]) -> bool;

    /// Whether one of their numbers may end with these digits. A cheap check before costlier ones.
    fn may_end_with(&self, _digits: &str) -> bool {
        true
    }

    /// Whether these are the digits of one of their numbers without its country code.
    fn has_national(&self, digits: &str) -> bool;
}

/// Whether a contact's JSON, or anything else that a service sent, mentions one of them.
pub(super) fn mentions(bytes: &[u8], sought: &impl Sought) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Walked { texts, split, regions, whole } = walk(&text);
    let is_in = |text: &str| {
        spelling::any_of(text, &mut |text| {
            sought.any(FieldType::Email) && addresses::any(text, sought)
                || sought.any(FieldType::SocialProfile) && profiles::any(text, sought)
                || sought.any(FieldType::Phone) && numbers::any(text, &regions, sought)
        })
    };
    texts.iter().any(|text| is_in(text))
        || sought.any(FieldType::Phone) && split.iter().any(|split| numbers::any_split(split, sought))
        // If this is not whole JSON, an identifier may stand outside of all strings.
        || !whole && is_in(&text)
}

/// Whether this text, read by the rules for rows, is one of their identifiers.
fn is_one(field_type: FieldType, text: &str, sought: &impl Sought) -> bool {
    identify(text, Some(field_type), &Rules::default())
        .is_ok_and(|known| sought.has(field_type, &[known.canonical()]))
}
