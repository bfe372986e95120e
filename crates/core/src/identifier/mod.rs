//! What can be looked up, and the one canonical form of each identifier.
//!
//! The canonical form is what is compared *and what is sent*. So neither answers nor stored misses
//! depend on how a value is spelled or on the order of the rows. This module is pure: no network,
//! no clock, no Python. It knows nothing of rows, requests or money.
//!
//! ```
//! use exactbuyer_core::identifier::{FieldType, Rules, identify};
//!
//! let ana = identify(" Ana Lopez <Ana@Acme.example> ", None, &Rules::default())?;
//! assert_eq!((ana.field_type(), ana.canonical()), (FieldType::Email, "ana@acme.example"));
//! # Ok::<(), exactbuyer_core::identifier::Invalid>(())
//! ```

mod domain;
mod email;
mod encodings;
mod inference;
mod invalid;
mod once;
mod phone;
pub mod reading;
mod social;
mod text;
mod wrapping;

pub use invalid::Invalid;
pub use phone::Region;

/// How texts write what they say: for those who look for identifiers in a text that is not one.
pub mod spelling {
    pub use super::encodings::{LONGEST_NAME, decoded, hex, unescaped};
    pub use super::phone::{ascii, digit, key};
    pub use super::social::is_named_in_host;
    pub use super::text::{folded, is_joiner, is_mark};
    pub use super::wrapping::with_marks;
}

use std::sync::Arc;

use crate::error::Error;

/// The version of the rules that make canonical forms.
///
/// It must be raised by every change that gives any value another canonical form. Stores contain
/// canonical forms, so such a change is a migration.
pub const RULES_VERSION: u32 = 4;

/// How many times wrappings may be removed from a value that was already parsed.
const MOST_READINGS: usize = 3;

/// The fewest digits that are compared with the end of another number. Fewer could match by chance.
const LOCAL_DIGITS: usize = 7;

crate::listed! {
    /// The kind of identifier in a lookup. The names are the service's (`contact-enrichment/bulk-enrichment-api`,
    /// read 2026-11-23).
    #[derive(PartialOrd, Ord)]
    pub enum FieldType {
        /// An e-mail address.
        Email = "email",
        /// A phone number.
        Phone = "phone",
        /// The address of a profile on a social network.
        SocialProfile = "social_profile",
    }
}

impl FieldType {
    /// Its number in stored files, from 0 to 250. Files keep it: never change one.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Email => 0,
            Self::Phone => 1,
            Self::SocialProfile => 2,
        }
    }

    /// The one with this number in stored files, if there is one.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|field_type| field_type.number() == number)
    }

    /// What messages call such a value.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
            Self::SocialProfile => "a social profile",
        }
    }

    /// All names in quotes, for messages: `"email", "phone"` and, after `last`, the last one.
    #[must_use]
    pub fn quoted(last: &str) -> String {
        let names = Self::ALL.map(|field_type| format!("\"{}\"", field_type.as_str()));
        let (end, others) = names.split_last().map_or(("", &[][..]), |(end, others)| (end.as_str(), others));
        format!("{}{last}{end}", others.join(", "))
    }
}

/// Something that can be looked up: a field type and a canonical form.
///
/// It is serialized as `field_type` and `value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Identifier {
    field_type: FieldType,
    /// Shared: the rows, the request and the store name the same one.
    #[serde(rename = "value")]
    canonical: Arc<str>,
}

impl Identifier {
    /// An identifier whose canonical form is already known, such as one read from a store.
    ///
    /// The text is not checked. For text from outside, use [`identify`].
    #[must_use]
    pub fn from_canonical(field_type: FieldType, canonical: impl Into<Arc<str>>) -> Self {
        Self { field_type, canonical: canonical.into() }
    }

    /// The kind of this identifier.
    #[must_use]
    pub const fn field_type(&self) -> FieldType {
        self.field_type
    }

