//! What was asked and paid, so that nothing is paid for twice.
//!
//! A [`Store`] is asked before anything is sent ([`Store::consult`]), notes the intent to send
//! ([`Store::claim`]) and keeps the answers ([`Store::settle`]). It knows lookups, their outcomes and requests. It
//! knows nothing of retries, rows, or how the service words its replies.

mod memory;
#[cfg(feature = "store")]
pub mod sqlite;
mod terms;

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};
use tokio::sync::futures::Notified;

use crate::error::Error;
use crate::identifier::Identifier;

pub use crate::budget::Room;
pub use crate::outcome::{Availability, Outcome, Seen};
pub use memory::MemoryStore;
pub use terms::{Ceiling, Claim, Evidence, Terms};

/// A run, as a store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// A request, as a store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RequestId(pub i64);

/// The required fields that a match must have: part of what is paid for.
pub type Required = Arc<[Box<str>]>;

/// What was asked and paid.
pub trait Store: Send + Sync + 'static {
    /// A run begins, on these terms. It may use every answer that arrives from now on until it ends.
    fn begin(&self, terms: Terms) -> RunId;

    /// The run is over.
    fn end(&self, run: RunId);

    /// Whether answers outlive the runs that asked for them.
    fn durable(&self) -> bool;

    /// If nobody else will ever ask for the answers of this run, gives these claims back in one step, and
    /// returns true: then [`Store::settle`] is not needed.
    fn release_if_alone(&self, run: RunId, required: &Required, lookups: &[Identifier]) -> bool {
        let _ = (run, required, lookups);
        false
    }

    /// Whether these lookups may be sent, in their order. Changes nothing.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn consult<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [&'a Identifier],
    ) -> BoxFuture<'a, Result<Vec<Availability>, Error>>;

    /// Claims the lookups that are free and notes the intent to send them, in one step: after this, no other run
    /// sends them.
    ///
    /// # Errors
    /// If the intent could not be noted: then nothing may be sent.
    ///
    /// # Cancel safety
    /// Not safe: the lookups would stay claimed.
    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>>;

    /// Stores what became of the lookups that a request claimed, and wakes the runs that wait for them. Lookups
    /// that were not sent become free. A request that was given up can still be settled: the answer replaces the
    /// doubt.
    ///
    /// Returns how many contacts are deliberately not stored, because they mention a purged person. The caller
    /// still gets them.
    ///
    /// # Errors
    /// If the outcomes could not be stored. The caller still gets them.
    ///
    /// # Cancel safety
    /// Safe: once called, it is done, even if nobody waits for it.
    fn settle<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        request: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>>;

    /// The task of a request ended without a result: the lookups that it had claimed are in doubt. Never waits, so
    /// that a destructor can call it.
    fn abandon(&self, run: RunId, required: &Required, request: RequestId, lookups: Vec<Identifier>);

    /// These lookups were sent once and are unknown. The run had announced that it would send them again
    /// ([`Evidence::resends`]), and now it will not. A store that has kept the doubt has nothing to do.
    ///
    /// # Errors
    /// If the doubt could not be stored.
    fn doubt<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: Vec<(Identifier, Arc<str>)>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let _ = (run, required, lookups);
        ready(Ok(())).boxed()
    }

    /// Resolves after the next change that another run could wait for.
    fn changed(&self) -> Notified<'_>;

    /// Looks whether other processes have changed anything, or have died, and if so lets [`Store::changed`]
    /// resolve. A run that waits for a change calls this regularly. Never waits itself.
    fn listen(&self) {}
}
