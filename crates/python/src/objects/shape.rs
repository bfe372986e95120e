//! The dicts of one location: which key follows which, and a template for each complete sequence of keys, to be copied
//! and filled.
//!
//! A template shares its keys with its copies, as the `__dict__`s of a class's instances do. A copy is a third of the
//! size of a dict that was filled key by key, and is made without looking up the place of each key and without growing.
//! It is an ordinary dict: if a key is added or removed, `CPython` gives it a key table of its own.
//!
//! The shapes of a location form a tree. For records with `{"a", "b"}` and `{"a", "c"}`:
//!
//! ```text
//! 0 ()  ──"a"──►  1 (a)  ──"b"──►  2 (a, b)     the step seen first: `usual`
//!                        ──"c"──►  3 (a, c)     a further one: `others` of shape 1
//! ```

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use exactbuyer_core::service::decode::passed::Expected;

use super::location::LocationId;
use crate::ffi::template::Template;

/// The most sequences of keys that are remembered at a location: optional keys make many.
const MAX_SHAPES: usize = 1_024;
/// A template is made for a sequence that was seen this often: it costs as much as filling about a hundred dicts.
const OFTEN: u32 = 8;
/// How many keys dicts can share: one less than `CPython`'s limit (`SHARED_KEYS_MAX_SIZE`), because from 3.11 on, the
/// first instance of a class takes a place before any key is set.
const MOST_SHARED: usize = 29;

/// One key after those of a shape.
///
/// `under` is the location of the key's value, and `next` the shape with the key added.
struct Step {
    /// The key as it is written, with quotes. The same key written with an escape is another step to the same
    /// location.
    key: Expected,
    under: LocationId,
    next: usize,
}

/// A sequence of keys, none twice.
///
/// It is never removed: numbers of shapes stay valid as long as the location.
#[derive(Default)]
struct Shape {
    /// The sequence without its last key, and the last key.
    last: Option<(usize, Py<PyString>)>,
    /// Its further steps. The first one seen is in [`Shapes::usual`].
    others: Vec<Step>,
    /// How many dicts had this shape; counted until the template is made.
    seen: u32,
    /// Made once the shape was seen [`OFTEN`] times. Its values are all `None`.
    template: Option<Template>,
}

/// The sequences of keys at one place, as a tree; number 0 is the empty one.
pub(super) struct Shapes {
    all: Vec<Shape>,
    /// For each of them the step that was seen first, which is mostly the usual one. Stored apart, so that what is read
    /// for each key is close together in memory.
    usual: Vec<Option<Step>>,
}

impl Default for Shapes {
    fn default() -> Self {
        Self { all: vec![Shape::default()], usual: vec![None] }
    }
}

impl Shapes {
    /// For locations where nothing is remembered.
    pub(super) fn off() -> Self {
        Self { all: Vec::new(), usual: Vec::new() }
    }

    /// Whether no more shapes are remembered: contacts with arbitrary keys must not fill the memory.
    pub(super) fn is_full(&self) -> bool {
        self.all.is_empty() || self.all.len() >= MAX_SHAPES
    }

    /// If the text continues with a key that is known to follow `shape`: its length, the location under it, and the
    /// shape with it.
    ///
    /// This is the fast path, called for each key of each record: mostly one comparison of bytes.
    #[inline]
    pub(super) fn expect(&self, shape: usize, text: &[u8]) -> Option<(usize, LocationId, usize)> {
        let step = match self.usual.get(shape)? {
            Some(usual) if usual.key.begins(text) => usual,
            _ => self.all.get(shape)?.others.iter().find(|step| step.key.begins(text))?,
        };
        Some((step.key.quoted().len(), step.under, step.next))
    }

    /// The location under this key, if the key is known after any sequence.
    ///
    /// A search through all steps: it is done only for a key that is new after its shape.
    pub(super) fn knows(&self, quoted: &[u8]) -> Option<LocationId> {
        let others = self.all.iter().flat_map(|shape| &shape.others);
        let mut steps = self.usual.iter().flatten().chain(others);
        steps.find(|step| step.key.quoted() == quoted).map(|step| step.under)
    }

    /// Whether the shape with this key added can be remembered: not if there are too many, or if it has the key
    /// already.
    pub(super) fn takes(&self, shape: usize, key: &Bound<'_, PyString>) -> bool {
        // Keys are interned: equal keys are one object, however the text escapes them.
        !self.is_full() && !self.keys(key.py(), shape).iter().any(|known| known.is(key))
    }

