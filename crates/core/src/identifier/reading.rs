//! Turns the value of a cell into an identifier, nothing, or a reason why it cannot be looked up.
//! Knows nothing of where the cell was.

use hashbrown::HashSet;

use super::{FieldType, Identifier, Invalid, Region, Rules, identify, text};

/// Below 2^53, every integer has its own 64-bit float. Above it, neighbouring integers share one,
/// so digits may be lost.
pub const EXACT_F64: f64 = 9_007_199_254_740_992.0;
/// The same limit for 32-bit floats: 2^24.
pub const EXACT_F32: f64 = 16_777_216.0;
/// The same limit for 16-bit floats: 2^11.
pub const EXACT_F16: f64 = 2_048.0;

/// The result of reading one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The value is empty: there is nothing to look up. It is not an error.
    Missing,
    /// The value cannot be looked up, for this reason.
    Invalid(Invalid),
    /// The value is this identifier.
    Asks(Identifier),
}

/// The region of a row's phone numbers, as the row itself names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum RowRegion {
    /// The row names no region, so the default region applies.
    #[default]
    Default,
    /// The row names this region.
    Known(Region),
    /// The row names something that is not a country. The default region must not replace it.
    Unknown,
}

/// Reads values by the caller's rules.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// How identifiers are parsed.
    pub rules: Rules,
    /// Texts that mean "no value", such as `N/A`. They are compared with the trimmed text; the case
    /// matters.
    pub na_values: HashSet<Box<str>>,
}

/// Whether people write this text where they have no value. It may be in upper or lower case.
fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 10] =
        ["n/a", "n.a.", "na", "nan", "nil", "none", "not available", "null", "tbd", "unknown"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || text
            .chars()
            .all(|c| matches!(c, '-' | '.' | '?' | '*' | '#' | '/' | '_' | '\u{2013}' | '\u{2014}'))
}

impl Reader {
    /// Reads a text of a row that names no region.
    ///
    /// ```
    /// use exactbuyer_core::identifier::reading::{Reader, Reading};
    ///
    /// let reader = Reader { na_values: ["N/A".into()].into(), ..Reader::default() };
    /// assert_eq!(reader.text(" N/A ", None), Reading::Missing);
    /// assert!(matches!(reader.text("ana@acme.example", None), Reading::Asks(_)));
    /// ```
    #[must_use]
    pub fn text(&self, text: &str, field_type: Option<FieldType>) -> Reading {
        self.text_in(text, field_type, RowRegion::Default)
    }

    /// Reads a text of a row that names `region`.
    ///
    /// The region matters only for phone numbers that are written without a country code.
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
            // The text has only invisible characters.
            Err(Invalid::Empty) => Reading::Missing,
            Err(Invalid::PhoneWithoutCountryCode) if region == RowRegion::Unknown => {
                Reading::Invalid(Invalid::PhoneUnknownRegion)
            }
            Err(_) if is_placeholder(stripped) => Reading::Invalid(Invalid::Placeholder),
            Err(why) => Reading::Invalid(why),
        }
    }

    /// The region that a row names. An empty `name` means that the row names none.
    ///
    /// ```
    /// use exactbuyer_core::identifier::reading::{Reader, RowRegion};
    ///
    /// let reader = Reader::default();
    /// assert!(matches!(reader.region("Germany"), RowRegion::Known(region) if region.as_str() == "DE"));
    /// assert_eq!(reader.region("Atlantis"), RowRegion::Unknown);
    /// ```
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
            // `NA` is Namibia, and in many files it is a missing value. If it is in `na_values`,
            // both meanings are possible.
            _ => RowRegion::Unknown,
        }
    }

    /// The reason why a text is refused that must not be looked up even if it is a valid
    /// identifier.
    #[must_use]
    pub fn refused(&self, text: &str, field_type: Option<FieldType>) -> Reading {
        let why = identify(text, field_type, &self.rules).err();
        Reading::Invalid(why.unwrap_or(Invalid::Unrecognised))
    }

    /// Reads a float, as it is spelled, that may have lost digits. The result is never
    /// [`Reading::Asks`]: the digits could belong to another person's number.
    #[must_use]
    pub fn inexact(&self, spelled: &str, field_type: Option<FieldType>) -> Reading {
        match self.text(spelled, field_type) {
            Reading::Asks(_) => Reading::Invalid(Invalid::Unrecognised),
            other => other,
        }
    }
}

/// The digits of a float, if it is a whole number below `exact_below` and so has lost no digits.
///
/// `exact_below` is the limit of the float's width: [`EXACT_F64`], [`EXACT_F32`] or [`EXACT_F16`].
///
/// ```
/// use exactbuyer_core::identifier::reading::{EXACT_F64, whole_digits};
///
/// assert_eq!(whole_digits(12_015_550_123.0, EXACT_F64).as_deref(), Some("12015550123"));
/// assert_eq!(whole_digits(0.5, EXACT_F64), None);
/// assert_eq!(whole_digits(1e17, EXACT_F64), None); // digits may have been rounded
/// ```
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
    fn a_placeholder_is_invalid_and_the_reason_names_the_setting() {
        let mut reader = reader(None);
        for text in ["N/A", " n/a ", "NULL", "Unknown", "-", "?", "--", "\u{2014}"] {
            for field_type in [None, PHONE, Some(FieldType::Email), Some(FieldType::SocialProfile)] {
                let read = reader.text(text, field_type);
                assert_eq!(read, Reading::Invalid(Invalid::Placeholder), "{text} {field_type:?}");
            }
        }
        assert_eq!(reader.text("hello", None), Reading::Invalid(Invalid::Unrecognised));
        reader.na_values = ["N/A".into()].into();
        assert_eq!(reader.text("N/A", None), Reading::Missing);
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
