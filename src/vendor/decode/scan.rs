//! The JSON grammar, as Python's `json.loads` understands it: RFC 8259 plus `NaN`, `Infinity`,
//! `-Infinity` and escapes of lone surrogates, no control character in a string. Checks and moves
//! on; builds nothing, allocates nothing, does not recurse. Knows nothing of contacts, and takes
//! UTF-8 for granted: who calls checks that.

use super::super::limits::{MAX_DEPTH, MAX_DIGITS};
use super::text::plain;

/// Why a text is not JSON that we can read. Never quotes the text.
pub(super) type Fault = &'static str;

pub(super) const ENDED: Fault = "it breaks off";
const BAD_VALUE: Fault = "a value is not JSON";
const BAD_NUMBER: Fault = "a number is not JSON";
const LONG_NUMBER: Fault = "a whole number has more than 4,300 digits";
const BAD_STRING: Fault = "a string holds a control character";
const BAD_ESCAPE: Fault = "a string holds an escape that is not JSON";
const NO_KEY: Fault = "an object's key is not a string";
const NO_COLON: Fault = "an object's key has no colon after it";
const NO_COMMA: Fault = "a comma or a closing bracket is missing";
const TOO_DEEP: Fault = "it is nested deeper than any real answer";

/// A string's place between its quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Text {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether it holds escapes.
    pub(super) escaped: bool,
}

/// Reads one text from front to back.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Of each open bracket, whether it is an object's. A field, so that it is not cleared anew for
    /// each value.
    objects: [bool; MAX_DEPTH],
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, objects: [false; MAX_DEPTH] }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The next byte that is not white space; stays in front of it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            // Every byte of the grammar is above the space: one comparison in the usual case.
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Moves behind the next byte if, after white space, it is this one.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Moves behind one whole value.
    pub(super) fn value(&mut self) -> Result<(), Fault> {
        let mut depth = 0_usize;
        let mut in_object = false;
        loop {
            // In front of a value.
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    self.string()?;
                }
                Some(open @ (b'{' | b'[')) => {
                    self.at += 1;
                    *self.objects.get_mut(depth).ok_or(TOO_DEEP)? = in_object;
                    // Two after an opening bracket, of either kind, ASCII has the closing one.
                    if !self.take(open + 2) {
                        depth += 1;
                        in_object = open == b'{';
                        if in_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                Some(b'N') => self.word(b"NaN")?,
                Some(b'I') => self.word(b"Infinity")?,
                Some(_) => return Err(BAD_VALUE),
                None => return Err(ENDED),
            }
            // Behind a value: close what it completes.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if in_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if in_object => {}
                    Some(b']') if !in_object => {}
                    Some(_) => return Err(NO_COMMA),
                    None => return Err(ENDED),
                }
                self.at += 1;
                depth -= 1;
                in_object = self.objects.get(depth).copied().unwrap_or_default();
            }
        }
    }

    /// Moves behind an object's key and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Text, Fault> {
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

    /// Moves behind a string; stands behind its opening quote.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text, Fault> {
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
                    self.escape()?;
                }
                Some(_) => return Err(BAD_STRING),
                None => return Err(ENDED),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
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
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
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
        if is_whole && whole > MAX_DIGITS { Err(LONG_NUMBER) } else { Ok(()) }
    }

    /// Moves behind one digit or more, and says how many.
    fn digits(&mut self) -> Result<usize, Fault> {
        let from = self.at;
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from { Err(BAD_NUMBER) } else { Ok(self.at - from) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            Ok(())
        } else {
            Err(BAD_VALUE)
        }
    }
}
