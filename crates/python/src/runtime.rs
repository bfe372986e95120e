//! One runtime per process, and what a fork means for it.
//!
//! A forked child inherits memory but no threads: a runtime, or a connection, made before the fork
//! hangs for ever after it. So everything that leans on the runtime is an [`OfProcess`], which a
//! child can neither use nor drop. The one lock here is only ever taken by a thread that is
//! attached to Python and does not let go meanwhile, and `os.fork` needs the same: a child never
//! inherits it locked.

use std::sync::{Mutex, PoisonError};
use std::{io, panic, process, thread};

use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::calls::awaiting::Answers;
use crate::errors;

/// Threads of the runtime. It encodes, sends, receives and splits, some 400,000 rows a second, which
/// is above any vendor's limit; objects are built by the caller's own thread. A second one would have
/// an allocator's arena of its own, and the pages of the first could not be used again there.
const WORKERS: usize = 1;

/// A value that belongs to the process that made it: in a forked child it can be neither reached
/// nor dropped, for its threads are not there.
pub(super) struct OfProcess<T> {
    pid: u32,
    value: Option<T>,
}

impl<T> OfProcess<T> {
    pub(super) fn new(value: T) -> Self {
        Self { pid: process::id(), value: Some(value) }
    }

    /// The value, in the process that made it.
    pub(super) fn get(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| self.is_ours())
    }

    /// The value to change, in the process that made it.
    pub(super) fn get_mut(&mut self) -> Option<&mut T> {
        let ours = self.is_ours();
        self.value.as_mut().filter(|_| ours)
    }

    /// Takes the value out, in the process that made it.
    pub(super) fn take(mut self) -> Option<T> {
        if self.is_ours() { self.value.take() } else { None }
    }

    fn is_ours(&self) -> bool {
        self.pid == process::id()
    }
}

/// Lets go of something with the interpreter released: what may have to wait for other threads must
/// not keep it from those.
pub(super) fn let_go<T: Send>(value: T) {
    let mut value = Some(value);
    // Where the interpreter is shutting down there is nobody to be kept from it.
    Python::try_attach(|py| {
        let value = value.take();
        py.detach(move || drop(value));
    });
}

impl<T> Drop for OfProcess<T> {
    fn drop(&mut self) {
        if !self.is_ours() {
            std::mem::forget(self.value.take());
        }
    }
}

/// The threads of this process that run beside those of Python.
#[derive(Clone)]
pub(super) struct Background {
    pub(super) runtime: Handle,
    pub(super) answers: Answers,
}

/// This process's background threads, started when they are first asked for. Never shut down: at exit
/// they end with the process, and nobody waits for them.
pub(super) fn background(py: Python<'_>) -> PyResult<Background> {
    static BACKGROUND: Mutex<Option<OfProcess<(Runtime, Background)>>> = Mutex::new(None);

    let started = {
        let mut slot = BACKGROUND.lock().unwrap_or_else(PoisonError::into_inner);
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

fn panicked() -> io::Error {
    io::Error::other("a thread could not be started")
}
