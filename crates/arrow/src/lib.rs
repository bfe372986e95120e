//! Reads identifiers from Arrow columns, and writes contacts into Arrow columns. Pure: no runtime,
//! no clock, no Python. It knows nothing of requests, money, or which library the table belongs to.
//!
//! On the way in, [`input::cells`] reads each cell of the columns to look up, and [`join()`] combines the
//! cells of one row into one row of the plan. On the way out, [`Layout`] says which columns there
//! are. An [`Assembler`] puts the outcomes into the order of the rows, and turns each complete
//! block of rows into a record batch. It reads the bytes of each contact once, and builds no tree.

mod assemble;
mod block;
mod contact;
pub mod input;
mod keys;
mod layout;
mod values;

pub use assemble::Assembler;
pub use contact::path::Path;
pub use input::join::{Cell, join};
pub use keys::{counts_of, key_batch, key_schema, rows_of_asks};
pub use layout::{DEFAULT, FIXED, Layout, Wanted};
pub use values::kind::Kind;
