//! The region of phone numbers that are written without a country code. Knows nothing of numbers.

use crate::error::{Error, ErrorKind};
use crate::message;
use crate::message::Setting;

use super::countries::COUNTRIES;
use super::plans;
use crate::identifier::text;

/// A country or territory that has a numbering plan, named by its two letters of ISO 3166; or
/// [`Region::INTERNATIONAL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region([u8; 2]);

impl Region {
    /// `"+"`: numbers begin with their country code, although no plus stands before it.
    pub const INTERNATIONAL: Self = Self(*b"+\0");

    /// The region with this name. Its case does not matter.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if there is no such region. The message suggests the one that was
    /// probably meant, such as `"GB"` for `"England"`.
    ///
    /// ```
    /// use exactbuyer_core::identifier::Region;
    ///
    /// assert_eq!(Region::new("de")?.as_str(), "DE");
    /// assert!(Region::new("England").is_err()); // `Region::of_country` accepts names
    /// # Ok::<(), exactbuyer_core::error::Error>(())
    /// ```
    pub fn new(name: &str) -> Result<Self, Error> {
        let name = name.trim();
        if let Some(region) = Self::from_letters(name) {
            return Ok(region);
        }
        let meant = meant(name).map(|region| format!(" (did you mean \"{}\"?)", region.as_str()));
        // A longer text may be anything, such as a person's name that was passed in the wrong place.
        let shown = if name.chars().count() <= 2 { format!("; got {name:?}") } else { String::new() };
        Err(Error::new(
            ErrorKind::Config,
            message!(
                "{} must be a two-letter country code such as \"US\" or \"DE\", or \"+\" if every number \
                 begins with its country code{}{}",
                Setting::DefaultRegion,
                shown,
                meant.unwrap_or_default()
            ),
        ))
    }

    /// The region of a country as tables name it: by two or three letters of ISO 3166, by a locale
    /// such as `de_DE`, or by its name in English or in its own language.
    ///
    /// ```
    /// use exactbuyer_core::identifier::Region;
    ///
    /// for name in ["AT", "aut", "de_AT", "Austria", "Österreich"] {
    ///     assert_eq!(Region::of_country(name).unwrap().as_str(), "AT");
    /// }
    /// ```
    #[must_use]
    pub fn of_country(name: &str) -> Option<Self> {
        let name = name.trim();
        let locale = name.split_once(['_', '-']).filter(|(language, _)| language.len() == 2);
        for letters in [Some(name), locale.map(|(_, region)| region)].into_iter().flatten() {
            if let Some(region) = Self::from_letters(letters) {
                return Some(region);
            }
        }
        let lower = text::lower(name).replace('’', "'");
        let is_it =
            |(_, three, names): &&(&str, &str, &[&str])| *three == lower || names.contains(&lower.as_str());
        let (letters, ..) = COUNTRIES.iter().find(is_it).filter(|_| !lower.is_empty())?;
        Self::from_letters(letters)
    }

    /// The two letters, in upper case, or `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default().trim_end_matches('\0')
    }

    /// The region with these two letters, or `+`, if libphonenumber knows it.
    fn from_letters(name: &str) -> Option<Self> {
        if name == "+" {
            return Some(Self::INTERNATIONAL);
        }
        Self::from_bytes(name.as_bytes()).filter(|region| plans::knows(*region))
    }

    /// The region with these two letters. It is not checked whether it exists.
    pub(super) fn from_bytes(name: &[u8]) -> Option<Self> {
        match *name {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }
}

/// The region that was probably meant by a country code for calls, a name, or a locale.
fn meant(name: &str) -> Option<Region> {
    if let Ok(code) = name.trim_start_matches('+').trim_start_matches("00").parse() {
        return plans::region_of_code(code);
    }
    Region::of_country(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_region_is_two_letters_of_any_case() {
        for name in ["US", "us", " Us ", "GG", "ac"] {
            assert!(Region::new(name).is_ok(), "{name}");
        }
        assert_eq!(Region::new("de").unwrap().as_str(), "DE");
        assert_eq!(Region::new(" + ").unwrap().as_str(), "+");
    }

    #[test]
    fn a_country_is_known_by_its_names() {
        for (name, region) in [
            ("de", "DE"),
            ("DEU", "DE"),
            (" Germany ", "DE"),
            ("DEUTSCHLAND", "DE"),
            ("de_AT", "AT"),
            ("pt-BR", "BR"),
            ("UK", "GB"),
            ("Côte d’Ivoire", "CI"),
            ("United States", "US"),
            ("日本", "JP"),
            ("+", "+"),
        ] {
            assert_eq!(Region::of_country(name).unwrap().as_str(), region, "{name}");
        }
        for name in ["", "Mars", "XX", "49", "Acme-Ltd"] {
            assert!(Region::of_country(name).is_none(), "{name}");
        }
        let known = COUNTRIES.iter().filter(|(letters, ..)| Region::new(letters).is_ok()).count();
        assert_eq!(known, COUNTRIES.len());
    }

    #[test]
    fn a_bad_region_is_told_with_the_probable_one() {
        for (name, meant) in [
            ("UK", "did you mean \"GB\"?"),
            ("usa", "did you mean \"US\"?"),
            ("+49", "did you mean \"DE\"?"),
            ("1", "did you mean \"US\"?"),
            ("AQ", "such as \"US\""),
            ("", "such as \"US\""),
            ("ÄÖ", "such as \"US\""),
        ] {
            let error = Region::new(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(meant), "{name}: {error}");
            assert!(error.to_string().starts_with("default_region "), "{error}");
        }
    }
}