    /// The shape with this key added, which it must [take](Self::takes); `None` if there is no such shape.
    pub(super) fn add(
        &mut self,
        shape: usize,
        quoted: &[u8],
        key: &Bound<'_, PyString>,
        under: LocationId,
    ) -> Option<usize> {
        let next = self.all.len();
        let step = Step { key: Expected::new(quoted), under, next };
        match self.usual.get_mut(shape)? {
            Some(_) => self.all.get_mut(shape)?.others.push(step),
            usual => *usual = Some(step),
        }
        self.usual.push(None);
        self.all.push(Shape { last: Some((shape, key.clone().unbind())), ..Shape::default() });
        Some(next)
    }

    pub(super) fn keys(&self, py: Python<'_>, shape: usize) -> Vec<Py<PyString>> {
        let mut keys = Vec::new();
        let mut at = shape;
        while let Some((before, key)) = self.all.get(at).and_then(|shape| shape.last.as_ref()) {
            keys.push(key.clone_ref(py));
            at = *before;
        }
        keys.reverse();
        keys
    }

    /// A dict of this shape with these values.
    ///
    /// `values` are those of the keys, in order.
    pub(super) fn fill<'py>(
        &mut self,
        py: Python<'py>,
        shape: usize,
        values: impl Iterator<Item = Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        match &self.all.get(shape).ok_or_else(super::unread)?.template {
            Some(template) => template.filled(py, values),
            None => self.set(py, shape, values),
        }
    }

    /// As [`Self::fill`], for a shape without a template. Makes the template when the shape was seen [`OFTEN`] times.
    #[cold]
    fn set<'py>(
        &mut self,
        py: Python<'py>,
        shape: usize,
        values: impl Iterator<Item = Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let keys = self.keys(py, shape);
        let dict = PyDict::new(py);
        for (key, value) in keys.iter().zip(values) {
            dict.set_item(key, value)?;
        }
        let known = self.all.get_mut(shape).ok_or_else(super::unread)?;
        known.seen += 1;
        if known.seen == OFTEN {
            known.template = Some(Template::new(blank(py, &keys)?)?);
        }
        Ok(dict)
    }
}

/// A dict with these keys, each `None`, for a [`Template`]: copies of it are small and cheap.
///
/// If the keys cannot be shared, the dict still has no spare room, so that a copy is as small as possible.
pub(super) fn blank<'py>(py: Python<'py>, keys: &[Py<PyString>]) -> PyResult<Bound<'py, PyDict>> {
    if keys.len() <= MOST_SHARED
        && let Some(shared) = shared(py, keys)?
    {
        return Ok(shared);
    }
    let grown = PyDict::new(py);
    for key in keys {
        grown.set_item(key, py.None())?;
    }
    // A dict that is made from another one has no spare room; one that grew has.
    let dict = PyDict::new(py);
    dict.update(grown.as_mapping())?;
    Ok(dict)
}

/// A dict that shares its keys; `None` if the keys do not allow it.
///
/// The way to a dict with shared keys is an instance of a class: its `__dict__` shares keys with those of other
/// instances. The copy of such a dict keeps sharing them. The class itself is not kept.
fn shared<'py>(py: Python<'py>, keys: &[Py<PyString>]) -> PyResult<Option<Bound<'py, PyDict>>> {
    let class = py.get_type::<PyType>().call1(("Shape", PyTuple::empty(py), PyDict::new(py)))?;
    for key in keys {
        // `__class__`, `__doc__`: an attribute with this name would not be an entry of the dict.
        if class.hasattr(key)? {
            return Ok(None);
        }
    }
    let instance = || -> PyResult<Bound<'py, PyAny>> {
        let new = class.call0()?;
        for key in keys {
            new.setattr(key, py.None())?;
        }
        Ok(new)
    };
    // The first instance sets the keys and their order. From 3.11 on, each further instance takes one of the places
    // that are reserved for more keys.
    instance()?;
    for _ in 0..MOST_SHARED {
        class.call0()?;
    }
    let dict = instance()?.getattr("__dict__")?.cast_into::<PyDict>()?.copy()?;
    let in_order = dict.keys().eq(PyList::new(py, keys)?)?;
    Ok(in_order.then_some(dict))
}
