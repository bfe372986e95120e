//! COLUMNS: identifiers out of a table's columns, and contacts' bytes into columns of Arrow. Pure:
//! no runtime, no clock, no Python; nothing is known here of requests, money or whose table it is.
//!
//! On the way in, [`cells`] reads each cell of the columns to look up, and [`join()`] makes rows of
//! what stands side by side. On the way out, [`Layout`] says which columns there are; an
//! [`Assembler`] puts outcomes into the order of the rows, and turns each block of rows that is
//! complete into a record batch: one pass over each contact's bytes, no tree in between.

mod assemble;
mod block;
mod contact;
pub mod input;
mod layout;
mod values;

pub use assemble::Assembler;
pub use contact::path::Path;
pub use input::join::{Cell, join};
pub use layout::{DEFAULT, FIXED, Layout, Wanted};
pub use values::kind::Kind;
