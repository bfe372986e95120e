//! A call in progress: rows are fed, outcomes awaited, results taken. One thread or task at a time consumes; any may
//! ask, feed or stop.
//!
//! ```text
//! Python                     this module                      crate dispatch
//! feed(rows), finish()  ───► Assembly keeps the values   ───► Run::feed, Run::finish
//! wait(), wait_async()  ───► Inbox::pull                 ◄─── Run::next
//! fill(), take()        ◄─── Assembly builds dicts        \
//! gather(table)         ◄─── Table adds record batches     }─ from what Inbox::pull received
//! ```
//!
//! A list uses `fill`, a stream `take`, a table `gather`. There are two locks. The inbox is asynchronous and
//! says who consumes. The assembly is an ordinary mutex, held for the time of one call. Code that needs both takes
//! the inbox first.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use arrow_schema::ArrowError;
use futures_util::FutureExt;
use futures_util::future::Abortable;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyList};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::calls::assembly::Assembly;
use crate::calls::awaiting::{Answer, Waiter};
use crate::calls::waiting::seconds;
use crate::convert::{OrRaise, Serialized};
use crate::errors;
use crate::ffi::collector::built_as_old;
use crate::input::columns::counted;
use crate::input::rows::Rows;
use crate::runtime::{Background, OfProcess, lock};
use crate::tables::table::Table;
use exactbuyer_core::plan::ColumnCounts;
use exactbuyer_core::results::RowOutcome;
use exactbuyer_dispatch::Progress;

/// How often we check for Ctrl-C.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// Rows built in one call: some tens of milliseconds.
///
/// It bounds how long Ctrl-C waits, and how long other Python threads wait for the interpreter.
const MOST_ROWS_AT_ONCE: usize = 4_096;

/// How long a cancelled waiter may take to release the inbox.
const HANDOVER: Duration = Duration::from_millis(250);

/// What the consumer has received from the run and not yet turned into results. The holder of its lock is the
/// consumer.
struct Inbox {
    run: Arc<exactbuyer_dispatch::Run>,
    /// In the order in which they became known.
    ready: VecDeque<RowOutcome>,
    marks: Arc<Marks>,
}

/// What other threads may ask while one consumes.
///
/// They are atomic, because a consumer may hold the inbox for a whole wait.
#[derive(Default)]
struct Marks {
    /// The run has no more outcomes.
    ended: AtomicBool,
    /// Outcomes received and not handed out.
    held: AtomicUsize,
}

impl Inbox {
    /// Waits until something is ready, or the run is over.
    ///
    /// # Cancel safety
    /// Safe, as the run's own `next` is.
    async fn pull(&mut self) {
        if !self.ready.is_empty() || self.marks.ended.load(Ordering::Acquire) {
            return;
        }
        match self.run.next().await {
            Some(outcomes) => {
                self.marks.held.fetch_add(outcomes.len(), Ordering::AcqRel);
                self.ready = outcomes.into();
            }
            None => self.marks.ended.store(true, Ordering::Release),
        }
    }

    /// Takes what is ready without waiting.
    fn pull_ready(&mut self) {
        let _ready_or_not = self.pull().now_or_never();
    }
}

/// Wakes a parked thread. Not `block_on`: that panics on a thread where another runtime is at work.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread, at most this long. Returns whether the future is ready.
///
/// A future that is not ready is dropped at the end, so it must be safe to cancel. The calling thread must not
/// hold the interpreter.
fn park_until_ready(future: impl Future<Output = ()>, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if future.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(()) {
            return true;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        thread::park_timeout(left);
    }
}

/// The parts of a run that need the runtime.
struct Live {
    run: Arc<exactbuyer_dispatch::Run>,
    /// An asynchronous lock, because a task holds it during `wait_async`.
    inbox: Arc<AsyncMutex<Inbox>>,
    background: Background,
    /// How long requests in flight may still take when nobody waits for them any more.
    grace: Duration,
}

/// A call under way.
///
/// If Python drops it, the run stops, and requests in flight may still take their grace.
#[pyclass(module = "exactbuyer._core", frozen)]
pub(crate) struct Run {
    /// `None` in a forked child, where every method that needs it raises `RuntimeError`.
    live: OfProcess<Live>,
    marks: Arc<Marks>,
    /// Values of the rows, and results that wait for their turn.
    assembly: Mutex<Assembly>,
    /// What the columns of all rows fed so far contribute.
    columns: Mutex<Vec<ColumnCounts>>,
    /// The current waiter. Only the wait itself holds it, so that an abandoned event loop can be collected.
    waiter: Mutex<Weak<Waiter>>,
}

