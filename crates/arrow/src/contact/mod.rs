//! Finds the values of a contact in one pass over its bytes.
//!
//! [`path`] parses the paths of the columns, [`trie`] combines them into one tree, and [`walk`]
//! goes over the bytes of a contact along this tree. [`names`] remembers the member names of
//! earlier contacts, so that the walk need not decode them again.
//!
//! An example. The columns `employment.name` (0) and `phone_numbers[*].E164` (1) make this tree:
//!
//! ```text
//! root ── employment ── name            column 0 ends here: one span, or none
//!     └── phone_numbers ── [*] ── E164  column 1 ends here: a span or a gap for each element
//! ```

pub(crate) mod names;
pub(crate) mod path;
pub(crate) mod trie;
pub(crate) mod walk;
