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
//! | [`results`] | the outcome of a row, the receipt of a run |
//! | [`plan`] | duplicates, which row waits for which lookup, chunks, estimates |
//! | [`policy`], [`pace`], [`budget`], [`concurrency`] | what to do next |
//! | [`service`] | everything that is specific to ExactBuyer's API: limits, encoding, decoding, the [`Transport`] trait |
//! | [`store`] | the [`Store`] trait: what was asked and paid for |
//!
//! Every room may use [`config`], [`error`] and [`secret`].
//!
//! [`Transport`]: service::transport::Transport
//! [`Store`]: store::Store

#![cfg_attr(test, allow(clippy::disallowed_methods))] // tests take a moment to start from

pub mod budget;
pub mod concurrency;
pub mod config;
pub mod error;
pub mod identifier;
pub mod pace;
pub mod plan;
pub mod policy;
pub mod results;
pub mod secret;
pub mod service;
pub mod store;
