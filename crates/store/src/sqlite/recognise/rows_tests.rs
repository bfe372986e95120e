//! Whatever a row accepts as a person's identifier is recognised in a contact, by the identifier and by its hash.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fmt::Write as _;

use exactbuyer_core::identifier::{FieldType, Identifier, Rules, identify};
use proptest::prelude::*;
use serde::Deserialize;

use super::super::key::Secret;
use super::{Matcher as _, PurgedPeople, TargetMatcher, named};

const INVISIBLE: [char; 20] = [
    '\u{ad}',
    '\u{34f}',
    '\u{61c}',
    '\u{115f}',
    '\u{1160}',
    '\u{17b4}',
    '\u{180b}',
    '\u{180e}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{2060}',
    '\u{3164}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{ffa0}',
    '\u{fffc}',
    '\u{1d173}',
    '\u{e0100}',
];

/// The zeros of scripts, the second half of them between the scripts of East Asia.
const ZEROS: [u32; 6] = [0x660, 0x6f0, 0x966, 0xff10, 0xa620, 0xa8d0];

const AROUND: [(&str, &str); 16] = [
    ("", " "),
    ("E-mail: ", ""),
    ("<", ">"),
    ("Ana (", ")"),
    ("Ana Lopez <", ">"),
    ("mailto:", "?subject=Hi"),
    ("https://www.", "/"),
    ("[Ana](https://", ")"),
    ("<p>", "</p>"),
    ("=HYPERLINK(\"", "\",\"Ana\")"),
    ("[{\"value\":\"", "\",\"primary\":true}]"),
    ("\\u003c", "\\u003e"),
    ("tel:", ";ext=12"),
    ("", " ext. 5"),
    ("\u{200e}", " (mobile)"),
    ("%20", "%0A"),
];

/// Where the text does not recognise a person whom a row with it would ask for.
fn missed(text: &str, person: &Identifier, region: Option<&str>) -> Option<String> {
    let secret = Secret::new(&[7; 32]).unwrap();
    let key = (secret.key(person), named(person.field_type()));
    let (purged, sought) = (PurgedPeople::new([key].into(), secret), TargetMatcher::person(person));
    let plain = serde_json::json!({"first_name": "Bob", "note": text, "country": region}).to_string();
    let escaped = plain.chars().fold(String::new(), |mut escaped, c| {
        match c.encode_utf16(&mut [0; 2]) {
            [unit] if *unit < 0x80 => escaped.push(c),
            units => units.iter().for_each(|unit| write!(escaped, "\\u{unit:04x}").unwrap()),
        }
        escaped
    });
    [plain, escaped].into_iter().find_map(|json| {
        let by = (sought.is_mentioned_in(json.as_bytes()), purged.is_mentioned_in(json.as_bytes()));
        (by != (true, true)).then(|| format!("{person:?} in {json}: find, purge {}, by hash {}", by.0, by.1))
    })
}

#[test]
fn spellings_that_rows_accept_are_found() {
    let mut spellings: Vec<(String, &str)> = Vec::new();
    for c in INVISIBLE {
        spellings.push((format!("an{c}a@x.example"), "ana@x.example"));
        spellings.push((format!("linkedin.com/in/an{c}a"), "linkedin.com/in/ana"));
        spellings.push((format!("+1201{c}5550{c}123"), "+12015550123"));
    }
    for (text, canonical) in [
        ("ana[at]x.example", "ana@x.example"),
        ("ana (at) x.example", "ana@x.example"),
        ("Ana {AT} x [dot] example", "ana@x.example"),
        ("ana&#64;x.example", "ana@x.example"),
        ("+\u{661}\u{662}\u{660}\u{661}\u{665}\u{665}\u{665}\u{660}\u{661}\u{662}\u{663}", "+12015550123"),
        ("+1 800 FLOWERS", "+18003569377"),
        ("%2B1%20201%20555%2001%2023", "+12015550123"),
        ("https://reddit.com/u/abc", "reddit.com/user/abc"),
        ("https://www.flickr.com/photos/ana", "flickr.com/people/ana"),
        ("https://\u{24d0}na.tumblr.com", "tumblr.com/ana"),
        ("https://\u{24d0}na.substack.com", "ana.substack.com"),
    ] {
        spellings.push((text.into(), canonical));
    }
    for (text, canonical) in spellings {
        let person = identify(&text, None, &Rules::default()).unwrap();
        assert_eq!(person.canonical(), canonical);
        assert_eq!(missed(&text, &person, None), None);
    }
    // The number without its country code.
    let ana = Identifier::from_canonical(FieldType::Phone, "+12015550123");
    let arabic = "\u{662}\u{660}\u{661}\u{665}\u{665}\u{665}\u{660}\u{661}\u{662}\u{663}";
    assert_eq!(missed(arabic, &ana, None), None);
    // An address in words may stand in the middle of a text.
    let ana = Identifier::from_canonical(FieldType::Email, "ana@x.example");
    assert_eq!(missed("Write to ana [at] x [dot] example, or call.", &ana, None), None);
    let mary = "Write to mary_ana [at] x [dot] example, or call.";
    assert!(missed(mary, &ana, None).is_some_and(|missed| missed.ends_with("purge false, by hash false")));
}

