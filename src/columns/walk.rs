//! One pass over a contact's bytes that notes where the values stand that columns ask for, and
//! skips the rest. Reads only what [`crate::vendor::decode`] has passed: what it cannot read gives
//! nothing.

use std::borrow::Cow;

use crate::vendor::decode::text::{plain, unescape};

use super::trie::{Node, Trie};

/// Where a value stands in the contact's text; `None` where there is none.
pub(super) type Span = Option<(u32, u32)>;

/// What was found in one contact, by column.
#[derive(Debug, Default)]
pub(super) struct Found {
    columns: Vec<Values>,
}

/// What was found for one column.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// In order; of a column that is no list, at most one.
    pub(super) spans: Vec<Span>,
    /// Of a column of lists: whether there is a list.
    pub(super) is_there: bool,
}

impl Found {
    pub(super) fn column(&self, column: usize) -> Option<&Values> {
        self.columns.get(column)
    }

    fn clear(&mut self, columns: usize) {
        self.columns.resize_with(columns, Values::default);
        for column in &mut self.columns {
            column.spans.clear();
            column.is_there = false;
        }
    }

    fn push(&mut self, column: usize, span: Span) {
        if let Some(values) = self.columns.get_mut(column) {
            values.spans.push(span);
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

/// Notes in `found` where the values of this contact stand.
pub(super) fn walk(trie: &Trie, text: &[u8], found: &mut Found) {
    for careful in [false, true] {
        found.clear(trie.columns);
        let mut walker = Walker { trie, text, at: 0, careful, found };
        match walker.value(Trie::ROOT) {
            Ok(()) => return,
            Err(Halt::Twice) => {}
            Err(Halt::Unreadable) => break,
        }
    }
    found.clear(trie.columns);
}

struct Walker<'a> {
    trie: &'a Trie,
    text: &'a [u8],
    at: usize,
    /// Looks through each object for the last of each key before going into any.
    careful: bool,
    found: &'a mut Found,
}

impl<'a> Walker<'a> {
    #[inline]
    fn peek(&mut self) -> Result<u8, Halt> {
        loop {
            let byte = *self.text.get(self.at).ok_or(Halt::Unreadable)?;
            if byte > b' ' {
                return Ok(byte);
            }
            self.at += 1;
        }
    }

    /// Moves behind this byte, or the closing one; whether it was this one.
    #[inline]
    fn next_or_end(&mut self, end: u8) -> Result<bool, Halt> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Ok(true),
            byte if byte == end => Ok(false),
            _ => Err(Halt::Unreadable),
        }
    }

    /// Moves behind a value, noting what is wanted of it.
    fn value(&mut self, node: usize) -> Result<(), Halt> {
        let node = self.trie.get(node).ok_or(Halt::Unreadable)?;
        let first = self.peek()?;
        let from = self.at;
        match first {
            b'{' if node.wants_members() => self.object(node)?,
            b'[' if node.wants_elements() => self.list(node)?,
            _ => self.skip()?,
        }
        for column in &node.ends {
            let (Ok(from), Ok(to)) = (u32::try_from(from), u32::try_from(self.at)) else { continue };
            self.found.push(*column, Some((from, to)));
        }
        Ok(())
    }

    fn object(&mut self, node: &Node) -> Result<(), Halt> {
        let mut seen = 0_u64;
        // In a careful pass: each wanted key's place, node and the place of its value.
        let mut last: Vec<(usize, usize, usize)> = Vec::new();
        self.members(|walker, name| {
            let Some((place, child)) = node.member(name) else { return walker.skip() };
            if walker.careful {
                last.retain(|(other, ..)| *other != place);
                last.push((place, child, walker.at));
                return walker.skip();
            }
            // With more keys than bits, any pass that could be wrong is a careful one.
            let bit = 1 << (place % 64);
            if seen & bit != 0 {
                return Err(Halt::Twice);
            }
            seen |= bit;
            walker.value(child)
        })?;
        let end = self.at;
        for (_, child, at) in last {
            self.at = at;
            self.value(child)?;
        }
        self.at = end;
        Ok(())
    }

