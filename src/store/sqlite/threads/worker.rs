//! The threads that speak to SQLite, so that no other has to wait for a disk: each has a connection
//! of its own and does one thing after another.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::super::file::busy;

/// Jobs done in one go at most.
const GROUP: usize = 64;

/// How often a thread whose work is left undone tries again, where nobody gives it anything to do.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// How soon a thread tries postponed work again, if no fork asks it to stop.
const SOON: Duration = Duration::from_millis(20);

/// How often work is postponed, at most. Then it is done although a fork is near, which goes ahead without it.
const MOST_PUT_OFF: u32 = 100;

/// How long a thread waits for a fork to end. Then it goes on, and a child that is forked later cannot use a store.
const LONGEST_FORK: Duration = Duration::from_mins(1);

/// What a thread does.
pub(in super::super) trait Desk: Send + 'static {
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
    Park { parked: Sender<()>, go_on: Receiver<()>, gone_on: Arc<AtomicBool> },
}

/// A thread with a desk. Dropped, it finishes what it was given and ends.
pub(in super::super) struct Worker<J>(Mutex<Option<Running<J>>>);

struct Running<J> {
    orders: Sender<Order<J>>,
    thread: JoinHandle<()>,
}

/// A thread that has closed its files and waits; it goes on when this is dropped.
#[derive(Debug)]
pub(in super::super) struct Parked {
    _go_on: SyncSender<()>,
    gone_on: Arc<AtomicBool>,
}

impl Parked {
    /// Whether it has waited for so long that it went on by itself.
    pub(in super::super) fn has_gone_on(&self) -> bool {
        self.gone_on.load(Ordering::Acquire)
    }
}

impl<J: Send + 'static> Worker<J> {
    pub(in super::super) fn spawn<D: Desk<Job = J>>(name: &str, mut desk: D) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            serve(&mut desk, &inbox);
            desk.leave();
        })?;
        Ok(Self(Mutex::new(Some(Running { orders, thread }))))
    }

    /// Gives it something to do; where it is gone, the job is dropped, which its giver sees.
    pub(in super::super) fn give(&self, job: J) {
        self.send(Order::Do(job));
    }

    /// Tells the thread to finish what it is doing, close its files, send to `parked`, and wait.
    pub(in super::super) fn park(&self, parked: &Sender<()>) -> Option<Parked> {
        let ((go_on, wait), gone_on) = (sync_channel(1), Arc::new(AtomicBool::new(false)));
        let order = Order::Park { parked: parked.clone(), go_on: wait, gone_on: gone_on.clone() };
        self.send(order).then_some(Parked { _go_on: go_on, gone_on })
    }

    fn send(&self, order: Order<J>) -> bool {
        self.running().as_ref().is_some_and(|running| running.orders.send(order).is_ok())
    }
}

impl<J> Worker<J> {
    /// Lets the thread finish its jobs, and waits until it has ended.
    pub(in super::super) fn end(&self) {
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
    let mut put_off = 0;
    loop {
        let order = if put_off > 0 {
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
                // An order to stop for the fork may stand behind the jobs.
                if jobs.len() < GROUP || put_off > 0 && busy::is_fork_near() {
                    continue;
                }
            }
            Ok(Order::Park { parked, go_on, gone_on }) => {
                park(desk, &parked, &go_on, &gone_on, LONGEST_FORK);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if jobs.is_empty() => return,
            Err(RecvTimeoutError::Disconnected) => busy::wait_for_fork(),
        }
        let some = std::mem::take(&mut jobs);
        jobs = if put_off < MOST_PUT_OFF { desk.serve(some) } else { busy::undisturbed(|| desk.serve(some)) };
        put_off = if jobs.is_empty() { 0 } else { put_off + 1 };
    }
}

/// Jobs that have come in wait meanwhile, because the fork does not wait for them.
fn park(
    desk: &mut impl Desk,
    parked: &Sender<()>,
    go_on: &Receiver<()>,
    gone_on: &AtomicBool,
    longest: Duration,
) {
    if go_on.try_recv() == Err(TryRecvError::Disconnected) {
        // The fork went ahead without this thread.
        return;
    }
    desk.close();
    let _ = parked.send(());
    // The other end is dropped after the fork.
    if go_on.recv_timeout(longest) == Err(RecvTimeoutError::Timeout) {
        // Before any file is opened: whoever forks afterwards sees it.
        gone_on.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Postpones its work whenever it can, as if a fork were always near.
    struct Postponing(Sender<u32>, u32);

    impl Desk for Postponing {
        type Job = ();

        fn serve(&mut self, jobs: Vec<()>) -> Vec<()> {
            self.1 += u32::from(!jobs.is_empty());
            if busy::is_undisturbed() && !jobs.is_empty() {
                self.0.send(self.1).unwrap();
                return Vec::new();
            }
            jobs
        }

        fn close(&mut self) {}
    }

    #[test]
    fn work_is_not_postponed_for_ever() {
        let (done, seen) = channel();
        let worker = Worker::spawn("postponing", Postponing(done, 0)).unwrap();
        worker.give(());
        assert_eq!(seen.recv().unwrap(), MOST_PUT_OFF + 1);
        worker.give(());
        assert_eq!(seen.recv().unwrap(), 2 * (MOST_PUT_OFF + 1), "and the next work is postponed as often");
    }

    #[test]
    fn a_thread_that_did_not_wait_for_the_fork_says_so() {
        let (parked, stopped) = channel();
        let (never, _desk) = (Duration::ZERO, channel::<u32>());
        for (longest, ends_in_time) in [(never, false), (Duration::from_mins(1), true)] {
            let (go_on, wait) = sync_channel::<()>(1);
            let gone_on = Arc::new(AtomicBool::new(false));
            let held = Parked { _go_on: go_on, gone_on: gone_on.clone() };
            let parked = parked.clone();
            let thread = thread::spawn(move || {
                park(&mut Postponing(channel().0, 0), &parked, &wait, &gone_on, longest);
            });
            stopped.recv().unwrap();
            let held = if ends_in_time {
                drop(held);
                None
            } else {
                Some(held)
            };
            thread.join().unwrap();
            assert!(held.is_none_or(|held| held.has_gone_on()));
        }
    }
}
