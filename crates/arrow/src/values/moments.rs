//! Dates, timestamps and times of day in the notation of ISO 8601 and RFC 3339. Years are 1 to
//! 9999, as in Python's `datetime`.
//!
//! Arrow's own parser is used for the date alone: it reads a timestamp as the date in UTC, and refuses a time
//! without seconds.

use std::ops::Range;

use arrow_array::types::Date32Type;
use arrow_cast::parse::Parser as _;
use arrow_schema::TimeUnit;

/// Seconds of a day. Leap seconds do not exist here, as they do not in Unix time.
const DAY_S: i64 = 86_400;
const NANOS: i64 = 1_000_000_000;
/// The years 1 to 9999, in days since 1970. Python could not read a column with other moments.
const DAYS: Range<i64> = -719_162..2_932_897;

/// A date as days since 1970. A timestamp counts as a date only at midnight, without an offset or
/// in UTC. Any other timestamp would lose its time, or be another date in another time zone.
pub(crate) fn date(text: &str) -> Option<i32> {
    let mut rest = Rest(text.as_bytes());
    let days = rest.date()?;
    let is_date = rest.is_end() || {
        let (time_ns, offset_s) = rest.time_and_offset()?;
        time_ns == 0 && offset_s.unwrap_or_default() == 0
    };
    i32::try_from(days).ok().filter(|_| is_date)
}

/// A timestamp as units since 1970 in UTC. Without an offset, it is in UTC. A date means its
/// midnight. Digits finer than the unit are cut off.
pub(crate) fn moment(text: &str, unit: TimeUnit) -> Option<i64> {
    let mut rest = Rest(text.as_bytes());
    let days = rest.date()?;
    let (time_ns, offset_s) = if rest.is_end() { (0, None) } else { rest.time_and_offset()? };
    let seconds = days * DAY_S + time_ns / NANOS - offset_s.unwrap_or_default();
    if !DAYS.contains(&seconds.div_euclid(DAY_S)) {
        return None;
    }
    let (per_second, nanos) = match unit {
        TimeUnit::Second => (1, NANOS),
        TimeUnit::Millisecond => (1_000, 1_000_000),
        TimeUnit::Microsecond => (1_000_000, 1_000),
        TimeUnit::Nanosecond => (NANOS, 1),
    };
    seconds.checked_mul(per_second)?.checked_add(time_ns % NANOS / nanos)
}

/// A time of day as nanoseconds since midnight. It must have colons, because digits alone may mean
/// anything, and it must not have an offset.
pub(crate) fn time(text: &str) -> Option<i64> {
    let mut rest = Rest(text.as_bytes());
    let time_ns = rest.time()?;
    (text.contains(':') && rest.is_end() && time_ns < DAY_S * NANOS).then_some(time_ns)
}

/// The text that has not been read yet.
///
/// Each method takes what it reads off the front. If it returns `None`, the whole text is refused, so it does
/// not matter how much was taken.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn is_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves past the next byte if it is one of these.
    fn take(&mut self, any: &[u8]) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if any.contains(first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Only ASCII digits.
    fn digit(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first()?;
        let digit = char::from(*first).to_digit(10)?;
        self.0 = rest;
        Some(digit)
    }

    fn two_digits(&mut self) -> Option<u32> {
        Some(self.digit()? * 10 + self.digit()?)
    }

    /// `YYYY-MM-DD` or `YYYYMMDD`, as days since 1970. Week dates and ordinal dates are not
    /// accepted.
    fn date(&mut self) -> Option<i64> {
        let length = if self.0.get(4) == Some(&b'-') { 10 } else { 8 };
        let (date, rest) = self.0.split_at_checked(length)?;
        // Arrow would also read signs and single digits.
        let is_full = date.first()?.is_ascii_digit() && date.last()?.is_ascii_digit();
        let days = Date32Type::parse(std::str::from_utf8(date).ok().filter(|_| is_full)?)?;
        self.0 = rest;
        Some(i64::from(days)).filter(|days| DAYS.contains(days))
    }

    /// The time that follows a date: nanoseconds since midnight, and the offset from UTC in
    /// seconds.
    fn time_and_offset(&mut self) -> Option<(i64, Option<i64>)> {
        if !self.take(b"Tt ") {
            return None;
        }
        let time_ns = self.time()?;
        let offset_s = if self.is_end() { None } else { Some(self.offset()?) };
        self.is_end().then_some((time_ns, offset_s))
    }

    /// `HH`, `HH:MM`, `HH:MM:SS` with or without a fraction, or the same without colons. `24:00` is
    /// the end of the day.
    fn time(&mut self) -> Option<i64> {
        let hour = self.two_digits()?;
        let has_marks = self.take(b":");
        let (mut minute, mut second, mut fraction) = (0, 0, 0);
        if has_marks || self.0.first().is_some_and(u8::is_ascii_digit) {
            minute = self.two_digits()?;
            let has_second =
                if has_marks { self.take(b":") } else { self.0.first().is_some_and(u8::is_ascii_digit) };
            if has_second {
                second = self.two_digits()?;
                if self.take(b".,") {
                    fraction = self.fraction()?;
                }
            }
        }
        let time_ns = i64::from(hour * 3600 + minute * 60 + second) * NANOS + fraction;
        // No Arrow type can represent a leap second.
        (minute < 60 && second < 60 && time_ns <= DAY_S * NANOS).then_some(time_ns)
    }

    /// The digits after the decimal point as nanoseconds. Finer digits are cut off.
    fn fraction(&mut self) -> Option<i64> {
        let (mut fraction, mut unit) = (i64::from(self.digit()?), NANOS / 10);
        fraction *= unit;
        while let Some(digit) = self.digit() {
            unit /= 10;
            fraction += i64::from(digit) * unit;
        }
        Some(fraction)
    }

    /// `Z`, `+HH:MM`, `+HHMM` or `+HH`, optionally after a space, in seconds ahead of UTC.
    fn offset(&mut self) -> Option<i64> {
        self.take(b" ");
        if self.take(b"Zz") {
            return Some(0);
        }
        let sign = if self.take(b"-") { -1 } else { i64::from(self.take(b"+").then_some(1_u8)?) };
        let hours = self.two_digits()?;
        let minutes = if self.is_end() {
            0
        } else {
            self.take(b":");
            self.two_digits()?
        };
        (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
    }
}
