//! Brackets after a `+`: around a country code, or around an area code before which somebody wrote a `+`.

use super::plans;
use super::region::Region;
use crate::identifier::invalid::Invalid;

/// Reads digits that follow a `+`, with a pair of brackets around those from `start` to `end`.
///
/// `+ (646) 555-0123` is a number of New York, and none of New Zealand: its country code would be 64. `+(971) 555-0123`
/// could begin with the country code 971, so it is read as a number of the region only if no other number exists.
///
/// # Errors
/// [`Invalid::PhoneAmbiguous`] if the brackets contradict the country code, and the region has no such number.
pub(super) fn read(
    digits: &str,
    (start, end): (usize, usize),
    region: Option<Region>,
) -> Result<String, Invalid> {
    let abroad = plans::international(digits);
    let code = plans::code_length(digits);
    if start > 0 && code.is_none_or(|code| start >= code) {
        return abroad;
    }
    let is_code = start == 0 && code.is_none_or(|code| code == end);
    let region = region.filter(|region| *region != Region::INTERNATIONAL);
    let at_home = region
        .and_then(|region| plans::domestic(digits, region).ok())
        .filter(|number| is_area(number, digits, end - start));
    match at_home {
        Some(at_home) => match abroad {
            Ok(abroad) if is_code && at_home != abroad && plans::exists(&abroad) => {
                Err(Invalid::PhoneAmbiguous)
            }
            _ => Ok(at_home),
        },
        None if is_code => abroad,
        None => Err(Invalid::PhoneAmbiguous),
    }
}

/// Whether the area code of `number` has so many digits, together with its country code if that was written. Numbers
/// without an area code, such as mobile numbers, have no fixed groups.
fn is_area(number: &str, written: &str, bracket: usize) -> bool {
    let has_code = number.strip_prefix('+').is_some_and(|number| number == written);
    let code = if has_code { plans::code_length(written).unwrap_or_default() } else { 0 };
    plans::area_code_length(number).is_none_or(|area| code + area == bracket)
}
