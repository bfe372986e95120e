//! One runtime per process, and what a fork means for it.
//!
//! A forked child inherits memory but no threads. A runtime or connection that was made before the fork would hang for
//! ever in the child. So everything that needs the runtime is an [`OfProcess`], which a child can neither use nor drop.
//! Only threads that are attached to Python take the lock in this module, and they stay attached meanwhile. `os.fork`
//! must be attached, too, so a child never inherits the lock locked.
//!
//! The threads, and which of them may wait for which:
//!
//! ```text
//! thread of Python ──────── releases the interpreter, waits for ───────► exactbuyer (tokio, one worker)
//!        ▲                                                                     │ never waits for Python
//!        │ call_soon_threadsafe                                                ▼
//! exactbuyer-answers ◄──────────── a channel that never blocks ────────── the end of a wait
//! ```
//!
//! The runtime's thread never takes the interpreter's lock, so a caller that holds the lock for long cannot
//! delay requests or make them time out.

use std::sync::Mutex;
use std::{io, panic, process, thread};

use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::calls::awaiting::Answers;
use crate::errors;

pub(super) use exactbuyer_core::lock;

/// Threads of the runtime. One thread encodes, sends, receives and splits some 400,000 rows a second, more than the
/// service's limit; the caller's own thread builds objects. A second thread would have its own arena of the allocator,
/// which could not reuse the pages of the first.
const WORKERS: usize = 1;

/// A value of the process that made it. A forked child can neither use nor drop it, because its threads do not exist
/// there. In its own process, it is dropped with the interpreter released: see [`drop_detached`].
///
/// It compares process ids, not threads: any thread of the right process may use it. After a fork the child
/// sees the same memory, finds another id, and gets `None`. Then it makes a value of its own.
pub(super) struct OfProcess<T: Send> {
    /// The id of the process that called [`Self::new`].
    pid: u32,
    /// `None` only after [`Self::take`], and while it is dropped.
    value: Option<T>,
}

impl<T: Send> OfProcess<T> {
    /// A value of the current process. In a forked child it is neither used nor dropped; its memory is not freed there.
    pub(super) fn new(value: T) -> Self {
        Self { pid: process::id(), value: Some(value) }
    }

    /// The value, in the process that made it.
    pub(super) fn get(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| self.is_ours())
    }

    /// The value, mutable, in the process that made it.
    pub(super) fn get_mut(&mut self) -> Option<&mut T> {
        let ours = self.is_ours();
        self.value.as_mut().filter(|_| ours)
    }

    /// Takes the value out, in the process that made it.
    ///
    /// In a forked child it returns `None`, and the value is neither dropped nor freed.
    pub(super) fn take(mut self) -> Option<T> {
        if self.is_ours() { self.value.take() } else { None }
    }

    fn is_ours(&self) -> bool {
        self.pid == process::id()
    }
}

/// Drops a value with the interpreter released: the drop may wait for threads that need the interpreter.
///
/// A store is the usual reason: its last handle waits until the store's threads have written what they had.
pub(super) fn drop_detached<T: Send>(value: T) {
    let mut value = Some(value);
    // While the interpreter shuts down, the value is dropped at the end of this function.
    Python::try_attach(|py| {
        let value = value.take();
        py.detach(move || drop(value));
    });
}

impl<T: Send> Drop for OfProcess<T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        if self.is_ours() { drop_detached(value) } else { std::mem::forget(value) }
    }
}

/// The threads of this process that run beside those of Python.
///
/// A clone is cheap: it is two handles.
#[derive(Clone)]
pub(super) struct Background {
    /// Where runs, requests and timers are spawned.
    pub(super) runtime: Handle,
    /// Where the end of an asynchronous wait is announced.
    pub(super) answers: Answers,
}

/// This process's background threads, started at the first call. They are never shut down: they end with the process.
///
/// In a forked child the slot holds the parent's threads, which do not exist there. They are replaced by new
/// ones, and the old value is forgotten, not dropped.
///
/// # Errors
/// `TransportError` if the system allows no further thread. The slot stays as it was, so a later call tries
/// again.
pub(super) fn background(py: Python<'_>) -> PyResult<Background> {
    static BACKGROUND: Mutex<Option<OfProcess<(Runtime, Background)>>> = Mutex::new(None);

    let started = {
        let mut slot = lock(&BACKGROUND);
        if let Some((_, background)) = slot.as_ref().and_then(OfProcess::get) {
            return Ok(background.clone());
        }
        start().map(|started| {
            let background = started.1.clone();
            *slot = Some(OfProcess::new(started));
            background
        })
    };
    // Only after the lock is released: making an exception may release the interpreter.
    started.map_err(|error| errors::exception(py, &errors::no_thread(&error)))
}

/// Starts the thread for answers, then the runtime. If the second fails, the first ends, because its channel is
/// dropped.
fn start() -> io::Result<(Runtime, Background)> {
    let answers = Answers::start()?;
    // tokio panics if it cannot start a thread. So it is tried with a thread that ends at once. If tokio
    // fails after that, its panic is caught.
    thread::Builder::new().name("exactbuyer".into()).spawn(|| ())?.join().map_err(|_| panicked())?;
    let build =
        || Builder::new_multi_thread().worker_threads(WORKERS).thread_name("exactbuyer").enable_all().build();
    let runtime = panic::catch_unwind(build).map_err(|_| panicked())??;
    let background = Background { runtime: runtime.handle().clone(), answers };
    Ok((runtime, background))
}

/// A panic is reported as an error of the system, because that is its only known cause here.
fn panicked() -> io::Error {
    io::Error::other("a thread could not be started")
}
