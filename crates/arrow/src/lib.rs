//! COLUMNS: identifiers out of a table's columns, and contacts' bytes into columns of Arrow. Pure:
//! no runtime, no clock, no Python; nothing is known here of requests, money or whose table it is.
//!
//! On the way in, [`cells`] reads each cell of the columns to look up, and [`join()`] makes rows of
//! what stands side by side. On the way out, [`Layout`] says which columns there are; an
//! [`Assembler`] puts outcomes into the order of the rows, and turns each block of rows that is
//! complete into a record batch: one pass over each contact's bytes, no tree in between.

mod assemble;
mod block;
pub mod cells;
mod join;
mod kind;
mod layout;
pub mod marks;
mod moments;
mod names;
mod numbers;
mod path;
pub mod regions;
mod texts;
mod trie;
mod values;
mod walk;

pub use assemble::Assembler;
pub use join::{Cell, join};
pub use kind::Kind;
pub use layout::{DEFAULT, FIXED, Layout, Wanted};
pub use path::Path;
