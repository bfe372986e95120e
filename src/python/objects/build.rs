//! Walks one record and makes its objects.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::vendor::decode::text::{plain, unescape};
use crate::vendor::limits::MAX_DEPTH;

use super::site::{SiteId, Sites};
use super::{strings, unread};

/// Integers are read this many digits at a time: few enough for an `i64`.
const DIGITS_AT_ONCE: usize = 18;

pub(super) struct Builder<'a, 'py> {
    py: Python<'py>,
    text: &'a [u8],
    at: usize,
    depth: usize,
    sites: &'a mut Sites,
    open: &'a mut Vec<Py<PyAny>>,
}

impl<'a, 'py> Builder<'a, 'py> {
    pub(super) fn new(
        py: Python<'py>,
        text: &'a [u8],
        sites: &'a mut Sites,
        open: &'a mut Vec<Py<PyAny>>,
    ) -> Self {
        // What an error left behind belongs to no container any more.
        open.clear();
        Self { py, text, at: 0, depth: 0, sites, open }
    }

    pub(super) fn record(mut self) -> PyResult<Bound<'py, PyAny>> {
        let record = self.value(Sites::RECORD)?;
        if self.peek().is_some() { Err(unread()) } else { Ok(record) }
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if byte > b' ' {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn value(&mut self, site: SiteId) -> PyResult<Bound<'py, PyAny>> {
        match self.peek().ok_or_else(unread)? {
            b'"' => self.string(site),
            b'{' => self.nested(|builder| builder.object(site)),
            b'[' => self.nested(|builder| builder.list(site)),
            b'n' => self.word(b"null", |py| py.None().into_bound(py)),
            b't' => self.word(b"true", |py| PyBool::new(py, true).to_owned().into_any()),
            b'f' => self.word(b"false", |py| PyBool::new(py, false).to_owned().into_any()),
            _ => self.number(),
        }
    }

    fn nested(
        &mut self,
        container: impl FnOnce(&mut Self) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if self.depth == MAX_DEPTH {
            return Err(unread());
        }
        self.depth += 1;
        self.at += 1;
        let made = container(self);
        self.depth -= 1;
        made
    }

