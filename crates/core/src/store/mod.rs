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

mod terms;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};

use crate::error::Error;
use crate::identifier::Identifier;

pub use terms::{Ceiling, Claim, Evidence, Room, Terms};

/// The number of a run in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// The number of a request in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RequestId(pub i64);

/// The fields that a contact must have. They are part of the lookup: the same identifier with other
/// required fields is paid for separately.
pub type Required = Arc<[Box<str>]>;

/// What is known about a lookup whose last request has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// The contact's JSON text.
    Hit(Bytes),
    /// The service found nothing.
    Miss,
    /// The service refused this lookup; the reason.
    Rejected(Arc<str>),
    /// It may have been charged, and its outcome is unknown; the reason.
    Unknown(Arc<str>),
}

/// When an answer came, and from which run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether the answer came before this run began, or a process that died has left it in doubt.
    /// In both cases, neither this run nor a concurrent one has sent the lookup.
    pub inherited: bool,
    /// Credits that may have been charged for it, in addition to the known ones.
    pub in_doubt: u32,
}

/// The state of a lookup in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No answer is known and no request is under way. If [`Store::claim`] returns this, the caller
    /// has claimed the lookup.
    Free,
    /// As [`Standing::Free`], but the store has a contact that this run cannot use: it is too old, the run asks for
    /// everything again, or the contact may not have all required fields. It would be paid for a second time.
    Again,
    /// Another request for it is in flight.
    Held,
    /// Its last request has ended, with this result.
    Known(Known, Seen),
    /// It must not be sent; the reason.
    Barred(Arc<str>),
}

/// The outcome of a lookup that a request has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was sent, with this result.
    Known(Known),
    /// It may have been charged, and the same run will send it again; what happened.
    Doubted(Arc<str>),
    /// It was not sent, or was refused free of charge. Every run may ask for it.
    Released,
}

/// A store of lookups, answers and requests.
///
/// Several runs, and with a file several processes, may use one store at the same time.
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

    /// The states of these lookups, in their order. Changes nothing.
    ///
    /// # Errors
    /// If the store cannot be read. Then nothing may be sent.
    fn consult<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [&'a Identifier],
    ) -> BoxFuture<'a, Result<Vec<Standing>, Error>>;

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

    /// Stores the outcomes of lookups that a request has claimed, and wakes all runs that wait for
    /// them. If the request was put in doubt in the meantime, the outcome replaces the doubt.
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
        lookups: Vec<(Identifier, Settled)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>>;

    /// Puts lookups in doubt that a request has claimed, because its task ended without an outcome.
    /// It never waits, so that a destructor can call it.
    fn abandon(&self, run: RunId, required: &Required, request: RequestId, lookups: Vec<Identifier>);

    /// Notes that these lookups, which are in doubt ([`Settled::Doubted`]), will not be sent again
    /// after all. A store that has kept the doubt does nothing.
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