impl Run {
    pub(crate) fn new(run: Arc<exactbuyer_dispatch::Run>, background: Background, grace: Duration) -> Self {
        let marks = Arc::new(Marks::default());
        let inbox = Inbox { run: run.clone(), ready: VecDeque::new(), marks: marks.clone() };
        let inbox = Arc::new(AsyncMutex::new(inbox));
        Self {
            live: OfProcess::new(Live { run, inbox, background, grace }),
            marks,
            assembly: Mutex::new(Assembly::new()),
            columns: Mutex::default(),
            waiter: Mutex::new(Weak::new()),
        }
    }

    /// # Errors
    /// `RuntimeError` in a forked child.
    fn live(&self) -> PyResult<&Live> {
        self.live.get().ok_or_else(|| {
            PyRuntimeError::new_err("this run belongs to the process that started it: start one of your own")
        })
    }

    /// While the assembly builds objects, the collector may run other code. So a thread that waits for it releases the
    /// interpreter.
    fn assembly(&self, py: Python<'_>) -> MutexGuard<'_, Assembly> {
        self.assembly.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// The inbox, for one consumer at a time.
    ///
    /// If an abandoned wait holds it (its task was cancelled, or its loop was closed), that wait is aborted,
    /// and releases the inbox within [`HANDOVER`].
    ///
    /// # Errors
    /// `RuntimeError` if another thread or task consumes, or in a forked child.
    fn consume(&self, py: Python<'_>) -> PyResult<OwnedMutexGuard<Inbox>> {
        let inbox = &self.live()?.inbox;
        if let Ok(inbox) = inbox.clone().try_lock_owned() {
            return Ok(inbox);
        }
        let waiter = lock(&self.waiter).upgrade();
        if let Some(waiter) = waiter {
            waiter.abort_if_abandoned(py);
        }
        // A waiter that was cancelled releases the inbox in a moment.
        let mut claimed = None;
        py.detach(|| park_until_ready(async { claimed = Some(inbox.clone().lock_owned().await) }, HANDOVER));
        claimed.ok_or_else(|| PyRuntimeError::new_err("another thread or task is taking this run's results"))
    }

    /// Updates the marks after results were handed out, and drops the values of their rows. The assembly is
    /// unlocked first, because the end of a value may run Python code.
    fn delivered(&self, inbox: &Inbox, mut assembly: MutexGuard<'_, Assembly>) {
        self.marks.held.store(inbox.ready.len() + assembly.early(), Ordering::Release);
        let spent = assembly.spent();
        drop(assembly);
        drop(spent);
    }
}

#[pymethods]
impl Run {
    /// Rows can be fed once; a second time raises `RuntimeError`. The values are kept first, so an outcome
    /// always finds its value.
    fn feed(&self, py: Python<'_>, rows: &Rows) -> PyResult<()> {
        let live = self.live()?;
        let mut assembly = self.assembly(py);
        let read = rows.take()?;
        assembly.keep(read.values);
        ColumnCounts::add(&mut lock(&self.columns), read.columns);
        live.run.feed(read.rows, read.counts);
        Ok(())
    }

    /// Without it, or `stop`, a run never ends, because more rows could come.
    fn finish(&self) -> PyResult<()> {
        self.live()?.run.finish();
        Ok(())
    }

    /// If Ctrl-C was pressed, the `KeyboardInterrupt` is raised here; what has come so far stays in the inbox.
    fn wait(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let limit = seconds(timeout_s)?;
        let mut inbox = self.consume(py)?;
        let live = self.live()?;
        let began = Instant::now();
        loop {
            let slice = limit.saturating_sub(began.elapsed()).min(SIGNAL_INTERVAL);
            let came = py.detach(|| {
                let _entered = live.background.runtime.enter();
                park_until_ready(inbox.pull(), slice)
            });
            py.check_signals()?;
            if came || began.elapsed() >= limit {
                return Ok(came);
            }
        }
    }

    /// Returns a future of the running loop. It is resolved with `None` when something is ready or the run is
    /// over, and it is resolved outside the runtime: see [`Answer`]. If the coroutine is cancelled, the wait is
    /// aborted and the run goes on.
    ///
    /// # Errors
    /// `RuntimeError` if no loop runs in this thread, or another consumer waits.
    fn wait_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut inbox = self.consume(py)?;
        let live = self.live()?;
        let (waiter, registration) = Waiter::new(py)?;
        *lock(&self.waiter) = Arc::downgrade(&waiter);
        let future = waiter.future(py);
        let (run, grace) = (live.run.clone(), live.grace);
        // If the loop was closed while its tasks ran, nobody will ask for more, so the run is stopped.
        let loop_closed = Box::new(move || run.stop(grace));
        let answer = Answer::new(waiter, live.background.answers.clone(), loop_closed);
        live.background.runtime.spawn(async move {
            // The inbox is released before the answer is given.
            let _pulled_or_not = Abortable::new(async move { inbox.pull().await }, registration).await;
            drop(answer);
        });
        Ok(future)
    }

    /// It loops, because a run delivers each reply's outcomes as a part of their own. After an error,
    /// everything built so far is in the list, and the outcome that failed is tried again by the next call.
    fn fill(&self, into: &Bound<'_, PyList>) -> PyResult<usize> {
        let mut inbox = self.consume(into.py())?;
        let _entered = self.live()?.background.runtime.enter();
        let mut assembly = self.assembly(into.py());
        let mut filled = Ok(0);
        while let Ok(so_far @ 0..MOST_ROWS_AT_ONCE) = filled {
            inbox.pull_ready();
            let most = MOST_ROWS_AT_ONCE - so_far;
            filled = match built_as_old(into.py(), || assembly.fill(&mut inbox.ready, into, most)) {
                Ok(0) => break,
                more => more.map(|more| so_far + more),
            };
        }
        self.delivered(&inbox, assembly);
        filled
    }

    /// Rows whose predecessors are still awaited wait in the assembly.
    fn take<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        let mut inbox = self.consume(py)?;
        let _entered = self.live()?.background.runtime.enter();
        let mut assembly = self.assembly(py);
        inbox.pull_ready();
        let ended = self.marks.ended.load(Ordering::Acquire);
        let most = most.min(MOST_ROWS_AT_ONCE);
        let taken = built_as_old(py, || assembly.take(py, &mut inbox.ready, most, ended));
        self.delivered(&inbox, assembly);
        taken
    }

