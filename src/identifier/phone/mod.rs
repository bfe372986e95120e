//! Phone numbers: from the many ways of writing one to its digits, and by the world's numbering
//! plans to `+<country code><national number>`.
//!
//! - An extension is dropped: it is no part of what can be matched.
//! - A word beside a complete number is ignored. Letters count as the keys that they are on only if they
//!   complete the number.
//! - Several numbers are never joined into one.
//! - `00` before a country code counts as `+` (see [`plans`]).
//!
//! Knows nothing of the other kinds.

mod countries;
mod digits;
mod figures;
pub(super) mod links;
mod looks;
mod plans;
mod region;
mod written;

use std::sync::Arc;

use super::invalid::Invalid;
use digits::Written;

pub(super) use looks::is_likely;
pub use region::Region;

/// A longer value is not a phone number.
const MAX_BYTES: usize = 250;
/// With this many digits in groups, a value may be two numbers.
const LONG: usize = 13;

/// The canonical form of a number written in any of the usual ways.
pub(super) fn canonical(value: &str, default_region: Option<Region>) -> Result<Arc<str>, Invalid> {
    if value.len() > MAX_BYTES {
        return Err(Invalid::PhoneTooLong);
    }
    if let Some(linked) = links::number(value) {
        return plans::international(&linked?).map(Into::into);
    }
    match plain(value) {
        Some(written) => number(&written, default_region).map(Into::into),
        None => written::read(value, default_region).map(Into::into),
    }
}

/// The same for a value without a field type. Plain digits must be a number that exists; otherwise any column
/// of ids would be looked up.
pub(super) fn inferred(value: &str, default_region: Option<Region>) -> Result<Arc<str>, Invalid> {
    let canonical = canonical(value, default_region)?;
    let is_written_so = value.starts_with(['0', '+'])
        || value.contains([' ', '(', ':', '/'])
        || links::number(value).is_some();
    if is_written_so || plans::exists(&canonical) { Ok(canonical) } else { Err(Invalid::Unrecognised) }
}

/// The canonical form of what was written.
fn number(written: &Written, default_region: Option<Region>) -> Result<String, Invalid> {
    let digits = written.digits.as_str();
    if digits.is_empty() {
        return Err(Invalid::PhoneUnreadable);
    }
    match (written.plus, digits.strip_prefix("00"), default_region) {
        // Some write `+0049`, and some put a `+` before a number as it is dialled at home.
        (true, Some(rest), _) | (false, Some(rest), None) => plans::international(rest),
        (true, None, Some(region)) if digits.starts_with('0') => plans::domestic(digits, region),
        (true, None, _) => plans::international(digits),
        (false, _, Some(region)) => plans::domestic(digits, region),
        (false, None, None) => Err(Invalid::PhoneWithoutCountryCode),
    }
}

/// Reads the form in which nearly all are written: ASCII digits and punctuation, without anything that may
/// separate two numbers or make a fraction.
fn plain(value: &str) -> Option<Written> {
    let mut written = Written::default();
    let mut dots = 0;
    let mut grouped = false;
    let mut before = b'+';
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' => {
                // A zero after a blank may begin a second number.
                if byte == b'0' && before == b' ' && written.digits.len() >= 6 {
                    return None;
                }
                written.digits.push(char::from(byte));
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'[' | b']' => {
                dots += usize::from(byte == b'.');
                grouped = true;
            }
            b'+' if written.digits.is_empty() => written.plus = true,
            _ => return None,
        }
        before = byte;
    }
    let is_long = grouped && written.digits.len() >= LONG;
    (dots != 1 && !is_long && !looks::is_iso_date(value)).then_some(written)
}
