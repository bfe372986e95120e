//! Finds the values of a contact in one pass over its bytes.

pub(crate) mod names;
pub(crate) mod path;
pub(crate) mod trie;
pub(crate) mod walk;