    /// The interpreter is released: record batches are made without Python objects.
    fn gather(&self, py: Python<'_>, table: &Table) -> PyResult<usize> {
        let mut inbox = self.consume(py)?;
        let live = self.live()?;
        let gathered: Result<_, ArrowError> = py.detach(|| {
            let _entered = live.background.runtime.enter();
            let mut gathered = 0;
            while gathered < MOST_ROWS_AT_ONCE {
                inbox.pull_ready();
                match table.take(&mut inbox.ready)? {
                    0 => break,
                    more => gathered += more,
                }
            }
            Ok(gathered)
        });
        self.marks.held.store(inbox.ready.len(), Ordering::Release);
        gathered.or_raise(py)
    }

    /// Takes no lock, so it can be called while another thread waits.
    fn over(&self) -> bool {
        self.marks.ended.load(Ordering::Acquire) && self.marks.held.load(Ordering::Acquire) == 0
    }

    /// Does not wait. Rows that were not sent get the outcome `not_sent`; the outcomes of all rows still come.
    fn stop(&self, grace_s: f64) -> PyResult<()> {
        self.live()?.run.stop(seconds(grace_s)?);
        Ok(())
    }

    /// Counts so far, as a dictionary. `stopped` and `columns` are made apart, because a message becomes a text of
    /// Python that each audience can read in its own words.
    fn receipt<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let receipt = self.live()?.run.receipt();
        let stopped = receipt.stopped.as_deref().map(|message| errors::text(py, message)).transpose()?;
        let fields = Serialized(receipt).into_pyobject(py)?.into_any();
        fields.set_item("stopped", stopped)?;
        // Not while locked: making objects may run other code, which may ask for a receipt.
        let columns = lock(&self.columns).clone();
        fields.set_item("columns", counted(py, columns)?)?;
        Ok(fields)
    }

    fn problems<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.assembly(py).problems(py)
    }

    /// The last `rows` rows, in the order of the results that `take` returned or `fill` placed: see
    /// [`Origins`](crate::tables::origins::Origins).
    fn origins<'py>(&self, py: Python<'py>, rows: usize) -> Bound<'py, PyBytes> {
        let origins = self.assembly(py).origins(rows);
        PyBytes::new(py, &origins)
    }

    /// Worst first. The caller raises the first one that it has to raise.
    fn troubles<'py>(&self, py: Python<'py>) -> PyResult<Vec<Trouble<'py>>> {
        let troubles = self.live()?.run.troubles();
        let listed = troubles.iter().map(|error| {
            let message = errors::text(py, error.message())?;
            Ok((error.kind().as_str(), message, error.status(), error.is_about_settings()))
        });
        listed.collect()
    }

    /// The entries of the log since the last call.
    fn log<'py>(&self, py: Python<'py>) -> PyResult<Vec<Logged<'py>>> {
        let entries = self.live()?.run.log().into_iter().map(|entry| {
            let cause = errors::text(py, &entry.cause)?;
            Ok((entry.kind.as_str(), entry.lookups, entry.wait.as_secs_f64(), cause))
        });
        entries.collect()
    }

    fn progress(&self) -> PyResult<Serialized<Progress>> {
        Ok(Serialized(self.live()?.run.progress()))
    }
}

/// Class name, message, HTTP status, and whether a setting has to change.
type Trouble<'py> = (&'static str, Bound<'py, PyAny>, Option<u16>, bool);

/// The name of its [`LogKind`](exactbuyer_core::schedule::LogKind), lookups, seconds to wait, and the cause.
type Logged<'py> = (&'static str, usize, f64, Bound<'py, PyAny>);
