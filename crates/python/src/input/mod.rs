//! How rows are read out of Python's objects.

pub(crate) mod entry;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod source;
