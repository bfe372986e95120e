//! The stores that this process has open: each file once, however many handles there are.
//!
//! Owns handles and their users, opening and closing, what happens to open stores in a fork, the runs that are live, and
//! interrupts. Knows nothing of claims, answers or people: other rooms add their methods to [`SqliteStore`].

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
