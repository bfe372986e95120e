//! Walks through one record and builds its objects.
//!
//! It makes one pass, without a tree in between. Values of a container that is not closed yet lie on one stack,
//! `open`. A container that closes takes its values from the top:
//!
//! ```text
//! {"a": 1, "b": [2, 3]}        open: 1            after "a"
//!                              open: 1 2 3        inside "b"
//!                              open: 1 [2, 3]     "b" closed
//!                              open:              the dict has both
//! ```

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

use exactbuyer_core::service::decode::passed::{Passed, Unreadable};
use exactbuyer_core::service::decode::text::{plain, unescape};
use exactbuyer_core::service::limits::MAX_DEPTH;

use super::location::{LocationId, Locations};
use super::{string_cache, unread};

/// Integers are read this many digits at a time: few enough for an `i64`.
const DIGITS_AT_ONCE: usize = 18;

/// Why there is no object.
///
/// Boxed, so that [`Made`] stays small.
struct Failed(Box<PyErr>);

impl From<PyErr> for Failed {
    fn from(error: PyErr) -> Self {
        Self(Box::new(error))
    }
}

impl From<Unreadable> for Failed {
    fn from(_: Unreadable) -> Self {
        unread().into()
    }
}

/// An object, and the place after it: small enough to be returned in registers, also as an error.
type Made<'py> = Result<(usize, Bound<'py, PyAny>), Failed>;

/// Its methods get the place where something begins.
pub(super) struct Builder<'a, 'py> {
    py: Python<'py>,
    text: Passed<'a>,
    /// The text that was asked for, and the caller's own string of it. The string is used instead of a new one, because
    /// most contacts repeat it.
    asked: Option<(&'a [u8], &'a Bound<'py, PyAny>)>,
    /// How many containers are open. At most [`MAX_DEPTH`], which the scanner has already checked.
    depth: usize,
    /// What earlier records have taught. An error in this record does not make it wrong.
    locations: &'a mut Locations,
    /// The stack of values whose container is still open.
    open: &'a mut Vec<Py<PyAny>>,
}

impl<'a, 'py> Builder<'a, 'py> {
    /// Builds the object of `text`, which the scanner has already found to be sound JSON. `open` is scratch memory that
    /// is kept between records.
    pub(super) fn new(
        py: Python<'py>,
        text: &'a [u8],
        asked: Option<&'a Bound<'py, PyAny>>,
        locations: &'a mut Locations,
        open: &'a mut Vec<Py<PyAny>>,
    ) -> Self {
        // Values that were left by an error belong to no container any more.
        open.clear();
        let asked = asked.and_then(|asked| {
            let text = asked.cast_exact::<PyString>().ok()?.to_str().ok()?;
            Some((text.as_bytes(), asked))
        });
        Self { py, text: Passed(text), asked, depth: 0, locations, open }
    }

    /// The object of the whole text.
    ///
    /// # Errors
    /// If Python has no memory left, or the text is not one JSON value, which is a bug of the decoder.
    pub(super) fn record(mut self) -> PyResult<Bound<'py, PyAny>> {
        let (after, record) = self.value(0, Locations::RECORD).map_err(|Failed(error)| *error)?;
        if self.text.next(after).is_ok() { Err(unread()) } else { Ok(record) }
    }

