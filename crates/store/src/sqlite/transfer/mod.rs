//! Whole stores: merge, export, backup and migration, and the marks that distinguish copies. All of this is rare, and
//! nothing else in the store depends on it.
//!
//! | file | what it does | other users meanwhile |
//! |---|---|---|
//! | `merge`, `other_store` | takes over the requests of another store | may use both |
//! | `export` | all answers as JSON Lines | may use the store |
//! | `backup` | a complete copy under a new name | may use the store |
//! | `migrate` | new keys after a change of the rules | none |
//! | `marks` | distinguishes a store from an earlier copy of it | may use the store |

mod backup;
mod export;
mod marks;
mod merge;
mod migrate;
mod other_store;

pub use merge::Merged;
pub use migrate::{Migrated, migrate};
