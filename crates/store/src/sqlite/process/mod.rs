//! The stores that this process has open: each file once, however many handles there are.
//!
//! Owns handles and their users, opening and closing, what happens to open stores in a fork, the runs that are live, and
//! interrupts. Knows nothing of claims, answers or people: other rooms add their methods to [`SqliteStore`].
//!
//! ```text
//!  registry ── Weak ──▶ Opening ◀── Arc ── handles: SqliteStore and its clones, in calls and in tasks of runs
//!                         │
//!                         ├── three Workers (their threads), Shared (files with locks)
//!                         └── users: one for each handle that somebody will close
//! ```
//!
//! | moment | what happens |
//! |---|---|
//! | the first `open` of a file | the opening is made; requests that dead owners have left are buried |
//! | another `open` of the same file | the same opening, another user |
//! | the last user closes, or the last reference is dropped | threads end, files are closed; another thread that opens waits |
//! | a fork | all threads close their files and wait; the child forgets the openings |
//!
//! A file has one opening in a process: where locks belong to the process, closing any descriptor of the file drops
//! all of them.

mod closing;
mod handle;
mod interrupt;
mod live_runs;
mod open;
mod opening;
mod registry;

pub use handle::SqliteStore;
pub use interrupt::Interrupt;
pub(crate) use live_runs::RunState;
pub(crate) use open::alone;
pub use open::service_at;
pub(crate) use opening::with_owners;
pub use registry::{after_fork, before_fork};
