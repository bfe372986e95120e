//! Reads identifiers from the columns of a table.
//!
//! [`cells`] reads one column into one [`Cell`](join::Cell) for each row. [`marks`] splits the text of a cell
//! into several values, and [`regions`] reads the column with the countries of phone numbers, if there is one.
//! [`join`](mod@join) combines the cells of one row from several columns.
//!
//! Reading an empty array of a type checks the type. Callers do that first, so that a table with a wrong column
//! fails before anything is sent. A cell with a wrong value fails nothing: its row is invalid.

pub mod cells;
pub mod join;
pub mod marks;
pub mod regions;
