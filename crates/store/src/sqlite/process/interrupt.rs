//! Interrupts a call to the store: the caller stops waiting at once, and the work ends at its next safe point.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, InterruptHandle};

use super::super::file::Fault;
use crate::lock;

/// Interrupts the calls of one handle of a store. Completed steps stay; the step being written is rolled back. An
/// interrupted purge or merge continues when it is repeated.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Default)]
struct State {
    interrupted: AtomicBool,
    /// The handle of the connection that works for this handle.
    running: Mutex<Option<InterruptHandle>>,
}

/// While this value exists, an interrupt ends the current statement of the connection.
pub(crate) struct Listening(Interrupt);

impl Interrupt {
    /// Interrupts all calls from now on. Never waits.
    pub fn interrupt(&self) {
        let running = lock(&self.0.running);
        self.0.interrupted.store(true, Ordering::Release);
        if let Some(statement) = &*running {
            statement.interrupt();
        }
    }

    /// # Errors
    /// If it was interrupted.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.0.interrupted.load(Ordering::Acquire) { Err(Fault::interrupted()) } else { Ok(()) }
    }

    /// Lets an interrupt end statements of this connection until the returned value is dropped. The connection must not
    /// work for anybody else meanwhile.
    ///
    /// # Errors
    /// If it was interrupted.
    pub(crate) fn listen(&self, connection: &Connection) -> Result<Listening, Fault> {
        // The handle is locked during the check, so an interrupt that comes later ends the statement.
        let mut running = lock(&self.0.running);
        self.check()?;
        *running = Some(connection.get_interrupt_handle());
        drop(running);
        Ok(Listening(self.clone()))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        *lock(&self.0.0.running) = None;
    }
}
