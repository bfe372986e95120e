//! The threads that speak to SQLite, so that no other has to wait for a disk: each has a connection
//! of its own and does one thing after another.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::busy;

/// Jobs done in one go at most.
const GROUP: usize = 64;

/// How often a thread whose work is left undone tries again, where nobody gives it anything to do.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// How soon a thread tries postponed work again, if no fork asks it to stop.
const SOON: Duration = Duration::from_millis(20);

/// How long a fork may take, from the moment the threads have stopped.
const LONGEST_FORK: Duration = Duration::from_mins(1);

/// What a thread does.
pub(super) trait Desk: Send + 'static {
    /// One thing to do.
    type Job: Send + 'static;

    /// Does what has come in, in order. Nothing has, where it is to try again what it left undone.
    /// Returns the jobs that it postpones until this process has forked.
    fn serve(&mut self, jobs: Vec<Self::Job>) -> Vec<Self::Job>;

    /// Whether anything was left undone that may be tried again.
    fn has_left_undone(&self) -> bool {
        false
    }

    /// Closes what a fork must not find open; the next job opens it again.
    fn close(&mut self);

    /// The last thing that it does.
    fn leave(&mut self) {}
}

enum Order<J> {
    Do(J),
    Park { parked: Sender<()>, go_on: Receiver<()> },
}

/// A thread with a desk. Dropped, it finishes what it was given and ends.
pub(super) struct Worker<J>(Mutex<Option<Running<J>>>);

struct Running<J> {
    orders: Sender<Order<J>>,
    thread: JoinHandle<()>,
}

/// A thread that has closed its files and waits; it goes on when this is dropped.
#[derive(Debug)]
pub(super) struct Parked {
    _go_on: SyncSender<()>,
}

impl<J: Send + 'static> Worker<J> {
    pub(super) fn spawn<D: Desk<Job = J>>(name: &str, mut desk: D) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            serve(&mut desk, &inbox);
            desk.leave();
        })?;
        Ok(Self(Mutex::new(Some(Running { orders, thread }))))
    }

    /// Gives it something to do; where it is gone, the job is dropped, which its giver sees.
    pub(super) fn give(&self, job: J) {
        self.send(Order::Do(job));
    }

    /// Tells the thread to finish what it is doing, close its files, send to `parked`, and wait.
    pub(super) fn park(&self, parked: &Sender<()>) -> Option<Parked> {
        let (go_on, wait) = sync_channel(1);
        self.send(Order::Park { parked: parked.clone(), go_on: wait }).then_some(Parked { _go_on: go_on })
    }

    fn send(&self, order: Order<J>) -> bool {
        self.running().as_ref().is_some_and(|running| running.orders.send(order).is_ok())
    }
}

impl<J> Worker<J> {
    /// Lets the thread finish its jobs, and waits until it has ended.
    pub(super) fn end(&self) {
        let running = self.running().take();
        if let Some(Running { orders, thread }) = running {
            drop(orders);
            // It ends without an answer only if it panicked, of which it has told itself.
            let _ = thread.join();
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running<J>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Drop for Worker<J> {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve<D: Desk>(desk: &mut D, inbox: &Receiver<Order<D::Job>>) {
    let mut jobs = Vec::new();
    let mut put_off = false;
    loop {
        let order = if put_off {
            inbox.recv_timeout(SOON)
        } else if !jobs.is_empty() {
            inbox.try_recv().map_err(|_| RecvTimeoutError::Timeout)
        } else if desk.has_left_undone() {
            inbox.recv_timeout(TRY_EVERY)
        } else {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match order {
            Ok(Order::Do(job)) => {
                jobs.push(job);
                if jobs.len() < GROUP || put_off {
                    continue;
                }
            }
            Ok(Order::Park { parked, go_on }) => {
                park(desk, &parked, &go_on);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if jobs.is_empty() => return,
            Err(RecvTimeoutError::Disconnected) => busy::wait_for_fork(),
        }
        jobs = desk.serve(std::mem::take(&mut jobs));
        put_off = !jobs.is_empty();
    }
}

/// Jobs that have come in wait meanwhile, because the fork does not wait for them.
fn park(desk: &mut impl Desk, parked: &Sender<()>, go_on: &Receiver<()>) {
    if go_on.try_recv() == Err(TryRecvError::Disconnected) {
        // The fork went ahead without this thread.
        return;
    }
    desk.close();
    let _ = parked.send(());
    // An error is what ends the wait: the other end is dropped.
    let _ = go_on.recv_timeout(LONGEST_FORK);
}
