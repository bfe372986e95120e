//! Waiting for the store so that Ctrl-C is seen: what may take long is done on a thread of its own, and
//! the caller's looks for signals meanwhile. Knows nothing of what is done.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use crate::errors;
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_store::sqlite::Interrupt;

/// How often it is looked for Ctrl-C.
const GLANCE: Duration = Duration::from_millis(20);

/// How long it is waited for what was taken back to come to a safe point. It goes there alone, too.
const SAFE_POINT: Duration = Duration::from_millis(100);

/// Does it and gives the answer. On Ctrl-C it is taken back, and goes on without the caller only as far
/// as it has to.
pub(crate) fn wait_for<T: Send + 'static>(
    py: Python<'_>,
    interrupt: &Interrupt,
    act: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    let (tell, mut told) = sync_channel(1);
    let act = Arc::new(Mutex::new(Some(act)));
    let theirs = Arc::clone(&act);
    let started = thread::Builder::new().name("exactbuyer-wait".into()).spawn(move || {
        // Where nobody waits any more, the answer goes here, as it may have to wait for others itself.
        if let Some(act) = take(&theirs) {
            drop(tell.send(act()));
        }
    });
    // Without another thread it is done on this one, and Ctrl-C is seen only afterwards: an answer that was paid
    // for must be stored.
    if started.is_err()
        && let Some(act) = take(&act)
    {
        return py.detach(act).map_err(|error| errors::exception(py, &error));
    }
    loop {
        let (answer, ear) = py.detach(move || (told.recv_timeout(GLANCE), told));
        told = ear;
        match answer {
            Ok(answer) => return answer.map_err(|error| errors::exception(py, &error)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let error = Error::new(ErrorKind::Store, "the store gave no answer: ask again");
                return Err(errors::exception(py, &error));
            }
        }
        if let Err(pressed) = py.check_signals() {
            interrupt.interrupt();
            py.detach(move || drop(told.recv_timeout(SAFE_POINT)));
            return Err(pressed);
        }
    }
}

fn take<F>(act: &Mutex<Option<F>>) -> Option<F> {
    act.lock().unwrap_or_else(PoisonError::into_inner).take()
}
