//! What was asked and paid, so that nothing is paid for twice.
//!
//! A [`Store`] is asked before anything is sent ([`Store::consult`]), notes the intent to send
//! ([`Store::claim`]) and keeps the answers ([`Store::settle`]). It knows lookups, answers and what
//! a request came to; of retries, rows and the vendor's words it knows nothing.

mod terms;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};

use crate::error::Error;
use crate::identifier::Identifier;

pub use terms::{Ceiling, Claim, Evidence, Room, Terms};

/// A run, as a store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// A request, as a store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RequestId(pub i64);

/// The required fields that a match must have: part of what is paid for.
pub type Required = Arc<[Box<str>]>;

/// What is known of a lookup whose last request is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// The contact's JSON text.
    Hit(Bytes),
    /// The vendor has nobody.
    Miss,
    /// The vendor refused this record; why.
    Rejected(Arc<str>),
    /// It may have been charged, and what came of it cannot be told; why.
    Unknown(Arc<str>),
}

/// Since when something is known, and from whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// When it became known, in milliseconds since 1970.
    pub at_ms: i64,
    /// It was known before the run began, or is what a process that died has left: nothing that
    /// this run or one beside it has done.
    pub inherited: bool,
    /// Credits that may have been charged for it without anybody knowing.
    pub in_doubt: u32,
}

/// How a lookup stands with the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has asked. From [`Store::claim`]: it is the claimant's now.
    Free,
    /// As [`Standing::Free`], but the store has a contact for it that is of no use to this run: too
    /// old, told to be asked for again, or one that need not have all of the required fields. This
    /// would be paid for a second time.
    Again,
    /// Another request is asking right now.
    Held,
    /// It has been asked.
    Known(Known, Seen),
    /// It is not to be sent; why.
    Barred(Arc<str>),
}

/// What became of a claimed lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was asked, and this is known.
    Known(Known),
    /// It may have been charged, and the run that sent it will send it again; what happened.
    Doubted(Arc<str>),
    /// It was not sent, or refused free of charge: anybody may ask.
    Released,
}

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
    ) -> BoxFuture<'a, Result<Vec<Standing>, Error>>;

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

    /// Says what became of the lookups that a request claimed, and wakes whoever waits for them. Can
    /// be said of a request that was given up, too: what is known replaces the doubt.
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
        lookups: Vec<(Identifier, Settled)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>>;

    /// The task of a request ended without a word: what it had claimed is in doubt. Never waits, so
    /// that a destructor can say it.
    fn abandon(&self, run: RunId, required: &Required, request: RequestId, lookups: Vec<Identifier>);

    /// These were sent once, are in doubt ([`Settled::Doubted`]), and will not be sent again after
    /// all. A store that has kept the doubt has nothing to do.
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
    fn changed(&self) -> BoxFuture<'_, ()>;

    /// Looks whether other processes have changed anything, or have died, and if so lets
    /// [`Store::changed`] resolve. To be called now and then by who waits; never waits itself.
    fn listen(&self) {}
}
