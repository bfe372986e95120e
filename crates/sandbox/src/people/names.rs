//! The name of an invented person. It fits the identifier, if that spells one: `ana.almeida@…` is Ana Almeida.

use std::borrow::Cow;

use super::{Draws, pools};

/// The name of a person, and the parts of it that addresses contain.
pub(super) struct Name<'a> {
    /// As it is shown: `José`.
    pub(super) given: Cow<'static, str>,
    /// As it is shown: `O'Brien`.
    pub(super) family: Cow<'static, str>,
    /// As addresses spell it: `jose`.
    pub(super) given_slug: &'a str,
    /// As addresses spell it: `obrien`.
    pub(super) family_slug: &'a str,
    /// That of the drawn or the known given name.
    pub(super) gender: &'static str,
}

impl<'a> Name<'a> {
    /// Draws a name. The parts that `spelling` spells replace what was drawn.
    ///
    /// A spelling of several words begins with the given name and ends with the family name. A single word counts only
    /// if it is a name of the pools, because it may be anything, such as `info`.
    pub(super) fn draw(draws: &mut Draws, spelling: Option<&'a str>) -> Self {
        let (given, given_slug, gender) = draws.pick(&pools::GIVEN);
        let (family, family_slug) = draws.pick(&pools::FAMILY);
        let (given, family) = (Cow::Borrowed(given), Cow::Borrowed(family));
        let mut name = Self { given, family, given_slug, family_slug, gender };
        let mut words = spelling.unwrap_or_default().split(['.', '-', '_']).filter_map(word);
        match (words.next(), words.next_back()) {
            (Some(first), Some(last)) => {
                name.set_given(first);
                name.set_family(last);
            }
            (Some(only), None) if is_given(only) => name.set_given(only),
            (Some(only), None) if is_family(only) => name.set_family(only),
            _ => {}
        }
        name
    }

    /// A known name gets its proper form and its gender; any other one a capital letter.
    fn set_given(&mut self, slug: &'a str) {
        if !is_name(slug) {
            return;
        }
        self.given_slug = slug;
        match pools::GIVEN.iter().find(|(_, known, _)| *known == slug) {
            Some(&(given, _, gender)) => (self.given, self.gender) = (Cow::Borrowed(given), gender),
            None => self.given = Cow::Owned(capitalised(slug)),
        }
    }

    /// Likewise.
    fn set_family(&mut self, slug: &'a str) {
        if !is_name(slug) {
            return;
        }
        self.family_slug = slug;
        self.family = match pools::FAMILY.iter().find(|(_, known)| *known == slug) {
            Some(&(family, _)) => Cow::Borrowed(family),
            None => Cow::Owned(capitalised(slug)),
        };
    }
}

/// A word without the digits at its end; `None` if nothing else remains, or it has characters that are no letters.
fn word(part: &str) -> Option<&str> {
    let letters = part.trim_end_matches(|letter: char| letter.is_ascii_digit());
    (!letters.is_empty() && letters.chars().all(char::is_alphabetic)).then_some(letters)
}

/// Whether a word can be a name. An initial is not a name.
fn is_name(word: &str) -> bool {
    word.chars().nth(1).is_some()
}

fn is_given(word: &str) -> bool {
    pools::GIVEN.iter().any(|(_, known, _)| *known == word)
}

fn is_family(word: &str) -> bool {
    pools::FAMILY.iter().any(|(_, known)| *known == word)
}

/// Some letters have a capital form of two letters.
fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_its_spelling() {
        let cases = [
            ("ana.almeida", "Ana Almeida"),
            ("ana-almeida-77123", "Ana Almeida"),
            ("jose.maria_garcia2", "José García"),
            ("soeren.obrien", "Søren O'Brien"),
            ("élodie.škoda", "Élodie Škoda"),
        ];
        for (spelling, full_name) in cases {
            let name = Name::draw(&mut Draws::new(1), Some(spelling));
            assert_eq!(format!("{} {}", name.given, name.family), full_name);
        }
    }

    #[test]
    fn what_spells_no_name_is_drawn() {
        let drawn = Name::draw(&mut Draws::new(7), None);
        for spelling in ["info", "p17", "a", "", "\"quoted\"", "12.34", "x.y"] {
            let name = Name::draw(&mut Draws::new(7), Some(spelling));
            assert_eq!((name.given, name.family), (drawn.given.clone(), drawn.family.clone()), "{spelling}");
        }
        let ana = Name::draw(&mut Draws::new(7), Some("ana"));
        assert_eq!((ana.given.as_ref(), ana.gender, ana.family), ("Ana", "female", drawn.family));
        let initial = Name::draw(&mut Draws::new(7), Some("a.smith"));
        assert_eq!((initial.given, initial.family.as_ref()), (drawn.given, "Smith"));
    }
}
