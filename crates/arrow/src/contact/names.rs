//! The member names of earlier contacts. The contacts of a run resemble each other, so the next
//! name can nearly always be recognised by one comparison, and need not be decoded and looked up.

use exactbuyer_core::service::decode::passed::Expected;

use crate::contact::trie::Member;

/// The most names that are remembered for one position. Objects whose keys are data would otherwise
/// fill the memory.
const MOST: usize = 64;

/// The names that the objects at one position had, in order, and what the layout wants of each.
///
/// The `Member` is `None` for a name that no column wants: such names are remembered, too, so that they can be
/// skipped without being decoded.
#[derive(Default)]
pub(crate) struct Names(Vec<(Expected, Option<Member>)>);

impl Names {
    /// The name at the start of `text`, if it is known: its index here, its length with quotes, and
    /// what is wanted of it. The search begins at the index where the name is expected.
    ///
    /// In the usual case one comparison. At worst it compares all names that are known here.
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

    /// Remembers a name that was not known, at the index where another one was expected.
    ///
    /// A full list learns nothing more; such names are decoded each time.
    pub(crate) fn learn(&mut self, expected: usize, quoted: &[u8], wanted: Option<Member>) {
        if self.0.len() < MOST {
            self.0.insert(expected.min(self.0.len()), (Expected::new(quoted), wanted));
        }
    }
}
