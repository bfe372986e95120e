//! Where a contact's values stand, found in one pass over its bytes.

pub(crate) mod names;
pub(crate) mod path;
pub(crate) mod trie;
pub(crate) mod walk;
