//! Identifiers: the corpus that fixes everybody's canonical form, what holds for any text, and how
//! long it takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod spellings;

use std::fmt::Write as _;

use exactbuyer_core::identifier::{FieldType, Identifier, Invalid, RULES_VERSION, Region, Rules, identify};
use proptest::prelude::*;
use serde_json::Value;

/// Of `tests/contract/identifiers.json`. A line of it that changes is a migration: raise the
/// version, and say in the change log whose canonical form is another now.
const CORPUS_VERSION: u32 = 4;

const REGIONS: [&str; 16] =
    ["US", "GB", "DE", "FR", "IT", "AR", "BR", "MX", "RU", "BY", "HU", "BS", "SM", "KR", "CN", "AU"];

fn rules(region: Option<&str>) -> Rules {
    Rules::new(region).expect("a region of the test's own")
}

fn told(result: &Result<Identifier, Invalid>) -> Value {
    match result {
        Ok(identifier) => serde_json::json!([identifier.field_type().as_str(), identifier.canonical()]),
        // A reason with fields is an object of one key.
        Err(reason) => match serde_json::to_value(reason).expect("a reason is JSON") {
            Value::Object(fields) => fields.keys().next().cloned().into(),
            name => name,
        },
    }
}

#[test]
fn the_corpus_holds() {
    assert_eq!(RULES_VERSION, CORPUS_VERSION);
    let lines: Vec<(String, Option<String>, Option<String>, Value)> =
        serde_json::from_str(include_str!("../../contract/identifiers.json")).expect("the corpus is JSON");
    let mut wrong = Vec::new();
    let mut kinds = std::collections::BTreeMap::<String, u32>::new();
    for (value, field_type, region, expected) in &lines {
        let field_type = field_type.as_deref().map(|name| FieldType::from_name(name).expect("a field type"));
        let rules = rules(region.as_deref());
        let result = identify(value, field_type, &rules);
        let seen = told(&result);
        if seen != *expected {
            wrong.push(format!("{value:?} {field_type:?} {region:?}: {seen}, not {expected}"));
        }
        if let Ok(identifier) = &result {
            let again = identify(identifier.canonical(), Some(identifier.field_type()), &rules);
            assert_eq!(again.as_ref(), Ok(identifier), "canonical form of {value:?}");
        }
        let kind = expected.as_str().or(expected[0].as_str()).unwrap_or_default();
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    assert!(wrong.is_empty(), "{} of {} lines:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
    assert!(lines.len() >= 200, "saw {} lines", lines.len());
    for name in FieldType::ALL.map(FieldType::as_str) {
        let read_as =
            |given: Option<&str>| lines.iter().any(|line| line.1.as_deref() == given && line.3[0] == name);
        assert!(read_as(Some(name)), "the corpus has no value that is given as {name}");
        assert!(read_as(None), "the corpus has no value that is inferred to be {name}");
    }
    // Every reason and every field type is in it.
    assert_eq!(kinds.len(), FieldType::ALL.len() + REASONS.len(), "{kinds:?}");
}

const REASONS: [Invalid; 36] = [
    Invalid::Empty,
    Invalid::ControlCharacter,
    Invalid::ReplacementCharacter,
    Invalid::Unrecognised,
    Invalid::Disagrees { given: FieldType::Phone, seen: FieldType::Email },
    Invalid::CutOff,
    Invalid::Several,
    Invalid::EmailIncomplete,
    Invalid::EmailLocalPart,
    Invalid::EmailDomain,
    Invalid::EmailDomainWithoutDot,
    Invalid::EmailIpAddress,
    Invalid::EmailTooLong,
    Invalid::EmailSeveral,
    Invalid::PhoneUnreadable,
    Invalid::PhoneWithoutCountryCode,
    Invalid::PhoneUnknownCountryCode,
    Invalid::PhoneTooShort,
    Invalid::PhoneTooLong,
    Invalid::PhoneWrongLength,
    Invalid::PhoneWithoutAreaCode,
    Invalid::PhoneUnassigned,
    Invalid::PhoneScientific,
    Invalid::PhoneSeveral,
    Invalid::PhoneFraction,
    Invalid::PhoneAmbiguous,
    Invalid::SocialWithoutNetwork,
    Invalid::SocialHost,
    Invalid::SocialWithoutProfile,
    Invalid::SocialScheme,
    Invalid::SocialShortLink,
    Invalid::SocialNamedInQuery,
    Invalid::SocialBlank,
    Invalid::SocialTooLong,
    Invalid::SocialSeveral,
    Invalid::SocialAddressInside,
];

#[test]
fn every_reason_is_one_line_and_says_something_of_its_own() {
    let mut texts = std::collections::BTreeSet::new();
    for reason in REASONS {
        let text = reason.to_string();
        assert!(!text.contains('\n') && text.len() < 160, "{text}");
        assert!(texts.insert(text));
    }
}

/// Canonical forms that decorations are tried on.
fn an_email() -> impl Strategy<Value = String> {
    (
        "[a-z0-9][a-z0-9_+-]{0,12}(\\.[a-z0-9]{1,8}){0,2}",
        "[a-z][a-z0-9]{0,10}(-[a-z0-9]{1,5})?",
        "(example|test|com)",
    )
        .prop_map(|(local, label, tld)| format!("{local}@{label}.{tld}"))
}

fn a_phone() -> impl Strategy<Value = String> {
    "\\+(1201555|44740012|49302312|3361234|39312345|81901234)[0-9]{4}"
}

/// A profile, and a subdomain under which it is the same.
fn a_profile() -> impl Strategy<Value = (String, &'static str)> {
    let network = prop::sample::select(vec![
        ("linkedin.com/in/", "[a-zéüñ0-9]{3}[a-zéüñ0-9_-]{1,14}", vec!["uk.", "www.de.", "m."]),
        ("facebook.com/", "[a-z]{3}(\\.?[a-z0-9]){1,8}", vec!["m.", "pt-br.", "de.", "mbasic."]),
        ("twitter.com/", "[a-z0-9]{3}[a-z0-9_]{1,12}", vec!["mobile."]),
        ("github.com/", "[a-z]{3}[a-z0-9-]{1,14}", vec!["www.m."]),
        ("instagram.com/", "[a-z]{3}([._]?[a-z0-9]){1,8}", vec!["m."]),
    ]);
    network.prop_flat_map(|(network, slug, views)| {
        let views = prop::sample::select([vec!["", "www."], views].concat());
        // `www.` begins another address.
        let slug = slug.prop_filter("a host", |slug: &String| !slug.starts_with("www."));
        (slug, views).prop_map(move |(slug, view)| (format!("{network}{slug}x9"), view))
    })
}

fn swap_case(text: &str, mask: u64) -> String {
    let flip = |(i, c): (usize, char)| match (mask >> (i % 64)) & 1 {
        1 if c.is_ascii() => c.to_ascii_uppercase(),
        1 => c.to_uppercase().next().unwrap_or(c),
        _ => c,
    };
    text.chars().enumerate().map(flip).collect()
}

fn percent(text: &str, mask: u64) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if !c.is_ascii() && (mask >> (i % 64)) & 1 == 1 {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = if mask & 2 == 0 { write!(out, "%{byte:02x}") } else { write!(out, "%{byte:02X}") };
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn around() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("", ""),
        (" ", "  "),
        ("\u{a0}", "\u{3000}"),
        ("\u{feff}", "\u{200b}"),
        ("\u{202a}", "\u{202c}"),
        ("\0", "\r\n"),
        ("\"", "\""),
        ("<", ">"),
        ("", ","),
        ("", " ;"),
    ])
}

