//! Whole stores: merge, export, backup and migration, and the marks that distinguish copies. All of this is rare, and
//! nothing else in the store depends on it.

mod backup;
mod export;
mod marks;
mod merge;
mod migrate;
mod other_store;

pub use export::Export;
pub use merge::Merged;
pub use migrate::{Migrated, migrate, migrate_unless};
