//! Phone numbers: reads the many ways of writing a number, and turns its digits into the canonical
//! form `+<country code><national number>` (E.164) by the world's numbering plans.
//!
//! - An extension is dropped, because the service cannot match it.
//! - A word beside a complete number is ignored. Letters count as telephone keys only if they
//!   complete the number.
//! - Several numbers are never joined into one.
//! - `00` before a country code means `+` (see [`plans`]).
//!
//! Knows nothing of the other kinds.

mod brackets;
mod countries;
mod digits;
mod figures;
mod groups;
pub(super) mod links;
mod looks;
mod plans;
mod region;
mod retired;
pub(super) mod words;
mod written;

use std::sync::Arc;

use super::invalid::Invalid;
use digits::Written;

pub use digits::{ascii, digit, key};
pub(super) use looks::is_likely;
pub use region::Region;

/// A value with more bytes than this is not a phone number.
const MAX_BYTES: usize = 250;
/// With fewer characters than this, a number beside a word may be a postcode or a count: `01067
/// Dresden`.
const PHRASE: usize = 10;

/// The canonical form of a number that is written in any of the usual ways.
pub(super) fn canonical(value: &str, default_region: Option<Region>) -> Result<Arc<str>, Invalid> {
    if value.len() > MAX_BYTES {
        return Err(Invalid::PhoneTooLong);
    }
    if let Some(linked) = links::number(value) {
        return number(&Written::of(&format!("+{}", linked?)), None).map(Into::into);
    }
    let number = match plain(value) {
        Some(written) => number(&written, default_region)?,
        None => written::read(value, default_region)?,
    };
    if looks::is_iso_date(value) || looks::is_something_else(value) && !plans::exists(&number) {
        return Err(Invalid::PhoneUnreadable);
    }
    Ok(number.into())
}

/// The canonical form of a number whose field type was not given.
///
/// The number must exist, unless it is written in the form of a phone number: with a prefix or its
/// country code, and without words. Otherwise every number in a column of ids would be looked up.
pub(super) fn inferred(value: &str, default_region: Option<Region>) -> Result<Arc<str>, Invalid> {
    let canonical = canonical(value, default_region)?;
    let has_code = || {
        let digits = value.chars().filter_map(digits::digit);
        canonical.chars().skip(1).eq(digits)
    };
    let is_phrase = value.contains(char::is_alphabetic) && canonical.len() < PHRASE;
    let is_written_so = value.starts_with('+')
        || value.contains(':')
        || links::number(value).is_some()
        || !is_phrase && (value.starts_with(['0', '(']) || has_code());
    if is_written_so || plans::exists(&canonical) { Ok(canonical) } else { Err(Invalid::Unrecognised) }
}

/// The canonical form of digits that were written with or without a `+`.
fn number(written: &Written, default_region: Option<Region>) -> Result<String, Invalid> {
    let digits = written.digits.as_str();
    if digits.is_empty() {
        return Err(Invalid::PhoneUnreadable);
    }
    match (written.plus, digits.strip_prefix("00"), default_region) {
        // Some people write `+0049`, and some write a `+` before a number as it is dialled inside
        // its country.
        (true, Some(rest), _) | (false, Some(rest), None) => plans::international_with_zeros(rest),
        (true, None, Some(region)) if digits.starts_with('0') => plans::domestic(digits, region),
        (true, None, region) => match written.bracket() {
            Some(bracket) => brackets::read(digits, bracket, region),
            None => plans::international(digits),
        },
        (false, _, Some(region)) => plans::domestic(digits, region),
        (false, None, None) => Err(Invalid::PhoneWithoutCountryCode),
    }
}

/// Reads the most common form: ASCII digits and punctuation, without any mark that may separate the
/// number from something else ([`groups`]) or begin a fraction.
fn plain(value: &str) -> Option<Written> {
    if groups::has_place(value) {
        return None;
    }
    let mut written = Written::default();
    let (mut count, mut group, mut dots) = (0, 0, 0);
    // A single digit may be something beside the number.
    let is_aside = |group: usize, digits: usize| group == 1 && digits > groups::COMPLETE;
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' => {
                let digits = written.digits.len();
                if group == 0 {
                    count += 1;
                    // A zero may begin a second number, or a number that follows its position in a
                    // list.
                    if byte == b'0' && (digits >= 6 || matches!(digits, 1 | 2) && !written.plus) {
                        return None;
                    }
                }
                group += 1;
                written.push(char::from(byte));
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'[' | b']' => {
                let is_zero = byte == b')' && group == 1 && written.digits.ends_with('0');
                if is_zero || is_aside(group, written.digits.len()) {
                    return None;
                }
                dots += usize::from(byte == b'.');
                group = 0;
                written.push(char::from(byte));
            }
            b'+' if written.digits.is_empty() => written.push('+'),
            _ => return None,
        }
    }
    let is_long = count > 1 && written.digits.len() >= groups::LONGEST;
    let is_plain =
        dots != 1 && !is_long && !is_aside(group, written.digits.len()) && !value.ends_with([')', ']']);
    is_plain.then_some(written)
}
