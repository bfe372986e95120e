//! Prefixes that Mexico has abolished: data and their removal.

use std::borrow::Cow;

use super::region::Region;

/// Until 2019-08-03, mobile numbers of Mexico were dialled with `+52 1 …` from abroad and with `044 …` or `045 …`
/// inside the country, and all other numbers with `01 …` (Instituto Federal de Telecomunicaciones, Plan Técnico
/// Fundamental de Numeración). libphonenumber no longer reads these prefixes, but address books still contain them.
const PREFIXES: [&str; 4] = ["1", "01", "044", "045"];
const REGION: &str = "MX";
const CODE: &str = "52";
/// The digits of a national number without the prefix.
const DIGITS: usize = 10;

/// `national` without its abolished prefix, if the rest has the right number of digits.
fn taken_off(national: &str) -> Option<&str> {
    PREFIXES.iter().find_map(|prefix| national.strip_prefix(prefix).filter(|rest| rest.len() == DIGITS))
}

/// The same digits after removing an abolished prefix that follows the country code.
pub(super) fn without_prefix(digits: &str) -> Cow<'_, str> {
    let national = digits.strip_prefix(CODE).and_then(taken_off);
    national.map_or(Cow::Borrowed(digits), |national| Cow::Owned(format!("{CODE}{national}")))
}

/// The digits with their country code, if an abolished prefix shows that they are dialled inside
/// `region`.
pub(super) fn in_full(digits: &str, region: Region) -> Option<String> {
    if region.as_str() != REGION {
        return None;
    }
    let national = taken_off(digits).or_else(|| digits.strip_prefix(CODE).and_then(taken_off))?;
    Some(format!("{CODE}{national}"))
}