    /// The canonical form: the text that is compared and sent.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// The caller's choices about how identifiers are read.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The region of phone numbers that are written without a country code. Without it, such a
    /// number is [`Invalid::PhoneWithoutCountryCode`].
    pub default_region: Option<Region>,
}

impl Rules {
    /// Rules with the default region that has this name, such as `"US"` ([`Region::new`]).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) if there is no such region.
    pub fn new(default_region: Option<&str>) -> Result<Self, Error> {
        Ok(Self { default_region: default_region.map(Region::new).transpose()? })
    }
}

/// Parses `text` as the given field type. Without a field type, it is inferred from the text.
///
/// What programs put around a value (labels, brackets, links, formulas) is removed first. The
/// result is stable: identifying its canonical form again gives the same identifier.
///
/// # Errors
/// The reason why `text` cannot be looked up. Text that could mean two identifiers is refused,
/// because a lookup of the wrong one costs a credit and returns another person's data.
///
/// ```
/// use exactbuyer_core::identifier::{Invalid, Rules, identify};
///
/// // A phone number without a country code needs a region.
/// let number = "(201) 555-0123";
/// assert_eq!(identify(number, None, &Rules::default()), Err(Invalid::PhoneWithoutCountryCode));
/// let rules = Rules::new(Some("US"))?;
/// assert_eq!(identify(number, None, &rules).unwrap().canonical(), "+12015550123");
/// # Ok::<(), exactbuyer_core::error::Error>(())
/// ```
pub fn identify(text: &str, field_type: Option<FieldType>, rules: &Rules) -> Result<Identifier, Invalid> {
    let cleaned = text::clean(text)?;
    if let Some(identifier) = plain(&cleaned, field_type) {
        return Ok(identifier);
    }
    if is_bare(&cleaned) {
        let kind = if cleaned.starts_with('+') { field_type.or(Some(FieldType::Phone)) } else { field_type };
        return parse(&cleaned, kind, rules);
    }
    let wrapping::Unwrapped { value, shown } = wrapping::unwrap(&cleaned)?;
    let mut identifier = parse(&value, field_type, rules)?;
    let is_guess = field_type.is_none() && identifier.field_type == FieldType::Phone;
    if is_guess && phone::links::number(&value).is_none() && phone::words::mean_something_else(&cleaned) {
        return Err(Invalid::Unrecognised);
    }
    // A link to one identifier shows another one: either of the two could be meant.
    if shown.iter().any(|text| shows_another(text, &identifier, rules)) {
        return Err(Invalid::Several);
    }
    // Reading a canonical form again must give the same form. Parsing can expose a further
    // wrapping, which is then removed, too.
    for _ in 0..MOST_READINGS {
        let unwrapped = wrapping::unwrap(identifier.canonical())?.value;
        if *unwrapped == *identifier.canonical() {
            return Ok(identifier);
        }
        identifier = parse(&unwrapped, Some(identifier.field_type), rules)?;
    }
    Err(Invalid::Unrecognised)
}

/// Reads a value that has nothing around it.
fn parse(value: &str, field_type: Option<FieldType>, rules: &Rules) -> Result<Identifier, Invalid> {
    let parsed = match field_type {
        None => infer(value, rules),
        // If the value is of another kind, report the wrong field type: that reason helps most.
        Some(given) => read(value, given, rules).map_err(|reason| match inference::infer(value) {
            Ok(seen) if seen != given => Invalid::Disagrees { given, seen },
            _ => reason,
        }),
    };
    parsed.map_err(|reason| if lists_links(value) { Invalid::PhoneSeveral } else { reason })
}

/// Reads a value as the kind that it looks like.
fn infer(value: &str, rules: &Rules) -> Result<Identifier, Invalid> {
    match inference::infer(value)? {
        FieldType::Phone => {
            let canonical = phone::inferred(value, rules.default_region)?;
            Ok(Identifier { field_type: FieldType::Phone, canonical })
        }
        seen => read(value, seen, rules),
    }
}

