//! Reads identifiers from the columns of a table.

pub mod cells;
pub mod join;
pub mod marks;
pub mod regions;
