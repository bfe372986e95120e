//! Rows come in, become identifiers, are planned into chunks, are dispatched, the replies are
//! decoded, stored and assembled into results, and results go out. Each stage is one module, takes
//! the type of the stage before, and knows nothing of the stage after.
//!
//! In reading order:
//!
//! | room | what it owns |
//! |---|---|
//! | [`identifier`] | what can be looked up: e-mail, phone, social profile; canonical forms |
//! | [`outcome`] | what became of a lookup, and whether it may be sent |
//! | [`results`] | the outcome of a row, the receipt of a run |
//! | [`plan`] | merge duplicates, remember which row waits for what, cut chunks |
//! | [`policy`], [`pace`], [`budget`], [`concurrency`] | what to do next: pure; time and chance are arguments |
//! | [`vendor`] | everything that knows the vendor: limits, encoding, decoding, transport |
//! | [`store`] | what was asked and paid: the trait, and the one in memory |
//! | [`schedule`] | what a run sends next, and what follows from each reply: pure |
//! | [`dispatch`] | the only place that spawns, sleeps and selects: it carries out what `schedule` decides |
//! | `columns` | identifiers out of Arrow columns, contacts into them (feature `arrow`) |
//! | `records` | text files as rows: CSV and JSON Lines cut, and columns put beside them (feature `arrow`) |
//! | `sandbox` | the stand-in vendor (feature `sandbox`) |
//! | `python` | the only rooms that say pyo3 (feature `python`) |
//!
//! [`config`], [`error`] and [`secret`] are what all of them may name.

pub mod budget;
#[cfg(feature = "arrow")]
pub mod columns;
pub mod concurrency;
pub mod config;
pub mod dispatch;
pub mod error;
pub mod identifier;
pub mod outcome;
pub mod pace;
pub mod plan;
pub mod policy;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "arrow")]
pub mod records;
pub mod results;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod schedule;
pub mod secret;
pub mod store;
pub mod vendor;
