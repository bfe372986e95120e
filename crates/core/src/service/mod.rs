//! Everything that knows the vendor: its limits, how a request is spelled, how a reply is read, and
//! the network, one method wide. Knows nothing of runs, budgets or stores.

pub mod align;
pub mod decode;
pub mod limits;
pub mod transport;
pub mod wire;