#[test]
fn a_person_is_found_beside_letters_of_another_script_and_in_the_address_of_a_page_below_a_profile() {
    let mail = [
        "\u{90ae}\u{7bb1}ana@x.example",
        "\u{30e1}\u{30fc}\u{30eb}\u{306f}ana@x.example\u{307e}\u{3067}",
        "ana@x.example\u{c785}\u{b2c8}\u{b2e4}",
        "\u{e2d}\u{e35}\u{e40}\u{e21}\u{e25}ana@x.example",
        "\u{43f}\u{43e}\u{447}\u{442}\u{430}ana@x.example",
    ];
    let profile = [
        "\u{9886}\u{82f1}linkedin.com/in/ana",
        "linkedin.com/in/ana\u{c785}\u{b2c8}\u{b2e4}",
        "https://www.linkedin.com/in/ana/details/skills/",
    ];
    let pages = ["https://twitter.com/ana/status/12", "see twitter.com/ana/status/12?s=20, and more"];
    for (field_type, canonical, texts) in [
        (FieldType::Email, "ana@x.example", &mail[..]),
        (FieldType::SocialProfile, "linkedin.com/in/ana", &profile),
        (FieldType::SocialProfile, "twitter.com/ana", &pages),
        (FieldType::SocialProfile, "github.com/ana", &["https://github.com/ana/tool/issues/3"]),
        (FieldType::SocialProfile, "medium.com/@ana", &["https://medium.com/@ana/on-trees-1a2b"]),
    ] {
        let person = Identifier::from_canonical(field_type, canonical);
        for text in texts {
            assert_eq!(missed(text, &person, None), None);
        }
    }
    // An accent is a letter of the same script.
    for (field_type, canonical, text) in [
        (FieldType::Email, "ana@x.example", "\u{e9}ana@x.example"),
        (FieldType::SocialProfile, "linkedin.com/in/ana", "linkedin.com/in/ana\u{e9}"),
        (FieldType::SocialProfile, "twitter.com/ana", "twitter.com/anais/status/12"),
    ] {
        let person = Identifier::from_canonical(field_type, canonical);
        assert!(
            missed(text, &person, None).is_some_and(|missed| missed.ends_with("purge false, by hash false"))
        );
    }
}

#[derive(Deserialize)]
struct Case {
    text: Option<String>,
    #[serde(default)]
    texts: Vec<String>,
    given: Option<String>,
    region: Option<String>,
}

