//! What a value that somebody left in a cell comes to: something to ask, nothing, or a reason why
//! not. Knows nothing of where the cell was.

use hashbrown::HashSet;

use super::{FieldType, Identifier, Invalid, Region, Rules, identify};

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
        self.text_in(text, field_type, self.rules.default_region)
    }

    /// What a text comes to in a row that says where its phone numbers are from.
    #[must_use]
    pub fn text_in(&self, text: &str, field_type: Option<FieldType>, region: Option<Region>) -> Reading {
        let stripped = text.trim();
        if stripped.is_empty() || (!self.na_values.is_empty() && self.na_values.contains(stripped)) {
            return Reading::Missing;
        }
        match identify(text, field_type, &Rules { default_region: region }) {
            Ok(identifier) => Reading::Asks(identifier),
            // Invisible characters only.
            Err(Invalid::Empty) => Reading::Missing,
            Err(why) => Reading::Invalid(why),
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
