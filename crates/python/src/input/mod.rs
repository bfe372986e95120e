//! Reads rows from Python objects.

pub(crate) mod entry;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod source;
