//! The world's numbering plans, and libphonenumber's way of reading digits by them.
//!
//! The data is the `phonenumber` crate's copy of libphonenumber's metadata, of which `build.rs` makes
//! constants. The reading is done here, after libphonenumber's `parseHelper` and `testNumberLength`.
//! That crate's own parser takes a national prefix off where it is a part of the number
//! (`+375 801 123 4567` becomes `+375 1123 4567`, somebody else's), and never says that a number has
//! a possible length. It also compiles its patterns anew once more than a hundred of them are in use:
//! 27 µs a number in one country, 870 µs across all of them, where this takes one.
//!
//! Knows nothing of how digits are written: that is the room of phone numbers.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use super::invalid::Invalid;
use super::once::once;
use super::region::Region;

/// libphonenumber's `MIN_LENGTH_FOR_NSN` and `MAX_LENGTH_FOR_NSN`.
const NATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 2..=17;

/// A number as it is dialled from anywhere: `+<country code><national number>`.
pub(super) type International = String;

/// Reads digits that follow a `+`.
pub(super) fn international(digits: &str) -> Result<International, Invalid> {
    let (plan, national) = split_code(digits)?;
    settle(plan, plan.without_prefix(national))
}

/// Reads digits as they are dialled in `region`.
pub(super) fn domestic(digits: &str, region: Region) -> Result<International, Invalid> {
    let plan = of_region(region).ok_or(Invalid::PhoneWithoutCountryCode)?;
    if let Some(abroad) = plan.after_international_prefix(digits) {
        return international(abroad);
    }
    if let Some(national) = plan.after_own_code(digits) {
        return settle(plan, plan.without_prefix(national));
    }
    settle(plan, plan.without_prefix(digits))
}

/// Whether numbers of `region` can be read.
pub(super) fn knows(region: Region) -> bool {
    of_region(region).is_some()
}

/// The main region of a country code.
pub(super) fn region_of_code(code: u16) -> Option<Region> {
    of_code(code).and_then(|plan| Region::from_bytes(plan.region.as_bytes()))
}

/// The plan of the country code that `digits` begin with, and the digits after it.
fn split_code(digits: &str) -> Result<(&'static Plan, &str), Invalid> {
    let mut code = 0;
    for (index, digit) in digits.bytes().enumerate().take(3) {
        code = code * 10 + u16::from(digit - b'0');
        if code == 0 {
            break;
        }
        if let Some(plan) = of_code(code) {
            return Ok((plan, digits.get(index + 1..).unwrap_or_default()));
        }
    }
    Err(if digits.len() < 3 { Invalid::PhoneTooShort } else { Invalid::PhoneUnknownCountryCode })
}

/// Puts country code and national number together, if there can be such a number.
fn settle(read_by: &'static Plan, national: Cow<'_, str>) -> Result<International, Invalid> {
    // Several countries share some codes; the lengths that count are the main one's, as in
    // libphonenumber's `isPossibleNumber`.
    let plan = if read_by.is_main { read_by } else { of_code(read_by.code).unwrap_or(read_by) };
    // Read again, as anybody would who gets the canonical form: until nothing changes, so that a
    // canonical form is its own canonical form.
    let mut national = national;
    let mut settled = false;
    for _ in 0..4 {
        let next = plan.without_prefix(&national);
        match next {
            Cow::Owned(next) if *next != *national => national = Cow::Owned(next),
            _ => {
                settled = true;
                break;
            }
        }
    }
    if !settled {
        return Err(Invalid::PhoneWrongLength);
    }
    if national.len() < *NATIONAL_DIGITS.start() {
        return Err(Invalid::PhoneTooShort);
    }
    if national.len() > *NATIONAL_DIGITS.end() {
        return Err(Invalid::PhoneTooLong);
    }
    match plan.length(national.len()) {
        Length::Possible => Ok(format!("+{}{national}", plan.code)),
        Length::LocalOnly => Err(Invalid::PhoneWithoutAreaCode),
        Length::TooShort => Err(Invalid::PhoneTooShort),
        Length::TooLong => Err(Invalid::PhoneTooLong),
        Length::Between => Err(Invalid::PhoneWrongLength),
    }
}

