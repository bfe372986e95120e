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

use super::field_types;
use super::query::Required;

pub(super) use contact::write_text;
use contact::{Pen, write_person};

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
pub(super) struct Outline<'a> {
    /// Whether there is a current work address.
    pub(super) work_email: bool,
    /// How many private addresses, 0 to 2, or at least one if it was looked up.
    pub(super) personal_emails: usize,
    /// How many phone numbers, likewise.
    pub(super) phones: usize,
    /// How many social profiles, 0 to 3.
    pub(super) profiles: usize,
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
        field_types::imply(&mut outline, field_type, folded);
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

/// Writes the contact of this identifier, if it belongs to a person who has all required fields. Returns whether
/// it does.
///
/// The hash of the identifier determines the person. `match_rate`, in 0..=1, is the probability that there is one.
/// Without a match, `out` is unchanged.
pub(super) fn find(
    match_rate: f64,
    (field_type, folded, hash): (FieldType, &str, u64),
    required: Required,
    out: &mut Vec<u8>,
) -> bool {
    let mut draws = Draws::new(hash);
    if !draws.chance(match_rate) {
        return false;
    }
    let outline = Outline::draw(&mut draws, field_type, folded);
    if !outline.has().covers(required) {
        return false;
    }
    write_person(&outline, hash, &mut draws, &mut Pen(out));
    true
}