    /// Moves behind an object; `member` moves behind each value, and is given its name.
    fn members(&mut self, mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), Halt>) -> Result<(), Halt> {
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let (name, escaped) = self.string()?;
            if self.peek()? != b':' {
                return Err(Halt::Unreadable);
            }
            self.at += 1;
            let name = if escaped { Cow::Owned(unescape(name)) } else { Cow::Borrowed(name) };
            member(self, &name)?;
            if !self.next_or_end(b'}')? {
                return Ok(());
            }
        }
    }

    fn list(&mut self, node: &Node) -> Result<(), Halt> {
        if let Some(below) = node.every.and_then(|child| self.trie.get(child)) {
            for column in &below.through {
                if let Some(values) = self.found.columns.get_mut(*column) {
                    values.is_there = true;
                }
            }
        }
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        let mut met = vec![false; node.wheres.len()];
        for index in 0.. {
            let from = self.at;
            let mut behind = None;
            for (_, child) in node.indices.iter().filter(|(at, _)| *at == index) {
                self.at = from;
                self.value(*child)?;
                behind = Some(self.at);
            }
            for ((name, text, child), met) in node.wheres.iter().zip(&mut met) {
                if *met {
                    continue;
                }
                self.at = from;
                *met = self.element_says(name, text)?;
                if *met {
                    self.at = from;
                    self.value(*child)?;
                }
                behind = Some(self.at);
            }
            if let Some(child) = node.every {
                self.at = from;
                self.element(child)?;
                behind = Some(self.at);
            }
            match behind {
                Some(behind) => self.at = behind,
                None => self.skip()?,
            }
            if !self.next_or_end(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// One of every element: each column that is made of them gets one more.
    fn element(&mut self, child: usize) -> Result<(), Halt> {
        let node = self.trie.get(child).ok_or(Halt::Unreadable)?;
        let count = |found: &Found, column: &usize| found.column(*column).map_or(0, |c| c.spans.len());
        let before: Vec<usize> = node.aligned.iter().map(|column| count(self.found, column)).collect();
        self.value(child)?;
        for (column, before) in node.aligned.iter().zip(before) {
            if count(self.found, column) == before {
                self.found.push(*column, None);
            }
        }
        Ok(())
    }

    /// Moves behind an element; whether it is an object whose member of this name is this text.
    fn element_says(&mut self, name: &str, text: &str) -> Result<bool, Halt> {
        if self.peek()? != b'{' {
            self.skip()?;
            return Ok(false);
        }
        let mut says = false;
        self.members(|walker, key| {
            if key != name.as_bytes() {
                return walker.skip();
            }
            if walker.peek()? != b'"' {
                says = false;
                return walker.skip();
            }
            let (said, escaped) = walker.string()?;
            says = if escaped {
                unescape(said).eq_ignore_ascii_case(text.as_bytes())
            } else {
                said.eq_ignore_ascii_case(text.as_bytes())
            };
            Ok(())
        })?;
        Ok(says)
    }

    /// Moves behind a string; what stands between its quotes, and whether that holds escapes.
    fn string(&mut self) -> Result<(&'a [u8], bool), Halt> {
        if self.peek()? != b'"' {
            return Err(Halt::Unreadable);
        }
        self.at += 1;
        let from = self.at;
        let mut escaped = false;
        loop {
            self.at += plain(self.text.get(self.at..).ok_or(Halt::Unreadable)?);
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                _ => return Err(Halt::Unreadable),
            }
        }
        let said = self.text.get(from..self.at).ok_or(Halt::Unreadable)?;
        self.at += 1;
        Ok((said, escaped))
    }

    /// Moves behind a value of which nothing is wanted.
    fn skip(&mut self) -> Result<(), Halt> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    // What closes more than was opened belongs to whoever called.
                    depth = depth.checked_sub(1).ok_or(Halt::Unreadable)?;
                    self.at += 1;
                }
                b',' | b':' => self.at += 1,
                _ => self.scalar(),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Moves behind a number or a word.
    fn scalar(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b'"') || *byte <= b' ';
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
