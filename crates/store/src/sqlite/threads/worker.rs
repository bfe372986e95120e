//! A thread that uses SQLite, so that no other thread has to wait for a disk. It has its own connection, does its tasks in
//! order, and waits while the process forks.
//!
//! ```text
//!  tasks ──▶ collect up to GROUP ──▶ serve ──▶ nothing left: wait for the next task
//!                   ▲                  │
//!                   │                  └── postponed, because a fork is near: try again every 20 ms, at most 100 times
//!  park order ──▶ close files, answer, wait until the Parked value is dropped, at most a minute
//! ```
//!
//! A thread starts no task between the park order and the end of the fork, unless the fork takes longer than a
//! minute. It ends when its channel is closed and all tasks are done.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use exactbuyer_core::error::{Error, ErrorKind};

use super::super::file::busy;

/// The most tasks that are done together. Each adds to the time for which the write lock is held.
const GROUP: usize = 64;

/// How often a thread with undone work tries again if it gets no task.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// How soon a thread tries postponed tasks again if no fork asks it to stop.
const SOON: Duration = Duration::from_millis(20);

/// How often a task is postponed, at most. Then it is done although a fork is near, and the fork does not wait for it.
const MOST_POSTPONED: u32 = 100;

/// How long a thread waits for a fork to end. Then it continues, and a child that is forked later cannot use a store.
const LONGEST_FORK: Duration = Duration::from_mins(1);

/// What a thread does.
pub(crate) trait Role: Send + 'static {
    /// What the thread is given: [`Work`](super::Work) or a question.
    type Task: Send + 'static;

    /// Does the tasks in order. If there are none, it tries its undone work again. Returns the tasks that it postpones
    /// until this process has forked.
    fn serve(&mut self, tasks: Vec<Self::Task>) -> Vec<Self::Task>;

    /// Whether it has undone work that it may try again.
    fn has_left_undone(&self) -> bool {
        false
    }

    /// Closes the files that must not be open during a fork. The next task opens them again.
    ///
    /// Called on the thread itself, between two tasks.
    fn close(&mut self);

    /// Is called before the thread ends.
    fn leave(&mut self) {}
}

/// What goes through the channel, in order: a park order is served after the tasks before it were taken in.
enum Order<T> {
    Do(T),
    /// Close the files, say so through `parked`, and wait until the other end of `resume` is dropped.
    Park {
        parked: Sender<()>,
        resume: Receiver<()>,
        has_resumed: Arc<AtomicBool>,
    },
}

/// A thread with a role. When this value is dropped, the thread finishes its tasks and ends.
///
/// `None` after [`end`](Self::end). The lock is held only to send or to take.
pub(crate) struct Worker<T>(Mutex<Option<Running<T>>>);

/// Dropping `orders` closes the channel, which ends the thread.
struct Running<T> {
    orders: Sender<Order<T>>,
    thread: JoinHandle<()>,
}

/// A thread that has closed its files and waits. It continues when this value is dropped.
///
/// Held by the thread that forks, until after the fork. In the child it is leaked: the thread does not exist there.
#[derive(Debug)]
pub(crate) struct Parked {
    _resume: SyncSender<()>,
    has_resumed: Arc<AtomicBool>,
}

impl Parked {
    /// Whether it has waited so long that it continued by itself.
    pub(crate) fn has_resumed(&self) -> bool {
        self.has_resumed.load(Ordering::Acquire)
    }
}

impl<T: Send + 'static> Worker<T> {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no threads left.
    pub(crate) fn spawn<R: Role<Task = T>>(name: &str, mut role: R) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            serve(&mut role, &inbox);
            role.leave();
        })?;
        Ok(Self(Mutex::new(Some(Running { orders, thread }))))
    }

    /// Gives the thread a task. If the thread has ended, the task is dropped, which the caller can notice.
    pub(crate) fn give(&self, task: T) {
        self.send(Order::Do(task));
    }

    /// Tells the thread to finish what it is doing, close its files, send to `parked`, and wait.
    ///
    /// Returns at once. `None` if the thread has ended: then there is nothing to wait for.
    pub(crate) fn park(&self, parked: &Sender<()>) -> Option<Parked> {
        let ((go, resume), has_resumed) = (sync_channel(1), Arc::new(AtomicBool::new(false)));
        let order = Order::Park { parked: parked.clone(), resume, has_resumed: has_resumed.clone() };
        self.send(order).then_some(Parked { _resume: go, has_resumed })
    }

    fn send(&self, order: Order<T>) -> bool {
        crate::lock(&self.0).as_ref().is_some_and(|running| running.orders.send(order).is_ok())
    }
}

