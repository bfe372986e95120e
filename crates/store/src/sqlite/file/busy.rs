//! How long a thread waits for locks of other programs. A fork of this process ends the wait early, because the other
//! program may keep the lock for 15 seconds, and a fork cannot wait for that.
//!
//! Nothing here takes a lock that a forked child might inherit.

use std::cell::Cell;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::super::clock::{pause, pause_shortly};

/// How long a commit waits for the commits of other processes before it fails.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(15);

/// The pauses between attempts to get a lock. The last one is repeated.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
];

thread_local! {
    static PATIENCE: Cell<Patience> =
        const { Cell::new(Patience { longest: LOCK_TIMEOUT, yields: false, has_yielded: false, undisturbed: false }) };
}

/// How this thread waits at present. It is a value of the thread, because SQLite's busy handler has no other
/// argument.
#[derive(Clone, Copy)]
struct Patience {
    /// The longest wait for one lock.
    longest: Duration,
    /// Whether a wait ends early if a fork is about to happen.
    yields: bool,
    /// Whether a wait has ended early.
    has_yielded: bool,
    /// Whether this thread ignores forks.
    undisturbed: bool,
}

/// Runs `act` with this patience. Afterwards only whether a wait has ended early stays.
fn with<T>(patience: Patience, act: impl FnOnce() -> T) -> T {
    let before = PATIENCE.replace(patience);
    let done = act();
    PATIENCE.set(Patience { has_yielded: PATIENCE.get().has_yielded, ..before });
    done
}

/// Runs `act`. No wait for a lock in it takes longer than this.
pub(crate) fn within<T>(longest: Duration, act: impl FnOnce() -> T) -> T {
    with(Patience { longest, ..PATIENCE.get() }, act)
}

/// The same for an `act` that can be repeated: its waits end early if a fork is about to happen, and [`has_yielded`]
/// then returns true.
pub(crate) fn yielding<T>(longest: Duration, act: impl FnOnce() -> T) -> T {
    with(Patience { longest, yields: true, has_yielded: false, ..PATIENCE.get() }, act)
}

/// Runs `act`, in which [`is_fork_near`] is false: no work is postponed.
pub(crate) fn undisturbed<T>(act: impl FnOnce() -> T) -> T {
    with(Patience { undisturbed: true, ..PATIENCE.get() }, act)
}

/// Whether this thread is in [`undisturbed`]. Other threads do not count.
pub(crate) fn is_undisturbed() -> bool {
    PATIENCE.get().undisturbed
}

/// Whether work that failed with a busy fault failed only because a wait ended early for a fork. Then the work must be
/// repeated. Returns true once for each such wait.
pub(crate) fn has_yielded(is_busy: bool) -> bool {
    let patience = PATIENCE.get();
    PATIENCE.set(Patience { has_yielded: false, ..patience });
    patience.has_yielded && is_busy
}

/// SQLite calls this when another connection has a lock that it needs, with the number of earlier calls. Returns
/// whether SQLite tries again.
pub(super) fn handler(tries: i32) -> bool {
    let patience = PATIENCE.get();
    if patience.yields && is_fork_near() {
        PATIENCE.set(Patience { has_yielded: true, ..patience });
        return false;
    }
    let tries = usize::try_from(tries).unwrap_or_default();
    let [.., last] = PAUSES;
    let (some, more) = (PAUSES.iter().take(tries), tries.saturating_sub(PAUSES.len()));
    let waited = some.sum::<Duration>() + last.saturating_mul(u32::try_from(more).unwrap_or(u32::MAX));
    if waited >= patience.longest {
        return false;
    }
    pause(PAUSES.get(tries).copied().unwrap_or(last).min(patience.longest.saturating_sub(waited)));
    true
}

/// How many threads of which process are about to fork.
static FORKING: AtomicU32 = AtomicU32::new(0);
/// A child inherits the count of its parent; the number of the process shows that it does not count there.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// While this value exists, waits under [`yielding`] end early.
#[derive(Debug)]
pub(crate) struct NearFork(u32);

impl NearFork {
    /// Announces a fork of this process. What a forked child has inherited of its parent's announcements is discarded
    /// here, because those threads do not exist in the child and would never take them back.
    pub(crate) fn announce() -> Self {
        if PROCESS.swap(process::id(), Ordering::AcqRel) != process::id() {
            FORKING.store(0, Ordering::Release);
        }
        FORKING.fetch_add(1, Ordering::AcqRel);
        Self(process::id())
    }

    /// The process that is about to fork.
    pub(crate) fn process(&self) -> u32 {
        self.0
    }
}

impl Drop for NearFork {
    fn drop(&mut self) {
        FORKING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether a thread of this process is about to fork. Threads of the parent process do not count, and under
/// [`undisturbed`] this is always false.
pub(crate) fn is_fork_near() -> bool {
    FORKING.load(Ordering::Acquire) > 0
        && PROCESS.load(Ordering::Acquire) == process::id()
        && !is_undisturbed()
}

/// Waits until no thread of this process is about to fork.
pub(crate) fn wait_for_fork() {
    while is_fork_near() {
        pause_shortly();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_after_its_time_or_before_a_fork() {
        // As SQLite calls it.
        assert!(within(Duration::from_millis(2), || handler(0) && handler(1)));
        assert!(!within(Duration::from_millis(2), || handler(2)));
        let near = NearFork::announce();
        assert!(handler(0), "work that cannot be repeated goes on waiting");
        assert!(!yielding(LOCK_TIMEOUT, || handler(0)));
        assert!(PATIENCE.get().has_yielded);
        drop(near);
        assert!(yielding(LOCK_TIMEOUT, || handler(0)));
    }
}
