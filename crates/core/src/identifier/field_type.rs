//! The list of field types, and what is known of each wherever it occurs.
//!
//! A new one is a line of the list. The compiler then names every `match` that must know it, and the tests name the rest.

crate::listed! {
    /// What kind of identifier a lookup asks by. The names are the service's
    /// (`contact-enrichment/bulk-enrichment-api`, read 2026-11-23).
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
        let page = include_str!("../../../../docs/identifiers.md");
        for field_type in FieldType::ALL {
            let row = format!("| `{}` | {} |", field_type.as_str(), field_type.noun());
            assert!(page.contains(&row), "docs/identifiers.md lacks the row\n{row}");
        }
    }

    #[test]
    fn all_are_quoted() {
        assert!(FieldType::quoted(" or ").starts_with("\"email\", \"phone\""));
        assert_eq!(FieldType::quoted(", ").matches('"').count(), 2 * FieldType::ALL.len());
    }
}
