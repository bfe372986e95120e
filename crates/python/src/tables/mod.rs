//! Arrow tables and text files, in and out.

pub(crate) mod arrow;
pub(crate) mod by;
pub(crate) mod origins;
pub(crate) mod records;
pub(crate) mod table;
