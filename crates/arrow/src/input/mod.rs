//! Identifiers out of a table's columns.

pub mod cells;
pub mod join;
pub mod marks;
pub mod regions;
