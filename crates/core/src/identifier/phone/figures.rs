//! Phone numbers that a spreadsheet or a data frame wrote as figures: floats, powers of ten, groups
//! of thousands.

use crate::identifier::invalid::Invalid;

/// A single dot or comma after this many digits is a decimal point; after fewer, it is a separator.
/// `201.5550123` is a phone number, `12015550123.5` is a fraction.
const WHOLE_NUMBER: usize = 7;

/// The digits of a figure with its sign. `None` if `value` is not a figure.
///
/// # Errors
/// The inner error if the figure cannot be a phone number, because it has decimals or lost digits.
pub(super) fn digits(value: &str) -> Option<Result<String, Invalid>> {
    let (sign, unsigned) = match value.strip_prefix('+') {
        Some(rest) => ("+", rest),
        None => ("", value),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = split_fraction(mantissa)?;
    if whole.is_empty() || !is_digits(&whole) || !is_digits(fraction) {
        return None;
    }
    let Some(exponent) = exponent else {
        let zeros = fraction.bytes().all(|byte| byte == b'0');
        return match (fraction.len(), zeros) {
            // The only marks were those between thousands.
            (0, _) => (whole.len() != mantissa.len()).then_some(Ok(format!("{sign}{whole}"))),
            // More zeros may be the last group of a number.
            (places, true) if whole.len() >= WHOLE_NUMBER && (places <= 2 || whole.len() > places + 7) => {
                Some(Ok(format!("{sign}{whole}")))
            }
            (WHOLE_NUMBER.., false) if whole.len() >= WHOLE_NUMBER => Some(Err(Invalid::PhoneSeveral)),
            (_, false) if whole.len() >= WHOLE_NUMBER => Some(Err(Invalid::PhoneFraction)),
            _ => None,
        };
    };
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let exponent: usize = if is_digits(exponent) { exponent.parse().ok()? } else { return None };
    // The missing digits were zeros or were rounded away. It is unknown which.
    let Some((places, rest)) = fraction.split_at_checked(exponent) else {
        return Some(Err(Invalid::PhoneScientific));
    };
    if rest.bytes().any(|byte| byte != b'0') {
        return Some(Err(Invalid::PhoneFraction));
    }
    Some(Ok(format!("{sign}{whole}{places}")))
}

/// Splits a mantissa at its decimal point or comma, and removes the marks between thousands.
fn split_fraction(mantissa: &str) -> Option<(String, &str)> {
    for (point, thousands) in [('.', ','), (',', '.')] {
        let (whole, fraction) = mantissa.split_once(point).unwrap_or((mantissa, ""));
        if fraction.contains(['.', ',']) {
            continue;
        }
        if !whole.contains(thousands) {
            // There are no marks between thousands.
            return Some((whole.to_owned(), fraction));
        }
        let mut groups = whole.split(thousands);
        let first = groups.next().unwrap_or_default();
        if matches!(first.len(), 1..=3) && !first.starts_with('0') && groups.all(|group| group.len() == 3) {
            return Some((whole.replace(thousands, ""), fraction));
        }
    }
    None
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_its_digits_where_none_was_lost() {
        for (value, read) in [
            ("493023125000.0", Some(Ok("493023125000"))),
            ("+493023125000.00", Some(Ok("+493023125000"))),
            ("493023125000,0", Some(Ok("493023125000"))),
            ("12,015,550,123", Some(Ok("12015550123"))),
            ("12,015,550,123.00", Some(Ok("12015550123"))),
            ("12.015.550.123,00", Some(Ok("12015550123"))),
            ("1.2015550123E10", Some(Ok("12015550123"))),
            ("1,2015550123e+10", Some(Ok("12015550123"))),
            ("1.20155501230E10", Some(Ok("12015550123"))),
            ("+1.2015550123E10", Some(Ok("+12015550123"))),
            ("1.20156E+10", Some(Err(Invalid::PhoneScientific))),
            ("12E9", Some(Err(Invalid::PhoneScientific))),
            ("12015550123.5", Some(Err(Invalid::PhoneFraction))),
            ("1.20155501235E10", Some(Err(Invalid::PhoneFraction))),
            ("9876543210,9876543211", Some(Err(Invalid::PhoneSeveral))),
            ("201.5550123", None),
            ("+1.2015550123", None),
            ("201.555.0123", None),
            ("12015550123", None),
            ("030,123456", None),
            ("EE", None),
        ] {
            assert_eq!(digits(value), read.map(|read| read.map(str::to_owned)), "{value}");
        }
    }
}
