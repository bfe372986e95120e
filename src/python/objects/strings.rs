//! The strings of one place: made once where they repeat (countries, industries, networks), made
//! anew where they do not (names, addresses).

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyString;

use super::super::ffi::latin1;

/// Longer strings hardly repeat, and comparing them costs more.
const LONGEST: usize = 39;
/// Tables are small so that those of all places stay in the processor's cache: most places that
/// repeat know a few dozen strings, some (dates, cities) some hundreds.
const SIZES: [usize; 2] = [64, 1_024];
/// After so many strings it is judged whether keeping them was worth it.
const TRIAL: u32 = 512;
/// Worth it is one found again in so many: making one costs about four times what looking does.
const ONE_IN: u32 = 4;

/// A string and the number that its text gives. The text itself stays in the string, as that has to be
/// fetched from memory anyway; where it is there is known, as asking Python each time costs more.
struct Entry {
    hash: u64,
    made: PyBackedStr,
}

/// The strings seen at one place.
#[derive(Default)]
pub(super) struct Strings {
    table: Vec<Option<Entry>>,
    stage: usize,
    looked: u32,
    found: u32,
}

impl Strings {
    /// Where nothing is kept.
    pub(super) fn off() -> Self {
        Self { stage: SIZES.len(), ..Self::default() }
    }

    /// The string with this text: UTF-8, no escapes.
    #[inline]
    pub(super) fn get<'py>(&mut self, py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        if self.stage >= SIZES.len() || text.len() > LONGEST {
            return make(py, text);
        }
        self.look(py, text)
    }

    fn look<'py>(&mut self, py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        if self.looked == TRIAL {
            self.judge();
        }
        self.looked += 1;
        if self.table.is_empty() {
            let Some(&size) = SIZES.get(self.stage) else { return make(py, text) };
            self.table.resize_with(size, || None);
        }
        let hash = hash(text);
        // The upper bits are the well mixed ones; sizes are powers of two below 2^16.
        let place = (hash >> 48) as usize & (self.table.len() - 1);
        let Some(slot) = self.table.get_mut(place) else { return make(py, text) };
        if let Some(entry) = slot
            && entry.hash == hash
            && entry.made.as_bytes() == text
        {
            self.found += 1;
            return Ok(entry.made.as_py_str().bind(py).clone().into_any());
        }
        let made = make(py, text)?;
        *slot = Some(Entry { hash, made: made.clone().cast_into::<PyString>()?.try_into()? });
        Ok(made)
    }

    /// Goes on, or on with a larger table, or without.
    fn judge(&mut self) {
        if self.found * ONE_IN < self.looked {
            self.stage += 1;
            self.table = Vec::new();
        }
        self.looked = 0;
        self.found = 0;
    }
}

/// A number made of the first and the last eight bytes and the length: different strings hardly ever
/// share one, and are told apart by their text where they do.
#[inline]
fn hash(text: &[u8]) -> u64 {
    let (first, last) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
            }
            _ => (text.iter().fold(0, |all, &byte| all << 8 | u64::from(byte)), 0),
        },
    };
    (first ^ last.rotate_left(29) ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A new string with this text: UTF-8, no escapes.
pub(super) fn make<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    if text.is_ascii() {
        return latin1(py, text);
    }
    let text = std::str::from_utf8(text).map_err(|_| super::unread())?;
    Ok(PyString::new(py, text).into_any())
}
