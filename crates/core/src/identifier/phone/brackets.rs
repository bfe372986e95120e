//! Brackets after a `+`: around a country code, or around an area code before which somebody wrote a `+`.

use super::plans;
use super::region::Region;
use crate::identifier::invalid::Invalid;

/// Reads digits that follow a `+`, with a pair of brackets around those from `start` to `end`.
///
/// The digits begin with a country code, as after any `+`, if such a number exists and the brackets do not cut the code in
/// two. Otherwise, they may be those of a number of the region: `+(310) 555-0123` is a number of Los Angeles, and none of
/// the Netherlands.
///
/// # Errors
/// [`Invalid::PhoneAmbiguous`] if the value may be either number; and if the brackets cut the code, and the region has no
/// such number.
pub(super) fn read(
    digits: &str,
    (start, end): (usize, usize),
    region: Option<Region>,
) -> Result<String, Invalid> {
    let abroad = plans::international(digits);
    let Some(code) = plans::code_length(digits).filter(|code| start < *code) else { return abroad };
    let is_cut = start > 0 || end < code;
    let has_zero = digits.get(code..).is_some_and(|rest| rest.starts_with('0'));
    let existing = abroad.as_ref().ok().filter(|number| !is_cut && plans::exists(number));
    if existing.is_some() && (end == code || end == digits.len()) {
        return abroad;
    }
    let region = region.filter(|region| *region != Region::INTERNATIONAL);
    let at_home = region.and_then(|region| plans::domestic(digits, region).ok());
    let has_area =
        |number: &String, if_none| area_length(number, digits).map_or(if_none, |area| area == end - start);
    match existing {
        Some(existing) => match at_home.filter(|number| has_area(number, false)) {
            Some(at_home) if at_home != *existing => Err(Invalid::PhoneAmbiguous),
            _ => abroad,
        },
        None => match at_home.filter(|number| has_area(number, true)) {
            // It may be a number that is newer than our data, or one with the 0 that is dialled inside its country.
            Some(_) if end == code && (abroad.is_ok() || has_zero) => Err(Invalid::PhoneAmbiguous),
            Some(at_home) => Ok(at_home),
            None if is_cut => Err(Invalid::PhoneAmbiguous),
            None => abroad,
        },
    }
}

/// The digits of the area code of `number`, together with its country code if that was written. `None` for numbers without
/// an area code, such as mobile numbers, which have no fixed groups.
fn area_length(number: &str, written: &str) -> Option<usize> {
    let has_code = number.strip_prefix('+').is_some_and(|number| number == written);
    let code = if has_code { plans::code_length(written).unwrap_or_default() } else { 0 };
    plans::area_code_length(number).map(|area| code + area)
}
