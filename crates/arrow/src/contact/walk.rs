//! Goes once over the bytes of a contact, notes where the values of the columns are, and skips
//! everything else. It reads only JSON that [`exactbuyer_core::service::decode`] has checked; if it
//! cannot read something, that gives no values.
//!
//! The walk copies no value. It notes where each one begins and ends, as a [`Span`], and `values` reads them
//! afterwards, column by column. Values that no column wants are skipped without being decoded.

use std::borrow::Cow;

use exactbuyer_core::service::decode::passed::{Passed, Unreadable};
use exactbuyer_core::service::decode::text::unescape;

use crate::contact::names::Names;
use crate::contact::trie::{Member, Node, Trie, Where};

/// The position of a value in the contact's text, and how it is written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where the value begins, and in `to` where it ends; for a string, its quotes are inside. 32 bits are
    /// enough, because Arrow's text columns count with 31. Values beyond them are left out.
    from: u32,
    to: u32,
    /// Decided by the first byte of the value, and for strings by whether they have a backslash.
    pub(crate) form: Written,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// `null`.
    Null,
    /// A string without escapes.
    Plain,
    Escaped,
    /// Any other value.
    Otherwise,
}

impl Span {
    /// The JSON of the value. `text` must be the text that was walked.
    pub(crate) fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.from as usize..self.to as usize).unwrap_or_default()
    }
}

/// The values of one contact by column, and what earlier contacts have taught.
///
/// It is kept from contact to contact, so that its vectors are allocated once.
#[derive(Default)]
pub(crate) struct Found {
    /// One for each column of the layout.
    columns: Vec<Values>,
    /// Whether the contact may contain `NaN` or `Infinity`.
    pub(crate) has_words: bool,
    /// The member names, by node.
    ///
    /// Learned from all contacts so far; never forgotten.
    names: Vec<Names>,
}

#[derive(Debug, Default)]
pub(crate) struct Values {
    /// The values in order, with `None` for a missing one. A column that has no lists has at most
    /// one.
    pub(crate) spans: Vec<Option<Span>>,
    /// For a column of lists: whether the contact has the list.
    ///
    /// An empty list and a missing list differ: one is a list of length zero, the other null.
    pub(crate) is_there: bool,
    /// For a column of lists: how many values there were before the current element.
    before: usize,
}

impl Found {
    /// `None` only before the first walk.
    pub(crate) fn column(&self, column: usize) -> Option<&Values> {
        self.columns.get(column)
    }

    /// Removes the values of the contact before, and keeps what was learned from it.
    fn clear(&mut self, trie: &Trie) {
        self.names.resize_with(trie.len(), Names::default);
        self.columns.resize_with(trie.columns, Values::default);
        self.has_words = false;
        for column in &mut self.columns {
            column.spans.clear();
            column.is_there = false;
        }
    }
}

/// Why a pass ended early.
enum Halt {
    /// An object has a key twice. Only the last one counts, as in Python.
    Twice,
    /// The text is not JSON.
    Unreadable,
}

impl From<Unreadable> for Halt {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

/// Notes in `found` where the values of this contact are. A `found` must only be used with one
/// trie.
///
/// Mostly one pass. If an object has a key twice, the first pass stops, and a second, careful one looks for the
/// last occurrence of each key.
pub(crate) fn walk(trie: &Trie, text: &[u8], found: &mut Found) {
    for careful in [false, true] {
        found.clear(trie);
        let mut walker = Walker { trie, text: Passed(text), careful, found };
        match walker.value(0, Trie::ROOT) {
            Ok(_) => return,
            Err(Halt::Twice) => {}
            Err(Halt::Unreadable) => break,
        }
    }
    found.clear(trie);
}

/// Its methods take the position where something begins, and return the position after it.
struct Walker<'a> {
    trie: &'a Trie,
    /// Bytes that the scanner has accepted, so that brackets and quotes are in balance.
    text: Passed<'a>,
    /// Whether to search each object for the last occurrence of each key before reading any member.
    careful: bool,
    /// Where the spans are noted.
    found: &'a mut Found,
}

