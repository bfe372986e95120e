//! Reads identifiers from Arrow columns, and writes contacts into Arrow columns. Pure: no runtime,
//! no clock, no Python. It knows nothing of requests, money, or which library the table belongs to.
//!
//! On the way in, [`input::cells`] reads each cell of the columns to look up, and [`join()`] combines the
//! cells of one row into one row of the plan. On the way out, [`Layout`] says which columns there
//! are. An [`Assembler`] puts the outcomes into the order of the rows, and turns each complete
//! block of rows into a record batch. It reads the bytes of each contact once, and builds no tree.
//!
//! ```text
//! columns to look up                                 outcomes of rows, in any order
//!       │ input::cells, input::regions                      │ Assembler::add
//!       ▼                                                   ▼
//! one Cell per row and column                         Block: waits for all its rows
//!       │ join                                              │ Block::make
//!       ▼                                                   ▼
//! one plan::Row per row ──► (core, dispatch) ──►      fixed columns │ values of the contacts: contact::walk
//!                                                           ▼        finds them, values::column builds arrays
//!                                                     record batches, in the order of the rows
//! ```
//!
//! Read `layout` first, then `assemble`, `block`, `contact/` and `values/`. `keys` is for frames of a cluster,
//! whose rows are read in several processes.
//!
//! A value that does not fit its column becomes null and is counted. Nothing that a contact contains may make a
//! table fail: the contact is paid for by then.

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
