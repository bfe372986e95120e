//! Recognises people in what is written about others: in contacts, in replies that could not be read.
//! One recogniser for what comes in, for `find` and for `purge`.
//!
//! It walks all texts of a contact, undoes what encoded them, and reads everything in them that could
//! be an identifier by the rules that rows are read by. It errs towards recognising somebody: a purge
//! that takes a contact too many costs a credit, one that leaves a person breaks a promise.
//!
//! Knows nothing of files. Whom it looks for is the caller's affair.

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

/// Digits by which a number is told to be one without its country code: no date and no year.
const FEWEST_DIGITS: usize = 7;

/// The most digits of a number, its country code included (E.164).
const MOST_DIGITS: usize = 15;

/// Whom to look for.
pub(super) trait Sought {
    /// Whether any of them is identified by something of this kind.
    fn any(&self, field_type: FieldType) -> bool;

    /// Whether this is one of their identifiers: the canonical form, in parts that are to be joined.
    fn has(&self, field_type: FieldType, parts: &[&str]) -> bool;

    /// Whether one of their numbers may end with these digits. A cheap look before dearer ones.
    fn may_end_with(&self, _digits: &str) -> bool {
        true
    }

    /// Whether these are the digits of one of their numbers without its country code.
    fn has_national(&self, digits: &str) -> bool;
}

/// Whether a contact's JSON, or whatever else a service sent, mentions one of them.
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
        // What is no JSON as a whole may stand outside of all strings.
        || !whole && is_in(&text)
}

/// Whether the rules that rows are read by make one of their identifiers of this.
fn is_one(field_type: FieldType, text: &str, sought: &impl Sought) -> bool {
    identify(text, Some(field_type), &Rules::default())
        .is_ok_and(|known| sought.has(field_type, &[known.canonical()]))
}
