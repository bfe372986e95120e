//! The world's numbering plans: libphonenumber's rules and data, through its port `rlibphonenumber`
//! (`docs/decisions/0001-phone-numbers.md` explains the choice), and a few more rules that a bulk
//! lookup needs.
//!
//! Knows nothing of how numbers are written, which the other modules of `phone` read.

use std::sync::OnceLock;

use rlibphonenumber::{
    NumberLengthType, ParseError, PhoneNumber, PhoneNumberType, PhoneNumberUtil, Region as Country,
    ValidationError, get_national_significant_number_owned as national_number,
};

use crate::identifier::invalid::Invalid;
use crate::identifier::once::once;

use super::region::Region;
use super::retired;

/// If fewer digits than this follow `011`, it is not an international prefix.
const FOREIGN: usize = 10;

/// Reads digits that follow a `+`.
pub(super) fn international(digits: &str) -> Result<String, Invalid> {
    if is_american(digits.as_bytes()) {
        return Ok(format!("+{digits}"));
    }
    let written = format!("+{}", retired::without_prefix(digits));
    parse(&written, None)
}

/// Reads digits that follow `00`. The number must exist: `00151 12345678` is a German mobile number with one zero
/// too many, and no number of North America.
pub(super) fn international_with_zeros(digits: &str) -> Result<String, Invalid> {
    international(digits).and_then(existing)
}

fn existing(number: String) -> Result<String, Invalid> {
    if exists(&number) { Ok(number) } else { Err(Invalid::PhoneUnassigned) }
}

/// How many digits the area code of a canonical number has, if it has one.
pub(super) fn area_code_length(canonical: &str) -> Option<usize> {
    let plans = plans()?;
    let length = plans.get_length_of_geographical_area_code(&plans.parse(canonical, None).ok()?);
    (length > 0).then_some(length)
}

/// How many of the digits are the country code.
pub(super) fn code_length(digits: &str) -> Option<usize> {
    (1..=3).find(|&length| {
        let code = digits.get(..length).and_then(|code| code.parse().ok());
        code.is_some_and(|code| {
            plans().is_some_and(|plans| plans.get_region_for_country_code(code).is_some())
        })
    })
}

/// Whether these digits are a number of North America with its country code. libphonenumber changes
/// nothing in such numbers. They are so frequent that it is worth skipping the call.
const fn is_american(digits: &[u8]) -> bool {
    matches!(digits, [b'1', b'2'..=b'9', ..]) && digits.len() == 11
}

/// Reads digits as they are dialled inside `region`. The number must exist. If it does not, digits are missing, or
/// they begin with something else than the region's area codes, and the number could be a stranger's.
pub(super) fn domestic(digits: &str, region: Region) -> Result<String, Invalid> {
    if region == Region::INTERNATIONAL {
        return match digits.strip_prefix("00") {
            Some(digits) if !digits.starts_with('0') => international_with_zeros(digits),
            None if !digits.starts_with('0') => international(digits),
            _ => Err(Invalid::PhoneWithoutCountryCode),
        };
    }
    dialled(digits, region).and_then(existing)
}

/// As [`domestic`], with numbers that do not exist.
fn dialled(digits: &str, region: Region) -> Result<String, Invalid> {
    let country = Country::from_code(region.as_str()).map_err(|_| Invalid::PhoneWithoutCountryCode)?;
    let at_home = match retired::in_full(digits, region) {
        // `1 551 234 5678` is a number of New Jersey. With Mexico's former prefix, it is also one
        // of Mexico City.
        Some(_) if exists(&format!("+{digits}")) => return Err(Invalid::PhoneAmbiguous),
        Some(full) => international(&full),
        None => parse(digits, Some(country)),
    };
    if let Some(rest) = digits.strip_prefix("00") {
        return either(at_home, international(rest));
    }
    // North America's international prefix. libphonenumber accepts it only in North America's own
    // regions. Elsewhere, `011` begins numbers of Buenos Aires, Delhi and Turin.
    if let Some(rest) = digits.strip_prefix("011")
        && rest.len() >= FOREIGN
        && !at_home.as_ref().is_ok_and(|number| exists(number))
    {
        return international(rest).ok().filter(|number| exists(number)).map_or(at_home, Ok);
    }
    let code = plans().and_then(|plans| plans.get_country_code_for_region(country)).unwrap_or_default();
    if digits.starts_with(&code.to_string()) {
        return unless_abroad(at_home, international(digits));
    }
    at_home
}

