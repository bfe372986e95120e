//! One pass over a contact's bytes that notes where the values stand that columns ask for, and
//! skips the rest. Reads only what [`exactbuyer_core::service::decode`] has passed: what it cannot read gives
//! nothing.

use std::borrow::Cow;

use exactbuyer_core::service::decode::passed::{Passed, Unreadable};
use exactbuyer_core::service::decode::text::unescape;

use crate::contact::names::Names;
use crate::contact::trie::{Member, Node, Trie, Where};

/// Where a value stands in the contact's text, and how it is written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    from: u32,
    to: u32,
    pub(crate) form: Written,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// `null`.
    Null,
    /// A string as it is said.
    Plain,
    /// A string with escapes in it.
    Escaped,
    /// Anything else.
    Otherwise,
}

impl Span {
    /// The JSON of the value, in the text that the walk was over.
    pub(crate) fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.from as usize..self.to as usize).unwrap_or_default()
    }
}

/// What was found in one contact, by column; and what was learned from those before.
#[derive(Default)]
pub(crate) struct Found {
    columns: Vec<Values>,
    /// Whether the contact may hold `NaN` or `Infinity`.
    pub(crate) has_words: bool,
    /// By node.
    names: Vec<Names>,
}

/// What was found for one column.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// In order, `None` where there is none; of a column that is no list, at most one.
    pub(crate) spans: Vec<Option<Span>>,
    /// Of a column of lists: whether there is a list.
    pub(crate) is_there: bool,
    /// Of a column of lists: how many there were before the element that is looked at.
    before: usize,
}

impl Found {
    pub(crate) fn column(&self, column: usize) -> Option<&Values> {
        self.columns.get(column)
    }

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
    /// A key stands twice in one object: only the last one counts, as in Python.
    Twice,
    /// This is no JSON.
    Unreadable,
}

impl From<Unreadable> for Halt {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

/// Notes in `found` where the values of this contact stand. One `found` is for one trie.
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

/// Its methods are given the place where something begins, and return the one behind it.
struct Walker<'a> {
    trie: &'a Trie,
    text: Passed<'a>,
    /// Looks through each object for the last of each key before going into any.
    careful: bool,
    found: &'a mut Found,
}

impl Walker<'_> {
    /// A value; notes what is wanted of it.
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

    /// A value of which nothing is wanted.
    #[inline]
    fn skip(&mut self, at: usize) -> Result<usize, Unreadable> {
        let skipped = self.text.value(at)?;
        self.found.has_words |= skipped.has_words;
        Ok(skipped.end)
    }

    fn object(&mut self, at: usize, node: usize) -> Result<usize, Halt> {
        let mut seen = 0_u64;
        // In a careful pass: what is wanted of each member, and the place of its value.
        let mut last: Vec<(Member, usize)> = Vec::new();
        let end = self.members(at, node, |walker, at, wanted| {
            let Some(member) = wanted else { return Ok(walker.skip(at)?) };
            if walker.careful {
                last.retain(|(other, _)| other.place != member.place);
                last.push((member, at));
                return Ok(walker.skip(at)?);
            }
            // With more keys than bits, any pass that could be wrong is a careful one.
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

    /// An object; `member` is one of its values, and is given what this node wants of it.
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
            let behind = self.text.behind(from + len, b':')?;
            let behind = member(self, behind, wanted)?;
            let (behind, goes_on) = self.text.comma_or(b'}', behind)?;
            if !goes_on {
                return Ok(behind);
            }
            at = behind;
        }
    }

    /// As [`Names::find`], of a name that was not met before.
    #[cold]
    fn new_name(
        &mut self,
        from: usize,
        node: usize,
        expected: usize,
    ) -> Result<(usize, usize, Option<Member>), Halt> {
        let inside = self.text.behind(from, b'"')?;
        let (to, escaped) = self.text.string(inside)?;
        let name = self.text.between(inside, to - 1);
        let name = if escaped { Cow::Owned(unescape(name)) } else { Cow::Borrowed(name) };
        let wanted = self.trie.get(node).and_then(|node| node.member(&name));
        if let Some(names) = self.found.names.get_mut(node) {
            names.learn(expected, self.text.between(from, to), wanted);
        }
        Ok((expected, to - from, wanted))
    }

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
            let mut behind = None;
            for (_, child) in node.indices.iter().filter(|(place, _)| *place == index) {
                behind = Some(self.value(at, *child)?);
            }
            for (wanted, met) in node.wheres.iter().zip(&mut met).filter(|(_, met)| !**met) {
                let (end, says) = self.says(at, wanted)?;
                if says {
                    self.value(at, wanted.node)?;
                }
                *met = says;
                behind = Some(end);
            }
            if let Some(child) = node.every {
                behind = Some(self.element(at, child)?);
            }
            let behind = match behind {
                Some(behind) => behind,
                None => self.skip(at)?,
            };
            let (behind, goes_on) = self.text.comma_or(b']', behind)?;
            at = behind;
            if !goes_on {
                break;
            }
        }
        Ok(at)
    }

    /// One of every element: each column that is made of them gets one more.
    fn element(&mut self, at: usize, child: usize) -> Result<usize, Halt> {
        let node = self.trie.get(child).ok_or(Halt::Unreadable)?;
        for column in &node.aligned {
            if let Some(values) = self.found.columns.get_mut(*column) {
                values.before = values.spans.len();
            }
        }
        let behind = self.value(at, child)?;
        for column in &node.aligned {
            if let Some(values) = self.found.columns.get_mut(*column)
                && values.spans.len() == values.before
            {
                values.spans.push(None);
            }
        }
        Ok(behind)
    }

    /// An element; and whether it is the one that is wanted.
    fn says(&mut self, at: usize, wanted: &Where) -> Result<(usize, bool), Halt> {
        let (at, first) = self.text.next(at)?;
        if first != b'{' {
            return Ok((self.skip(at)?, false));
        }
        let mut says = false;
        let behind = self.members(at, wanted.said, |walker, at, member| {
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
        Ok((behind, says))
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
