//! Lookups, their answers and the requests that asked for them, so that nothing is paid for twice.
//!
//! A run uses a [`Store`] in this order:
//!
//! 1. [`Store::begin`] tells the store the terms of the run.
//! 2. [`Store::consult`] looks up what is known about new lookups.
//! 3. [`Store::claim`] records the intent to send, before each request. If it fails, nothing is
//!    sent.
//! 4. [`Store::settle`] keeps the answers of the request. If the task of the request ends without
//!    an outcome, [`Store::abandon`] puts its lookups in doubt.
//! 5. [`Store::end`] ends the run.
//!
//! A store knows nothing of retries, of rows, or of what a reply looks like.

mod required;
mod terms;

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};

use crate::error::Error;
use crate::identifier::Identifier;

pub use crate::outcome::{Availability, Outcome, RequestOutcome, Seen};
pub use required::Required;
pub use terms::{Ceiling, Claim, Evidence, Room, Terms};

/// The number of a run in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// The number of a request in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RequestId(pub i64);

/// Why a lookup is unknown if the task of its request ended without an outcome ([`Store::abandon`]).
pub const ABANDONED: &str = "its request ended without an outcome";

/// Lookups, answers and requests.
pub trait Store: Send + Sync + 'static {
    /// Begins a run on these terms. All answers that arrive before its end are kept for it.
    fn begin(&self, terms: Terms) -> RunId;

    /// Ends a run.
    fn end(&self, run: RunId);

    /// Whether answers outlive the runs that asked for them.
    fn durable(&self) -> bool;

    /// If no other run can ask for the answers of this run, releases these claims and returns
    /// `true`. Then [`Store::settle`] is not needed.
    fn release_if_alone(&self, run: RunId, required: &Required, lookups: &[Identifier]) -> bool {
        let _ = (run, required, lookups);
        false
    }

    /// Whether these lookups may be sent, in their order. Changes nothing.
    ///
    /// # Errors
    /// If the store cannot be read. Then nothing may be sent.
    fn consult<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [&'a Identifier],
    ) -> BoxFuture<'a, Result<Vec<Availability>, Error>>;

    /// Claims the lookups that are free and records the intent to send them, in one step. After it
    /// has returned, no other run sends them.
    ///
    /// # Errors
    /// If the intent could not be recorded. Then nothing may be sent.
    ///
    /// # Cancel safety
    /// Not cancel safe: the claimed lookups would stay claimed.
    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>>;

    /// Stores the outcome of the lookups that a request has claimed, and wakes all runs that wait for them. Those that
    /// were not sent are free again. If the request was put in doubt meanwhile, the outcome replaces the doubt.
    ///
    /// Returns how many contacts are deliberately not stored, because they mention a purged person.
    /// The caller still receives them.
    ///
    /// # Errors
    /// If the outcomes could not be stored. The caller still receives them.
    ///
    /// # Cancel safety
    /// Cancel safe: after the call, the work is done even if the future is dropped.
    fn settle<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        request: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>>;

    /// Tries once more to store the outcomes of these requests, for which [`settle`](Self::settle) has failed. Returns
    /// those whose outcomes are stored by now.
    fn settle_again(&self, requests: Vec<RequestId>) -> BoxFuture<'_, Vec<RequestId>> {
        let _ = requests;
        ready(Vec::new()).boxed()
    }

    /// Puts lookups in doubt that a request has claimed, because its task ended without an outcome.
    /// It never waits, so that a destructor can call it.
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

    /// Resolves after the next change for which another run may be waiting.
    fn changed(&self) -> BoxFuture<'_, ()>;

    /// Checks whether other processes have changed something or have died. If so,
    /// [`Store::changed`] resolves. A run that waits must call this from time to time. It never
    /// waits itself.
    fn listen(&self) {}
}