/// Chooses between two readings of digits that begin with the region's own country code. Usually
/// only the `+` is missing. If both numbers exist, the choice is certain only for a mobile number,
/// because no fixed number is as long as a mobile number with its country code.
fn unless_abroad(
    at_home: Result<String, Invalid>,
    abroad: Result<String, Invalid>,
) -> Result<String, Invalid> {
    match (at_home, abroad) {
        (Ok(at_home), Ok(abroad)) if at_home != abroad => match (exists(&at_home), exists(&abroad)) {
            (true, false) => Ok(at_home),
            (false, true) => Ok(abroad),
            (true, true) if is_mobile(&abroad) && !is_mobile(&at_home) => Ok(abroad),
            _ => Err(Invalid::PhoneAmbiguous),
        },
        (Err(_), Ok(abroad)) if exists(&abroad) => Ok(abroad),
        (at_home, _) => at_home,
    }
}

/// Chooses between two readings of `00…`, the international prefix of most regions. The national
/// reading counts only if that number exists. Otherwise a foreign number would become a number of
/// this region.
fn either(at_home: Result<String, Invalid>, abroad: Result<String, Invalid>) -> Result<String, Invalid> {
    match (at_home, abroad) {
        (Ok(at_home), Ok(abroad)) if at_home != abroad => match (exists(&at_home), exists(&abroad)) {
            (true, false) => Ok(at_home),
            (false, true) => Ok(abroad),
            _ => Err(Invalid::PhoneAmbiguous),
        },
        (Ok(number), Err(_)) if exists(&number) => Ok(number),
        (Err(why), Err(_)) => Err(why),
        (_, abroad) => abroad,
    }
}

/// Whether a canonical number lies in a range that is in use.
pub(super) fn exists(canonical: &str) -> bool {
    plans()
        .is_some_and(|plans| plans.parse(canonical, None).is_ok_and(|number| plans.is_valid_number(&number)))
}

/// Whether a canonical number can only be a mobile number.
fn is_mobile(canonical: &str) -> bool {
    let Some(plans) = plans() else { return false };
    plans.parse(canonical, None).is_ok_and(|number| plans.get_number_type(&number) == PhoneNumberType::Mobile)
}

/// Whether libphonenumber has a numbering plan for `region`.
pub(super) fn knows(region: Region) -> bool {
    let code = |country| plans().and_then(|plans| plans.get_country_code_for_region(country));
    Country::from_code(region.as_str()).is_ok_and(|country| code(country).is_some())
}

/// The main region of a country code, such as `US` for 1.
pub(super) fn region_of_code(code: u16) -> Option<Region> {
    let country = plans()?.get_region_for_country_code(i32::from(code))?;
    Region::from_bytes(country.as_region_str().as_bytes())
}

/// Parses a number with libphonenumber and returns its canonical form.
fn parse(written: &str, country: Option<Country>) -> Result<String, Invalid> {
    let plans = plans().ok_or(Invalid::PhoneUnreadable)?;
    let number = plans.parse(written, country).map_err(|why| unparsed(&why))?;
    match plans.is_possible_number_with_reason(&number) {
        Ok(NumberLengthType::IsPossible) => {}
        Ok(NumberLengthType::IsPossibleLocalOnly) => return Err(Invalid::PhoneWithoutAreaCode),
        Err(why) => return Err(impossible(why)),
    }
    let canonical = canonical(&number);
    // libphonenumber keeps a national prefix if too few digits follow it, such as `0171` alone.
    if national_number(&number).starts_with('0') && !exists(&canonical) {
        return Err(Invalid::PhoneTooShort);
    }
    // If a national prefix was written twice, one is still there. Reading the canonical form again
    // would remove it and give another number.
    let again = || plans.parse(&canonical, None).is_ok_and(|again| self::canonical(&again) == canonical);
    if canonical == written || again() { Ok(canonical) } else { Err(Invalid::PhoneAmbiguous) }
}

