//! Runs, as Python sees them: how they start, how Python waits for them, and how results are built.

pub(crate) mod assembly;
pub(crate) mod awaiting;
pub(crate) mod engine;
pub(crate) mod run;
pub(crate) mod waiting;
