//! Interrupts a call to the store: the caller stops waiting at once, and the work ends at its next safe point.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, InterruptHandle};

use super::super::SqliteStore;
use super::super::file::fault::Fault;

/// Interrupts the calls of one handle of a store. Completed steps stay; the step being written is rolled back. An
/// interrupted purge or merge continues when it is repeated.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Default)]
struct State {
    pressed: AtomicBool,
    /// Of the connection that is working for this handle.
    running: Mutex<Option<InterruptHandle>>,
}

/// While this lives, an interrupt ends the statement that the connection is at.
pub(in super::super) struct Listening(Interrupt);

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.0.pressed).finish()
    }
}

impl SqliteStore {
    /// The same store, and what interrupts the calls of this handle and its clones.
    #[must_use]
    pub fn interruptible(&self) -> (Self, Interrupt) {
        let (mut handle, interrupt) = (self.clone(), Interrupt::default());
        handle.interrupt = interrupt.clone();
        (handle, interrupt)
    }
}

impl Interrupt {
    /// Takes it back, now and for good. Never waits.
    pub fn interrupt(&self) {
        let running = self.running();
        self.0.pressed.store(true, Ordering::Release);
        if let Some(statement) = &*running {
            statement.interrupt();
        }
    }

    /// # Errors
    /// Where it was taken back: nobody waits for more.
    pub(in super::super) fn check(&self) -> Result<(), Fault> {
        if self.0.pressed.load(Ordering::Acquire) { Err(taken_back()) } else { Ok(()) }
    }

    /// Until the guard is dropped, this connection works for nobody else.
    ///
    /// # Errors
    /// Where it was taken back.
    pub(in super::super) fn listen(&self, connection: &Connection) -> Result<Listening, Fault> {
        // One after the other: what is taken back from here on meets the statement.
        let mut running = self.running();
        self.check()?;
        *running = Some(connection.get_interrupt_handle());
        drop(running);
        Ok(Listening(self.clone()))
    }

    fn running(&self) -> MutexGuard<'_, Option<InterruptHandle>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        *self.0.running() = None;
    }
}

/// What nobody waits for any more is told in these words, if at all.
pub(in super::super) fn taken_back() -> Fault {
    Fault::of("taken back before it was done: ask again, and it goes on from there")
}