fn meets(left: &str, right: &str, field_type: FieldType, rules: &Rules) -> Result<(), TestCaseError> {
    let left_read = identify(left, Some(field_type), rules);
    prop_assert!(left_read.is_ok(), "{left:?}: {left_read:?}");
    prop_assert_eq!(&left_read, &identify(right, Some(field_type), rules), "{:?} as {:?}", right, field_type);
    prop_assert_eq!(&left_read, &identify(right, None, rules), "{:?} inferred", right);
    Ok(())
}

proptest! {
    // A text that fails belongs into the corpus, where everybody can read it, not into a file of seeds.
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_canonical_forms_are_fixed_points(
        text in prop_oneof![
            any::<String>(),
            "[-+0-9 ().x/;=a-z@#,٣\u{200b}]{0,24}",
            "\\+?[0-9]{2,18}",
            "(https?:)?(//)?[a-zéİßΣǅ0-9%@:.\\\\/?#&= -]{0,40}",
            "(www\\.|uk\\.|m\\.)?(linkedin|facebook|twitter|tumblr)\\.com[/?#]\\PC{0,24}",
            "(mailto:)?[\"<]?\\PC{1,12}@\\PC{1,12}\\.[a-z]{1,4}[>\"]?",
            "\\PC{1,8}@[a-z-]{1,8}\\.example",
            "(linkedin\\.com/in|x\\.com|acme\\.example)/[a-c%25F3A/.@#?*\\\\ -]{1,24}",
            "[\\[(<\"]{0,2}[a-c@.:/%20#|]{1,16}(\\]\\(|\\]\\[|#|<|\\|)(mailto:|tel:|https://)[a-c@./2]{1,10}[\\])>#\"]{0,2}",
        ],
        kind in prop::option::weighted(0.75, prop::sample::select(&FieldType::ALL[..])),
        region in prop::option::of(prop::sample::select(REGIONS.to_vec())),
    ) {
        let rules = rules(region);
        match identify(&text, kind, &rules) {
            Ok(identifier) => {
                let field_type = identifier.field_type();
                let again = identify(identifier.canonical(), Some(field_type), &rules);
                prop_assert_eq!(again.as_ref(), Ok(&identifier), "{:?}", text);
                // Nor does it depend on where the reader is.
                let elsewhere = identify(identifier.canonical(), Some(field_type), &Rules::default());
                prop_assert_eq!(elsewhere.as_ref(), Ok(&identifier), "{:?}", text);
                if let Some(kind) = kind {
                    prop_assert_eq!(kind, field_type);
                }
            }
            Err(reason) => prop_assert!(!reason.to_string().is_empty()),
        }
    }

    #[test]
    fn spellings_of_an_email_meet(email in an_email(), mask: u64, (before, after) in around(), form in 0..5) {
        let spelling = swap_case(&email, mask);
        let spelling = match form {
            0 => format!("mailto:{spelling}"),
            1 => format!("Ana López <{spelling}>"),
            2 => format!("{spelling}."),
            3 => spelling.replace('@', "@\u{200b}"),
            _ => spelling,
        };
        meets(&email, &format!("{before}{spelling}{after}"), FieldType::Email, &Rules::default())?;
    }

    #[test]
    fn spellings_of_a_phone_meet(
        phone in a_phone(),
        // No dot alone: that may be a decimal point.
        breaks in prop::collection::vec(prop::sample::select(vec!["", " ", "-", ". ", "\u{a0}", "\u{2011}", "\u{200b}", " - "]), 16),
        prefix in prop::sample::select(vec!["+", "00", "＋", "(+", "tel:+"]),
        extension in prop::sample::select(vec!["", " x12", " ext. 12", ";ext=12", " #12", " (work)"]),
        (before, after) in around(),
    ) {
        let mut spelling = prefix.to_owned();
        for (at, (digit, gap)) in phone[1..].chars().zip(&breaks).enumerate() {
            spelling.push(digit);
            // A digit alone, after a number that is complete without it, is no part of the number.
            if at % 2 == 1 && at + 3 < phone.len() {
                spelling.push_str(gap);
            }
        }
        let spelling = format!("{before}{}{extension}{after}", spelling.trim_end_matches([' ', '-', '.']));
        meets(&phone, &spelling, FieldType::Phone, &Rules::default())?;
        meets(&phone, &spelling, FieldType::Phone, &rules(Some("US")))?;
    }

    #[test]
    fn spellings_of_a_profile_meet(
        (profile, view) in a_profile(),
        case: u64,
        mask: u64,
        scheme in prop::sample::select(vec!["", "http://", "https://", "HTTPS://", "//", "https://ana:pw@"]),
        tail in prop::sample::select(vec!["", "/", "//", "?trk=a/b", "#about", "/?utm_source=x#y"]),
        (before, after) in around(),
    ) {
        let spelling = percent(&swap_case(&profile, case), mask);
        let spelling = format!("{before}{scheme}{view}{spelling}{tail}{after}");
        meets(&profile, &spelling, FieldType::SocialProfile, &Rules::default())?;
    }

    #[test]
    fn a_region_that_is_none_is_told_in_one_line(name: String) {
        if let Err(error) = Region::new(&name) {
            prop_assert!(!error.to_string().contains('\n') && error.to_string().len() < 400, "{}", error);
        }
    }
}

