//! JSON that [`decode`](super::decode) has passed, moved through: nothing is checked again that would
//! not lead astray.
//!
//! Places are handed in and out by value, which keeps them in registers: kept in a field, each step
//! would wait until memory has what the step before it wrote.

use super::text::plain;

/// This has not passed.
#[derive(Debug)]
pub struct Unreadable;

/// JSON that has passed.
#[derive(Clone, Copy)]
pub struct Passed<'a>(pub &'a [u8]);

/// Where a value ends, and whether it may hold `NaN` or `Infinity`, which RFC 8259 does not have.
#[derive(Clone, Copy)]
pub struct Skipped {
    /// The place behind it.
    pub end: usize,
    /// Whether it may hold one of these words.
    pub has_words: bool,
}

impl<'a> Passed<'a> {
    /// The text from here on.
    #[must_use]
    pub fn from(self, at: usize) -> &'a [u8] {
        self.0.get(at..).unwrap_or_default()
    }

    /// The text between two places.
    #[must_use]
    pub fn between(self, from: usize, to: usize) -> &'a [u8] {
        self.0.get(from..to).unwrap_or_default()
    }

    /// The next byte that is no blank, and where it is.
    ///
    /// # Errors
    /// The text ends, or it has not passed.
    #[inline]
    pub fn next(self, mut at: usize) -> Result<(usize, u8), Unreadable> {
        loop {
            let byte = *self.0.get(at).ok_or(Unreadable)?;
            if byte > b' ' {
                return Ok((at, byte));
            }
            at += 1;
        }
    }

    /// The place behind this byte, which comes next.
    ///
    /// # Errors
    /// The text ends, or it has not passed.
    #[inline]
    pub fn behind(self, at: usize, byte: u8) -> Result<usize, Unreadable> {
        match self.next(at)? {
            (at, next) if next == byte => Ok(at + 1),
            _ => Err(Unreadable),
        }
    }

    /// Whether a comma comes next, and not this end; and the place behind it.
    ///
    /// # Errors
    /// The text ends, or it has not passed.
    #[inline]
    pub fn comma_or(self, end: u8, at: usize) -> Result<(usize, bool), Unreadable> {
        match self.next(at)? {
            (at, b',') => Ok((at + 1, true)),
            (at, byte) if byte == end => Ok((at + 1, false)),
            _ => Err(Unreadable),
        }
    }

    /// The place behind a string whose text begins here, and whether that holds escapes.
    ///
    /// # Errors
    /// The text ends, or it has not passed.
    #[inline]
    pub fn string(self, mut at: usize) -> Result<(usize, bool), Unreadable> {
        let mut escaped = false;
        loop {
            at += plain(self.from(at));
            match self.0.get(at) {
                Some(b'"') => return Ok((at + 1, escaped)),
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                _ => return Err(Unreadable),
            }
        }
    }

    /// Skips a value.
    ///
    /// # Errors
    /// The text ends, or it has not passed.
    #[inline]
    pub fn value(self, at: usize) -> Result<Skipped, Unreadable> {
        match self.next(at)? {
            (at, b'"') => Ok(Skipped { end: self.string(at + 1)?.0, has_words: false }),
            (at, b'{' | b'[') => self.container(at + 1),
            (_, b'}' | b']' | b',' | b':') => Err(Unreadable),
            (at, _) => Ok(self.scalar(at)),
        }
    }

    /// Skips a container whose first element begins here.
    fn container(self, mut at: usize) -> Result<Skipped, Unreadable> {
        let mut depth = 1_usize;
        let mut has_words = false;
        while depth > 0 {
            let (place, byte) = self.next(at)?;
            at = place + 1;
            match byte {
                b'"' => at = self.string(at)?.0,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                b',' | b':' => {}
                _ => {
                    let skipped = self.scalar(place);
                    at = skipped.end;
                    has_words |= skipped.has_words;
                }
            }
        }
        Ok(Skipped { end: at, has_words })
    }

    /// Skips a number or a word. An upper-case letter in it is `NaN`, `Infinity`, or an exponent.
    #[inline]
    fn scalar(self, mut at: usize) -> Skipped {
        let mut has_words = false;
        while let Some(byte) = self.0.get(at)
            && !matches!(byte, b',' | b'}' | b']' | b':' | b'"')
            && *byte > b' '
        {
            has_words |= byte.is_ascii_uppercase();
            at += 1;
        }
        Skipped { end: at, has_words }
    }
}

/// A string that is expected in some place of a text, as it is spelled there, with its quotes.
pub struct Expected {
    quoted: Box<[u8]>,
    /// Its first sixteen bytes as a number, and which bits of it count: nearly all strings that are
    /// worth expecting are told by one comparison.
    head: u128,
    mask: u128,
}

impl Expected {
    /// To be met as it is spelled here, with its quotes.
    #[must_use]
    pub fn new(quoted: &[u8]) -> Self {
        let mut head = [0; 16];
        let mut mask = [0; 16];
        for ((to, bits), from) in head.iter_mut().zip(&mut mask).zip(quoted) {
            (*to, *bits) = (*from, 0xff);
        }
        let (head, mask) = (u128::from_le_bytes(head), u128::from_le_bytes(mask));
        Self { quoted: quoted.into(), head, mask }
    }

    /// How it is spelled, with its quotes.
    #[must_use]
    pub fn quoted(&self) -> &[u8] {
        &self.quoted
    }

    /// Whether this text begins with it.
    #[must_use]
    #[inline]
    pub fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk::<16>() {
            Some(head) if u128::from_le_bytes(*head) & self.mask != self.head => false,
            Some(_) if self.quoted.len() <= 16 => true,
            _ => text.starts_with(&self.quoted),
        }
    }
}
