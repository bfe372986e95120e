//! Checks every type of a column against every spelling of a value: a value that fits is read correctly, and a
//! value that does not fit is null and counted. A spelling that is not in a type's list does not fit the type.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::float_cmp)]

use std::sync::Arc;

use arrow_array::Array;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType as D, TimeUnit};
use bytes::Bytes;

use super::*;
use crate::{Kind, Path, Wanted};
use exactbuyer_core::message::Words;
use exactbuyer_core::results::{Source, Status};

/// JSON as it may stand in a contact.
#[rustfmt::skip]
const SPELLINGS: &[&str] = &[
    // Whole numbers.
    "0", "-0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "32768", "65519", "65520", "65536",
    "2147483648", "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808",
    "18446744073709551615", "18446744073709551616", "-9223372036854775808", "-9223372036854775809",
    // The same, written otherwise.
    "4.0", "-0.0", "4.000", "1e3", "1E+3", "12e-1", "1.5e1", "1200e-2", "9007199254740993.0", "1e-999", "1e18",
    "1e19", "0e999",
    // Fractions, and what is too large.
    "0.5", "-0.25", "0.1", "12.345", "16777217", "1e39", "3.5e38", "-3.5e38", "1e308", "1e309", "1e999", "-1e999",
    "1e99999999999999999999",
    // Words.
    "true", "false", "NaN", "Infinity", "-Infinity",
    // Strings of them.
    r#""1""#, r#""12.50""#, r#""1e3""#, r#""1,234""#, r#""true""#, r#""false""#, r#""NaN""#, r#""""#, r#"" 1 ""#,
    r#""yes""#,
    // Dates.
    r#""2024-02-29""#, r#""20240229""#, r#""2023-02-29""#, r#""1900-02-29""#, r#""2000-02-29""#, r#""0000-01-01""#,
    r#""0001-01-01""#, r#""9999-12-31""#, r#""10000-01-01""#, r#""-0001-01-01""#, r#""+2024-01-01""#,
    r#""2024-01""#, r#""2024""#, r#""2024-W09-4""#, r#""2024-060""#, r#""2024-1-2""#, r#""2024/01/02""#,
    r#""01/02/2024""#, r#""2024-00-10""#, r#""2024-13-01""#, r#""2024-01-32""#, r#""2024-01-01+02:00""#,
    r#""2024-01-01Z""#, r#""2024-0101""#,
    // Moments.
    r#""2024-01-31T10:30""#, r#""2024-01-31T10""#, r#""2024-01-31 10:30:15""#, r#""2024-01-31t10:30:15z""#,
    r#""2024-01-31T10:30Z""#, r#""2024-01-31T10:30:15.5+02:00""#, r#""2024-01-31T10:30:15,123456789Z""#,
    r#""2024-01-31T10:30:15.1234567891Z""#, r#""20240131T103015Z""#, r#""20240131T1030""#,
    r#""2024-01-31T10:30:15 +0530""#, r#""2024-01-31T10:30:15-08""#, r#""2024-01-31T24:00""#,
    r#""2024-01-31T24:00:01""#, r#""2024-01-31T25:00""#, r#""2024-01-31T10:60""#, r#""2016-12-31T23:59:60Z""#,
    r#""2024-01-31T10:30:15+24:00""#, r#""2024-01-31T10:30:15 UTC""#, r#""2024-01-31T10:30:15[Europe/Berlin]""#,
    r#""2024-01-31T""#, r#""2024-01-31T10:30:15.""#, r#""2024-01-31T00:00:00Z""#, r#""2024-01-31T00:00:00""#,
    r#""2024-01-31T00:00:00+02:00""#, r#""2024-01-31T23:30:00-05:00""#, r#""0001-01-01T00:00:00+02:00""#,
    r#""9999-12-31T23:59:59-02:00""#, r#""1969-12-31T23:59:59.5Z""#, r#""1677-09-21T00:00:00Z""#,
    r#""2262-04-12T00:00:00Z""#, r#""\u0032024-01-31T10:30""#, "1706697015",
    // Times of day.
    r#""10:30""#, r#""10:30:15.25""#, r#""24:00""#, r#""10:30Z""#, r#""1030""#, r#""10""#,
    // Values that no plain type can hold.
    r#""\ud800""#, "[1]", "{}", "[NaN]",
];

