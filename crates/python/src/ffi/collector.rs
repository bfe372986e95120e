//! Keeps `CPython`'s cyclic collector from visiting the new objects of a run: there is nothing to find in them.
//!
//! The collector visits a container when it is young, again in the middle generation, and again when it is old. For a
//! million objects that stay alive, these visits take longer than building them. So the collector is paused while
//! objects are built ([`built_as_old`]), and the new objects go straight to its old generation. They are tracked like
//! any other object: a cycle that the user makes of results later is found and freed.
//!
//! `gc.freeze()` followed by `gc.unfreeze()` would also make objects old, but all of them, and would undo a freeze of
//! the user. There is no public function that moves only some. So this module moves them between the collector's lists
//! itself. The layout of these lists is the same in all versions that [`is_known`] names; what is found there is
//! compared with what the `gc` module says before it is used ([`Lists::find`]). On other versions, or if anything
//! differs, objects stay young: `docs/decisions/0015-collector.md`.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyList;

use super::released_cpython;

/// The header in front of each tracked object (`PyGC_Head`). Each list also begins with one, and is circular.
#[repr(C)]
struct Node {
    next: *mut Node,
    /// The address of the node before, with two flags in its lowest bits.
    prev: usize,
}

/// The bits of [`Node::prev`] that are flags.
const FLAGS: usize = 3;

/// The list of a generation (`struct gc_generation`).
#[repr(C)]
struct Generation {
    head: Node,
    threshold: c_int,
    count: c_int,
}

/// The collector's generations in the interpreter's state: young, middle and old.
type Generations = [Generation; 3];

/// Where the interpreter keeps its lists. The module refuses to be loaded into a second interpreter.
struct Lists(NonNull<Generations>);
// SAFETY: the pointer is only followed by threads that are attached to the interpreter.
unsafe impl Send for Lists {}
// SAFETY: as above.
unsafe impl Sync for Lists {}

impl Lists {
    /// The lists of this interpreter; `None` if they are not where they are expected.
    fn of(py: Python<'_>) -> Option<&Self> {
        static LISTS: PyOnceLock<Option<Lists>> = PyOnceLock::new();
        LISTS.get_or_init(py, || Self::find(py).ok().flatten()).as_ref()
    }

    fn find(py: Python<'_>) -> PyResult<Option<Self>> {
        if !is_known(py) {
            return Ok(None);
        }
        let thresholds: [c_int; 3] = py.import("gc")?.call_method0("get_threshold")?.extract()?;
        // The newest object is the last one of the young generation, so its successor is the head of the list.
        let newest = PyList::empty(py);
        // SAFETY: on these versions each list object has a node in front of it, whose neighbours are nodes. The
        // thresholds are read next: they are within the interpreter's state, which is far larger than `Generations`.
        // The heads are followed only if the thresholds match.
        let found = unsafe {
            let head = (*node(&newest)).next;
            if head.is_null() || !head.is_aligned() {
                return Ok(None);
            }
            let generations = head.cast::<Generations>();
            let is_expected = without_flags((*head).prev) == node(&newest)
                && (*generations).iter().map(|generation| generation.threshold).eq(thresholds)
                && (*generations).iter().all(|generation| {
                    let head = &raw const generation.head;
                    (*without_flags((*head).prev)).next.cast_const() == head
                        && without_flags((*(*head).next).prev).cast_const() == head
                });
            is_expected.then_some(generations)
        };
        Ok(found.and_then(NonNull::new).map(Self))
    }

    /// Moves all young objects that are newer than `mark` to the end of the old generation.
    fn make_old(&self, mark: &Bound<'_, PyList>) {
        let mark = node(mark);
        // SAFETY: `mark` shows that this thread is attached, so no other thread changes the lists. The nodes from
        // `mark` to the head of the young list are a part of that list: the loop has followed them. Cutting them out
        // there and putting them in before the head of the old list leaves two sound circular lists. The flags of each
        // node are kept.
        unsafe {
            let generations = self.0.as_ptr();
            let young = &raw mut (*generations)[0].head;
            let old = &raw mut (*generations)[2].head;
            let (first, mut last) = ((*mark).next, mark);
            // Only if Python code ran meanwhile can `mark` be in another list.
            while (*last).next != young {
                last = (*last).next;
                if last == mark {
                    return;
                }
            }
            if last == mark {
                return;
            }
            (*mark).next = young;
            (*young).prev = mark.expose_provenance();
            let before = without_flags((*old).prev);
            (*before).next = first;
            (*first).prev = before.expose_provenance() | ((*first).prev & FLAGS);
            (*last).next = old;
            (*old).prev = last.expose_provenance();
        }
    }
}

/// Whether this is a `CPython` with the collector that this module knows. 3.14.0 to 3.14.4, early versions of 3.15 and
/// free-threaded builds have other collectors, whose lists look the same.
fn is_known(py: Python<'_>) -> bool {
    let is_known =
        |version| ((3, 10, 0)..(3, 14, 0)).contains(&version) || ((3, 14, 5)..(3, 16, 0)).contains(&version);
    released_cpython(py).is_some_and(is_known)
}

fn node(object: &Bound<'_, PyList>) -> *mut Node {
    object.as_ptr().cast::<Node>().wrapping_sub(1)
}

fn without_flags(prev: usize) -> *mut Node {
    ptr::with_exposed_provenance_mut(prev & !FLAGS)
}

/// Does `work` with the cyclic collector paused, and makes the objects that it has built old.
///
/// `work` must not run Python code or release the interpreter; building dicts, lists, strings and numbers does
/// neither. So no other thread can see or change the collector's state meanwhile, because the module asks for the
/// interpreter's lock. If the user has switched the collector off, it stays off and nothing is moved. The collector is
/// resumed however `work` ends.
pub(in super::super) fn built_as_old<T>(py: Python<'_>, work: impl FnOnce() -> T) -> T {
    struct Resume;
    impl Drop for Resume {
        fn drop(&mut self) {
            // SAFETY: made and dropped within the borrow of `py`, so attached.
            unsafe { ffi::PyGC_Enable() };
        }
    }
    // SAFETY: `py` says that this thread is attached. Returns whether it was enabled.
    if unsafe { ffi::PyGC_Disable() } == 0 {
        return work();
    }
    let _resume = Resume;
    let mark = PyList::empty(py);
    let done = work();
    if let Some(lists) = Lists::of(py) {
        lists.make_old(&mark);
    }
    done
}

/// Finds the lists, so that nothing is imported later.
pub(in super::super) fn prepare(py: Python<'_>) {
    Lists::of(py);
}
