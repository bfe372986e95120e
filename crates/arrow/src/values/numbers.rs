//! Reads JSON numbers exactly as the types of columns: a number that the type cannot represent
//! gives `None`.
//!
//! Strings are not numbers, and neither are `NaN` and `Infinity`, which are not JSON. A float is
//! the nearest one. No other type loses a digit.

/// The smallest number that rounds to infinity as a 16-bit float.
///
/// It lies in the middle between the largest finite one, 65,504, and the next power of two.
const HALF_OVERFLOW: f64 = 65_520.0;

/// The number of digits of the largest `i128`.
const WHOLE_DIGITS: u8 = 39;

/// A whole number in any notation: `4`, `4.0` and `4e0` are equal.
///
/// `4.5` is not whole, and `1e100` does not fit any type: both are `None`.
pub(crate) fn whole(json: &[u8]) -> Option<i128> {
    let in_full = || decimal(json, WHOLE_DIGITS, 0)?.trim_end_matches('.').parse().ok();
    number_text(json)?.parse().ok().or_else(in_full)
}

/// The nearest 64-bit float.
///
/// A number beyond the range of the type is `None` rather than infinite.
pub(crate) fn double(json: &[u8]) -> Option<f64> {
    number_text(json)?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The nearest 32-bit float.
pub(crate) fn single(json: &[u8]) -> Option<f32> {
    number_text(json)?.parse().ok().filter(|number: &f32| number.is_finite())
}

/// A 64-bit float whose nearest 16-bit float is finite.
pub(crate) fn half(json: &[u8]) -> Option<f64> {
    double(json).filter(|number| number.abs() < HALF_OVERFLOW)
}

/// The text of a number with at most `precision` digits, `scale` of them after the decimal point,
/// in the notation that Arrow parses.
///
/// `12.50` with a scale of 1 is `12.5`; `12.55` does not fit, because it would lose a digit.
pub(crate) fn decimal(json: &[u8], precision: u8, scale: u8) -> Option<String> {
    let decimal = Decimal::read(number_text(json)?)?;
    if decimal.digits.is_empty() {
        return Some("0".to_owned());
    }
    // The zeros to append after the digits, when the number is multiplied by ten to the power of
    // `scale`.
    let zeros = usize::try_from(decimal.exponent.checked_add(i64::from(scale))?).ok()?;
    if decimal.digits.len().checked_add(zeros)? > usize::from(precision) {
        return None;
    }
    let scale = usize::from(scale);
    let digits = format!("{:0<1$}", decimal.digits, decimal.digits.len() + zeros);
    let digits = format!("{:0>1$}", digits, scale + 1);
    let (ones, fraction) = digits.split_at_checked(digits.len() - scale)?;
    let sign = if decimal.is_negative { "-" } else { "" };
    Some(format!("{sign}{ones}.{fraction}"))
}

/// The text of a number, or `None` if the value is not a number.
///
/// Strings, `true`, `null`, `NaN` and `Infinity` are not numbers.
fn number_text(json: &[u8]) -> Option<&str> {
    let digits = json.strip_prefix(b"-").unwrap_or(json);
    let is_number = digits.first().is_some_and(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(json).ok()).flatten()
}

/// A number as its digits times a power of ten.
struct Decimal {
    is_negative: bool,
    /// Without leading and trailing zeros; empty for zero.
    digits: String,
    /// The power of ten by which `digits`, read as a whole number, is multiplied: `0.012` is `12` with -3.
    exponent: i64,
}

impl Decimal {
    /// Reads the text of a JSON number.
    fn read(text: &str) -> Option<Self> {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (ones, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = [ones, fraction].concat();
        let digits = all.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self { is_negative, digits: String::new(), exponent: 0 });
        }
        // A number with a larger exponent fits no type.
        let exponent: i32 = exponent.parse().ok()?;
        let decimals = i64::try_from(fraction.len()).ok()?;
        let zeros = i64::try_from(all.len() - digits.len()).ok()?;
        let digits = digits.trim_start_matches('0').to_owned();
        Some(Self { is_negative, digits, exponent: i64::from(exponent) - decimals + zeros })
    }
}