/// Every region there is, with every short string of digits that often begins a number.
#[test]
fn no_region_panics() {
    let mut regions = 0;
    for name in (b'A'..=b'Z').flat_map(|a| (b'A'..=b'Z').map(move |b| String::from_utf8(vec![a, b]))) {
        let Ok(rules) = Rules::new(Some(&name.expect("two letters"))) else { continue };
        regions += 1;
        for head in 0..400_u32 {
            for length in [2, 5, 7, 8, 9, 10, 11, 12, 15] {
                let digits = format!("{head:03}{}", &"2345678901234"[..(length - 2)]);
                if let Ok(identifier) = identify(&digits, Some(FieldType::Phone), &rules) {
                    let again = identify(identifier.canonical(), None, &rules);
                    assert_eq!(again.as_ref(), Ok(&identifier), "{digits} {rules:?}");
                }
            }
        }
    }
    assert!(regions >= 240, "saw {regions} regions");
}

/// `cargo test --release -p exactbuyer_tests --test identifiers -- --ignored --nocapture speed`
#[test]
#[ignore = "measures, and asserts nothing"]
fn speed() {
    const ROWS: u32 = 1_000_000;
    let start = std::time::Instant::now();
    let rules = rules(Some("US"));
    println!("reading the numbering plans   {:>10.0?} once", start.elapsed());
    let codes =
        ["1201555", "4474001", "4930231", "3361234", "3931234", "5511912", "9198765", "6149157", "8613912"];
    let measure = |name: &str, make: &dyn Fn(u32) -> String| {
        let rows: Vec<String> = (0..ROWS).map(make).collect();
        let warm = std::time::Instant::now();
        let _ = identify(&rows[0], None, &rules);
        let first = warm.elapsed();
        let start = std::time::Instant::now();
        let mut found = 0;
        for row in &rows {
            found += u32::from(std::hint::black_box(identify(row, None, &rules)).is_ok());
        }
        let each = start.elapsed() / ROWS;
        println!("{name:<28} {each:>10.0?} a row, {found} of {ROWS} good, the first {first:.0?}");
    };
    let email = |i: u32| format!("Ana.Lopez{i}@Mail{}.example", i % 977);
    let phone = |i: u32| format!("+{} {:04}", codes[i as usize % codes.len()], i % 10_000);
    let social = |i: u32| format!("https://www.linkedin.com/in/Ana-Lopez-{i}/");
    measure("e-mail", &email);
    measure("e-mail, IDNA", &|i| format!("José{i}@bücher{}.example", i % 977));
    measure("e-mail, display name", &|i| format!("Ana López <ana{i}@acme.example>"));
    measure("phone, nine countries", &phone);
    measure("phone, national", &|i| format!("(201) 555-{:04}", i % 10_000));
    measure("phone, extension", &|i| format!("+1 201 555 {:04} ext. 7", i % 10_000));
    measure("social", &social);
    measure("social, percent-encoded", &|i| format!("linkedin.com/in/jos%C3%A9-{i}"));
    measure("unrecognised", &|i| format!("nobody {i} here"));
    measure("mixed", &|i| match i % 3 {
        0 => email(i),
        1 => phone(i),
        _ => social(i),
    });
}
