//! Arrow tables and text files, in and out.
//!
//! ```text
//! the caller's columns ──► by ─────────► Rows ──► run ──► Run::gather ──► table ──► record batches (arrow)
//! a text file ──► records (a part) ──► column ──► by                                  │
//!                      └────────────── beside ◄─────────────────────────────────────┘ bytes for the output file
//! ```
//!
//! Values cross as Arrow arrays or bytes and never as one Python object per cell, except where the caller's own
//! columns have objects. `origins` lets a list of results become a table later.

pub(crate) mod arrow;
pub(crate) mod by;
pub(crate) mod origins;
pub(crate) mod records;
pub(crate) mod table;
