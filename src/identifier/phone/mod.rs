//! Phone numbers: from the many ways of writing one to its digits, and by the world's numbering
//! plans to `+<country code><national number>`.
//!
//! - An extension reaches a desk behind the number and is no part of what can be matched: it is dropped.
//! - A word beside a number that is complete without it is no part of it; letters count as the keys they
//!   are on only where they complete the number.
//! - Several numbers are never joined into one.
//! - `00` before a country code counts as `+` (see [`plans`]).
//!
//! Knows nothing of the other kinds.

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

/// More than this is no phone number, whatever it is.
const MAX_BYTES: usize = 250;

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

/// The same where only its looks say that it is a number: bare digits must be one that exists, or any
/// column of ids would be asked for.
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

/// The way nearly all are written: ASCII digits and punctuation, and nothing that may stand between two
/// numbers or make it a fraction.
fn plain(value: &str) -> Option<Written> {
    let mut written = Written::default();
    let mut dots = 0;
    let mut before = b'+';
    for byte in value.bytes() {
        match byte {
            b'0'..=b'9' => {
                // A zero behind a blank may begin a second number.
                if byte == b'0' && before == b' ' && written.digits.len() >= 6 {
                    return None;
                }
                written.digits.push(char::from(byte));
            }
            b'.' => dots += 1,
            b' ' | b'-' | b'(' | b')' | b'[' | b']' => {}
            b'+' if written.digits.is_empty() => written.plus = true,
            _ => return None,
        }
        before = byte;
    }
    (dots != 1 && !looks::is_date(value)).then_some(written)
}