// `PLANS` by country code, the main region of each somewhere among its regions, and `BY_REGION`,
// which says where each is.
include!(concat!(env!("OUT_DIR"), "/numbering_plans.rs"));

/// The plan of the main region of a country code.
fn of_code(code: u16) -> Option<&'static Plan> {
    let from = PLANS.partition_point(|plan| plan.code < code);
    let mut of_code = PLANS.get(from..).unwrap_or_default().iter().take_while(|plan| plan.code == code);
    of_code.find(|plan| plan.is_main)
}

fn of_region(region: Region) -> Option<&'static Plan> {
    let place = BY_REGION.binary_search_by_key(&region.as_str(), |&(name, _)| name).ok()?;
    BY_REGION.get(place).and_then(|&(_, index)| PLANS.get(usize::from(index)))
}

enum Length {
    Possible,
    LocalOnly,
    TooShort,
    Between,
    TooLong,
}

/// One region's numbering plan. Patterns are compiled when first needed.
struct Plan {
    /// Two letters (ISO 3166), or `001` for what belongs to no country.
    region: &'static str,
    code: u16,
    /// Whether it is the main one of those that share its code.
    is_main: bool,
    /// Bit n: numbers of n digits exist.
    lengths: u32,
    /// Bit n: numbers of n digits exist, but only within one area.
    local_lengths: u32,
    /// What takes the place of the national prefix, where something does.
    national_prefix_rule: Option<&'static str>,
    international_prefix: Pattern,
    national_prefix: Pattern,
    any_number: Pattern,
}

impl Plan {
    fn length(&self, digits: usize) -> Length {
        let bit = 1_u32.checked_shl(u32::try_from(digits).unwrap_or(u32::MAX)).unwrap_or(0);
        if self.local_lengths & bit != 0 {
            Length::LocalOnly
        } else if self.lengths & bit != 0 {
            Length::Possible
        } else if bit == 0 || self.lengths < bit {
            Length::TooLong
        } else if self.lengths & (bit - 1) == 0 {
            Length::TooShort
        } else {
            Length::Between
        }
    }

    fn is_number(&self, national: &str) -> bool {
        self.any_number.matches(national)
    }

    /// What follows the prefix that is dialled in this region to call abroad.
    fn after_international_prefix<'d>(&self, digits: &'d str) -> Option<&'d str> {
        let end = self.international_prefix.get()?.find(digits)?.end();
        // No country code begins with 0: then it was not that prefix.
        digits.get(end..).filter(|rest| !rest.is_empty() && !rest.starts_with('0'))
    }

    /// What follows this region's own country code, where it was written without a `+`.
    fn after_own_code<'d>(&self, digits: &'d str) -> Option<&'d str> {
        let rest = digits.strip_prefix(&self.code.to_string())?;
        let stripped = self.strip_prefix(rest);
        let national = stripped.as_deref().unwrap_or(rest);
        let is_code = (!self.is_number(digits) && self.is_number(national))
            || matches!(self.length(digits.len()), Length::TooLong);
        is_code.then_some(rest)
    }

    /// The national number without the prefix that is dialled only within the country, where
    /// taking it off leaves a number.
    fn without_prefix<'d>(&self, national: &'d str) -> Cow<'d, str> {
        match self.strip_prefix(national) {
            Some(stripped) if matches!(self.length(stripped.len()), Length::Possible | Length::TooLong) => {
                Cow::Owned(stripped)
            }
            _ => Cow::Borrowed(national),
        }
    }

    fn strip_prefix(&self, national: &str) -> Option<String> {
        let prefix = self.national_prefix.get()?;
        // Numbers with their country code hardly ever have one, and groups cost more than looking twice.
        if !prefix.is_match(national) {
            return None;
        }
        let found = prefix.captures(national)?;
        let whole = found.get(0)?;
        let rest = national.get(whole.end()..)?;
        let last_group = found.get(found.len() - 1);
        let stripped = match (self.national_prefix_rule, last_group) {
            (Some(rule), Some(_)) => {
                let mut transformed = String::with_capacity(national.len());
                let mut chars = rule.chars();
                while let Some(c) = chars.next() {
                    let group =
                        (c == '$').then(|| chars.next().and_then(|digit| digit.to_digit(10))).flatten();
                    match group {
                        // A group that took no part stands for nothing.
                        Some(group) => transformed
                            .push_str(found.get(group as usize).map_or("", |matched| matched.as_str())),
                        None => transformed.push(c),
                    }
                }
                transformed.push_str(rest);
                transformed
            }
            _ => rest.to_owned(),
        };
        // What was a number before must still be one.
        (!self.is_number(national) || self.is_number(&stripped)).then_some(stripped)
    }
}

