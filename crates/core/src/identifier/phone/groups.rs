//! Groups of digits: which of them form one number, and where something else begins.
//!
//! A second number, an extension, a count or an opening hour must not be added to a number that is
//! complete without it: the longer number may be another person's.

use super::digits::Written;
use super::region::Region;
use super::{number, plans};
use crate::identifier::invalid::Invalid;

/// A group of at least this many digits beside a number is a second number.
pub(super) const SECOND: usize = 5;
/// A number with at least this many digits is more than an area code.
pub(super) const COMPLETE: usize = 7;
/// The most digits after a slash that replace the last digits before it: `123456/57`.
const ALTERNATIVE: usize = 4;
/// The most digits, including the country code, of a number that is written in groups. No country
/// uses longer ones, although the plans of some allow them.
pub(super) const LONGEST: usize = 13;

/// Reads digits and punctuation as one number.
///
/// # Errors
/// [`Invalid::PhoneSeveral`] or another reason if they are not a single number.
pub(super) fn one(run: &str, region: Option<Region>) -> Result<String, Invalid> {
    let run = without_fraction(run);
    if run.trim_start_matches([' ', '(', '[', ')', ']', '+', '-', '.']).contains('+') {
        return Err(if digits(run) > COMPLETE { Invalid::PhoneSeveral } else { Invalid::PhoneUnreadable });
    }
    let read = |part: &str| number(&Written::of(part), region);
    let existing = |part: &str| read(part).ok().filter(|number| plans::exists(number));
    let whole = read(run);
    let is_valid = whole.as_ref().is_ok_and(|number| plans::exists(number));
    // `+39 (0)347 …`: this zero is dialled only inside the country, and not in every country.
    if !is_valid
        && run.contains("(0)")
        && let Some(number) = existing(&run.replacen("(0)", " ", 1))
    {
        return Ok(number);
    }
    let is_long = whole.as_ref().is_ok_and(|number| digits(number) > LONGEST);
    for split in splits(run) {
        let Split { left, between, right, group } = split;
        let (left_digits, right_digits) = (digits(left), digits(right));
        // `2. 030 …`: the first digits are the position in a list.
        if left_digits <= 2
            && !left.contains('+')
            && (group.starts_with('0') && !left.contains('0') || has_place(run))
        {
            match existing(right) {
                Some(number) if whole.as_ref() != Ok(&number) => return Err(Invalid::PhoneSeveral),
                _ => continue,
            }
        }
        if left_digits < SECOND {
            continue;
        }
        // `23125 - 0` is the number of a switchboard.
        let is_alone = group.len() == 1 && !between.contains('-') && (right != "0" || !between.contains(' '));
        let is_aside = between.ends_with(['(', '[']) && right.trim_end().ends_with([')', ']'])
            || is_alone && !is_spaced(left) && between.contains([' ', '(', '[']);
        let several = if between.contains('/') {
            left_digits >= COMPLETE || right_digits <= ALTERNATIVE
        } else {
            is_long
                || whole.is_ok() && !is_valid && right_digits <= ALTERNATIVE
                || right_digits >= SECOND && group.starts_with('0') && existing(right).is_some()
        };
        if (is_aside || several) && existing(left).is_some() {
            return Err(if several { Invalid::PhoneSeveral } else { Invalid::PhoneUnreadable });
        }
    }
    whole
}

/// Whether the last digit stands alone, because all digits are separated: `0 3 0 2 3 …`.
fn is_spaced(left: &str) -> bool {
    let mut last = left.chars().rev().map(|c| c.is_ascii_digit());
    last.next() == Some(true) && last.next() == Some(false)
}

/// Whether the number follows its position in a list: `1. 701 491 310`, `2) 030 …`. In `(30) 2312`,
/// the brackets hold an area code.
pub(super) fn has_place(run: &str) -> bool {
    let start = run.trim_start_matches([' ', '(']);
    let digits = start.bytes().take_while(u8::is_ascii_digit).count();
    let in_brackets = run.trim_start().starts_with('(');
    matches!((digits, in_brackets), (1, _) | (2, false))
        && matches!(start.as_bytes().get(digits..digits + 2), Some([b')' | b'.' | b'-', b' ']))
}

/// Removes the `.0` of a number that was a float, if its digits are not in groups. `030/23125.0` is
/// a switchboard and is kept.
pub(super) fn without_fraction(run: &str) -> &str {
    let trimmed = run.trim_end_matches([' ', '(', '[', '-']);
    let is_float = |whole: &&str| {
        let digits = whole.bytes().rev().take_while(u8::is_ascii_digit).count();
        digits >= COMPLETE && !whole.contains(['.', '/'])
    };
    trimmed.strip_suffix(".0").filter(is_float).unwrap_or(run)
}

/// The count of ASCII digits in `text`.
pub(super) fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// A position between two groups of digits.
///
/// `left` and `right` have the digits at either side; `between` has only punctuation.
struct Split<'r> {
    left: &'r str,
    between: &'r str,
    right: &'r str,
    /// The first group of the right side.
    group: &'r str,
}

/// All positions where `run` could be split into two numbers.
///
/// None for a run whose digits are in one group.
fn splits(run: &str) -> impl Iterator<Item = Split<'_>> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut start = run.find(is_digit).unwrap_or(run.len());
    std::iter::from_fn(move || {
        let end = start + run.get(start..)?.find(|c: char| !is_digit(c))?;
        start = end + run.get(end..)?.find(is_digit)?;
        let right = run.get(start..)?;
        let group = right.split(|c: char| !is_digit(c)).next()?;
        Some(Split { left: run.get(..end)?, between: run.get(end..start)?, right, group })
    })
}
