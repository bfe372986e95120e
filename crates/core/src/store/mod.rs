//! Lookups, their answers and the requests that asked for them, so that nothing is paid for twice.
//!
//! The engine asks a [`Store`] before it sends anything ([`Store::consult`]). The store records the intent to send
//! ([`Store::claim`]) and keeps the answers ([`Store::settle`]). It knows nothing of retries, of rows, and of what a reply
//! looks like.

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

/// The fields that a contact must have. They are a part of what is paid for.
pub type Required = Arc<[Box<str>]>;

/// What is known about a lookup whose last request has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// The contact's JSON text.
    Hit(Bytes),
    /// The service knows nobody.
    Miss,
    /// The service refused this lookup; the reason.
    Rejected(Arc<str>),
    /// It may have been charged, and its outcome is unknown; the reason.
    Unknown(Arc<str>),
}

/// When and from where an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it came before the run began, or a dead process has left it in doubt: neither this run nor one at the same
    /// time has sent it.
    pub inherited: bool,
    /// Credits that may have been charged for it, in addition to the known ones.
    pub in_doubt: u32,
}

/// How a lookup stands with the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has asked. If [`Store::claim`] returns this, the caller has claimed it.
    Free,
    /// As [`Standing::Free`], but the store has a contact that this run cannot use: it is too old, the run asks for
    /// everything again, or the contact may not have all required fields. It would be paid for a second time.
    Again,
    /// Another request is asking at this moment.
    Held,
    /// It has been asked.
    Known(Known, Seen),
    /// It must not be sent; the reason.
    Barred(Arc<str>),
}

/// The outcome of a claimed lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was sent, and this is known.
    Known(Known),
    /// It may have been charged, and the run that sent it will send it again; what happened.
    Doubted(Arc<str>),
    /// It was not sent, or was refused free of charge. Everybody may ask for it.
    Released,
}

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

    /// How these lookups stand, in their order. Changes nothing.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn consult<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [&'a Identifier],
    ) -> BoxFuture<'a, Result<Vec<Standing>, Error>>;

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

    /// Stores the outcome of the lookups that a request has claimed, and wakes all runs that wait for them. If the request
    /// was put in doubt meanwhile, the outcome replaces the doubt.
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
        lookups: Vec<(Identifier, Settled)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>>;

    /// Puts the lookups in doubt that a request has claimed, because its task ended without an outcome. Never waits, so that a
    /// destructor can call it.
    fn abandon(&self, run: RunId, required: &Required, request: RequestId, lookups: Vec<Identifier>);

    /// Notes that these lookups, which are in doubt ([`Settled::Doubted`]), will not be sent again after all. A store that
    /// has kept the doubt does nothing.
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
