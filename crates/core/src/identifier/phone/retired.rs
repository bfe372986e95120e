//! Prefixes that a country has abolished: data and their removal.

use std::borrow::Cow;

use super::region::Region;

/// A prefix that a country has abolished. libphonenumber no longer reads it, but address books
/// still contain it.
struct Retired {
    region: &'static str,
    code: &'static str,
    /// The prefixes that stood before the national number, inside the country and after the country
    /// code.
    prefixes: &'static [&'static str],
    /// The digits of a national number without the prefix.
    digits: usize,
}

/// Mexico, until 2019-08-03: mobile numbers were dialled with `+52 1 …` from abroad and with `044
/// …` or `045 …` inside the country, and all other numbers with `01 …` (Instituto Federal de
/// Telecomunicaciones, Plan Técnico Fundamental de Numeración). Address books still have numbers
/// with these prefixes.
const RETIRED: [Retired; 1] =
    [Retired { region: "MX", code: "52", prefixes: &["1", "01", "044", "045"], digits: 10 }];

impl Retired {
    /// `national` without its abolished prefix, if the rest has the right number of digits.
    fn taken_off<'d>(&self, national: &'d str) -> Option<&'d str> {
        let without = |prefix: &&str| national.strip_prefix(prefix).filter(|rest| rest.len() == self.digits);
        self.prefixes.iter().find_map(without)
    }
}

/// The same digits after removing an abolished prefix that follows the country code.
pub(super) fn without_prefix(digits: &str) -> Cow<'_, str> {
    let found = RETIRED.iter().find_map(|rule| {
        let national = rule.taken_off(digits.strip_prefix(rule.code)?)?;
        Some(format!("{}{national}", rule.code))
    });
    found.map_or(Cow::Borrowed(digits), Cow::Owned)
}

/// The digits with their country code, if an abolished prefix shows that they are dialled inside
/// `region`.
pub(super) fn in_full(digits: &str, region: Region) -> Option<String> {
    let rule = RETIRED.iter().find(|rule| rule.region == region.as_str())?;
    let national = rule
        .taken_off(digits)
        .or_else(|| digits.strip_prefix(rule.code).and_then(|national| rule.taken_off(national)))?;
    Some(format!("{}{national}", rule.code))
}
