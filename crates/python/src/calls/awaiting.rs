//! How a coroutine waits: on an asyncio future, which a thread resolves that may wait for the interpreter.
//! Knows nothing of what is waited for.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

use futures_util::future::{AbortHandle, AbortRegistration};
use pyo3::prelude::*;

/// An asyncio future that a coroutine awaits, and the handle that ends its wait.
pub(crate) struct Waiter {
    event_loop: Py<PyAny>,
    future: Py<PyAny>,
    abort: AbortHandle,
}

impl Waiter {
    /// A future of the loop that runs in this thread. What it waits for is to be made abortable with the
    /// registration: it is aborted when the future is cancelled.
    pub(crate) fn new(py: Python<'_>) -> PyResult<(Arc<Self>, AbortRegistration)> {
        let event_loop = pyo3_async_runtimes::get_running_loop(py)?;
        let future = event_loop.call_method0("create_future")?;
        let (abort, registration) = AbortHandle::new_pair();
        future.call_method1("add_done_callback", (HangUp(abort.clone()),))?;
        let waiter = Self { event_loop: event_loop.unbind(), future: future.unbind(), abort };
        Ok((Arc::new(waiter), registration))
    }

    pub(crate) fn future<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.future.bind(py).clone()
    }

    /// Ends the wait if the future is done or its loop is closed.
    pub(crate) fn hang_up_if_deaf(&self, py: Python<'_>) {
        // A loop that was closed under its tasks calls nobody back when a future is cancelled.
        if is_true(self.future.bind(py), "done") || is_true(self.event_loop.bind(py), "is_closed") {
            self.abort.abort();
        }
    }

    /// Resolves the future. Returns false if its loop is closed.
    fn answer(&self, py: Python<'_>) -> bool {
        if is_true(self.event_loop.bind(py), "is_closed") {
            return false;
        }
        let told = wrap_pyfunction!(settle, py).and_then(|settle| {
            self.event_loop.call_method1(py, "call_soon_threadsafe", (settle, self.future.bind(py)))
        });
        // The loop may have been closed just now.
        told.is_ok()
    }
}

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
#[pyclass(module = "exactbuyer._core", frozen)]
struct HangUp(AbortHandle);

#[pymethods]
impl HangUp {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        self.0.abort();
    }
}

/// Called if the loop was closed before the answer came.
type Unheard = Box<dyn FnOnce() + Send>;

/// Answers the waiter when it is dropped: at the end of a wait, however it ends.
pub(crate) struct Answer {
    waiter: Arc<Waiter>,
    unheard: Option<Unheard>,
    answers: Answers,
}

impl Answer {
    pub(crate) fn new(waiter: Arc<Waiter>, answers: Answers, unheard: Unheard) -> Self {
        Self { waiter, unheard: Some(unheard), answers }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(unheard) = self.unheard.take() {
            // The thread lives as long as the process.
            let _sent = self.answers.0.send((Arc::clone(&self.waiter), unheard));
        }
    }
}

/// Sends answers to the thread that gives them: a thread of the runtime must not wait for the interpreter.
#[derive(Clone)]
pub(crate) struct Answers(Sender<(Arc<Waiter>, Unheard)>);

impl Answers {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system allows no further thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (answers, asked) = channel::<(Arc<Waiter>, Unheard)>();
        thread::Builder::new().name("exactbuyer-answers".into()).spawn(move || {
            for (waiter, unheard) in asked {
                // While the interpreter shuts down, no coroutine is waiting.
                let heard = Python::try_attach(move |py| waiter.answer(py));
                if heard == Some(false) {
                    unheard();
                }
            }
        })?;
        Ok(Self(answers))
    }
}