/// The number in E.164 form, which needs no formatter.
fn canonical(number: &PhoneNumber) -> String {
    format!("+{}{}", number.country_code, national_number(number))
}

/// The reason for a number that libphonenumber cannot parse.
fn unparsed(why: &ParseError) -> Invalid {
    match why {
        ParseError::InvalidCountryCode => Invalid::PhoneUnknownCountryCode,
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => Invalid::PhoneTooShort,
        ParseError::TooLongNsn => Invalid::PhoneTooLong,
        ParseError::NotANumber(_) => Invalid::PhoneUnreadable,
    }
}

/// The reason for a number whose length its country does not use.
fn impossible(why: ValidationError) -> Invalid {
    match why {
        ValidationError::InvalidCountryCode => Invalid::PhoneUnknownCountryCode,
        ValidationError::TooShort => Invalid::PhoneTooShort,
        ValidationError::TooLong => Invalid::PhoneTooLong,
        ValidationError::InvalidLength => Invalid::PhoneWrongLength,
    }
}

/// The numbering plans of one process.
///
/// rlibphonenumber compiles each pattern at its first use while it holds a lock. After a fork, the
/// child may inherit that lock from a thread that does not exist in the child. So a child makes its
/// own plans, which takes 10 ms, and never uses those of its parent.
struct Plans {
    process: u32,
    util: Option<PhoneNumberUtil>,
    next: OnceLock<Box<Plans>>,
}

