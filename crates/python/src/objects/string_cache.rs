//! A cache of the objects that texts at one location became. It is used where texts repeat (countries, industries, the
//! coordinates of a city), and switches itself off where they do not (names, addresses).
//!
//! The table has two entries per bucket and no chains. A text that finds both taken replaces the older one, so
//! the cache never grows. A wrong hit is impossible: all bytes are compared, as numbers.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::ffi::latin1;

/// Longer texts hardly repeat, and comparing them costs more.
const LONGEST: usize = 39;
/// The number of buckets of a table, and how many of [`TRIAL`] texts may be missing from it before the next table is
/// tried. The small table costs little if there are few texts; a few dozen texts replace each other in it. The large
/// table pays if a quarter of the texts are found, because building a text costs about four times as much as a look-up.
const SIZES: [(usize, u32); 2] = [(32, TRIAL / 32), (512, TRIAL / 4 * 3)];
/// The number of texts after which the cache decides whether it pays.
const TRIAL: u32 = 512;

/// A text, and the object that was built from it.
#[derive(Default)]
struct Entry {
    /// The key; what is between the ends is in the cache's `middles`.
    ends: Ends,
    /// `None` in an entry that was never used.
    object: Option<Py<PyAny>>,
}

/// Two texts with the same bucket can both stay. A bucket is one line of the processor's cache.
#[derive(Default)]
#[repr(align(64))]
struct Bucket([Entry; 2]);
const _: () = assert!(size_of::<Bucket>() == 64 || size_of::<usize>() < 8);

/// The texts seen at one location.
///
/// It begins with the small table, goes over to the large one, and then off: see [`SIZES`]. It never goes back.
#[derive(Default)]
pub(super) struct StringCache {
    buckets: Vec<Bucket>,
    /// For each entry, what is between the ends: mostly nothing. Stored apart, so that buckets are small.
    middles: Vec<[Middle; 2]>,
    /// The index of the current table in [`SIZES`]; beyond its end the cache is off.
    stage: usize,
    /// Texts since the last judgement.
    looked: u32,
    /// How many of those were in the table.
    found: u32,
}

impl StringCache {
    /// A cache that stores nothing.
    pub(super) fn off() -> Self {
        Self { stage: SIZES.len(), ..Self::default() }
    }

    /// The object that `make` builds from this text, or has built from it before.
    ///
    /// For the same text, `make` must always give an equal object.
    #[inline]
    pub(super) fn get<'py>(
        &mut self,
        py: Python<'py>,
        text: &[u8],
        make: impl FnOnce(Python<'py>, &[u8]) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if self.stage >= SIZES.len() || text.len() > LONGEST {
            return make(py, text);
        }
        if self.looked == TRIAL {
            self.judge();
        }
        self.looked += 1;
        if self.buckets.is_empty() {
            let Some(&(size, _)) = SIZES.get(self.stage) else { return make(py, text) };
            self.buckets.resize_with(size, Bucket::default);
            self.middles.resize_with(size, Default::default);
        }
        let (ends, middle) = (Ends::of(text), Middle::of(text));
        // Sizes are powers of two.
        let bucket = hash(ends, middle) & (self.buckets.len() - 1);
        let (Some(Bucket(entries)), Some(middles)) =
            (self.buckets.get_mut(bucket), self.middles.get_mut(bucket))
        else {
            return make(py, text);
        };
        for (entry, between) in entries.iter().zip(&*middles) {
            if entry.ends == ends
                && let Some(object) = &entry.object
                && (ends.are_all() || *between == middle)
            {
                self.found += 1;
                return Ok(object.bind(py).clone());
            }
        }
        let object = make(py, text)?;
        // The older one is replaced.
        entries.swap(0, 1);
        middles.swap(0, 1);
        entries[0] = Entry { ends, object: Some(object.clone().unbind()) };
        middles[0] = middle;
        Ok(object)
    }

    /// Continues, continues with a larger table, or switches the cache off.
    ///
    /// Called after every [`TRIAL`] texts.
    fn judge(&mut self) {
        let most = SIZES.get(self.stage).map_or(0, |(_, most)| *most);
        if self.looked - self.found > most {
            self.stage += 1;
            self.buckets = Vec::new();
            self.middles = Vec::new();
        }
        self.looked = 0;
        self.found = 0;
    }
}

/// Bytes at either end of a text that are compared as one number.
const END: usize = 8;

/// The length, the first bytes and the last bytes: of a text of up to sixteen bytes, all of it. So most texts are
/// compared as numbers, and the stored string need not be loaded from memory.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Ends {
    first: u64,
    last: u64,
    len: usize,
}

impl Ends {
    #[inline]
    fn of(text: &[u8]) -> Self {
        let (first, last) = match (text.first_chunk::<END>(), text.last_chunk::<END>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
                (Some(first), Some(last)) => {
                    (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
                }
                _ => (text.iter().fold(0, |all, &byte| all << 8 | u64::from(byte)), 0),
            },
        };
        Self { first, last, len: text.len() }
    }

    /// Whether nothing is between them.
    const fn are_all(self) -> bool {
        self.len <= 2 * END
    }
}

/// What is between the ends of a text of up to [`LONGEST`] bytes, as numbers: the eight bytes after the first ones, the
/// eight before the last ones, and eight more if these two do not meet.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Middle([u64; 3]);
const _: () = assert!(LONGEST <= 5 * END, "of a longer text some bytes would be left out");

impl Middle {
    #[inline]
    fn of(text: &[u8]) -> Self {
        let word = |from: usize| {
            let word = text.get(from..).and_then(<[u8]>::first_chunk::<END>);
            word.map_or(0, |word| u64::from_le_bytes(*word))
        };
        if text.len() <= 2 * END {
            return Self::default();
        }
        let third = if text.len() > 4 * END { word(2 * END) } else { 0 };
        Self([word(END), third, word(text.len() - 2 * END)])
    }
}

/// Different texts rarely have the same hash.
#[inline]
const fn hash(ends: Ends, Middle([second, third, fourth]): Middle) -> usize {
    let between = second ^ third.rotate_left(17) ^ fourth.rotate_left(41);
    let mixed = ends.first ^ ends.last.rotate_left(29) ^ between ^ ends.len as u64;
    // The upper bits are mixed best.
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

/// A new string with this text: UTF-8, no escapes.
pub(super) fn string<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    if text.is_ascii() {
        return latin1(py, text);
    }
    Ok(PyString::from_bytes(py, text)?.into_any())
}
