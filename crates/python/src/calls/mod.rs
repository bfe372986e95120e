//! Runs, as Python sees them: how they start, how Python waits for them, and how results are built.
//!
//! A call passes through these files in this order:
//!
//! | file | owns |
//! |---|---|
//! | `engine` | settings, key, store and limits of one enricher; starts runs and closes them |
//! | `run` | one run: rows in, waits, results out |
//! | `awaiting` | how a coroutine waits: an asyncio future, and the thread that resolves it |
//! | `assembly` | which value of the caller belongs to which outcome, and results in input order |
//! | `waiting` | a wait for the store on a thread of its own, so that Ctrl-C is seen |
//!
//! What is sent, and what it costs, is decided in the crates `core` and `dispatch`. How a call ends for the
//! user (results, a warning, an exception) is decided in `python/exactbuyer/_calls/call.py`.

pub(crate) mod assembly;
pub(crate) mod awaiting;
pub(crate) mod engine;
pub(crate) mod run;
pub(crate) mod waiting;