/// The numbering plans of this process, or `None` if libphonenumber's data could not be read.
fn plans() -> Option<&'static PhoneNumberUtil> {
    static FIRST: OnceLock<Box<Plans>> = OnceLock::new();
    let process = std::process::id();
    let mut place = &FIRST;
    loop {
        let make = || Box::new(Plans { process, util: PhoneNumberUtil::new().ok(), next: OnceLock::new() });
        let here = once(place, make);
        if here.process == process {
            return here.util.as_ref();
        }
        place = &here.next;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rlibphonenumber::PhoneNumberType as Type;

    const TYPES: [Type; 10] = [
        Type::FixedLine,
        Type::Mobile,
        Type::TollFree,
        Type::PremiumRate,
        Type::SharedCost,
        Type::PersonalNumber,
        Type::VoIP,
        Type::Pager,
        Type::UAN,
        Type::VoiceMail,
    ];

    /// Reading an example of every type compiles every pattern that reading uses, so this shows that all compile.
    #[test]
    fn every_example_of_every_region_is_its_own_canonical_form() {
        let plans = plans().unwrap();
        let mut local_only = Vec::new();
        let mut seen = 0;
        for country in plans.get_supported_regions() {
            let region = Region::from_bytes(country.as_region_str().as_bytes()).unwrap();
            for kind in TYPES {
                let Ok(example) = plans.get_example_number_for_type_and_region(country, kind) else {
                    continue;
                };
                let number = canonical(&example);
                seen += 1;
                if international(&number[1..]) == Err(Invalid::PhoneWithoutAreaCode) {
                    local_only.push(number);
                    continue;
                }
                assert_eq!(international(&number[1..]).as_deref(), Ok(&*number), "{region:?}");
                assert_eq!(
                    domestic(&national_number(&example), region).as_deref(),
                    Ok(&*number),
                    "{region:?}"
                );
                assert_eq!(domestic(&number[1..], Region::INTERNATIONAL).as_deref(), Ok(&*number));
            }
        }
        assert!(seen > 1_000, "saw {seen} examples");
        // A Canadian service number that cannot be dialled from abroad.
        assert_eq!(local_only, ["+13101234"]);
    }

    /// Reads every foreign example number, written with `00`, in every region. The result is that number or an
    /// error, and never another number.
    #[test]
    fn a_foreign_number_never_becomes_one_at_home() {
        let plans = plans().unwrap();
        let examples: Vec<_> = plans
            .get_supported_regions()
            .filter_map(|country| plans.get_example_number_for_type_and_region(country, Type::Mobile).ok())
            .map(|example| canonical(&example))
            .collect();
        let mut seen = 0;
        let mut wrong = Vec::new();
        for country in plans.get_supported_regions() {
            let region = Region::from_bytes(country.as_region_str().as_bytes()).unwrap();
            for number in &examples {
                seen += 1;
                let read = domestic(&format!("00{}", &number[1..]), region);
                if read.as_ref().is_ok_and(|read| read != number) {
                    wrong.push((region, number, read));
                }
            }
        }
        assert!(seen > 50_000, "saw {seen} spellings");
        assert!(wrong.is_empty(), "{} of {seen}: {:?}", wrong.len(), wrong.get(..20.min(wrong.len())));
    }

    /// Reads every example number, with its country code and without `+`, in its own region: that number or an error.
    #[test]
    fn a_country_code_without_a_plus_never_becomes_a_part_of_the_number() {
        let plans = plans().unwrap();
        let (mut seen, mut read_right) = (0, 0);
        for country in plans.get_supported_regions() {
            let region = Region::from_bytes(country.as_region_str().as_bytes()).unwrap();
            for kind in [Type::Mobile, Type::FixedLine] {
                let Ok(example) = plans.get_example_number_for_type_and_region(country, kind) else {
                    continue;
                };
                let number = canonical(&example);
                let read = domestic(&number[1..], region);
                assert!(
                    read.as_ref().map_or(true, |read| *read == number),
                    "{region:?}: {number} as {read:?}"
                );
                seen += 1;
                read_right += usize::from(read.is_ok());
            }
        }
        assert!(seen > 450 && read_right > seen - 10, "{read_right} of {seen}");
    }

    /// `011` is America's international prefix, and the beginning of numbers in other countries.
    #[test]
    fn a_number_at_home_that_begins_like_an_american_prefix_stays_at_home() {
        let mut seen = 0;
        for region in ["AR", "IN", "GB", "BR", "IT", "ZA", "JP", "IR", "RS"] {
            let region = Region::new(region).unwrap();
            let country = Country::from_code(region.as_str()).unwrap();
            for beginning in 0..10_000 {
                for rest in ["12", "123", "1234"] {
                    let digits = format!("011{beginning:04}{rest}");
                    let Ok(at_home) = parse(&digits, Some(country)) else { continue };
                    if exists(&at_home) {
                        seen += 1;
                        assert_eq!(
                            domestic(&digits, region).as_deref(),
                            Ok(&*at_home),
                            "{region:?} {digits}"
                        );
                    }
                }
            }
        }
        assert!(seen > 20_000, "saw {seen}");
        let germany = Region::new("DE").unwrap();
        assert_eq!(domestic("011442079460018", germany).as_deref(), Ok("+442079460018"));
    }

    #[test]
    fn numbers_of_north_america_are_read_as_themselves() {
        for number in (2_000_000_000_u64..10_000_000_000).step_by(997_003) {
            let written = format!("+1{number}");
            assert_eq!(parse(&written, None).as_deref(), Ok(&*written));
            assert_eq!(international(&written[1..]).as_deref(), Ok(&*written));
        }
    }

    #[test]
    fn a_retired_prefix_of_mexico_is_taken_off() {
        let mexico = Region::new("MX").unwrap();
        for digits in ["0445512345678", "0455512345678", "015512345678", "5215512345678", "5512345678"] {
            assert_eq!(domestic(digits, mexico).as_deref(), Ok("+525512345678"), "{digits}");
        }
        assert_eq!(
            domestic("19991234567", mexico).as_deref(),
            Ok("+529991234567"),
            "no area code of the USA"
        );
        assert_eq!(domestic("15512345678", mexico), Err(Invalid::PhoneAmbiguous));
        for digits in ["5215512345678", "52015512345678", "520445512345678", "525512345678"] {
            assert_eq!(international(digits).as_deref(), Ok("+525512345678"), "{digits}");
        }
    }
}
