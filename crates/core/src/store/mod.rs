//! Lookups, their answers and the requests that asked for them, so that nothing is paid for twice.
//!
//! The engine asks a [`Store`] before it sends anything ([`Store::consult`]). The store records the intent to send
//! ([`Store::claim`]) and keeps the answers ([`Store::settle`]). It knows nothing of retries, of rows, and of what a reply
//! looks like.

mod terms;

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};

use crate::error::Error;
use crate::identifier::Identifier;

pub use crate::outcome::{Availability, Outcome, Seen};
pub use terms::{Ceiling, Claim, Evidence, Room, Terms};

/// The number of a run in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// The number of a request in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RequestId(pub i64);

/// The fields that a contact must have. They are a part of what is paid for.
pub type Required = Arc<[Box<str>]>;

/// Lookups, answers and requests.
pub trait Store: Send + Sync + 'static {
    /// Begins a run on these terms. All answers that arrive until its end are kept for it.
    fn begin(&self, terms: Terms) -> RunId;

    /// Ends a run.
    fn end(&self, run: RunId);

    /// Whether answers outlive the runs that asked for them.
    fn durable(&self) -> bool;

    /// If nobody else can ask for the answers of this run, releases these claims and returns `true`. Then
    /// [`Store::settle`] is not needed.
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

    /// Claims the lookups that are free and records the intent to send them, in one step. After it has returned, no other
    /// run sends them.
    ///
    /// # Errors
    /// If the intent could not be recorded: then nothing may be sent.
    ///
    /// # Cancel safety
    /// Not safe: the claimed lookups would stay claimed.
    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>>;

    /// Stores the outcome of the lookups that a request has claimed, and wakes all runs that wait for them. Those that
    /// were not sent are free again. If the request was put in doubt meanwhile, the outcome replaces the doubt.
    ///
    /// Returns how many contacts are deliberately not stored, because they mention a purged person. They still reach the
    /// caller.
    ///
    /// # Errors
    /// If the outcome could not be stored. It still reaches the caller.
    ///
    /// # Cancel safety
    /// Safe: once called, it is done even if nobody waits for it.
    fn settle<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        request: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>>;

    /// Puts the lookups in doubt that a request has claimed, because its task ended without an outcome. Never waits, so that a
    /// destructor can call it.
    fn abandon(&self, run: RunId, required: &Required, request: RequestId, lookups: Vec<Identifier>);

    /// Notes that these lookups, which are in doubt, will not be sent again after all, as the run had announced
    /// ([`Evidence::resends`]). A store that has kept the doubt does nothing.
    ///
    /// # Errors
    /// If it could not be stored.
    fn doubt<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: Vec<(Identifier, Arc<str>)>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let _ = (run, required, lookups);
        ready(Ok(())).boxed()
    }

    /// Resolves after the next change for which another run may wait.
    fn changed(&self) -> BoxFuture<'_, ()>;

    /// Checks whether other processes have changed something or have died, and if so, lets [`Store::changed`] resolve. A run
    /// that waits must call it now and then. Never waits itself.
    fn listen(&self) {}
}