#[test]
fn every_collected_spelling_that_a_row_accepts_is_found() {
    let cases = include_str!("../../../../../tests/contract/identifier_spellings.jsonl").lines();
    let corpus: Vec<(String, Option<String>, Option<String>, serde::de::IgnoredAny)> =
        serde_json::from_str(include_str!("../../../../../tests/contract/identifiers.json")).unwrap();
    let corpus = corpus.into_iter().map(|(text, given, region, _)| Case {
        text: Some(text),
        texts: Vec::new(),
        given,
        region,
    });
    let (mut seen, mut wrong) = (0, Vec::new());
    for case in cases.map(|line| serde_json::from_str(line).unwrap()).chain(corpus) {
        let Case { text, texts, given, region } = case;
        let given = given.and_then(|name| FieldType::from_name(&name));
        for text in text.into_iter().chain(texts) {
            if let Ok(person) = identify(&text, given, &Rules::new(region.as_deref()).unwrap()) {
                seen += 1;
                wrong.extend(missed(&text, &person, region.as_deref()));
            }
        }
    }
    assert!(seen >= 250, "saw {seen} spellings");
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
}

fn an_identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        r"[a-z]{1,3}([._+'-]?[a-z0-9é]{1,3}){0,2}@(x|münchen|b-2)\.(example|com)",
        r"\+(1201555|49171234|39061234|8190123|44770090)[0-9]{4}",
        r"\+(1|49|39) ?[(]?0?[0-9]{2,3}[)]?[ /.-][0-9]{3}[ -]?(00|[0-9]{2})[0-9]{2}",
        r"(linkedin\.com/in/|reddit\.com/u/|github\.com/|x\.com/|youtube\.com/@|ana\.example/)[a-z0-9_é-]{2,6}",
        r"[a-z0-9-]{2,5}\.(tumblr|medium|substack)\.com",
        r"(facebook\.com/people/ana/|vk\.com/id|facebook\.com/profile\.php\?id=)[0-9]{1,6}",
    ]
}

/// One way of writing the text differently. Some of the results are refused, and some are another person.
fn changed(text: &str, kind: usize, place: usize, choice: usize) -> String {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let (before, after) = text.split_at(places.get(place % places.len().max(1)).copied().unwrap_or_default());
    let Some(c) = after.chars().next() else { return text.into() };
    let after = &after[c.len_utf8()..];
    let of = |list: &[&str]| list[choice % list.len()].to_owned();
    match kind {
        0 | 1 => format!("{before}{}{c}{after}", INVISIBLE[choice % INVISIBLE.len()]),
        2 => text.replace(
            '@',
            &of(&["[at]", " (at) ", "{AT}", "\u{ff20}", " @ ", "%40", "&#64;", "&commat;", "\\u0040"]),
        ),
        3 => text.replacen(
            '.',
            &of(&["[dot]", " (Dot) ", "\u{ff0e}", "\u{3002}", "\u{fe52}", "&period;"]),
            1 + choice % 2,
        ),
        4 => {
            let zero = ZEROS[choice % ZEROS.len()];
            let digit = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(zero + digit)).unwrap_or(c);
            text.chars().map(digit).collect()
        }
        5 => text.to_uppercase(),
        6 => {
            let bytes: Vec<String> = c.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
            format!("{before}{}{after}", bytes.concat())
        }
        7 => format!("{before}&#{};{after}", u32::from(c)),
        8 if c.is_ascii_graphic() => {
            format!("{before}{}{after}", char::from_u32(u32::from(c) + 0xfee0).unwrap())
        }
        9 => text.replace('é', "e\u{301}"),
        10 => text.replace(['-', ' '], &of(&["\u{2011}", "\u{a0}", "\u{2009}", "\u{2212}"])),
        _ => {
            let (before, after) = AROUND[choice % AROUND.len()];
            format!("{before}{text}{after}")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_a_row_accepts_is_found_in_a_contact(
        text in an_identifier(),
        changes in prop::collection::vec((0..13_usize, 0..40_usize, 0..720_usize), 0..5),
        region in prop::sample::select(vec![None, Some("US"), Some("DE"), Some("IT")]),
        given in prop::sample::select(vec![None, Some(FieldType::Email), Some(FieldType::Phone), Some(FieldType::SocialProfile)]),
    ) {
        let text = changes.into_iter().fold(text, |text, (kind, place, choice)| changed(&text, kind, place, choice));
        if let Ok(person) = identify(&text, given, &Rules::new(region).unwrap()) {
            prop_assert_eq!(missed(&text, &person, region), None);
        }
    }
}