/// A pattern of the metadata, anchored, compiled at its first use.
struct Pattern {
    source: Option<&'static str>,
    whole: bool,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    const fn new(source: Option<&'static str>, whole: bool) -> Self {
        Self { source, whole, compiled: OnceLock::new() }
    }

    fn get(&self) -> Option<&Regex> {
        let compile = || {
            let anchored = format!("^(?:{}){}", self.source?, if self.whole { "$" } else { "" });
            // The metadata breaks its longer patterns into lines.
            RegexBuilder::new(&anchored).ignore_whitespace(true).unicode(false).build().ok()
        };
        once(&self.compiled, compile).as_ref()
    }

    fn matches(&self, digits: &str) -> bool {
        self.get().is_some_and(|regex| regex.is_match(digits))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Region, country code and national number.
    const EXAMPLES: &[(&str, u16, &str)] = &include!(concat!(env!("OUT_DIR"), "/numbering_examples.rs"));

    #[test]
    fn every_pattern_of_the_metadata_compiles() {
        let mut seen = 0;
        for plan in &PLANS {
            for pattern in [&plan.international_prefix, &plan.national_prefix, &plan.any_number] {
                if pattern.source.is_some() {
                    seen += 1;
                    assert!(pattern.get().is_some(), "{}: {:?}", plan.region, pattern.source);
                }
            }
            assert!(plan.lengths != 0, "{}: no lengths", plan.region);
        }
        assert!(seen > 600, "saw {seen} patterns");
    }

    #[test]
    fn every_country_code_has_one_main_region() {
        assert!(PLANS.is_sorted_by_key(|plan| plan.code));
        for plan in &PLANS {
            let mains = PLANS.iter().filter(|other| other.code == plan.code && other.is_main).count();
            assert_eq!(mains, 1, "+{}", plan.code);
        }
        assert_eq!(of_code(1).unwrap().region, "US");
        assert_eq!(of_code(44).unwrap().region, "GB");
        assert!(of_code(0).is_none() && of_code(999).is_none());
    }

    #[test]
    fn every_example_of_the_metadata_is_its_own_canonical_form() {
        let mut local_only = Vec::new();
        for (region, code, example) in EXAMPLES {
            let number = format!("+{code}{example}");
            if international(&number[1..]) == Err(Invalid::PhoneWithoutAreaCode) {
                local_only.push(number);
                continue;
            }
            assert_eq!(international(&number[1..]).as_deref(), Ok(&*number), "{region}");
            if let Some(region) = Region::from_bytes(region.as_bytes()) {
                assert_eq!(domestic(example, region).as_deref(), Ok(&*number), "{region:?}");
            }
        }
        assert!(EXAMPLES.len() > 1_000, "saw {} examples", EXAMPLES.len());
        // A Canadian service number that nobody abroad can dial.
        assert_eq!(local_only, ["+13101234"]);
    }
}
