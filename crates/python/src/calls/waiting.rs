//! Work on the store that may take long. It is done on a thread of its own, while the caller's thread checks for
//! Ctrl-C. This module knows nothing about the work.
//!
//! Most questions take the store a moment. A merge or a purge of a large file takes longer, and so does a wait
//! for another process that writes.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::{OrRaise, Raise};
use crate::runtime::lock;
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_store::sqlite::Interrupt;

/// The longest wait: short enough for every clock's arithmetic.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// How often we check for Ctrl-C.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(20);

/// How long we wait for interrupted work to reach a safe point. It also reaches it if nobody waits.
const INTERRUPT_WAIT: Duration = Duration::from_millis(100);

/// Does the work and returns its answer. Ctrl-C interrupts it; then it continues without the caller only to its next
/// safe point.
///
/// `act` runs exactly once, also if no thread can be started. What it owns is dropped on the thread where it
/// ran.
///
/// # Errors
/// What the work returned; or `KeyboardInterrupt`, after which its answer is lost. Work that must not be half
/// done, such as a purge, stops only between its steps.
pub(crate) fn wait_for<T: Send + 'static>(
    py: Python<'_>,
    interrupt: &Interrupt,
    act: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    let (answers, mut answered) = sync_channel(1);
    let act = Arc::new(Mutex::new(Some(act)));
    let theirs = Arc::clone(&act);
    let started = thread::Builder::new().name("exactbuyer-wait".into()).spawn(move || {
        // If nobody waits any more, the answer is dropped on this thread, because the drop may have to wait, too.
        if let Some(act) = take(&theirs) {
            drop(answers.send(act()));
        }
    });
    // If no thread can be started, the work is done on this one, and Ctrl-C is seen afterwards: an answer that was paid
    // for must be stored.
    if started.is_err()
        && let Some(act) = take(&act)
    {
        return py.detach(act).or_raise(py);
    }
    loop {
        let (answer, receiver) = py.detach(move || (answered.recv_timeout(SIGNAL_INTERVAL), answered));
        answered = receiver;
        match answer {
            Ok(answer) => return answer.or_raise(py),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let error = Error::new(ErrorKind::Store, "the store gave no answer: ask again");
                return Err(error.exception(py));
            }
        }
        if let Err(pressed) = py.check_signals() {
            interrupt.interrupt();
            py.detach(move || drop(answered.recv_timeout(INTERRUPT_WAIT)));
            return Err(pressed);
        }
    }
}

/// The work is done by the first thread that takes it: the new thread, or the caller if there is no new thread.
fn take<F>(act: &Mutex<Option<F>>) -> Option<F> {
    lock(act).take()
}

/// A time to wait in seconds, at most [`LONGEST_WAIT`].
///
/// # Errors
/// `ValueError` for a negative number and for NaN.
pub(crate) fn seconds(seconds: f64) -> PyResult<Duration> {
    if seconds > LONGEST_WAIT.as_secs_f64() {
        return Ok(LONGEST_WAIT);
    }
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err("a wait has to be a number of seconds from 0 up"))
}
