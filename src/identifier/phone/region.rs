//! Where phone numbers without a country code are from. Knows nothing of numbers.

use crate::error::{Error, ErrorKind};

use super::plans;

/// A country or territory that has a numbering plan, by its two letters of ISO 3166; or
/// [`Region::INTERNATIONAL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region([u8; 2]);

impl Region {
    /// `"+"`: numbers carry their country code, without a plus before it.
    pub const INTERNATIONAL: Self = Self(*b"+\0");

    /// The region of that name, whatever its case.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if there is none; the message names the one that was probably meant.
    pub fn new(name: &str) -> Result<Self, Error> {
        let name = name.trim();
        if name == "+" {
            return Ok(Self::INTERNATIONAL);
        }
        if let Some(region) = Self::from_bytes(name.as_bytes()).filter(|region| plans::knows(*region)) {
            return Ok(region);
        }
        let advice = match meant(name) {
            Some(region) => format!("did you mean \"{}\"?", region.as_str()),
            None => {
                "it must be a two-letter country code such as \"US\" or \"DE\", or \"+\" if every number \
                     begins with its country code"
                    .to_owned()
            }
        };
        // The value was meant to be a country: 36 characters of it are enough.
        let shown: String = name.chars().take(36).collect();
        Err(Error::new(
            ErrorKind::Config,
            format!("default_region {shown:?} is not a country code: {advice}"),
        ))
    }

    /// The two letters, in upper case, or `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default().trim_end_matches('\0')
    }

    pub(super) fn from_bytes(name: &[u8]) -> Option<Self> {
        match *name {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }
}

/// What people write instead of the two letters.
fn meant(name: &str) -> Option<Region> {
    if let Ok(code) = name.trim_start_matches('+').trim_start_matches("00").parse() {
        return plans::region_of_code(code);
    }
    let letters = match name.to_ascii_lowercase().as_str() {
        "usa" | "u.s." | "u.s.a." | "united states" | "en" | "en_us" | "en-us" | "america" => b"US",
        "uk" | "gbr" | "u.k." | "united kingdom" | "great britain" | "england" | "en_gb" | "en-gb" => b"GB",
        "can" | "canada" => b"CA",
        "aus" | "australia" => b"AU",
        "deu" | "ger" | "germany" | "deutschland" => b"DE",
        "aut" | "austria" => b"AT",
        "che" | "switzerland" => b"CH",
        "fra" | "france" => b"FR",
        "esp" | "spain" => b"ES",
        "ita" | "italy" => b"IT",
        "nld" | "netherlands" | "holland" => b"NL",
        "irl" | "ireland" => b"IE",
        "ind" | "india" => b"IN",
        "bra" | "brazil" => b"BR",
        "mex" | "mexico" => b"MX",
        "jpn" | "jp_jp" | "japan" => b"JP",
        _ => return None,
    };
    Region::from_bytes(letters)
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
            assert!(error.message().contains(meant), "{name}: {error}");
            assert!(error.message().starts_with("default_region "), "{error}");
        }
    }
}
