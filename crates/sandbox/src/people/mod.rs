//! Invented people. The same seed, field type and identifier always give the same contact.
//!
//! This module decides who exists and what is known about them. It must be fast: clients are
//! measured against the sandbox, so the sandbox must not be the bottleneck. Everything is written
//! straight into one buffer.
//!
//! Every property of a person is drawn from one sequence that begins with the hash of the identifier, always in
//! the same order. So a change of what is drawn, or of the order, changes the people of every seed: tests and
//! documentation that name one have to change, too.

mod contact;
mod names;
mod pools;

use exactbuyer_core::identifier::FieldType;

use super::field_types::{self, Has};
use super::query::Required;

pub(super) use contact::write_text;
use contact::{Pen, write_person};

/// The people of one seed.
///
/// It stores nobody: a person is invented when a request asks for them, and always in the same way.
#[derive(Debug, Clone, Copy)]
pub(super) struct People {
    /// Another seed has other people.
    seed: u64,
    /// In 0..=1: the probability that an identifier belongs to a person.
    match_rate: f64,
}

/// A sequence of random numbers from a hash (the generator `splitmix64`). It is written here, so
/// that the people of a seed stay the same if a library changes its generator.
#[derive(Debug)]
pub(super) struct Draws(u64);

impl Draws {
    /// The sequence that begins with this state.
    pub(super) const fn new(state: u64) -> Self {
        Self(state)
    }

    /// The next 64 random bits.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        let high = u32::try_from(self.next() >> 32).unwrap_or(0);
        f64::from(high) / 4_294_967_296.0 < p
    }

    /// A number below `n`.
    ///
    /// By multiplication instead of the remainder: as even, and faster. `n` must not be 0.
    fn below(&mut self, n: usize) -> usize {
        usize::try_from((u128::from(self.next()) * n as u128) >> 64).unwrap_or(0)
    }

    /// One entry of a list, each with the same probability.
    fn pick<T: Copy + Default, const N: usize>(&mut self, pool: &[T; N]) -> T {
        pool.get(self.below(N)).copied().unwrap_or_default()
    }

    /// A number from `from` up to `from + n - 1`.
    fn number(&mut self, from: usize, n: usize) -> usize {
        from + self.below(n)
    }
}

/// The parts that a person has. They are drawn before anything is written, because
/// `required_fields` decides whether the person is a match.
struct Outline<'a> {
    /// Whether there is a current work address.
    work_email: bool,
    /// How many private addresses, 0 to 2, or at least one if it was looked up.
    personal_emails: usize,
    /// How many phone numbers, likewise.
    phones: usize,
    /// How many social profiles, 0 to 3.
    profiles: usize,
    /// The identifier that was looked up. The contact contains it.
    asked: (FieldType, &'a str),
    /// The part of the identifier that may spell the person's name.
    spelling: Option<&'a str>,
}

impl<'a> Outline<'a> {
    /// Draws the parts of the person whom this identifier leads to.
    fn draw(draws: &mut Draws, field_type: FieldType, folded: &'a str) -> Self {
        let mut outline = Self {
            work_email: draws.chance(0.75),
            personal_emails: draws.below(3),
            phones: draws.below(3),
            profiles: draws.below(4),
            asked: (field_type, folded),
            spelling: field_types::spelling_of_name(field_type, folded),
        };
        // Whoever is found by an identifier has it.
        match field_types::implied(field_type, folded) {
            Has::WorkEmail => outline.work_email = true,
            Has::PersonalEmail => outline.personal_emails = outline.personal_emails.max(1),
            Has::Phone => outline.phones = outline.phones.max(1),
            Has::Profile => outline.profiles = outline.profiles.max(1),
        }
        outline
    }

    /// The fields that a request may require and that this person has.
    const fn has(&self) -> Required {
        Required::of(self.work_email, self.personal_emails > 0, self.phones > 0, self.profiles > 0)
    }

    /// The identifier that was looked up, if it has this field type.
    fn asked(&self, field_type: FieldType) -> Option<&'a str> {
        (self.asked.0 == field_type).then_some(self.asked.1)
    }
}

/// Whether an address looks like somebody's own rather than an employer's.
pub(super) fn is_private(address: &str) -> bool {
    const PROVIDERS: [&str; 7] =
        ["gmail.com", "yahoo.com", "outlook.com", "hotmail.com", "icloud.com", "proton.me", "gmx.de"];
    let domain = address.rsplit('@').next().unwrap_or_default();
    PROVIDERS.contains(&domain) || pools::MAILBOXES.contains(&domain)
}

impl People {
    /// The people of this seed. The share `match_rate` of all identifiers belongs to a person.
    pub(super) const fn new(seed: u64, match_rate: f64) -> Self {
        Self { seed, match_rate }
    }

    /// The hash of this identifier. It determines the person.
    pub(super) fn hash(&self, field_type: FieldType, folded: &str) -> u64 {
        field_types::hash(self.seed, field_type, folded)
    }

    /// Writes the contact of this identifier, whose [`People::hash`] is given, if there is one that
    /// has all required fields. Returns whether there is.
    ///
    /// Without a match, `out` is unchanged.
    pub(super) fn find(
        &self,
        (field_type, folded, hash): (FieldType, &str, u64),
        required: Required,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut draws = Draws::new(hash);
        if !draws.chance(self.match_rate) {
            return false;
        }
        let outline = Outline::draw(&mut draws, field_type, folded);
        if !outline.has().covers(required) {
            return false;
        }
        write_person(&outline, hash, &mut draws, &mut Pen(out));
        true
    }
}
