//! One runtime per process, and what a fork means for it.
//!
//! A forked child inherits memory but no threads: a runtime, or a connection, made before the fork
//! hangs for ever after it. So everything that leans on the runtime is an [`OfProcess`], which a
//! child can neither use nor drop. The one lock here is only ever taken by a thread that is
//! attached to Python and does not let go meanwhile, and `os.fork` needs the same: a child never
//! inherits it locked.

use std::future::Future;
use std::pin::Pin;
use std::process;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{ContextExt, JoinError, Runtime as AsyncRuntime};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{self, JoinHandle};

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

    /// The value for good, in the process that made it.
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

/// This process's runtime, made when it is first asked for. Never shut down: at exit its threads
/// end with the process, and nobody waits for them.
pub(super) fn handle(_attached: Python<'_>) -> PyResult<Handle> {
    static RUNTIME: Mutex<Option<OfProcess<Runtime>>> = Mutex::new(None);

    let mut slot = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = slot.as_ref().and_then(OfProcess::get) {
        return Ok(runtime.handle().clone());
    }
    let runtime =
        Builder::new_multi_thread().worker_threads(WORKERS).thread_name("exactbuyer").enable_all().build()?;
    let handle = runtime.handle().clone();
    *slot = Some(OfProcess::new(runtime));
    Ok(handle)
}

/// What `pyo3_async_runtimes` is told of our runtime: its own could not survive a fork. Every use
/// has to be inside the runtime's context.
pub(super) struct Ours;

/// A join error of tokio's.
pub(super) struct Failed(task::JoinError);

impl JoinError for Failed {
    fn is_panic(&self) -> bool {
        self.0.is_panic()
    }

    fn into_panic(self) -> Box<dyn std::any::Any + Send + 'static> {
        match self.0.try_into_panic() {
            Ok(payload) => payload,
            Err(cancelled) => Box::new(cancelled.to_string()),
        }
    }
}

/// A task of ours, joined with our error.
pub(super) struct Joined(JoinHandle<()>);

impl Future for Joined {
    type Output = Result<(), Failed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map_err(Failed)
    }
}

tokio::task_local! {
    static LOCALS: TaskLocals;
}

impl AsyncRuntime for Ours {
    type JoinError = Failed;
    type JoinHandle = Joined;

    fn spawn<F>(fut: F) -> Self::JoinHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Joined(Handle::current().spawn(fut))
    }

    fn spawn_blocking<F>(f: F) -> Self::JoinHandle
    where
        F: FnOnce() + Send + 'static,
    {
        // What is spawned here attaches to Python, and would panic where the interpreter is
        // shutting down: attached beforehand, or left undone, it cannot.
        Joined(Handle::current().spawn_blocking(move || {
            Python::try_attach(|_| f());
        }))
    }
}

impl ContextExt for Ours {
    fn scope<F, R>(locals: TaskLocals, fut: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        Box::pin(LOCALS.scope(locals, fut))
    }

    fn get_task_locals() -> Option<TaskLocals> {
        LOCALS.try_with(TaskLocals::clone).ok()
    }
}
