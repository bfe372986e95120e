//! The only room that knows ExactBuyer's API: its limits, how a request is encoded, how a reply is
//! decoded, and the network as a trait with one method. It knows nothing of runs, budgets or
//! stores.

pub mod align;
pub mod decode;
pub mod limits;
pub mod transport;
pub mod wire;
