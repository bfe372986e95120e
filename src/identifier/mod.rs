//! INPUT: what can be looked up, and the one canonical form of each.
//!
//! The canonical form is what is compared *and what is sent*, so that neither answers nor cached
//! misses depend on spelling or row order. Pure: no network, no clock, no Python. Knows nothing of
//! rows, requests or money.

mod domain;
mod email;
mod inference;
mod invalid;
mod networks;
mod numbering;
mod once;
mod phone;
pub mod reading;
mod region;
mod social;
mod text;

pub use invalid::Invalid;
pub use region::Region;

use std::sync::Arc;

use crate::error::Error;

/// The version of the rules. A change of anybody's canonical form raises it, and is a migration.
pub const RULES_VERSION: u32 = 1;

/// What kind of identifier a lookup asks by. The names are the vendor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum FieldType {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// The address of a profile on a social network.
    SocialProfile,
}

impl FieldType {
    /// The vendor's name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::SocialProfile => "social_profile",
        }
    }

    /// The field type of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "email" => Some(Self::Email),
            "phone" => Some(Self::Phone),
            "social_profile" => Some(Self::SocialProfile),
            _ => None,
        }
    }
}

/// Something that can be looked up: a field type and a canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identifier {
    field_type: FieldType,
    /// Shared: the rows, the request and the store name the same one.
    canonical: Arc<str>,
}

impl Identifier {
    /// For canonical forms that are known to be so: the rooms below, stores, tests.
    #[must_use]
    pub fn from_canonical(field_type: FieldType, canonical: impl Into<Arc<str>>) -> Self {
        Self { field_type, canonical: canonical.into() }
    }

    /// What kind it is.
    #[must_use]
    pub const fn field_type(&self) -> FieldType {
        self.field_type
    }

    /// What is compared, and what is sent.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// What the caller settled about reading identifiers.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Where phone numbers without a country code are from.
    pub default_region: Option<Region>,
}

impl Rules {
    /// The rules with that default region, by its name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config), if there is no such region.
    pub fn new(default_region: Option<&str>) -> Result<Self, Error> {
        Ok(Self { default_region: default_region.map(Region::new).transpose()? })
    }
}

/// Parses `text` as the field type given, or as the one inferred from its looks.
///
/// # Errors
/// The reason why it cannot be looked up.
pub fn identify(text: &str, field_type: Option<FieldType>, rules: &Rules) -> Result<Identifier, Invalid> {
    let cleaned = text::clean(text)?;
    let value = cleaned.as_ref();
    match field_type {
        None => read(value, inference::infer(value)?, rules),
        // A value of another kind gets the reason that helps: nobody asks why an address is no number.
        Some(given) => read(value, given, rules).map_err(|reason| match inference::infer(value) {
            Ok(seen) if seen != given => Invalid::Disagrees { given, seen },
            _ => reason,
        }),
    }
}

fn read(value: &str, field_type: FieldType, rules: &Rules) -> Result<Identifier, Invalid> {
    let canonical = match field_type {
        FieldType::Email => email::canonical(value),
        FieldType::Phone => phone::canonical(value, rules.default_region),
        FieldType::SocialProfile => social::canonical(value),
    }?;
    Ok(Identifier { field_type, canonical })
}
