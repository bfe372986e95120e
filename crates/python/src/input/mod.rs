//! Reads rows from Python objects.
//!
//! ```text
//! source   what may contain rows: a list, a column, an iterable; common mistakes are refused with their fix
//!   rows   all rows: reads them one by one, checks for Ctrl-C, and counts plans
//!    row   one row: a value, a pair, a mapping, or a list of those
//!  entry   one value: text, a number, or an object that means "no value"
//! columns  what was counted in each column of a table, or at each position of rows that are lists
//! ```
//!
//! A mistake of the whole call (a dict instead of a list, a row that is a tuple of five) raises `TypeError` or
//! `ValueError`. A value that cannot be looked up (`"n/a"`, a phone number without a country) raises nothing:
//! it becomes a reading of the core, and its row gets a status.

pub(crate) mod columns;
pub(crate) mod entry;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod source;
