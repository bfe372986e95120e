//! What is known of each place in a record: `employment.job.title` is one, whatever the record;
//! the elements of a list share one.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::repeats::Repeats;
use super::shape::Shapes;

/// Names a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SiteId(usize);

/// More places than this are not remembered: no vendor's record has as many, but a dict that is
/// keyed by what it holds (`{"2021-03-01": …}`) would make new ones for ever.
const MAX_SITES: usize = 1_024;

/// Integers below this are made once: one for each year, and a table of a few pages.
const SHARED_WHOLES: usize = 2_200;

/// One place.
#[derive(Default)]
pub(super) struct Site {
    /// The strings that were seen there.
    pub(super) strings: Repeats,
    /// The numbers with a fraction or an exponent that were seen there.
    pub(super) floats: Repeats,
    /// The dicts that were seen there.
    pub(super) shapes: Shapes,
    /// The elements of a list there.
    elements: Option<SiteId>,
}

/// All places of a kind of record, and what they have in common.
pub(super) struct Sites {
    places: Vec<Site>,
    /// Integers from 0 up that were seen anywhere: years, sizes.
    wholes: Vec<Option<Py<PyAny>>>,
}

impl Default for Sites {
    fn default() -> Self {
        let nowhere =
            Site { strings: Repeats::off(), floats: Repeats::off(), shapes: Shapes::off(), elements: None };
        Self { places: vec![nowhere, Site::default()], wholes: Vec::new() }
    }
}

impl Sites {
    /// Where nothing is remembered.
    pub(super) const NOWHERE: SiteId = SiteId(0);
    /// The record itself.
    pub(super) const RECORD: SiteId = SiteId(1);

    pub(super) fn get(&mut self, id: SiteId) -> Option<&mut Site> {
        self.places.get_mut(id.0)
    }

    /// The integer, made once if it is a small one. (Python itself shares those up to 256.)
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

    /// A new place, or nowhere if there are too many.
    pub(super) fn add(&mut self) -> SiteId {
        if self.places.len() >= MAX_SITES {
            return Self::NOWHERE;
        }
        self.places.push(Site::default());
        SiteId(self.places.len() - 1)
    }

    /// The place of the elements of a list at this one.
    pub(super) fn elements(&mut self, id: SiteId) -> SiteId {
        if id == Self::NOWHERE {
            return id;
        }
        if let Some(known) = self.get(id).and_then(|site| site.elements) {
            return known;
        }
        let new = self.add();
        if let Some(site) = self.get(id) {
            site.elements = Some(new);
        }
        new
    }

    /// Remembers that, at this place, this key follows those of the shape; `None` where it may not
    /// be remembered.
    pub(super) fn learn(
        &mut self,
        id: SiteId,
        shape: usize,
        quoted: &[u8],
        key: &Bound<'_, PyString>,
    ) -> Option<(SiteId, usize)> {
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