impl<T> Worker<T> {
    /// Lets the thread finish its tasks, and waits until it has ended.
    ///
    /// Later tasks are dropped. A second call does nothing.
    pub(crate) fn end(&self) {
        let running = crate::lock(&self.0).take();
        if let Some(Running { orders, thread }) = running {
            drop(orders);
            // An error means that it panicked, and then it has reported that itself.
            let _ = thread.join();
        }
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.end();
    }
}

/// The error if the store's threads have ended.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Store, "the store has been closed, or its thread has ended: open it again")
}

/// The loop of the thread, which returns when the channel is closed and no task is left.
fn serve<R: Role>(role: &mut R, inbox: &Receiver<Order<R::Task>>) {
    let mut tasks = Vec::new();
    let mut postponed = 0;
    loop {
        let order = if postponed > 0 {
            inbox.recv_timeout(SOON)
        } else if !tasks.is_empty() {
            inbox.try_recv().map_err(|_| RecvTimeoutError::Timeout)
        } else if role.has_left_undone() {
            inbox.recv_timeout(TRY_EVERY)
        } else {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match order {
            Ok(Order::Do(task)) => {
                tasks.push(task);
                // The order to stop for the fork may come after the tasks.
                if tasks.len() < GROUP || postponed > 0 && busy::is_fork_near() {
                    continue;
                }
            }
            Ok(Order::Park { parked, resume, has_resumed }) => {
                park(role, &parked, &resume, &has_resumed, LONGEST_FORK);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if tasks.is_empty() => return,
            Err(RecvTimeoutError::Disconnected) => busy::wait_for_fork(),
        }
        let some = std::mem::take(&mut tasks);
        tasks = if postponed < MOST_POSTPONED {
            role.serve(some)
        } else {
            busy::undisturbed(|| role.serve(some))
        };
        postponed = if tasks.is_empty() { 0 } else { postponed + 1 };
    }
}

/// Closes the files and waits for the fork. Tasks that have come in wait meanwhile, because the fork does not wait for
/// them.
fn park(
    role: &mut impl Role,
    parked: &Sender<()>,
    resume: &Receiver<()>,
    has_resumed: &AtomicBool,
    longest: Duration,
) {
    if resume.try_recv() == Err(TryRecvError::Disconnected) {
        // The fork did not wait for this thread.
        return;
    }
    role.close();
    let _ = parked.send(());
    // The other end is dropped after the fork.
    if resume.recv_timeout(longest) == Err(RecvTimeoutError::Timeout) {
        // Before any file is opened, so that a later fork sees it.
        has_resumed.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Postpones its tasks whenever it can, as if a fork were always near.
    struct Postponing(Sender<u32>, u32);

    impl Role for Postponing {
        type Task = ();

        fn serve(&mut self, tasks: Vec<()>) -> Vec<()> {
            self.1 += u32::from(!tasks.is_empty());
            if busy::is_undisturbed() && !tasks.is_empty() {
                self.0.send(self.1).unwrap();
                return Vec::new();
            }
            tasks
        }

        fn close(&mut self) {}
    }

    #[test]
    fn tasks_are_not_postponed_for_ever() {
        let (done, seen) = channel();
        let worker = Worker::spawn("postponing", Postponing(done, 0)).unwrap();
        worker.give(());
        assert_eq!(seen.recv().unwrap(), MOST_POSTPONED + 1);
        worker.give(());
        assert_eq!(seen.recv().unwrap(), 2 * (MOST_POSTPONED + 1), "and the next task is postponed as often");
    }

    #[test]
    fn a_thread_that_continued_before_the_fork_ended_reports_it() {
        let (parked, stopped) = channel();
        let (never, _unused) = (Duration::ZERO, channel::<u32>());
        for (longest, ends_in_time) in [(never, false), (Duration::from_mins(1), true)] {
            let (resume, wait) = sync_channel::<()>(1);
            let has_resumed = Arc::new(AtomicBool::new(false));
            let held = Parked { _resume: resume, has_resumed: has_resumed.clone() };
            let parked = parked.clone();
            let thread = thread::spawn(move || {
                park(&mut Postponing(channel().0, 0), &parked, &wait, &has_resumed, longest);
            });
            stopped.recv().unwrap();
            let held = if ends_in_time {
                drop(held);
                None
            } else {
                Some(held)
            };
            thread.join().unwrap();
            assert!(held.is_none_or(|held| held.has_resumed()));
        }
    }
}
