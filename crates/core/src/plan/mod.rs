//! PLAN: merge duplicates, remember which row waits for which lookup, cut chunks, estimate. Pure.

mod lookups;
mod slots;
mod summary;
mod table;

use crate::identifier::{Identifier, Invalid};

pub use lookups::LookupId;
pub use summary::{Stored, Summary, Suspect, identifiers, summarize, summarize_with};
pub use table::Table;

/// One input row, identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// Nothing to ask: `None`, NaN, blank, or a list of those.
    Missing,
    /// Nothing in it can be looked up; the place of the value to blame within the row, and why.
    Invalid(u32, Invalid),
    /// One identifier.
    One(Identifier),
    /// Several, in order of preference.
    Preference(Box<Preference>),
}

impl Row {
    /// What can be asked of it, in order of preference.
    pub fn identifiers(&self) -> impl Iterator<Item = &Identifier> {
        let (one, several) = match self {
            Self::Missing | Self::Invalid(..) => (None, None),
            Self::One(identifier) => (Some(identifier), None),
            Self::Preference(preference) => (None, Some(&preference.alternatives)),
        };
        let several = several.into_iter().flatten().map(|(_, identifier)| identifier);
        one.into_iter().chain(several)
    }
}

/// A row that is a list: what can be asked of it, in order of preference. Missing and invalid
/// entries are already left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// The place of the first entry that is not missing: it stands for the row where nothing was
    /// found.
    pub first: u32,
    /// Each identifier with its place in the caller's list. Never empty.
    pub alternatives: Box<[(u32, Identifier)]>,
}
