//! The requests that the shell gets, and the reports that it returns. Data only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::identifier::Identifier;
use crate::outcome::Availability;
use crate::plan::LookupId;
use crate::policy::Verdict;
use crate::service::align::Settlement;
use crate::store::{RequestId, Room};

use super::retries::GroupId;

/// Lookups that travel together.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunk {
    /// They are in no other chunk, and not in the queue of the table.
    pub(super) ids: Vec<LookupId>,
    /// Attempts that count against `max_retries`.
    pub(super) attempts: u32,
    /// Not to be sent before.
    pub(super) due: Option<Instant>,
    /// The refused chunk that it is a part of.
    pub(super) group: Option<GroupId>,
    /// What happened to an earlier attempt that may have been charged.
    pub(super) doubt: Option<Arc<str>>,
}

impl Chunk {
    /// Whether its lookups can be mixed with others again.
    pub(super) const fn is_plain(&self) -> bool {
        self.attempts == 0 && self.group.is_none() && self.doubt.is_none()
    }

    /// A chunk with the same past (attempts, group, doubt) and these lookups.
    pub(super) fn with(&self, ids: Vec<LookupId>) -> Self {
        let Self { attempts, due, group, ref doubt, .. } = *self;
        Self { ids, attempts, due, group, doubt: doubt.clone() }
    }
}

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) chunk: Chunk,
    /// When its slot of the rate was taken.
    pub(super) slot: Instant,
    /// Credits set aside for it.
    pub(super) reserved: usize,
}

/// A request to claim, send and settle.
#[derive(Debug)]
pub struct Request {
    /// Names it in [`Scheduler::landed`](super::Scheduler::landed).
    pub number: u64,
    /// What to look up.
    pub identifiers: Vec<Identifier>,
    /// Whether the run will send again what becomes unknown.
    pub resends: bool,
    /// Whether a refusal of a single record is the record's own fault, and not perhaps the request's.
    pub cleared: bool,
}

/// How a request ended.
#[derive(Debug)]
pub struct Report {
    /// For each lookup of the request, in order: which were claimed, and so were sent. Empty if nothing
    /// was claimed, or if nobody knows: then all of them count as sent.
    pub claimed: Vec<Availability>,
    /// How the request ended.
    pub outcome: AttemptOutcome,
    /// When it was over, in milliseconds since 1970.
    pub at_ms: i64,
    /// The request, if the store could not take its outcome.
    pub not_stored: Option<RequestId>,
    /// Contacts that the store does not keep, because they mention a purged person.
    pub withheld: u64,
}

impl Report {
    /// The report of an attempt that sent nothing, or about which nothing more is known.
    #[must_use]
    pub const fn of(outcome: AttemptOutcome) -> Self {
        Self { claimed: Vec::new(), outcome, at_ms: 0, not_stored: None, withheld: 0 }
    }
}

/// How one attempt to send a chunk ended.
#[derive(Debug)]
pub enum AttemptOutcome {
    /// Other requests ask for all of its lookups, or have asked.
    NothingToSend,
    /// The store could not note the intent, so nothing was sent.
    NotNoted(Error),
    /// Nothing was sent: other processes that share the store have used up the rate. Try again after this time.
    NotBefore(Duration),
    /// Nothing was sent: it would exceed the spending limit that the store counts.
    NoRoom(Room),
    /// Nothing was sent: the run was stopped while the request waited for the store. What it had claimed is free.
    Stopped,
    /// A reply that was charged, and its outcome for each lookup.
    Answered(Settlement),
    /// No such reply.
    Failed {
        /// What it means.
        verdict: Verdict,
        /// Whether a byte may have left this machine.
        left: bool,
    },
}