/// Reads a value: the text of the array's value, if there is one, and the number of misfits.
fn read(kind: &Kind, json: &str) -> (Option<String>, u64) {
    let wanted = Wanted { name: "x".to_owned(), path: Path::parse("x").expect("a path"), kind: kind.clone() };
    let layout = Layout::new("", vec![wanted], vec!["by".to_owned()], Words::new(), false).expect("a layout");
    let mut assembler = Assembler::new(Arc::new(layout));
    assembler.expect(1).expect("room");
    let outcome = RowOutcome {
        row: 0,
        status: Status::Found,
        alternative: 0,
        record: Some(Bytes::from(format!(r#"{{"x": {json}}}"#))),
        reason: None,
        source: Source::Asked,
        fetched_at_ms: Some(7),
    };
    assembler.add(outcome).expect("columns");
    let block = assembler.next_block().expect("a block");
    let column = block[0].column_by_name("x").expect("a column");
    let text = column.is_valid(0).then(|| array_value_to_string(column, 0).expect("a text"));
    (text, assembler.misfits())
}

fn check(kind: &Kind, fits: &[(&str, &str)]) {
    for (json, _) in fits {
        assert!(SPELLINGS.contains(json), "{json} is no spelling");
    }
    for json in SPELLINGS {
        let expected = fits.iter().find(|(other, _)| other == json).map(|(_, text)| (*text).to_owned());
        let misfits = u64::from(expected.is_none());
        assert_eq!(read(kind, json), (expected, misfits), "{json} as {kind:?}");
    }
}

fn of(data_type: D) -> Kind {
    Kind::of(data_type).expect("a kind")
}

/// The spellings of whole numbers, each with its digits.
#[rustfmt::skip]
const WHOLE: &[(&str, &str)] = &[
    ("0", "0"), ("-0", "0"), ("1", "1"), ("-1", "-1"), ("127", "127"), ("128", "128"), ("-128", "-128"),
    ("-129", "-129"), ("255", "255"), ("256", "256"), ("32768", "32768"), ("65519", "65519"), ("65520", "65520"),
    ("65536", "65536"), ("2147483648", "2147483648"), ("4294967296", "4294967296"),
    ("9007199254740993", "9007199254740993"), ("9223372036854775807", "9223372036854775807"),
    ("9223372036854775808", "9223372036854775808"), ("18446744073709551615", "18446744073709551615"),
    ("18446744073709551616", "18446744073709551616"), ("-9223372036854775808", "-9223372036854775808"),
    ("-9223372036854775809", "-9223372036854775809"), ("4.0", "4"), ("-0.0", "0"), ("4.000", "4"), ("1e3", "1000"),
    ("1E+3", "1000"), ("1.5e1", "15"), ("1200e-2", "12"), ("9007199254740993.0", "9007199254740993"),
    ("1e18", "1000000000000000000"), ("1e19", "10000000000000000000"), ("0e999", "0"), ("16777217", "16777217"),
    ("1706697015", "1706697015"),
];

#[test]
fn whole_numbers() {
    let types = [
        (D::Int8, i128::from(i8::MIN), i128::from(i8::MAX)),
        (D::Int16, i128::from(i16::MIN), i128::from(i16::MAX)),
        (D::Int32, i128::from(i32::MIN), i128::from(i32::MAX)),
        (D::Int64, i128::from(i64::MIN), i128::from(i64::MAX)),
        (D::UInt8, 0, i128::from(u8::MAX)),
        (D::UInt16, 0, i128::from(u16::MAX)),
        (D::UInt32, 0, i128::from(u32::MAX)),
        (D::UInt64, 0, i128::from(u64::MAX)),
    ];
    for (data_type, least, most) in types {
        let within = |digits: &str| (least..=most).contains(&digits.parse().expect("a number"));
        let fits: Vec<_> = WHOLE.iter().copied().filter(|(_, digits)| within(digits)).collect();
        check(&of(data_type), &fits);
    }
}

#[test]
fn decimals() {
    // The expected text, if no digit is lost.
    let digits = |json: &str, scale: usize| -> Option<String> {
        let (ones, fraction) = match json {
            "12e-1" => ("1", "2"),
            "0.5" => ("0", "5"),
            "-0.25" => ("-0", "25"),
            "0.1" => ("0", "1"),
            "12.345" => ("12", "345"),
            "1e39" => return None,
            _ => (WHOLE.iter().find(|(other, _)| *other == json)?.1, ""),
        };
        let dot = if scale > 0 { "." } else { "" };
        (fraction.len() <= scale).then(|| format!("{ones}{dot}{fraction:0<scale$}"))
    };
    let types = [
        (D::Decimal32(9, 2), 9, 2),
        (D::Decimal64(18, 3), 18, 3),
        (D::Decimal128(10, 2), 10, 2),
        (D::Decimal128(38, 0), 38, 0),
        (D::Decimal256(76, 4), 76, 4),
    ];
    for (data_type, precision, scale) in types {
        let fits: Vec<(&str, String)> = SPELLINGS
            .iter()
            .filter_map(|json| Some((*json, digits(json, scale)?)))
            .filter(|(_, text)| {
                let all = text.replace(['-', '.'], "");
                all.trim_start_matches('0').len() <= precision
            })
            .collect();
        let mut fits: Vec<(&str, &str)> = fits.iter().map(|(json, text)| (*json, &**text)).collect();
        let zeros = "0".repeat(37);
        let [large, larger, negative] = ["100", "35", "-35"].map(|digits| format!("{digits}{zeros}.0000"));
        if precision == 76 {
            fits.extend([("1e39", &*large), ("3.5e38", &*larger), ("-3.5e38", &*negative)]);
        }
        check(&of(data_type), &fits);
    }
}

#[test]
fn floats() {
    let doubles: Vec<(&str, f64)> = SPELLINGS
        .iter()
        .filter(|json| json.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit()))
        .map(|json| (*json, json.parse::<f64>().expect("a number")))
        .filter(|(_, number)| number.is_finite())
        .collect();
    assert!(doubles.iter().any(|(json, number)| *json == "1e308" && *number == 1e308));
    assert!(doubles.iter().any(|(json, number)| *json == "1e-999" && *number == 0.0));
    for data_type in [D::Float16, D::Float32, D::Float64] {
        let kind = of(data_type.clone());
        for json in SPELLINGS {
            let limit = match data_type {
                D::Float16 => 65_520.0,
                D::Float32 => 3.402_823_6e38,
                _ => f64::INFINITY,
            };
            let number = doubles.iter().find(|(other, _)| other == json).map(|(_, number)| *number);
            let number = number.filter(|number| number.abs() < limit);
            let (text, misfits) = read(&kind, json);
            assert_eq!((text.is_some(), misfits), (number.is_some(), u64::from(number.is_none())), "{json}");
            let Some((text, number)) = text.zip(number) else { continue };
            let read: f64 = text.parse().expect("a number");
            let error = (read - number).abs();
            let precision = match data_type {
                D::Float16 => 1e-3,
                D::Float32 => 1e-7,
                _ => 0.0,
            };
            assert!(error <= number.abs() * precision, "{json} as {data_type}: {text}");
            assert_eq!(read.is_sign_negative(), number.is_sign_negative(), "{json} as {data_type}: {text}");
        }
    }
}

#[test]
fn truths() {
    check(&of(D::Boolean), &[("true", "true"), ("false", "false")]);
}

#[test]
fn dates() {
    let fits = [
        (r#""2024-02-29""#, "2024-02-29"),
        (r#""20240229""#, "2024-02-29"),
        (r#""2000-02-29""#, "2000-02-29"),
        (r#""0001-01-01""#, "0001-01-01"),
        (r#""9999-12-31""#, "9999-12-31"),
        (r#""2024-01-31T00:00:00Z""#, "2024-01-31"),
        (r#""2024-01-31T00:00:00""#, "2024-01-31"),
        (r#""1677-09-21T00:00:00Z""#, "1677-09-21"),
        (r#""2262-04-12T00:00:00Z""#, "2262-04-12"),
    ];
    check(&of(D::Date32), &fits);
    let fits = fits.map(|(json, text)| (json, format!("{text}T00:00:00")));
    check(&of(D::Date64), &fits.each_ref().map(|(json, text)| (*json, &**text)));
}

/// Timestamps in UTC, with digits down to the nanosecond.
#[rustfmt::skip]
const MOMENTS: &[(&str, &str)] = &[
    (r#""2024-02-29""#, "2024-02-29T00:00:00"), (r#""20240229""#, "2024-02-29T00:00:00"),
    (r#""2000-02-29""#, "2000-02-29T00:00:00"), (r#""0001-01-01""#, "0001-01-01T00:00:00"),
    (r#""9999-12-31""#, "9999-12-31T00:00:00"), (r#""2024-01-31T10:30""#, "2024-01-31T10:30:00"),
    (r#""2024-01-31T10""#, "2024-01-31T10:00:00"), (r#""2024-01-31 10:30:15""#, "2024-01-31T10:30:15"),
    (r#""2024-01-31t10:30:15z""#, "2024-01-31T10:30:15"), (r#""2024-01-31T10:30Z""#, "2024-01-31T10:30:00"),
    (r#""2024-01-31T10:30:15.5+02:00""#, "2024-01-31T08:30:15.500000000"),
    (r#""2024-01-31T10:30:15,123456789Z""#, "2024-01-31T10:30:15.123456789"),
    (r#""2024-01-31T10:30:15.1234567891Z""#, "2024-01-31T10:30:15.123456789"),
    (r#""20240131T103015Z""#, "2024-01-31T10:30:15"), (r#""20240131T1030""#, "2024-01-31T10:30:00"),
    (r#""2024-01-31T10:30:15 +0530""#, "2024-01-31T05:00:15"),
    (r#""2024-01-31T10:30:15-08""#, "2024-01-31T18:30:15"), (r#""2024-01-31T24:00""#, "2024-02-01T00:00:00"),
    (r#""2024-01-31T00:00:00Z""#, "2024-01-31T00:00:00"), (r#""2024-01-31T00:00:00""#, "2024-01-31T00:00:00"),
    (r#""2024-01-31T00:00:00+02:00""#, "2024-01-30T22:00:00"),
    (r#""2024-01-31T23:30:00-05:00""#, "2024-02-01T04:30:00"),
    (r#""1969-12-31T23:59:59.5Z""#, "1969-12-31T23:59:59.500000000"),
    (r#""1677-09-21T00:00:00Z""#, "1677-09-21T00:00:00"), (r#""2262-04-12T00:00:00Z""#, "2262-04-12T00:00:00"),
    (r#""\u0032024-01-31T10:30""#, "2024-01-31T10:30:00"),
];

#[test]
fn moments() {
    for (unit, digits) in [
        (TimeUnit::Second, 0),
        (TimeUnit::Millisecond, 3),
        (TimeUnit::Microsecond, 6),
        (TimeUnit::Nanosecond, 9),
    ] {
        let fits: Vec<(&str, String)> = MOMENTS
            .iter()
            // 64 bits of nanoseconds hold 584 years.
            .filter(|(_, text)| unit != TimeUnit::Nanosecond || ("1677-09-22".."2262-04-12").contains(text))
            .map(|(json, text)| {
                let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
                let mut fraction = fraction.get(..digits).unwrap_or_default();
                while let Some(shorter) = fraction.strip_suffix("000") {
                    // As Arrow shows it.
                    fraction = shorter;
                }
                let point = if fraction.is_empty() { "" } else { "." };
                (*json, format!("{seconds}{point}{fraction}"))
            })
            .collect();
        check(
            &of(D::Timestamp(unit, None)),
            &fits.iter().map(|(json, text)| (*json, &**text)).collect::<Vec<_>>(),
        );
        let zoned: Vec<_> = fits.iter().map(|(json, text)| (*json, format!("{text}Z"))).collect();
        let zoned: Vec<_> = zoned.iter().map(|(json, text)| (*json, &**text)).collect();
        check(&of(D::Timestamp(unit, Some("+00:00".into()))), &zoned);
    }
}

#[test]
fn times_of_day() {
    let fits = [(r#""10:30""#, "10:30:00"), (r#""10:30:15.25""#, "10:30:15.250")];
    check(&of(D::Time64(TimeUnit::Microsecond)), &fits);
    check(&of(D::Time32(TimeUnit::Millisecond)), &fits);
    check(
        &of(D::Time32(TimeUnit::Second)),
        &fits.map(|(json, text)| (json, text.split('.').next().unwrap_or(text))),
    );
}

#[test]
fn texts() {
    let is_text = |json: &&&str| json.starts_with('"') && !json.contains("ud800");
    let strings: Vec<(&str, String)> = SPELLINGS
        .iter()
        .filter(is_text)
        .map(|json| (*json, serde_json::from_str(json).expect("a string")))
        .collect();
    let strings: Vec<(&str, &str)> = strings.iter().map(|(json, text)| (*json, &**text)).collect();
    let dictionary = D::Dictionary(Box::new(D::Int32), Box::new(D::Utf8));
    for data_type in [D::Utf8, D::LargeUtf8, D::Utf8View, dictionary] {
        check(&of(data_type), &strings);
    }
    // As `any`: a value that is not a string is its JSON text.
    let mut any = strings;
    any.extend(SPELLINGS.iter().filter(|json| !json.starts_with('"')).map(|json| (*json, *json)));
    any.retain(|(json, _)| !json.contains("NaN") && !json.contains("Infinity"));
    any.extend([("[NaN]", "[null]"), (r#""NaN""#, "NaN")]);
    check(&Kind::default(), &any);
    check(&Kind::named("joined").expect("a kind"), &any);
    let mut json: Vec<_> = SPELLINGS.iter().map(|json| (*json, *json)).collect();
    json.retain(|(json, _)| json.starts_with('"') || !(json.contains("NaN") || json.contains("Infinity")));
    json.push(("[NaN]", "[null]"));
    check(&Kind::json(), &json);
}

#[test]
fn types_that_nothing_in_json_can_become_are_refused() {
    let dictionary = |key, value| D::Dictionary(Box::new(key), Box::new(value));
    for data_type in [
        D::Null,
        D::Duration(TimeUnit::Second),
        D::Interval(arrow_schema::IntervalUnit::DayTime),
        D::FixedSizeBinary(4),
        D::Decimal128(5, -2),
        dictionary(D::Int8, D::Utf8),
        dictionary(D::Int32, D::Int64),
        D::Struct(arrow_schema::Fields::empty()),
    ] {
        assert!(Kind::of(data_type.clone()).is_err(), "{data_type}");
    }
}