/// Whether the text that a link to `identifier` shows is another identifier, or one that cannot be
/// read.
fn shows_another(text: &str, identifier: &Identifier, rules: &Rules) -> bool {
    // A text that was cut off is not a value.
    let Ok(shown) = wrapping::unwrap(text) else { return false };
    let digits: String = shown.value.chars().filter(char::is_ascii_digit).collect();
    // The same number as it is dialled inside its country.
    let is_end = digits.len() >= LOCAL_DIGITS && !shown.value.starts_with('+');
    if is_end && identifier.canonical().ends_with(digits.trim_start_matches('0')) {
        return false;
    }
    if let Ok(other) = parse(&shown.value, None, rules) {
        return other != *identifier;
    }
    inference::infer(&shown.value).is_ok_and(|kind| match kind {
        FieldType::Phone => is_end,
        FieldType::Email => !shown.value.contains(' '),
        FieldType::SocialProfile => !shown.value.contains(' ') && social::has_path(&shown.value),
    })
}

/// Whether `value` is a list of several messenger links or ids.
fn lists_links(value: &str) -> bool {
    let links = value.split([' ', ',', ';', '|']).filter(|part| phone::links::number(part).is_some());
    links.count() > 1
}

/// Reads e-mail addresses and profiles in their most common form, without wrappings. `None` means
/// only that the full parser must decide.
fn plain(value: &str, field_type: Option<FieldType>) -> Option<Identifier> {
    let is = |kind| field_type.is_none_or(|given| given == kind);
    let of = |field_type| move |canonical| Identifier { field_type, canonical };
    if is(FieldType::Email)
        && let Some(email) = email::plain(value)
    {
        return Some(of(FieldType::Email)(email));
    }
    if is(FieldType::SocialProfile) { social::plain(value).map(of(FieldType::SocialProfile)) } else { None }
}

/// Whether `value` has only digits and the marks that are written between them. Such a value cannot
/// have a wrapping.
fn is_bare(value: &str) -> bool {
    // Two dots at the end say that digits were cut off.
    let is_whole = !value.ends_with("..");
    is_whole
        && value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b' ' | b'-' | b'.' | b'(' | b')'))
}

/// Reads a value of a known kind, without wrappings.
fn read(value: &str, field_type: FieldType, rules: &Rules) -> Result<Identifier, Invalid> {
    let canonical = match field_type {
        FieldType::Email => email::canonical(value),
        FieldType::Phone => phone::canonical(value, rules.default_region),
        FieldType::SocialProfile => social::canonical(value),
    }?;
    Ok(Identifier { field_type, canonical })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back() {
        for field_type in FieldType::ALL {
            assert_eq!(FieldType::from_name(field_type.as_str()), Some(field_type));
            assert_eq!(FieldType::from_number(field_type.number()), Some(field_type));
            assert!(field_type.number() <= 250, "larger numbers have other meanings in stored files");
        }
        assert_eq!((FieldType::from_name("fax"), FieldType::from_number(250)), (None, None));
    }

    #[test]
    fn numbers_in_files_never_change() {
        let known = [(FieldType::Email, 0), (FieldType::Phone, 1), (FieldType::SocialProfile, 2)];
        assert!(known.iter().all(|(field_type, number)| field_type.number() == *number));
    }

    #[test]
    fn the_documentation_has_every_field_type() {
        let page = include_str!("../../../../docs/reference/identifiers.md");
        for field_type in FieldType::ALL {
            let row = format!("| `{}` | {} |", field_type.as_str(), field_type.noun());
            assert!(page.contains(&row), "docs/reference/identifiers.md lacks the row\n{row}");
        }
    }

    #[test]
    fn all_are_quoted() {
        assert!(FieldType::quoted(" or ").starts_with("\"email\", \"phone\""));
        assert_eq!(FieldType::quoted(", ").matches('"').count(), 2 * FieldType::ALL.len());
    }
}
