//! Tells phone numbers from dates, times, IP addresses and decimals by their form.

use super::digits::digit;
use super::figures;

/// The fewest digits of a number without a country code that is recognised by its form alone.
const FEWEST: usize = 7;

/// Whether a value without a field type looks like a phone number: it begins with digits, has
/// enough of them, and does not have the form of something else.
pub(in crate::identifier) fn is_likely(value: &str) -> bool {
    let start = value.trim_start_matches(['+', '(', '[', ' ', '.', '"', '\'', '<']);
    let starts = start.chars().next().is_some_and(|c| digit(c).is_some());
    let fewest = if value.contains(['+', ':']) || start.starts_with('0') { 3 } else { FEWEST };
    starts
        && value.chars().filter(|&c| digit(c).is_some()).count() >= fewest
        && !is_something_else(value)
        && !is_compact_date(value)
        && !is_isbn(value)
        && !is_years(value)
}

/// Whether the form is that of a date, an IP address or a decimal, such as `20.12.34.56`. In a column
/// of phone numbers, such a value is refused unless that number exists.
pub(super) fn is_something_else(value: &str) -> bool {
    is_date(value) || is_ip_address(value) || is_decimal(value)
}

/// Whether the form is `2024-01-31`, which is a date even in a column of phone numbers.
pub(super) fn is_iso_date(value: &str) -> bool {
    value.as_bytes().get(4) == Some(&b'-') && is_date(value)
}

/// Whether the form is a range of years: `2019 - 2021`.
fn is_years(value: &str) -> bool {
    let is_year = |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    value.split_once(['-', '–', '/', ' ']).is_some_and(|(from, to)| {
        is_year(from.trim()) && is_year(to.trim_start_matches([' ', '-', '–', '/']))
    })
}

/// Whether the form is a date, with or without a time of day: `2024-01-31`, `31.01.2024`,
/// `1/31/24`.
fn is_date(value: &str) -> bool {
    // Nearly every number can be ruled out by one of its first characters.
    let bytes = value.as_bytes();
    let digits = bytes.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let mark = match (digits, bytes.get(digits)) {
        (1 | 2 | 4, Some(&mark @ (b'-' | b'.' | b'/'))) => mark,
        (4, Some(b' ')) => return is_date(&value.replace(' ', "-")),
        _ => return false,
    };
    let end = value.find(['T', ' ', ',']).unwrap_or(value.len());
    let (day, time) = value.split_at_checked(end).unwrap_or((value, ""));
    // After a blank, a phone number may continue; a date can be followed only by a time.
    if !time.is_empty() && !time.contains(':') {
        return false;
    }
    let parts: Vec<&str> = day.split(char::from(mark)).collect();
    let [a, b, c] = *parts else { return false };
    let number = |part: &str| part.parse::<u16>().ok().filter(|_| matches!(part.len(), 1 | 2));
    let (Some(b_number), a_number, c_number) = (number(b), number(a), number(c)) else { return false };
    let is_year = |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    let fit = |x: u16, y: u16| (1..=12).contains(&x.min(y)) && (1..=31).contains(&x.max(y));
    match (a_number, c_number) {
        (None, Some(day)) if is_year(a) => fit(b_number, day),
        (Some(day), None) if is_year(c) => fit(b_number, day),
        (Some(day), Some(_)) if c.len() == 2 => fit(b_number, day),
        _ => false,
    }
}

/// Whether the form is a date without separators, with or without a time of day: `20240131`.
fn is_compact_date(value: &str) -> bool {
    let number = |range| value.get(range).and_then(|part: &str| part.parse::<u16>().ok());
    matches!(value.len(), 8 | 12 | 14)
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(number(0..2), Some(19 | 20))
        && matches!(number(4..6), Some(1..=12))
        && matches!(number(6..8), Some(1..=31))
}

/// Whether the form is an IPv4 address, with or without a port or mask: `192.168.1.1`.
fn is_ip_address(value: &str) -> bool {
    let end = value.find([':', '/']).unwrap_or(value.len());
    value.get(..end).is_some_and(|address| address.parse::<std::net::Ipv4Addr>().is_ok())
}

/// Whether the form is an ISBN: `978-3-16-148410-0`.
fn is_isbn(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (value.starts_with("978-") || value.starts_with("979-")) && digits == 13
}

/// Whether the form is a decimal: `3.14159`, `-1.5`, `1,234.56`, `0,5`. `030.123456` is not one,
/// and neither is a whole number that was written as a float.
fn is_decimal(value: &str) -> bool {
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    let Some((whole, fraction)) = unsigned.rsplit_once(['.', ',']) else { return false };
    let is_figure = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b',');
    if !unsigned.bytes().all(is_figure) || figures::digits(unsigned).is_some_and(|digits| digits.is_ok()) {
        return false;
    }
    let has_trunk_prefix = whole.len() > 1 && whole.starts_with('0');
    let thousands = |mark| whole.split(mark).skip(1).all(|group| group.len() == 3);
    let groups = whole.contains(['.', ',']);
    !has_trunk_prefix && !fraction.is_empty() && (!groups || unsigned.contains(',') && thousands(['.', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_addresses_and_decimals_are_no_phones_by_their_looks() {
        for value in [
            "2024-01-31",
            "2024/1/31",
            "2024-01-31T12:30:00Z",
            "2024-01-31 12:30",
            "2024 01 31",
            "20240131123000",
            "2019 - 2021",
            "201-500",
            "31.01.2024",
            "1/31/24",
            "20240131",
            "192.168.1.1",
            "10.0.0.1:8080",
            "10.0.0.0/24",
            "3.14159",
            "1,234.56",
            "52.5200",
            "0,75",
            "-33.8688",
            "978-3-16-148410-0",
        ] {
            assert!(!is_likely(value), "{value}");
        }
        for value in [
            "201.555.0123",
            "06.12.34.56.78",
            "030.123456",
            "(201) 555-0123",
            "493023125000.0",
            "01-58112-0",
            "12-34-56-78",
            "+49.3012345678",
        ] {
            assert!(is_likely(value), "{value}");
        }
    }
}
