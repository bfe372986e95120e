//! What was asked and paid, so that nothing is paid for twice.
//!
//! A [`Store`] is asked before anything is sent ([`Store::consult`]), notes the intent to send
//! ([`Store::claim`]) and keeps the answers ([`Store::settle`]). It knows lookups, answers and what
//! a request came to; of retries, rows and the vendor's words it knows nothing.

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
    /// A run begins, on these terms: what is answered from now on while it lasts is there for it.
    fn begin(&self, terms: Terms) -> RunId;

    /// The run is over.
    fn end(&self, run: RunId);

    /// Whether answers outlive the runs that asked for them.
    fn durable(&self) -> bool;

    /// If nobody else will ever ask for the answers of this run, gives its claims back, in one step,
    /// and spares it [`Store::settle`]; whether that was so.
    fn release_if_alone(&self, run: RunId, required: &Required, lookups: &[Identifier]) -> bool {
        let _ = (run, required, lookups);
        false
    }

    /// How these lookups stand, in their order. Changes nothing.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn consult<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [&'a Identifier],
    ) -> BoxFuture<'a, Result<Vec<Availability>, Error>>;

    /// Claims those that are free and notes the intent to send them, in one step: when this has
    /// returned, no other run will send them.
    ///
    /// # Errors
    /// Where the intent could not be noted: then nothing may be sent.
    ///
    /// # Cancel safety
    /// Not safe: what was claimed would stay claimed.
    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>>;

    /// Says what became of the lookups that a request claimed, and wakes whoever waits for them. What was not
    /// sent, anybody may ask for. A request that was given up can still be settled: what is known replaces the
    /// doubt.
    ///
    /// Returns how many contacts are deliberately not stored, because they mention a purged person. They
    /// still reach the caller.
    ///
    /// # Errors
    /// Where it could not be kept; it still reaches the caller.
    ///
    /// # Cancel safety
    /// Safe: once called, it is done, whether or not anybody waits for it.
    fn settle<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        request: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>>;

    /// The task of a request ended without a word: what it had claimed is in doubt. Never waits, so
    /// that a destructor can say it.
    fn abandon(&self, run: RunId, required: &Required, request: RequestId, lookups: Vec<Identifier>);

    /// These lookups were sent once and are unknown. The run had announced that it would send them again
    /// ([`Evidence::resends`]), and now it will not. A store that has kept the doubt has nothing to do.
    ///
    /// # Errors
    /// Where it could not be kept.
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

    /// Looks whether other processes have changed anything, or have died, and if so lets
    /// [`Store::changed`] resolve. To be called now and then by who waits; never waits itself.
    fn listen(&self) {}
}
