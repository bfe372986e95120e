//! Rows come in and become identifiers. These are planned into chunks, which are sent. The replies
//! are decoded, stored and assembled into results. Each stage takes the type of the stage before,
//! and knows nothing of the stage after.
//!
//! This crate only decides. It has no runtime, clock, file or random source: time and random
//! numbers are arguments. `clippy.toml` beside its manifest enforces this.
//!
//! In reading order:
//!
//! | room | what it owns |
//! |---|---|
//! | [`identifier`] | what can be looked up: e-mail, phone, social profile; canonical forms |
//! | [`outcome`] | the outcome of a lookup, and whether it may be sent |
//! | [`results`] | the outcome of a row, the receipt of a run |
//! | [`plan`] | duplicates, which row waits for which lookup, chunks, estimates |
//! | [`policy`], [`pace`], [`budget`], [`concurrency`] | what to do next |
//! | [`service`] | everything that knows the service: limits, encoding, decoding, the [`Transport`] trait |
//! | [`store`] | the [`Store`] trait: what was asked and paid |
//! | [`schedule`] | what a run sends next, and what follows from each reply |
//!
//! [`config`], [`error`], [`message`](mod@message), [`secret`], [`lock()`] and the macro [`listed!`] may be used by all of
//! them.
//!
//! [`Transport`]: service::transport::Transport
//! [`Store`]: store::Store

#![cfg_attr(test, allow(clippy::disallowed_methods))] // tests take a moment to start from

pub mod budget;
pub mod concurrency;
pub mod config;
pub mod error;
pub mod identifier;
mod listed;
mod lock;
pub mod message;
pub mod outcome;
pub mod pace;
pub mod plan;
pub mod policy;
pub mod results;
pub mod schedule;
pub mod secret;
pub mod service;
pub mod store;

pub use lock::lock;
