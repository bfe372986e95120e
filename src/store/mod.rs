//! What was asked and paid, so that nothing is paid for twice.
//!
//! A [`Store`] is asked before anything is sent ([`Store::consult`]), notes the intent to send
//! ([`Store::claim`]) and keeps the answers ([`Store::settle`]). It knows lookups and answers, and
//! nothing of requests, retries or rows.

mod memory;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::futures::Notified;

use crate::error::Error;
use crate::identifier::Identifier;

pub use memory::MemoryStore;

/// A run, as a store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

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

/// How a lookup stands with the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has asked. From [`Store::claim`]: it is the claimant's now.
    Free,
    /// Another run is asking right now.
    Held,
    /// It has been asked.
    Known(Known),
}

/// What became of a claimed lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was asked, and this is known.
    Known(Known),
    /// It was not sent, or refused free of charge: anybody may ask.
    Released,
}

/// What was asked and paid.
pub trait Store: Send + Sync + 'static {
    /// A run begins: what is answered from now on while it lasts is there for it.
    fn begin(&self) -> RunId;

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
    ) -> BoxFuture<'a, Result<Vec<Standing>, Error>>;

    /// Says what became of claimed lookups, and wakes whoever waits for them.
    ///
    /// # Errors
    /// Where it could not be kept; it still reaches the caller.
    fn settle<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: Vec<(Identifier, Settled)>,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Resolves after the next [`Store::settle`] of any run.
    fn changed(&self) -> Notified<'_>;
}
