//! The JSON grammar of Python's `json.loads`: RFC 8259 plus `NaN`, `Infinity`, `-Infinity` and
//! escapes of single surrogates; control characters in strings are refused. It only checks: it
//! builds nothing, allocates nothing and does not recurse. It knows nothing of contacts. The caller
//! checks that the text is UTF-8.
//!
//! It is one loop with a flag for each open bracket, so a hostile text can neither exhaust the thread's stack
//! nor take more than one pass. A text that is refused is either cut off ([`ENDED`]) or wrong.

#![allow(clippy::inline_always)] // Measured: an eighth of the check. See `Cursor`.

use super::super::limits::{MAX_DEPTH, MAX_DIGITS};
use super::text::plain;

/// Why a text is not JSON that we can read. It never contains the text.
pub(super) type Fault = &'static str;

/// The text ended inside a value. The decoder treats this as a reply that was cut off.
pub(super) const ENDED: Fault = "it breaks off";
const BAD_VALUE: Fault = "a value is not JSON";
const BAD_NUMBER: Fault = "a number is not JSON";
/// `json.loads` refuses a longer one by default, too.
const LONG_NUMBER: Fault = "a whole number has more than 4,300 digits";
const BAD_STRING: Fault = "a string holds a control character";
const BAD_ESCAPE: Fault = "a string holds an escape that is not JSON";
const NO_KEY: Fault = "an object's key is not a string";
const NO_COLON: Fault = "an object's key has no colon after it";
const NO_COMMA: Fault = "a comma or a closing bracket is missing";
/// See [`MAX_DEPTH`].
const TOO_DEEP: Fault = "it is nested deeper than any real answer";

/// The position of a string, without its quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Text {
    /// After the opening quote; `to` is at the closing one.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether the string has escapes.
    pub(super) escaped: bool,
}

/// A position in a text. It is passed by value, and its frequent methods are inlined, so that it
/// stays in registers. In memory, each step would have to wait for the step before.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Reads a text from its beginning to its end.
pub(super) struct Scanner<'a> {
    cursor: Cursor<'a>,
    /// For each open bracket, whether it is that of an object. It is a field, so that it is not
    /// cleared again for each value.
    objects: [bool; MAX_DEPTH],
}

impl<'a> Scanner<'a> {
    /// A scanner that begins at position `at`.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { cursor: Cursor { bytes, at }, objects: [false; MAX_DEPTH] }
    }

    /// The position of the next byte to read.
    pub(super) fn at(&self) -> usize {
        self.cursor.at
    }

    /// Continues at another position, for a caller that skips something broken.
    pub(super) fn go_to(&mut self, at: usize) {
        self.cursor.at = at;
    }

    /// The next byte that is not white space. The position does not move past it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.cursor.peek()
    }

    /// Skips white space, and moves past the next byte if it is `byte`. Returns whether it was.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        self.cursor.take(byte)
    }

    /// Moves past the key of an object and its colon.
    pub(super) fn key(&mut self) -> Result<Text, Fault> {
        self.cursor.key()
    }

    /// Moves past a string. The position must be after the opening quote.
    pub(super) fn string(&mut self) -> Result<Text, Fault> {
        self.cursor.string()
    }

    /// Moves past a complete value.
    ///
    /// Checks everything inside. After an error the position is where the value began.
    pub(super) fn value(&mut self) -> Result<(), Fault> {
        let mut cursor = self.cursor;
        let mut depth = 0_usize;
        let mut in_object = false;
        loop {
            // At the start of a value.
            match cursor.peek() {
                Some(b'"') => {
                    cursor.at += 1;
                    cursor.string()?;
                }
                Some(open @ (b'{' | b'[')) => {
                    cursor.at += 1;
                    *self.objects.get_mut(depth).ok_or(TOO_DEEP)? = in_object;
                    // In ASCII, each closing bracket is two after the opening one, for both kinds.
                    if !cursor.take(open + 2) {
                        depth += 1;
                        in_object = open == b'{';
                        if in_object {
                            cursor.key()?;
                        }
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => cursor = cursor.number()?,
                Some(b't') => cursor = cursor.word(b"true")?,
                Some(b'f') => cursor = cursor.word(b"false")?,
                Some(b'n') => cursor = cursor.word(b"null")?,
                Some(b'N') => cursor = cursor.word(b"NaN")?,
                Some(b'I') => cursor = cursor.word(b"Infinity")?,
                Some(_) => return Err(BAD_VALUE),
                None => return Err(ENDED),
            }
            // At the end of a value: close the containers that it completes.
            loop {
                if depth == 0 {
                    self.cursor = cursor;
                    return Ok(());
                }
                match cursor.peek() {
                    Some(b',') => {
                        cursor.at += 1;
                        if in_object {
                            cursor.key()?;
                        }
                        break;
                    }
                    Some(b'}') if in_object => {}
                    Some(b']') if !in_object => {}
                    Some(_) => return Err(NO_COMMA),
                    None => return Err(ENDED),
                }
                cursor.at += 1;
                depth -= 1;
                in_object = self.objects.get(depth).copied().unwrap_or_default();
            }
        }
    }
}

impl Cursor<'_> {
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            // All bytes of the grammar are above the space, so the usual case needs one comparison.
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    #[inline(always)]
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline(always)]
    fn key(&mut self) -> Result<Text, Fault> {
        match self.peek() {
            Some(b'"') => self.at += 1,
            Some(_) => return Err(NO_KEY),
            None => return Err(ENDED),
        }
        let key = self.string()?;
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(NO_COLON),
            None => return Err(ENDED),
        }
        Ok(key)
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Text, Fault> {
        let from = self.at;
        let mut escaped = false;
        loop {
            self.at += plain(self.bytes.get(self.at..).unwrap_or_default());
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    let to = self.at;
                    self.at += 1;
                    return Ok(Text { from, to, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    *self = self.escape()?;
                }
                Some(_) => return Err(BAD_STRING),
                None => return Err(ENDED),
            }
        }
    }

    /// Moves past an escape. The position is at its backslash.
    #[cold]
    fn escape(mut self) -> Result<Self, Fault> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or(ENDED)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(BAD_ESCAPE);
                }
                self.at += 6;
            }
            Some(_) => return Err(BAD_ESCAPE),
            None => return Err(ENDED),
        }
        Ok(self)
    }

    /// Moves past a number, by the grammar of RFC 8259. Only a whole number is limited in its
    /// digits.
    fn number(mut self) -> Result<Self, Fault> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
            if self.bytes.get(self.at) == Some(&b'I') {
                return self.word(b"Infinity");
            }
        }
        let whole = match self.bytes.get(self.at) {
            Some(b'0') => {
                self.at += 1;
                1
            }
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(BAD_NUMBER),
        };
        let mut is_whole = true;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
            is_whole = false;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
            is_whole = false;
        }
        if is_whole && whole > MAX_DIGITS { Err(LONG_NUMBER) } else { Ok(self) }
    }

    /// Moves past one or more digits and returns how many there were.
    #[inline(always)]
    fn digits(&mut self) -> Result<usize, Fault> {
        let from = self.at;
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from { Err(BAD_NUMBER) } else { Ok(self.at - from) }
    }

    /// Moves past `true`, `false`, `null`, or one of Python's words for numbers.
    #[inline(always)]
    fn word(mut self, word: &[u8]) -> Result<Self, Fault> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(self)
        } else {
            Err(BAD_VALUE)
        }
    }
}
