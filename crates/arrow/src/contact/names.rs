//! The names of members as they were met: a run's contacts resemble each other, so the next name is
//! nearly always told by one comparison instead of being read and looked up.

use exactbuyer_core::service::decode::passed::Expected;

use crate::contact::trie::Member;

/// Objects that are keyed by what they hold would make names for ever.
const MOST: usize = 64;

/// The names that were met in the objects of one place, in the order in which they come, with what is
/// wanted of each.
#[derive(Default)]
pub(crate) struct Names(Vec<(Expected, Option<Member>)>);

impl Names {
    /// The name that the text goes on with, if it was met before: its place here, its length with its
    /// quotes, and what is wanted of it. It is looked for from the place where it is expected.
    #[inline]
    pub(crate) fn find(&self, expected: usize, text: &[u8]) -> Option<(usize, usize, Option<Member>)> {
        let mut place = expected;
        for _ in 0..self.0.len() {
            place = if place < self.0.len() { place } else { 0 };
            let (name, wanted) = self.0.get(place)?;
            if name.begins(text) {
                return Some((place, name.quoted().len(), *wanted));
            }
            place += 1;
        }
        None
    }

    /// Notes a name that was not known, at the place where another was expected.
    pub(crate) fn learn(&mut self, expected: usize, quoted: &[u8], wanted: Option<Member>) {
        if self.0.len() < MOST {
            self.0.insert(expected.min(self.0.len()), (Expected::new(quoted), wanted));
        }
    }
}