    /// Blanks before it are skipped.
    fn value(&mut self, at: usize, location: LocationId) -> Made<'py> {
        let (at, first) = self.text.next(at)?;
        match first {
            b'"' => self.string(at, location),
            b'{' => self.nested(|builder| builder.object(at + 1, location)),
            b'[' => self.nested(|builder| builder.list(at + 1, location)),
            b'n' => self.word(at, b"null", |py| py.None().into_bound(py)),
            b't' => self.word(at, b"true", |py| PyBool::new(py, true).to_owned().into_any()),
            b'f' => self.word(at, b"false", |py| PyBool::new(py, false).to_owned().into_any()),
            _ => self.number(at, location),
        }
    }

    /// The bound on depth also bounds the stack of this thread.
    fn nested(&mut self, container: impl FnOnce(&mut Self) -> Made<'py>) -> Made<'py> {
        if self.depth == MAX_DEPTH {
            return Err(Unreadable.into());
        }
        self.depth += 1;
        let made = container(self);
        self.depth -= 1;
        made
    }

    /// `at` is after the bracket.
    fn list(&mut self, at: usize, location: LocationId) -> Made<'py> {
        if let (end, b']') = self.text.next(at)? {
            return Ok((end + 1, PyList::empty(self.py).into_any()));
        }
        let under = self.locations.elements(location);
        let from = self.open.len();
        let mut next = at;
        let mut goes_on = true;
        while goes_on {
            let (after, element) = self.value(next, under)?;
            self.open.push(element.unbind());
            (next, goes_on) = self.text.comma_or(b']', after)?;
        }
        Ok((next, PyList::new(self.py, self.open.drain(from..))?.into_any()))
    }

    /// `at` is after the brace. While each key is the one that usually follows, no key is decoded: its bytes
    /// are compared, and the dict is made from the template of the whole sequence.
    fn object(&mut self, at: usize, location: LocationId) -> Made<'py> {
        if let (end, b'}') = self.text.next(at)? {
            return Ok((end + 1, PyDict::new(self.py).into_any()));
        }
        let from = self.open.len();
        let mut shape = 0;
        let mut next = at;
        let mut goes_on = true;
        while goes_on {
            let (key, _) = self.text.next(next)?;
            let shapes = &self.locations.get(location).ok_or(Unreadable)?.shapes;
            let known = match shapes.expect(shape, self.text.from(key)) {
                None => self.learn(key, location, shape)?,
                known => known,
            };
            let Some((len, under, with_it)) = known else {
                return self.unexpected(key, location, shape, from);
            };
            let (after, value) = self.value(self.text.expect(key + len, b':')?, under)?;
            self.open.push(value.unbind());
            shape = with_it;
            (next, goes_on) = self.text.comma_or(b'}', after)?;
        }
        let shapes = &mut self.locations.get(location).ok_or(Unreadable)?.shapes;
        Ok((next, shapes.fill(self.py, shape, self.open.drain(from..))?.into_any()))
    }

    /// As [`Shapes::expect`](super::shape::Shapes::expect), for a key that has not followed this shape before. `None`
    /// if it cannot be remembered.
    #[cold]
    fn learn(
        &mut self,
        at: usize,
        location: LocationId,
        shape: usize,
    ) -> Result<Option<(usize, LocationId, usize)>, Failed> {
        if self.locations.get(location).ok_or(Unreadable)?.shapes.is_full() {
            return Ok(None);
        }
        let (after, key) = self.key(at)?;
        let quoted = self.text.between(at, after);
        // A lone surrogate: no key to remember.
        let Ok(text) = key.to_str() else { return Ok(None) };
        let learned = self.locations.learn(location, shape, quoted, &PyString::intern(self.py, text));
        Ok(learned.map(|(under, next)| (quoted.len(), under, next)))
    }

    /// Builds a dict key by key, from the first key that is not expected and cannot be remembered.
    ///
    /// The values read so far are on the stack from `from` on, and their keys are those of `shape`. Nothing
    /// below this dict is remembered. If a key occurs twice, the last value counts, as in `json.loads`.
    fn unexpected(&mut self, at: usize, location: LocationId, shape: usize, from: usize) -> Made<'py> {
        let dict = PyDict::new(self.py);
        let keys = self.locations.get(location).ok_or(Unreadable)?.shapes.keys(self.py, shape);
        for (key, value) in keys.iter().zip(self.open.drain(from..)) {
            dict.set_item(key, value)?;
        }
        let mut next = at;
        let mut goes_on = true;
        while goes_on {
            let (after, key) = self.key(next)?;
            let (after, value) = self.value(self.text.expect(after, b':')?, Locations::NOWHERE)?;
            dict.set_item(key, value)?;
            (next, goes_on) = self.text.comma_or(b'}', after)?;
        }
        Ok((next, dict.into_any()))
    }

    /// Keys that are not remembered are made anew each time.
    fn key(&mut self, at: usize) -> Result<(usize, Bound<'py, PyString>), Failed> {
        let (at, first) = self.text.next(at)?;
        if first != b'"' {
            return Err(Unreadable.into());
        }
        let (after, key) = self.string(at, Locations::NOWHERE)?;
        Ok((after, key.cast_into().map_err(PyErr::from)?))
    }

    /// A string whose opening quote is here.
    fn string(&mut self, at: usize, location: LocationId) -> Made<'py> {
        let inside = at + 1;
        let rest = self.text.from(inside);
        let len = plain(rest);
        if rest.get(len) != Some(&b'"') {
            return self.escaped(inside);
        }
        let text = rest.get(..len).unwrap_or_default();
        let asked = self.asked;
        let strings = &mut self.locations.get(location).ok_or(Unreadable)?.strings;
        let string = strings.get(self.py, text, |py, text| match asked {
            Some((known, asked)) if known == text => Ok(asked.clone()),
            _ => string_cache::string(py, text),
        })?;
        Ok((inside + len + 1, string))
    }

    /// The slow way, for a string with an escape. It is not cached.
    fn escaped(&mut self, inside: usize) -> Made<'py> {
        let (after, _) = self.text.string(inside)?;
        let text = unescape(self.text.between(inside, after - 1));
        if std::str::from_utf8(&text).is_ok() {
            return Ok((after, string_cache::string(self.py, &text)?));
        }
        // Lone surrogates: Python's strings may have them, Rust's may not.
        let bytes = PyBytes::new(self.py, &text);
        let string = PyString::from_encoded_object(&bytes, Some(c"utf-8"), Some(c"surrogatepass"))?;
        Ok((after, string.into_any()))
    }

    /// `NaN`, `Infinity` and `-Infinity` are not JSON, but `json.loads` reads them, and the scanner passes
    /// them.
    fn number(&mut self, at: usize, location: LocationId) -> Made<'py> {
        let rest = self.text.from(at);
        let len = rest.iter().position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        let number_text = rest.get(..len.unwrap_or(rest.len())).unwrap_or_default();
        let after = at + number_text.len();
        if number_text.len() <= DIGITS_AT_ONCE
            && let Some(whole) = small(number_text)
        {
            return Ok((after, self.locations.whole(self.py, whole)?));
        }
        let is_whole = !number_text.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
        match std::str::from_utf8(number_text) {
            Ok("") => self
                .word(at, b"NaN", |py| PyFloat::new(py, f64::NAN).into_any())
                .or_else(|_| self.word(at, b"Infinity", |py| PyFloat::new(py, f64::INFINITY).into_any())),
            Ok("-") => self.word(at, b"-Infinity", |py| PyFloat::new(py, f64::NEG_INFINITY).into_any()),
            Ok(text) if is_whole => Ok((after, large(self.py, text)?)),
            Ok(_) => {
                let floats = &mut self.locations.get(location).ok_or(Unreadable)?.floats;
                Ok((after, floats.get(self.py, number_text, float)?))
            }
            Err(_) => Err(Unreadable.into()),
        }
    }

    /// The scanner has checked what follows the word.
    fn word(&self, at: usize, word: &[u8], make: impl FnOnce(Python<'py>) -> Bound<'py, PyAny>) -> Made<'py> {
        if !self.text.from(at).starts_with(word) {
            return Err(Unreadable.into());
        }
        Ok((at + word.len(), make(self.py)))
    }
}

/// Reads a float.
///
/// Rust reads the nearest 64-bit float, and so does Python: the results are equal bit by bit.
fn float<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(unread)?;
    Ok(PyFloat::new(py, number).into_any())
}

/// Reads an integer of at most [`DIGITS_AT_ONCE`] bytes; `None` if the text is not one.
#[inline]
fn small(text: &[u8]) -> Option<i64> {
    let (digits, sign) = match text.split_first() {
        Some((b'-', digits)) => (digits, -1),
        _ => (text, 1),
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

/// An integer of any length, exactly. It is put together from pieces, because reading it as a whole fails if
/// `sys.set_int_max_str_digits` is low, and an answer that was paid for must not depend on that.
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
