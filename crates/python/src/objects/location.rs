//! What is known about each location in a record. `employment.job.title` is one location in all records; the elements
//! of a list share one.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::shape::Shapes;
use super::string_cache::StringCache;

/// Identifies a location.
///
/// An index into the [`Locations`] that made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LocationId(usize);

/// The most locations that are remembered. The service's records have fewer, but a dict whose keys are data
/// (`{"2021-03-01": …}`) would add new ones without end.
const MAX_LOCATIONS: usize = 1_024;

/// Integers below this are made once. It includes years, and the table has only a few pages.
const SHARED_WHOLES: usize = 2_200;

#[derive(Default)]
pub(super) struct Location {
    pub(super) strings: StringCache,
    /// The numbers with a fraction or an exponent that were seen there.
    pub(super) floats: StringCache,
    /// The dicts that were seen there.
    pub(super) shapes: Shapes,
    /// The elements of a list there.
    ///
    /// `None` until a list was seen there.
    elements: Option<LocationId>,
}

/// All locations of the records of a run, and what they share.
pub(super) struct Locations {
    /// Number 0 is [`Self::NOWHERE`], number 1 [`Self::RECORD`].
    places: Vec<Location>,
    /// Integers from 0 up that were seen at any location: years, sizes.
    wholes: Vec<Option<Py<PyAny>>>,
}

impl Default for Locations {
    fn default() -> Self {
        let nowhere = Location {
            strings: StringCache::off(),
            floats: StringCache::off(),
            shapes: Shapes::off(),
            elements: None,
        };
        Self { places: vec![nowhere, Location::default()], wholes: Vec::new() }
    }
}

impl Locations {
    /// The location where nothing is remembered.
    pub(super) const NOWHERE: LocationId = LocationId(0);
    pub(super) const RECORD: LocationId = LocationId(1);

    /// `None` only for an id of other `Locations`.
    pub(super) fn get(&mut self, id: LocationId) -> Option<&mut Location> {
        self.places.get_mut(id.0)
    }

    /// The integer, made once if it is small. (Python itself shares those up to 256.)
    pub(super) fn whole<'py>(&mut self, py: Python<'py>, whole: i64) -> PyResult<Bound<'py, PyAny>> {
        let Some(place) = usize::try_from(whole).ok().filter(|place| *place < SHARED_WHOLES) else {
            return Ok(whole.into_pyobject(py)?.into_any());
        };
        if self.wholes.is_empty() {
            self.wholes.resize_with(SHARED_WHOLES, || None);
        }
        let Some(slot) = self.wholes.get_mut(place) else { return Err(super::unread()) };
        if let Some(known) = slot {
            return Ok(known.bind(py).clone());
        }
        let made = whole.into_pyobject(py)?.into_any();
        *slot = Some(made.clone().unbind());
        Ok(made)
    }

    /// A new location, or [`Self::NOWHERE`] if there are too many.
    pub(super) fn add(&mut self) -> LocationId {
        if self.places.len() >= MAX_LOCATIONS {
            return Self::NOWHERE;
        }
        self.places.push(Location::default());
        LocationId(self.places.len() - 1)
    }

    pub(super) fn elements(&mut self, id: LocationId) -> LocationId {
        if id == Self::NOWHERE {
            return id;
        }
        if let Some(known) = self.get(id).and_then(|location| location.elements) {
            return known;
        }
        let new = self.add();
        if let Some(location) = self.get(id) {
            location.elements = Some(new);
        }
        new
    }

    /// Remembers that at this location this key follows the shape; `None` if it cannot be remembered.
    ///
    /// `quoted` is the key as written, `key` its interned string. A key that is known after another shape leads
    /// to the same location, so what was learned there is used again.
    pub(super) fn learn(
        &mut self,
        id: LocationId,
        shape: usize,
        quoted: &[u8],
        key: &Bound<'_, PyString>,
    ) -> Option<(LocationId, usize)> {
        let shapes = &self.get(id)?.shapes;
        if !shapes.takes(shape, key) {
            return None;
        }
        let known = shapes.knows(quoted);
        let under = known.unwrap_or_else(|| self.add());
        let next = self.get(id)?.shapes.add(shape, quoted, key, under)?;
        Some((under, next))
    }
}