    fn list(&mut self, site: SiteId) -> PyResult<Bound<'py, PyAny>> {
        if self.take(b']') {
            return Ok(PyList::empty(self.py).into_any());
        }
        let under = self.sites.elements(site);
        let from = self.open.len();
        loop {
            let element = self.value(under)?;
            self.open.push(element.unbind());
            if self.take(b']') {
                break;
            }
            self.comma()?;
        }
        Ok(PyList::new(self.py, self.open.drain(from..))?.into_any())
    }

    fn object(&mut self, site: SiteId) -> PyResult<Bound<'py, PyAny>> {
        if self.take(b'}') {
            return Ok(PyDict::new(self.py).into_any());
        }
        let from = self.open.len();
        let mut shape = 0;
        loop {
            self.peek();
            let Some((under, next)) = self.expected(site, shape)? else {
                return self.unexpected(site, shape, from);
            };
            self.colon()?;
            let value = self.value(under)?;
            self.open.push(value.unbind());
            shape = next;
            if self.take(b'}') {
                break;
            }
            self.comma()?;
        }
        let shapes = &mut self.sites.get(site).ok_or_else(unread)?.shapes;
        Ok(shapes.fill(self.py, shape, self.open.drain(from..))?.into_any())
    }

    /// Moves behind a key that follows those of the shape; does not move if it is one that cannot
    /// be remembered.
    fn expected(&mut self, site: SiteId, shape: usize) -> PyResult<Option<(SiteId, usize)>> {
        let rest = self.rest();
        let shapes = &self.sites.get(site).ok_or_else(unread)?.shapes;
        if let Some((len, under, next)) = shapes.expect(shape, rest) {
            self.at += len;
            return Ok(Some((under, next)));
        }
        if shapes.is_full() {
            return Ok(None);
        }
        let from = self.at;
        let key = self.key()?;
        let quoted = self.text.get(from..self.at).unwrap_or_default();
        let learned = match key.to_str() {
            Ok(text) => self.sites.learn(site, shape, quoted, &PyString::intern(self.py, text)),
            // A lone surrogate: no key to remember.
            Err(_) => None,
        };
        if learned.is_none() {
            self.at = from;
        }
        Ok(learned)
    }

    /// Makes a dict key by key, from a key on that does not fit what is remembered.
    fn unexpected(&mut self, site: SiteId, shape: usize, from: usize) -> PyResult<Bound<'py, PyAny>> {
        let dict = PyDict::new(self.py);
        let keys = self.sites.get(site).ok_or_else(unread)?.shapes.keys(self.py, shape);
        for (key, value) in keys.iter().zip(self.open.drain(from..)) {
            dict.set_item(key, value)?;
        }
        loop {
            let key = self.key()?;
            self.colon()?;
            let value = self.value(Sites::NOWHERE)?;
            dict.set_item(key, value)?;
            if self.take(b'}') {
                return Ok(dict.into_any());
            }
            self.comma()?;
        }
    }

    fn key(&mut self) -> PyResult<Bound<'py, PyString>> {
        if self.peek() != Some(b'"') {
            return Err(unread());
        }
        Ok(self.string(Sites::NOWHERE)?.cast_into()?)
    }

    /// Moves behind a string; stands in front of its opening quote.
    fn string(&mut self, site: SiteId) -> PyResult<Bound<'py, PyAny>> {
        self.at += 1;
        let rest = self.rest();
        let len = plain(rest);
        if rest.get(len) != Some(&b'"') {
            return self.escaped();
        }
        self.at += len + 1;
        let text = rest.get(..len).unwrap_or_default();
        self.sites.get(site).ok_or_else(unread)?.strings.get(self.py, text)
    }

    fn escaped(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let from = self.at;
        loop {
            self.at += plain(self.rest());
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                _ => return Err(unread()),
            }
        }
        let said = unescape(self.text.get(from..self.at).unwrap_or_default());
        self.at += 1;
        if std::str::from_utf8(&said).is_ok() {
            return strings::make(self.py, &said);
        }
        // Lone surrogates: Python has strings for them, Rust has not.
        let said = PyBytes::new(self.py, &said);
        Ok(PyString::from_encoded_object(&said, Some(c"utf-8"), Some(c"surrogatepass"))?.into_any())
    }

    fn number(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let rest = self.rest();
        let len = rest.iter().position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        let said = rest.get(..len.unwrap_or(rest.len())).unwrap_or_default();
        if said.len() <= DIGITS_AT_ONCE
            && let Some(whole) = small(said)
        {
            self.at += said.len();
            return self.sites.whole(self.py, whole);
        }
        let is_whole = !said.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
        match std::str::from_utf8(said) {
            Ok("") => self
                .word(b"NaN", |py| PyFloat::new(py, f64::NAN).into_any())
                .or_else(|_| self.word(b"Infinity", |py| PyFloat::new(py, f64::INFINITY).into_any())),
            Ok("-") => self.word(b"-Infinity", |py| PyFloat::new(py, f64::NEG_INFINITY).into_any()),
            Ok(text) if is_whole => {
                self.at += said.len();
                large(self.py, text)
            }
            Ok(text) => {
                self.at += said.len();
                let number: f64 = text.parse().map_err(|_| unread())?;
                Ok(PyFloat::new(self.py, number).into_any())
            }
            Err(_) => Err(unread()),
        }
    }

    fn word(
        &mut self,
        word: &[u8],
        make: impl FnOnce(Python<'py>) -> Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !self.rest().starts_with(word) {
            return Err(unread());
        }
        self.at += word.len();
        Ok(make(self.py))
    }

    #[inline]
    fn comma(&mut self) -> PyResult<()> {
        if self.take(b',') { Ok(()) } else { Err(unread()) }
    }

    #[inline]
    fn colon(&mut self) -> PyResult<()> {
        if self.take(b':') { Ok(()) } else { Err(unread()) }
    }
}

/// The integer that this text of at most [`DIGITS_AT_ONCE`] bytes is, if it is one.
#[inline]
fn small(said: &[u8]) -> Option<i64> {
    let (digits, sign) = match said.split_first() {
        Some((b'-', digits)) => (digits, -1),
        _ => (said, 1),
    };
    if digits.is_empty() {
        return None;
    }
    let mut whole = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        whole = whole * 10 + i64::from(digit);
    }
    Some(whole * sign)
}

/// An integer of any length, exactly. Put together from pieces, since reading one at once fails
/// where `sys.set_int_max_str_digits` is set low, and a paid answer must not depend on that.
fn large<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let mut whole = PyInt::new(py, 0).into_any();
    for piece in digits.as_bytes().chunks(DIGITS_AT_ONCE) {
        let scale = u32::try_from(piece.len()).map_err(|_| unread())?;
        let piece = small(piece).ok_or_else(unread)?;
        whole = whole.mul(10_i64.pow(scale))?.add(piece)?;
    }
    if is_negative { whole.neg() } else { Ok(whole) }
}
