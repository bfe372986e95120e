//! Plans the requests of a run: merges duplicates, remembers which row waits for which lookup, cuts
//! chunks, and estimates the cost. Pure.
//!
//! A [`Table`] has the rows of a run. New rows are admitted, the lookups that they bring are
//! compared with the store, and then the rows are activated. The scheduler takes lookups from the
//! queue, sends them, and settles them; each settled lookup ends its rows or moves them on to their
//! next identifier.
//!
//! ```
//! use exactbuyer_core::identifier::{FieldType, Identifier};
//! use exactbuyer_core::outcome::Outcome;
//! use exactbuyer_core::plan::{Row, Table};
//! use exactbuyer_core::results::{Source, Status};
//!
//! let ana = || Row::One(Identifier::from_canonical(FieldType::Email, "ana@acme.example"));
//! let (mut table, mut fresh, mut out) = (Table::default(), Vec::new(), Vec::new());
//! table.admit(ana(), &mut fresh, &mut out);
//! table.admit(ana(), &mut fresh, &mut out); // a duplicate brings no lookup
//! assert_eq!(fresh.len(), 1);
//! table.activate(0, &mut out);
//! let sent = table.take(1_000);
//! table.settle(sent[0], Outcome::Miss, Source::Asked, &mut out);
//! assert_eq!(out.len(), 2);
//! assert!(out.iter().all(|row| row.status == Status::NotFound));
//! ```

mod columns;
mod key;
mod lookups;
mod slots;
mod summary;
mod table;

use crate::identifier::{Identifier, Invalid};

pub use columns::{ColumnCounts, RowBuilder};
pub use key::{key, row_of_text, text_of_row};
pub use lookups::LookupId;
pub use summary::{Stored, Summary, Suspect, identifiers, summarize};
pub use table::Table;

/// One input row whose values have been identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// There is nothing to look up: `None`, NaN, a blank, or a list of only these.
    Missing,
    /// None of its values can be looked up. The position of the value that the reason is about, and
    /// the reason.
    Invalid(u32, Invalid),
    /// One identifier.
    One(Identifier),
    /// Several identifiers, in order of preference.
    Preference(Box<Preference>),
}

impl Row {
    /// The identifiers that can be looked up, in order of preference.
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

/// A row with several identifiers, in order of preference. Missing and invalid entries are already
/// left out.
///
/// The service is asked for the next identifier only after a miss of the one before. So such a row
/// costs at most one credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// The position of the first entry that is not missing. It stands for the row if nothing is
    /// found.
    pub first: u32,
    /// Each identifier with its position in the caller's list. Never empty.
    pub alternatives: Box<[(u32, Identifier)]>,
}
