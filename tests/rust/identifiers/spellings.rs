//! Spellings collected from public bug reports, with the right value of each
//! (`tests/contract/identifier_spellings.jsonl`).

use std::collections::BTreeMap;

use exactbuyer_core::identifier::{FieldType, Identifier, Invalid, Rules, identify};
use serde::Deserialize;

#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, clippy::struct_field_names)] // The names are the file's.
struct Case {
    kind: String,
    text: Option<String>,
    #[serde(default)]
    texts: Vec<String>,
    given: Option<String>,
    region: Option<String>,
    /// The field type and the canonical form that must be sent.
    sent: Option<(String, String)>,
    #[serde(default)]
    invalid: bool,
    /// Words that the reason must contain.
    says: Option<String>,
    /// All texts name one person.
    #[serde(default)]
    one_lookup: bool,
    /// The texts give different lookups, unless they are equal.
    #[serde(default)]
    two_lookups: bool,
    /// The canonical form keeps the case of the opaque id.
    #[serde(default)]
    case_is_kept: bool,
    /// The texts name different people: they must be refused, or give different lookups.
    #[serde(default)]
    never_meet: bool,
}

impl Case {
    fn read(&self, text: &str) -> Result<Identifier, Invalid> {
        let given = self.given.as_deref().map(|name| FieldType::from_name(name).expect("a field type"));
        identify(text, given, &Rules::new(self.region.as_deref()).expect("a region"))
    }

    /// What is wrong, if anything is.
    fn judge(&self) -> Option<String> {
        if let Some(text) = &self.text {
            let read = self.read(text);
            let right = match (&read, &self.sent) {
                (Ok(read), Some((field_type, canonical))) => {
                    read.field_type().as_str() == field_type && read.canonical() == canonical
                }
                (Err(why), None) => {
                    self.invalid && self.says.as_ref().is_none_or(|says| why.to_string().contains(says))
                }
                _ => false,
            };
            return (!right).then(|| format!("{text:?}: {read:?}, not {:?} {:?}", self.sent, self.says));
        }
        let read: Vec<_> = self.texts.iter().map(|text| self.read(text)).collect();
        let all_same = read.iter().all(|one| one.is_ok() && *one == read[0]);
        let kept = |(text, one): (&String, &Result<Identifier, Invalid>)| {
            let last = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            one.as_ref().is_ok_and(|one| one.canonical().ends_with(last))
        };
        let mut right = true;
        if self.one_lookup {
            right &= all_same;
        }
        if self.two_lookups {
            right &= read.iter().all(Result::is_ok) && (self.texts[0] == self.texts[1] || read[0] != read[1]);
        }
        if self.case_is_kept {
            right &= self.texts.iter().zip(&read).all(kept);
        }
        if self.never_meet {
            right &= read[0].is_err() || read[1].is_err() || read[0] != read[1];
        }
        (!right).then(|| format!("{:?}: {read:?}", self.texts))
    }
}

#[test]
fn every_collected_spelling_is_read_right() {
    let cases = include_str!("../../contract/identifier_spellings.jsonl").lines();
    let mut kinds = BTreeMap::<String, (u32, u32)>::new();
    let mut wrong = Vec::new();
    for line in cases {
        let case: Case = serde_json::from_str(line).expect("a case");
        let count = kinds.entry(case.kind.clone()).or_default();
        count.1 += 1;
        match case.judge() {
            None => count.0 += 1,
            Some(told) => wrong.push(format!("{}: {told}", case.kind)),
        }
    }
    let (right, all) = kinds.values().fold((0, 0), |sum, kind| (sum.0 + kind.0, sum.1 + kind.1));
    println!("{right} of {all}: {kinds:?}");
    assert!(all >= 280, "saw {all} cases");
    assert!(wrong.is_empty(), "{right} of {all} are right:\n{}", wrong.join("\n"));
}