impl Walker<'_> {
    /// Reads a value, and notes it if it is wanted.
    ///
    /// A value may be noted for several columns, and its members for others.
    fn value(&mut self, at: usize, node: usize) -> Result<usize, Halt> {
        let wanted = self.trie.get(node).ok_or(Halt::Unreadable)?;
        let (from, first) = self.text.next(at)?;
        let (to, form) = match first {
            b'"' => {
                let (to, escaped) = self.text.string(from + 1)?;
                (to, if escaped { Written::Escaped } else { Written::Plain })
            }
            b'{' if wanted.wants_members() => (self.object(from, node)?, Written::Otherwise),
            b'[' if wanted.wants_elements() => (self.list(from, wanted)?, Written::Otherwise),
            b'n' => (self.skip(from)?, Written::Null),
            _ => (self.skip(from)?, Written::Otherwise),
        };
        for column in &wanted.ends {
            let (Ok(from), Ok(to)) = (u32::try_from(from), u32::try_from(to)) else { continue };
            if let Some(values) = self.found.columns.get_mut(*column) {
                values.spans.push(Some(Span { from, to, form }));
            }
        }
        Ok(to)
    }

    /// Skips a value that is not wanted.
    ///
    /// Also notes whether it may contain `NaN` or `Infinity`.
    #[inline]
    fn skip(&mut self, at: usize) -> Result<usize, Unreadable> {
        let skipped = self.text.value(at)?;
        self.found.has_words |= skipped.has_words;
        Ok(skipped.end)
    }

    /// Reads an object and its wanted members.
    ///
    /// `at` is at the brace.
    fn object(&mut self, at: usize, node: usize) -> Result<usize, Halt> {
        let mut seen = 0_u64;
        // In a careful pass: each wanted member, and the position of its value.
        let mut last: Vec<(Member, usize)> = Vec::new();
        let end = self.members(at, node, |walker, at, wanted| {
            let Some(member) = wanted else { return Ok(walker.skip(at)?) };
            if walker.careful {
                last.retain(|(other, _)| other.place != member.place);
                last.push((member, at));
                return Ok(walker.skip(at)?);
            }
            // If there are more keys than bits, two keys can share a bit. The pass is then at worst
            // careful without need.
            let bit = 1 << (member.place % 64);
            if seen & bit != 0 {
                return Err(Halt::Twice);
            }
            seen |= bit;
            walker.value(at, member.node)
        })?;
        for (member, at) in last {
            self.value(at, member.node)?;
        }
        Ok(end)
    }

    /// Reads the members of an object. `member` is called for each value, with what this node wants
    /// of it.
    #[inline]
    fn members(
        &mut self,
        at: usize,
        node: usize,
        mut member: impl FnMut(&mut Self, usize, Option<Member>) -> Result<usize, Halt>,
    ) -> Result<usize, Halt> {
        let mut at = at + 1;
        if let (end, b'}') = self.text.next(at)? {
            return Ok(end + 1);
        }
        let mut expected = 0;
        loop {
            let (from, _) = self.text.next(at)?;
            let names = self.found.names.get(node).ok_or(Halt::Unreadable)?;
            let (met, len, wanted) = match names.find(expected, self.text.from(from)) {
                Some(known) => known,
                None => self.new_name(from, node, expected)?,
            };
            expected = met + 1;
            let after = self.text.expect(from + len, b':')?;
            let after = member(self, after, wanted)?;
            let (after, goes_on) = self.text.comma_or(b'}', after)?;
            if !goes_on {
                return Ok(after);
            }
            at = after;
        }
    }

    /// As [`Names::find`], for a name that is not known yet.
    #[cold]
    fn new_name(
        &mut self,
        from: usize,
        node: usize,
        expected: usize,
    ) -> Result<(usize, usize, Option<Member>), Halt> {
        let inside = self.text.expect(from, b'"')?;
        let (to, escaped) = self.text.string(inside)?;
        let name = self.text.between(inside, to - 1);
        let name = if escaped { Cow::Owned(unescape(name)) } else { Cow::Borrowed(name) };
        let wanted = self.trie.get(node).and_then(|node| node.member(&name));
        if let Some(names) = self.found.names.get_mut(node) {
            names.learn(expected, self.text.between(from, to), wanted);
        }
        Ok((expected, to - from, wanted))
    }

    /// Reads a list and its wanted elements.
    ///
    /// `at` is at the bracket. The same element can be wanted by its index, by a condition and as one of all;
    /// it is read once for each of them.
    fn list(&mut self, at: usize, node: &Node) -> Result<usize, Halt> {
        if let Some(below) = node.every.and_then(|child| self.trie.get(child)) {
            for column in &below.through {
                if let Some(values) = self.found.columns.get_mut(*column) {
                    values.is_there = true;
                }
            }
        }
        let mut at = at + 1;
        if let (end, b']') = self.text.next(at)? {
            return Ok(end + 1);
        }
        let mut met = vec![false; node.wheres.len()];
        for index in 0.. {
            let mut after = None;
            for (_, child) in node.indices.iter().filter(|(place, _)| *place == index) {
                after = Some(self.value(at, *child)?);
            }
            for (wanted, met) in node.wheres.iter().zip(&mut met).filter(|(_, met)| !**met) {
                let (end, says) = self.says(at, wanted)?;
                if says {
                    self.value(at, wanted.node)?;
                }
                *met = says;
                after = Some(end);
            }
            if let Some(child) = node.every {
                after = Some(self.element(at, child)?);
            }
            let after = match after {
                Some(after) => after,
                None => self.skip(at)?,
            };
            let (after, goes_on) = self.text.comma_or(b']', after)?;
            at = after;
            if !goes_on {
                break;
            }
        }
        Ok(at)
    }

    /// Reads an element for a node that wants every element. Each column with lists of such
    /// elements gets one more value.
    ///
    /// An element without the value gives a gap, so that the lists of several columns stay aligned with each
    /// other.
    fn element(&mut self, at: usize, child: usize) -> Result<usize, Halt> {
        let node = self.trie.get(child).ok_or(Halt::Unreadable)?;
        for column in &node.aligned {
            if let Some(values) = self.found.columns.get_mut(*column) {
                values.before = values.spans.len();
            }
        }
        let after = self.value(at, child)?;
        for column in &node.aligned {
            if let Some(values) = self.found.columns.get_mut(*column)
                && values.spans.len() == values.before
            {
                values.spans.push(None);
            }
        }
        Ok(after)
    }

    /// Reads an element, and returns whether it is the wanted one.
    ///
    /// It looks at one member and skips the others. If the member is there twice, the last one counts.
    fn says(&mut self, at: usize, wanted: &Where) -> Result<(usize, bool), Halt> {
        let (at, first) = self.text.next(at)?;
        if first != b'{' {
            return Ok((self.skip(at)?, false));
        }
        let mut says = false;
        let after = self.members(at, wanted.said, |walker, at, member| {
            if member.is_none() {
                return Ok(walker.skip(at)?);
            }
            let (from, first) = walker.text.next(at)?;
            if first != b'"' {
                says = false;
                return Ok(walker.skip(from)?);
            }
            let (to, escaped) = walker.text.string(from + 1)?;
            let said = walker.text.between(from + 1, to - 1);
            let said = if escaped { Cow::Owned(unescape(said)) } else { Cow::Borrowed(said) };
            says = said.eq_ignore_ascii_case(wanted.text.as_bytes());
            Ok(to)
        })?;
        Ok((after, says))
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
