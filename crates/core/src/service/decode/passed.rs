//! Moves through JSON that [`decode`](super::decode) has already checked. Only checks without which
//! the result could be wrong are repeated.
//!
//! Positions are passed and returned by value, so that they stay in registers. If they were in a
//! field, each step would have to wait until the memory has the result of the step before.

use super::text::plain;

/// The text has not been checked, or it ends too early.
#[derive(Debug)]
pub struct Unreadable;

/// JSON that has been checked.
#[derive(Clone, Copy)]
pub struct Passed<'a>(pub &'a [u8]);

/// The end of a value, and whether the value may contain `NaN` or `Infinity`, which RFC 8259 does
/// not allow.
#[derive(Clone, Copy)]
pub struct Skipped {
    /// The position after the value.
    pub end: usize,
    /// Whether the value may contain one of these words.
    pub has_words: bool,
}

impl<'a> Passed<'a> {
    /// The text from this position to the end.
    #[must_use]
    pub fn from(self, at: usize) -> &'a [u8] {
        self.0.get(at..).unwrap_or_default()
    }

    /// The text between two positions.
    #[must_use]
    pub fn between(self, from: usize, to: usize) -> &'a [u8] {
        self.0.get(from..to).unwrap_or_default()
    }

    /// The next byte that is not a blank, and its position.
    ///
    /// # Errors
    /// [`Unreadable`] if the text ends.
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

    /// The position after this byte, which must come next.
    ///
    /// # Errors
    /// [`Unreadable`] if another byte comes next, or the text ends.
    #[inline]
    pub fn expect(self, at: usize, byte: u8) -> Result<usize, Unreadable> {
        match self.next(at)? {
            (at, next) if next == byte => Ok(at + 1),
            _ => Err(Unreadable),
        }
    }

    /// The position after the next byte, and whether that byte is a comma. If it is not, it must
    /// be `end`.
    ///
    /// # Errors
    /// [`Unreadable`] if neither comes next, or the text ends.
    #[inline]
    pub fn comma_or(self, end: u8, at: usize) -> Result<(usize, bool), Unreadable> {
        match self.next(at)? {
            (at, b',') => Ok((at + 1, true)),
            (at, byte) if byte == end => Ok((at + 1, false)),
            _ => Err(Unreadable),
        }
    }

    /// The position after a string whose text begins at `at`, and whether the string has escapes.
    ///
    /// # Errors
    /// [`Unreadable`] if the text ends.
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
    /// [`Unreadable`] if the text ends.
    #[inline]
    pub fn value(self, at: usize) -> Result<Skipped, Unreadable> {
        match self.next(at)? {
            (at, b'"') => Ok(Skipped { end: self.string(at + 1)?.0, has_words: false }),
            (at, b'{' | b'[') => self.container(at + 1),
            (_, b'}' | b']' | b',' | b':') => Err(Unreadable),
            (at, _) => Ok(self.scalar(at)),
        }
    }

    /// Skips a container whose first element begins at `at`.
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

    /// Skips a number or a word. A capital letter in it belongs to `NaN`, `Infinity`, or an
    /// exponent.
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

/// A string that probably comes next in a text, in its JSON encoding with quotes.
pub struct Expected {
    quoted: Box<[u8]>,
    /// Its first sixteen bytes as a number, and a mask of the bits that count. One comparison
    /// decides for nearly all strings.
    head: u128,
    mask: u128,
}

impl Expected {
    /// Expects the string with this encoding, quotes included.
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

    /// Its encoding, quotes included.
    #[must_use]
    pub fn quoted(&self) -> &[u8] {
        &self.quoted
    }

    /// Whether `text` begins with this string.
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
