//! What a value that somebody left in a cell comes to: something to ask, nothing, or a reason why
//! not. Knows nothing of where the cell was.

use hashbrown::HashSet;

use super::{FieldType, Identifier, Invalid, Region, Rules, identify, text};

/// Every integer up to here is a float of 64 bits of its own; beyond it neighbours share one.
pub const EXACT_F64: f64 = 9_007_199_254_740_992.0;
/// The same for floats of 32 bits.
pub const EXACT_F32: f64 = 16_777_216.0;
/// The same for floats of 16 bits.
pub const EXACT_F16: f64 = 2_048.0;

/// What a value came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Nothing to ask.
    Missing,
    /// Cannot be looked up.
    Invalid(Invalid),
    /// What to ask.
    Asks(Identifier),
}

/// Where the phone numbers of a row are from, as the row says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum RowRegion {
    /// The row does not say, so the default region counts.
    #[default]
    Default,
    /// From this region.
    Known(Region),
    /// The row names something that is not a country. The default region must not take its place.
    Unknown,
}

/// How values are read: what the caller settled.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// How identifiers are read.
    pub rules: Rules,
    /// What stands for nothing, stripped.
    pub na_values: HashSet<Box<str>>,
}

impl Reader {
    /// What a text comes to.
    #[must_use]
    pub fn text(&self, text: &str, field_type: Option<FieldType>) -> Reading {
        self.text_in(text, field_type, RowRegion::Default)
    }

    /// What a text comes to in a row that says where its phone numbers are from.
    #[must_use]
    pub fn text_in(&self, text: &str, field_type: Option<FieldType>, region: RowRegion) -> Reading {
        let stripped = text.trim();
        if stripped.is_empty() || (!self.na_values.is_empty() && self.na_values.contains(stripped)) {
            return Reading::Missing;
        }
        let default_region = match region {
            RowRegion::Default => self.rules.default_region,
            RowRegion::Known(region) => Some(region),
            RowRegion::Unknown => None,
        };
        match identify(text, field_type, &Rules { default_region }) {
            Ok(identifier) => Reading::Asks(identifier),
            // Invisible characters only.
            Err(Invalid::Empty) => Reading::Missing,
            Err(Invalid::PhoneWithoutCountryCode) if region == RowRegion::Unknown => {
                Reading::Invalid(Invalid::PhoneUnknownRegion)
            }
            Err(why) => Reading::Invalid(why),
        }
    }

    /// The region that a row names.
    #[must_use]
    pub fn region(&self, name: &str) -> RowRegion {
        let cleaned = match text::clean(name) {
            Ok(cleaned) => cleaned,
            Err(Invalid::Empty) => return RowRegion::Default,
            Err(_) => return RowRegion::Unknown,
        };
        match (Region::of_country(&cleaned), self.na_values.contains(name.trim())) {
            (Some(region), false) => RowRegion::Known(region),
            (None, true) => RowRegion::Default,
            // `NA` is Namibia, and in many files a missing value: if it is in `na_values`, it can be either.
            _ => RowRegion::Unknown,
        }
    }

    /// The reason against a text that must not be asked for, whatever it looks like.
    #[must_use]
    pub fn refused(&self, text: &str, field_type: Option<FieldType>) -> Reading {
        let why = identify(text, field_type, &self.rules).err();
        Reading::Invalid(why.unwrap_or(Invalid::Unrecognised))
    }

    /// What a float comes to that may have lost digits, as it is spelled: never something to ask.
    #[must_use]
    pub fn inexact(&self, spelled: &str, field_type: Option<FieldType>) -> Reading {
        match self.text(spelled, field_type) {
            Reading::Asks(_) => Reading::Invalid(Invalid::Unrecognised),
            other => other,
        }
    }
}

/// The digits of a float that is a whole number and lost none; floats of its size are told apart
/// below `exact_below`.
#[must_use]
pub fn whole_digits(number: f64, exact_below: f64) -> Option<String> {
    (number.fract() == 0.0 && number.abs() < exact_below).then(|| format!("{number:.0}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const PHONE: Option<FieldType> = Some(FieldType::Phone);

    fn reader(default_region: Option<&str>) -> Reader {
        Reader { rules: Rules::new(default_region).unwrap(), na_values: HashSet::default() }
    }

    fn asked(reading: &Reading) -> Option<&str> {
        match reading {
            Reading::Asks(identifier) => Some(identifier.canonical()),
            _ => None,
        }
    }

    #[test]
    fn the_region_of_a_row_takes_the_place_of_the_default() {
        let reader = reader(Some("US"));
        for (region, number) in [
            ("Germany", "+49302345678"),
            ("at", "+43302345678"),
            ("GBR", "+44302345678"),
            ("fr_CH", "+41302345678"),
        ] {
            let read = reader.text_in("030 2345678", PHONE, reader.region(region));
            assert!(asked(&read).is_none_or(|asked| asked == number), "{region}: {read:?}");
        }
        assert_eq!(
            asked(&reader.text_in("030 2345678", PHONE, reader.region(" DE\u{200b} "))),
            Some("+49302345678")
        );
        assert_eq!(asked(&reader.text_in("201 555 0123", PHONE, reader.region(" "))), Some("+12015550123"));
    }

    #[test]
    fn a_region_that_is_no_country_is_a_reason_only_where_it_is_needed() {
        for default in [None, Some("US")] {
            let reader = reader(default);
            for region in ["Mars", "49", "XX", "DE, AT", "a\0b"] {
                let region = reader.region(region);
                assert_eq!(region, RowRegion::Unknown);
                for field_type in [None, PHONE] {
                    let unreadable = reader.text_in("201 555 0123", field_type, region);
                    assert_eq!(unreadable, Reading::Invalid(Invalid::PhoneUnknownRegion));
                    let read = reader.text_in("+1 201 555 0123", field_type, region);
                    assert_eq!(asked(&read), Some("+12015550123"));
                }
                assert_eq!(asked(&reader.text_in("a@acme.example", None, region)), Some("a@acme.example"));
                assert_eq!(reader.text_in(" ", PHONE, region), Reading::Missing);
            }
        }
    }

    #[test]
    fn a_region_that_is_also_an_na_value_is_not_guessed() {
        let mut reader = reader(Some("US"));
        reader.na_values = ["NA", "n/a"].map(Into::into).into_iter().collect();
        assert_eq!(reader.region("n/a "), RowRegion::Default);
        assert_eq!(reader.region("NA"), RowRegion::Unknown);
        assert_eq!(reader.region("Namibia"), RowRegion::Known(Region::new("NA").unwrap()));
    }

    proptest! {
        /// A number with a country code is the same number whatever the row's region is.
        #[test]
        fn an_international_number_does_not_depend_on_the_region(
            digits in "[2-9][0-9]{2}[2-9][0-9]{6}", region in "[A-Z]{2}|Germany|Mars|"
        ) {
            let reader = reader(Some("GB"));
            let text = format!("+1 {digits}");
            let region = reader.region(&region);
            prop_assert_eq!(reader.text_in(&text, PHONE, region), reader.text(&text, PHONE));
        }
    }
}
