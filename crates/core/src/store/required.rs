//! The fields that a contact must have.

use std::ops::Deref;
use std::sync::Arc;

/// The fields that a contact must have. They are part of the lookup: the same identifier with other
/// required fields is paid for separately.
///
/// A set: sorted, without duplicates. The order in which a caller names the fields does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Required(Arc<[Box<str>]>);

impl FromIterator<Box<str>> for Required {
    fn from_iter<T: IntoIterator<Item = Box<str>>>(names: T) -> Self {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into())
    }
}

impl<const N: usize> From<[Box<str>; N]> for Required {
    fn from(names: [Box<str>; N]) -> Self {
        names.into_iter().collect()
    }
}

impl Deref for Required {
    type Target = [Box<str>];

    fn deref(&self) -> &[Box<str>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_names_does_not_matter() {
        let [email, phone] = ["email", "phone"].map(Box::<str>::from);
        let once = Required::from([email.clone(), phone.clone()]);
        assert_eq!(Required::from([phone.clone(), email, phone]), once);
    }
}
