//! How a coroutine waits: on an asyncio future. A thread that may wait for the interpreter resolves the future. This
//! module knows nothing about what is waited for.
//!
//! The life of one asynchronous wait:
//!
//! 1. `Waiter::new` makes a future of the running loop, and connects it with an abort handle.
//! 2. A task of the runtime waits, and owns an [`Answer`].
//! 3. The task ends, because something came or because the wait was aborted. The answer is dropped, which sends
//!    the waiter to the thread `exactbuyer-answers`.
//! 4. That thread takes the interpreter and asks the loop to resolve the future in the loop's own thread.
//!
//! Every way out of step 2 drops the answer, so no coroutine waits for ever, not even after a panic.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

use futures_util::future::{AbortHandle, AbortRegistration};
use pyo3::prelude::*;

/// An asyncio future that a coroutine awaits, and the handle that ends its wait.
pub(crate) struct Waiter {
    /// The loop that made the future, and the only one that may resolve it.
    event_loop: Py<PyAny>,
    /// Resolved with `None`, or cancelled by its task.
    future: Py<PyAny>,
    /// Ends the work in the runtime. Aborting twice, or after the end, does nothing.
    abort: AbortHandle,
}

impl Waiter {
    /// A future of the loop that runs in this thread. Make the work that it waits for abortable with the registration:
    /// it is aborted when the future is cancelled.
    ///
    /// # Errors
    /// `RuntimeError` if no event loop runs in this thread.
    pub(crate) fn new(py: Python<'_>) -> PyResult<(Arc<Self>, AbortRegistration)> {
        let event_loop = pyo3_async_runtimes::get_running_loop(py)?;
        let future = event_loop.call_method0("create_future")?;
        let (abort, registration) = AbortHandle::new_pair();
        future.call_method1("add_done_callback", (AbortWait(abort.clone()),))?;
        let waiter = Self { event_loop: event_loop.unbind(), future: future.unbind(), abort };
        Ok((Arc::new(waiter), registration))
    }

    /// What the caller awaits. It is resolved in its loop's own thread, whatever thread the answer comes from.
    pub(crate) fn future<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.future.bind(py).clone()
    }

    /// Ends the wait if the future is done or its loop is closed.
    ///
    /// Called when another consumer wants the inbox.
    pub(crate) fn abort_if_abandoned(&self, py: Python<'_>) {
        // A loop that was closed while tasks were running does not call back when a future is cancelled.
        if is_true(self.future.bind(py), "done") || is_true(self.event_loop.bind(py), "is_closed") {
            self.abort.abort();
        }
    }

    /// Resolves the future. Returns false if its loop is closed.
    ///
    /// `false` means that nobody will ever read the answer. The caller then stops the run.
    fn answer(&self, py: Python<'_>) -> bool {
        if is_true(self.event_loop.bind(py), "is_closed") {
            return false;
        }
        let scheduled = wrap_pyfunction!(settle, py).and_then(|settle| {
            self.event_loop.call_method1(py, "call_soon_threadsafe", (settle, self.future.bind(py)))
        });
        // The loop may have been closed just now.
        scheduled.is_ok()
    }
}

/// An object that cannot answer counts as done or closed: then nothing more is asked of it.
fn is_true(object: &Bound<'_, PyAny>, question: &str) -> bool {
    object.call_method0(question).and_then(|answer| answer.is_truthy()).unwrap_or(true)
}

/// Runs in the loop's own thread. The future may have been cancelled meanwhile.
#[pyfunction]
fn settle(future: &Bound<'_, PyAny>) -> PyResult<()> {
    if !is_true(future, "done") {
        future.call_method1("set_result", (future.py().None(),))?;
    }
    Ok(())
}

/// Ends a wait once its future is done, for whatever reason.
///
/// Python calls it as the future's callback, in the loop's own thread. If the wait ended by itself, this has no
/// effect.
#[pyclass(module = "exactbuyer._core", frozen)]
struct AbortWait(AbortHandle);

#[pymethods]
impl AbortWait {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        self.0.abort();
    }
}

/// Called if the loop was closed before the answer came.
type LoopClosed = Box<dyn FnOnce() + Send>;

/// Answers the waiter when it is dropped: at the end of a wait, however it ends.
///
/// It exists once for each wait, and is owned by the task that waits.
pub(crate) struct Answer {
    waiter: Arc<Waiter>,
    /// `None` only while it is dropped.
    loop_closed: Option<LoopClosed>,
    answers: Answers,
}

impl Answer {
    /// `loop_closed` is called if nobody can await the answer any more.
    pub(crate) fn new(waiter: Arc<Waiter>, answers: Answers, loop_closed: LoopClosed) -> Self {
        Self { waiter, loop_closed: Some(loop_closed), answers }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(loop_closed) = self.loop_closed.take() {
            // The thread lives as long as the process.
            let _sent = self.answers.0.send((Arc::clone(&self.waiter), loop_closed));
        }
    }
}

/// Sends answers to the thread that gives them: a thread of the runtime must not wait for the interpreter.
///
/// A clone is one sender of a channel without a limit; sending never blocks.
#[derive(Clone)]
pub(crate) struct Answers(Sender<(Arc<Waiter>, LoopClosed)>);

impl Answers {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system allows no further thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (answers, asked) = channel::<(Arc<Waiter>, LoopClosed)>();
        thread::Builder::new().name("exactbuyer-answers".into()).spawn(move || {
            for (waiter, loop_closed) in asked {
                // While the interpreter shuts down, no coroutine is waiting.
                let is_open = Python::try_attach(move |py| waiter.answer(py));
                if is_open == Some(false) {
                    loop_closed();
                }
            }
        })?;
        Ok(Self(answers))
    }
}
