//! Work about owners: what dead processes have left, and what other processes have committed.
//!
//! An owner is buried as soon as somebody notices that its lock is gone: a claim that finds its requests, a run that
//! waits for them, or the next opening. All of them use [`WriterState::bury`]. Burying twice is harmless: the second
//! time, there is nothing left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use rusqlite::Connection;
use tokio::sync::oneshot;

use exactbuyer_core::error::Error;

use super::super::file::Fault;
use super::super::tables::requests;
use super::shared::Shared;
use super::work::Work;
use super::writer_state::WriterState;

/// The last work of an opening: removes its owner.
///
/// Requests that are still in flight then were given up by their runs, or could not be settled: they are in doubt.
pub(super) struct Leave;

impl Work for Leave {
    fn write(&mut self, connection: &Connection, state: &mut WriterState) -> Result<(), Fault> {
        state.known_owner().map_or(Ok(()), |owner| state.bury(connection, owner))
    }

    fn finish(self: Box<Self>, _: &Shared, _: Result<(), Error>) -> Option<Box<dyn Work>> {
        None
    }
}

/// Reads what other processes have committed, for a run that waits for their answers.
///
/// The flag is true while one of these waits for the writer. `is_needed` clears it before it looks at the file, so
/// that a later request to listen is not lost.
pub(crate) struct Listen(pub(crate) Arc<AtomicBool>);

impl Work for Listen {
    fn is_needed(&self, connection: &Connection, state: &WriterState) -> bool {
        self.0.store(false, Ordering::Release);
        if !state.shared.owners.is_in_place() {
            // Nobody can see any more whether an owner is alive. Runs that wait for others get that error when they look.
            state.shared.changed.notify_waiters();
        }
        let owners = state.shared.intents().owners();
        let changed = state.is_behind(connection);
        changed || owners.into_iter().any(|owner| !state.shared.owners.is_alive(owner))
    }

    fn write(&mut self, connection: &Connection, state: &mut WriterState) -> Result<(), Fault> {
        bury_the_dead(connection, state)
    }

    fn finish(self: Box<Self>, _: &Shared, _: Result<(), Error>) -> Option<Box<dyn Work>> {
        self.0.store(false, Ordering::Release);
        None
    }
}

/// Tells a caller that the answers that could not be stored before have been tried again.
pub(crate) struct AfterUnsettled(pub(crate) oneshot::Sender<()>);

impl Work for AfterUnsettled {
    fn follows_unsettled(&self) -> bool {
        true
    }

    fn write(&mut self, _: &Connection, _: &mut WriterState) -> Result<(), Fault> {
        Ok(())
    }

    fn finish(self: Box<Self>, _: &Shared, _: Result<(), Error>) -> Option<Box<dyn Work>> {
        let _ = self.0.send(());
        None
    }
}

/// Puts the requests in doubt that dead owners have left in flight.
///
/// Opening a store waits for it, so a plan or a search that follows sees these doubts.
pub(crate) struct Bury(pub(crate) SyncSender<Result<(), Error>>);

impl Work for Bury {
    fn is_needed(&self, connection: &Connection, state: &WriterState) -> bool {
        requests::owners(connection)
            .is_ok_and(|owners| owners.iter().any(|owner| !state.shared.owners.is_alive(*owner)))
    }

    fn write(&mut self, connection: &Connection, state: &mut WriterState) -> Result<(), Fault> {
        bury_the_dead(connection, state)
    }

    fn finish(self: Box<Self>, _: &Shared, committed: Result<(), Error>) -> Option<Box<dyn Work>> {
        let _ = self.0.send(committed);
        None
    }
}

/// Asks the system about every owner in the file; there are as many as processes that use it.
fn bury_the_dead(connection: &Connection, state: &mut WriterState) -> Result<(), Fault> {
    for owner in requests::owners(connection)? {
        if !state.shared.owners.is_alive(owner) {
            state.bury(connection, owner)?;
        }
    }
    Ok(())
}
