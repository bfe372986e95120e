//! Recognises purged people, of whom only keyed hashes are left, so that they do not come back in the contacts of others.
//!
//! Everything in a contact that could be an identifier is read as one, and its hash is looked up. Only the kinds of
//! identifiers by which somebody was purged are read, so this costs nothing in a store from which nobody was purged. A
//! phone number without its area code is not recognised, because a hash cannot be compared by its last digits.

use hashbrown::HashMap;

use exactbuyer_core::identifier::{FieldType, Identifier};

use super::super::key::{Key, Secret};
use super::{Matcher, Sought, is_whole, mentions};

/// Country codes of one and two digits, and the first two digits of those of three (ITU-T E.164).
const SHORT_CODES: [&str; 46] = [
    "1", "7", "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47",
    "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66",
    "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];
const LONG_CODES: [&str; 22] = [
    "21", "22", "23", "24", "25", "26", "29", "35", "37", "38", "42", "50", "59", "67", "68", "69", "80",
    "85", "87", "88", "96", "97",
];
const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// The people who were purged by an identifier. A purge by age concerns answers, not people.
#[derive(Debug)]
pub(crate) struct PurgedPeople {
    /// Each key, with the number of its identifier's kind, as in column `named` of the table `barred`.
    keys: HashMap<Key, i64>,
    /// The kinds that occur in `keys`.
    kinds: Vec<i64>,
    secret: Secret,
}

/// The number of a kind of identifier, as in column `named` of the table `barred`. The numbers are in files: never change
/// one.
pub(crate) const fn named(field_type: FieldType) -> i64 {
    1 + field_type.number() as i64
}

impl PurgedPeople {
    /// Keys of purged identifiers, each with the number of its kind ([`named`]). The fewer kinds there are, the less of each
    /// contact is hashed.
    pub(crate) fn new(keys: HashMap<Key, i64>, secret: Secret) -> Self {
        let mut kinds: Vec<i64> = keys.values().copied().collect();
        kinds.sort_unstable();
        kinds.dedup();
        Self { keys, kinds, secret }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a reply that could not be read may be kept. If anybody was purged, a truncated reply may not: it may contain
    /// a part of an identifier, and there is no hash of a part.
    pub(crate) fn may_keep(&self, reply: &[u8]) -> bool {
        self.is_empty() || is_whole(reply) && !self.is_mentioned_in(reply)
    }
}

impl Matcher for PurgedPeople {
    fn matches_lookup(&self, identifier: &Identifier) -> bool {
        self.keys.contains_key(&self.secret.key(identifier))
    }

    fn is_mentioned_in(&self, json: &[u8]) -> bool {
        !self.keys.is_empty() && mentions(json, self)
    }
}

impl Sought for PurgedPeople {
    fn any(&self, field_type: FieldType) -> bool {
        self.kinds.contains(&named(field_type))
    }

    fn has(&self, field_type: FieldType, parts: &[&str]) -> bool {
        self.keys.contains_key(&self.secret.key_of(field_type, parts))
    }

    /// Some 270 hashes for each number, because nobody knows the country: the code is a part of what was hashed.
    fn has_national(&self, digits: &str) -> bool {
        let is_one = |code: &str, last: &str| self.has(FieldType::Phone, &["+", code, last, digits]);
        SHORT_CODES.iter().any(|code| is_one(code, ""))
            || LONG_CODES.iter().any(|code| DIGITS.iter().any(|last| is_one(code, last)))
    }
}

#[cfg(test)]
mod tests {
    use exactbuyer_core::identifier::{Rules, identify};
    use proptest::prelude::*;

    use super::super::by_target::TargetMatcher;
    use super::*;

    const ANA: (FieldType, &str) = (FieldType::Email, "ana@x.example");
    const JOSE: (FieldType, &str) = (FieldType::SocialProfile, "linkedin.com/in/jos%C3%A9-li");
    const US: (FieldType, &str) = (FieldType::Phone, "+12015550123");
    const DE: (FieldType, &str) = (FieldType::Phone, "+491712345678");

    /// Each person, with spellings of the identifier in a contact.
    const WRITTEN: &[((FieldType, &str), &[&str])] = &[
        (
            ANA,
            &[
                r#"{"a":"ANA@X.example"}"#,
                r#"["mail: ana@x.example."]"#,
                r#"{"a":{"b":"\u0061na@x.example"}}"#,
                r#"{"a":"ana\u0040x.example"}"#,
                r#"{"ana@x.example":1}"#,
                r#"{"a":"ana@x.example","a":"bob@x.example"}"#,
                r#""mailto:ana@x.example?subject=x""#,
                r#""mailto:ana%40x.example""#,
                r#""https://x.example/?to=ana%40x.example&x=1""#,
                r#""ana&#64;x.example, or &#x61;na&commat;x&period;example""#,
                r#""ana%2540x.example""#,
                r#""\uff41\uff4e\uff41\uff20\uff58\uff0e\uff45xample""#,
                r#""ana @ x.example""#,
                r#""a\u00adna@x.example""#,
                r#""Ana <ana@x.example>; bob@y.example/eve@z.example""#,
                r#""bob@y.example,ana@x.example""#,
                r#""bob@y.example/ana@x.example""#,
                r#""_ana@x.example_""#,
                r#""__ana@x.example__, *ana@x.example*""#,
                r#""'ana@x.example' or 'Ana'""#,
                r#""{b'ana@x.example': u'ana@x.example'}""#,
                r#""l'adresse d'ana@x.example""#,
                r#""_ana@x.example (work)_""#,
                r#""_write to ana@x.example._""#,
                r#""{\"mail\":\"ana\\u0040x.example\"}""#,
                r#"{"contacts":[{"value":"ana@x.example"#,
                r#"<a href="mailto:ana@x.example">"#,
                r"<td>ana&#64;x.example</td>",
                r#"{"a":"\ud83d","b":"ana@x.example"}"#,
            ],
        ),
        ((FieldType::Email, "o'brien@x.example"), &[r#""'O'Brien' <o'brien@x.example>, eve@x.example""#]),
        (
            (FieldType::Email, "ana@xn--mnchen-3ya.example"),
            &[
                r#""ana@xn--mnchen-3ya.example""#,
                r#""ana@m\u00fcnchen.example""#,
                "\"ana@m\u{fc}nchen.example.\"",
                "\"ana@mu\u{308}nchen\u{3002}example\"",
                r#""ana@m%C3%BCnchen.example""#,
            ],
        ),
        (
            (FieldType::Email, "jos\u{e9}@x.example"),
            &[r#""jos\u00e9@x.example""#, r#""JOS\u00c9%40x.example""#],
        ),
        (
            (FieldType::SocialProfile, "linkedin.com/in/ana"),
            &[
                r#""https:\/\/www.LinkedIn.com\/in\/ana\/""#,
                r#""see de.linkedin.com/in/ana.""#,
                r#""profile:linkedin.com/in/ana/details/skills""#,
                r#""[Ana](https://linkedin.com/in/ana)""#,
                r#""linkedin.com/in/bob,linkedin.com/in/ana;x""#,
                r#""https%3A%2F%2Fwww.linkedin.com%2Fin%2Fana""#,
                r#""https://x.example/out?to=https://linkedin.com/in/ana""#,
                r#""(linkedin.com/in/ana's page)""#,
                r#""linkedin.com/in/ana\u2014CEO""#,
                r#""(_linkedin.com/in/ana_)""#,
                r#""_see linkedin.com/in/ana_""#,
                r#""__linkedin.com/in/ana__""#,
            ],
        ),
        (
            JOSE,
            &[
                r#""linkedin.com/in/jos%C3%A9-li""#,
                r#""https://www.linkedin.com/in/jos%c3%a9-li/""#,
                r#""linkedin.com/in/jos\u00e9-li""#,
                "\"LINKEDIN.com/in/Jose\u{301}-Li\"",
                r#""linkedin.com/in/jos&#233;-li""#,
                r#""\uff4cinkedin.com/in/jos\u00e9-li, or ask""#,
                r#""linkedin.com%2Fin%2Fjos%25C3%25A9-li""#,
            ],
        ),
        (
            (FieldType::SocialProfile, "tumblr.com/ana"),
            &[r#""see https://ana.tumblr.com/ or""#, r#""ana.tumblr.com""#, r#""tumblr.com/ana""#],
        ),
        (
            US,
            &[
                r#"{"E164":"+12015550123"}"#,
                r#""(201) 555-0123""#,
                "12015550123",
                "1.2015550123E10",
                r#""tel. 001 201 555 01 23, or ask""#,
                r#""011 1 201 555 0123""#,
                r#""001112015550123""#,
                r#""+00112015550123""#,
                r#""012015550123""#,
                r#""tel:+1-201-555-0123;ext=12""#,
                r#""+1 201 555 0123 x12""#,
                r#""201-555-0123 ext. 4""#,
                r#""2015550123,,12#""#,
                r#""201.555.0123 / 212.555.0199""#,
                r#""212 555 0199; 201 555 0123""#,
                r#""212 555 0199 or 201 555 0123 (mobile)""#,
                r#""+12125550199+12015550123""#,
                r#""+12125550199/+12015550123""#,
                r#""%2B12015550123""#,
                r#""&#43;1&nbsp;201&nbsp;555&nbsp;0123""#,
                r#""\uff0b\uff11\u3000\uff12\uff10\uff11 555 0123""#,
                r#""\u0661 \u0662\u0660\u0661 555 0123""#,
                r#""201\u2011555\u20130123""#,
                r#"{"country_code": "1", "number": "2015550123"}"#,
                r#"{"number": "5550123", "area": 201, "country": {"code": "+1"}}"#,
                r#"{"phone": {"number": "5550123", "area": 201}}"#,
                r#"{"phones": [{"number": "5550123", "area": 201}]}"#,
                r#"["1", "201", "555", "0123"]"#,
                r#"{"country_code": "US", "number": "201-555-0123"}"#,
                r#"{"area_code": "201", "local": "5550123"}"#,
                r#"{"ext": "12", "number": "555-0123", "area_code": "(201)", "id": 7, "country_code": "+1"}"#,
            ],
        ),
        (
            DE,
            &[
                r#""+49 (0)171 2345678""#,
                r#""+49 (0171) 2345678""#,
                r#""+49-0171-2345678""#,
                r#"{"phone":"0171 / 234 56 78","country":"DE"}"#,
                r#""0171/2345678-12""#,
                r#"{"country_code": "49", "number": "01712345678"}"#,
            ],
        ),
        ((FieldType::Phone, "+390612345678"), &[r#""+39 (06) 12345678""#, r#""06 12345678""#]),
        ((FieldType::Phone, "+79161234567"), &[r#""8 (916) 123-45-67""#]),
        ((FieldType::Phone, "+5491123456789"), &[r#"{"phone":"011 15 2345-6789","country_code":"AR"}"#]),
    ];

    /// Other people, with similar identifiers.
    const OTHERS: &[&str] = &[
        r#""diana@x.example""#,
        r#""ana@x.example.org""#,
        r#""j.ana@x.example""#,
        "{}",
        r#""\\""#,
        r#""@""#,
        r#""ana@""#,
        r#""https://linkedin.com/in/ana-b""#,
        r#""linkedin.com/in/jos%C3%A9""#,
        r#""linkedin.com/in""#,
        r#""joana.tumblr.com""#,
        r#""_ana@x.example""#,
        r#""mary_ana@x.example""#,
        r#""see mary_ana@x.example_""#,
        r#""d'ana@x.example""#,
        r#""a'o'brien@x.example""#,
        r#""linkedin.com/in/ana_""#,
        r#""see linkedin.com/in/ana_.""#,
        r#""https://linkedin.com/in/_ana_""#,
        r#""_linkedin.com/in/ana__""#,
        r#""+912015550123, or +49 1201 5550123""#,
        r#"["2015550124", "2026-11-24", "93 62"]"#,
        r#"{"country_code":"1","number":"2015550124","x":["201","555","012"]}"#,
    ];

    proptest! {
        /// Every value is one identifier, so nobody with another identifier is mentioned.
        #[test]
        fn an_identifier_is_not_found_in_another(
            one in r"([ab]['_.+-]?){1,3}@x\.example|instagram\.com/([ab][_.]?){1,3}|\+(1|91|49|861)[ab]",
            other in r"([ab]['_.+-]?){1,3}@x\.example|instagram\.com/([ab][_.]?){1,3}|\+(1|91|49|861)[ab]",
        ) {
            let read = |text: &str| {
                // Of numbers, only the country codes differ.
                let text = if text.starts_with('+') {
                    text.replace('a', "2015550123").replace('b', "2125550199")
                } else {
                    text.to_owned()
                };
                identify(&text, None, &Rules::default()).ok()
            };
            if let (Some(one), Some(other)) = (read(&one), read(&other)) {
                let json = format!("{{\"x\":\"{}\"}}", other.canonical());
                let sought = TargetMatcher::person(&one);
                prop_assert_eq!(sought.is_mentioned_in(json.as_bytes()), one == other, "{:?} {:?}", one, other);
                let purged = purged_people(&[(one.field_type(), one.canonical())]);
                prop_assert_eq!(purged.is_mentioned_in(json.as_bytes()), one == other, "{:?} {:?}", one, other);
            }
        }
    }

    fn known((field_type, canonical): (FieldType, &str)) -> Identifier {
        Identifier::from_canonical(field_type, canonical)
    }

    fn purged_people(those: &[(FieldType, &str)]) -> PurgedPeople {
        let secret = Secret::new(&[7; 32]).unwrap_or_else(|| unreachable!());
        PurgedPeople::new(those.iter().map(|one| (secret.key(&known(*one)), named(one.0))).collect(), secret)
    }

    #[test]
    fn a_person_is_recognised_in_every_spelling_and_nobody_else() {
        let everybody: Vec<_> = WRITTEN.iter().map(|(person, _)| *person).collect();
        for (person, texts) in WRITTEN {
            let sought = TargetMatcher::person(&known(*person));
            let purged = purged_people(&[*person]);
            for text in *texts {
                assert!(sought.is_mentioned_in(text.as_bytes()), "find, purge: {person:?} in {text}");
                assert!(purged.is_mentioned_in(text.as_bytes()), "what comes in: {person:?} in {text}");
            }
            for text in OTHERS {
                assert!(!sought.is_mentioned_in(text.as_bytes()), "find, purge: {person:?} in {text}");
            }
        }
        let everybody = purged_people(&everybody);
        for text in OTHERS {
            assert!(!everybody.is_mentioned_in(text.as_bytes()), "what comes in: {text}");
        }
    }

    #[test]
    fn if_nobody_was_purged_nothing_is_read() {
        assert!(!purged_people(&[]).is_mentioned_in(br#""ana@x.example""#));
    }
}
