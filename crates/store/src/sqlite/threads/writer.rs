//! The thread that writes. It commits all work that waits together, so that many claims and answers cost one wait for the
//! disk. Work that fails does not make other work fail.
//!
//! One transaction:
//!
//! ```text
//!  check the log's index          a truncated one would end the process
//!  renew the generation           once, before the first transaction of an opening
//!  BEGIN IMMEDIATE                waits for other processes; nobody else writes from here on
//!    check all files              what is written to a deleted file would be lost
//!    sync, release orphans        the memory is as the file
//!    write each work
//!  COMMIT                         one wait for the disk for all of them
//!  finish each work               callers are told
//! ```
//!
//! It is `IMMEDIATE`, because every work reads before it writes. A transaction that begins by reading cannot write
//! any more once another process has committed (`SQLITE_BUSY_SNAPSHOT`), and no waiting would help.

use std::sync::Arc;

use rusqlite::Connection;

use super::super::file::{Fault, OpenFiles, busy};
use super::super::platform;
use super::owner_work::Leave;
use super::shared::Shared;
use super::work::Work;
use super::worker::{Role, closed};
use super::writer_state::WriterState;

/// The role of the thread that writes.
pub(crate) struct Writer {
    /// `None` while the thread is parked, and after a transaction that could not be ended.
    open: Option<(Connection, OpenFiles)>,
    state: WriterState,
    /// Whether this opening has given the file a new generation.
    renewed: bool,
    /// Answers that could not be stored, to be tried again. None is given up because of their number: each was paid for.
    unsettled: Vec<Box<dyn Work>>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, open: (Connection, OpenFiles)) -> Self {
        Self { open: Some(open), state: WriterState::new(shared), renewed: false, unsettled: Vec::new() }
    }

    /// Commits all of them together or, if one makes the transaction fail, each by itself. (Savepoints would copy every
    /// page that is changed.) Returns whether the last of them was committed, and the work that must be repeated after a
    /// fork.
    ///
    /// On a busy fault, nothing was written, and all of the work fails together.
    fn commit(&mut self, mut group: Vec<Box<dyn Work>>) -> (bool, Vec<Box<dyn Work>>) {
        let shared = self.state.shared.clone();
        let (mut committed, mut postponed) = (false, Vec::new());
        match self.transact(&mut group) {
            Ok(()) => {
                for work in group {
                    self.keep(work.finish(&shared, Ok(())));
                }
                committed = true;
            }
            Err(fault) => {
                self.state.distrust_memory();
                if busy::has_yielded(fault.is_busy()) {
                    postponed = group;
                } else if group.len() == 1 || fault.is_busy() {
                    // If another program keeps the lock, each of them would wait for it in vain.
                    let error = shared.error(fault);
                    for work in group {
                        self.keep(work.finish(&shared, Err(error.clone())));
                    }
                } else {
                    for work in group {
                        let (done, again) = self.commit(vec![work]);
                        committed = done;
                        postponed.extend(again);
                    }
                }
            }
        }
        if std::mem::take(&mut self.state.notify) {
            shared.changed.notify_waiters();
        }
        (committed, postponed)
    }

    /// Finishes the work that needs no transaction, and returns the rest. Without a connection, that is all of it.
    fn finish_idle(&mut self, works: Vec<Box<dyn Work>>) -> Vec<Box<dyn Work>> {
        let (state, shared) = (&self.state, self.state.shared.clone());
        let Some((connection, _)) = &self.open else { return works };
        let (needed, idle): (Vec<_>, Vec<_>) =
            works.into_iter().partition(|work| work.is_needed(connection, state));
        for work in idle {
            self.keep(work.finish(&shared, Ok(())));
        }
        needed
    }

    /// Keeps work that must be tried again later.
    ///
    /// `None` is work that is done.
    fn keep(&mut self, work: Option<Box<dyn Work>>) {
        if let Some(work) = work {
            self.state.blocking_answers += usize::from(work.blocks_claims());
            self.unsettled.push(work);
        }
    }

    fn take_unsettled(&mut self) -> Vec<Box<dyn Work>> {
        self.state.blocking_answers = 0;
        std::mem::take(&mut self.unsettled)
    }

    /// Tries to store the answers that could not be stored before, and returns whether all of them were stored. Stops at
    /// the first one that fails again: each attempt may wait for other programs as long as a commit does, and there may
    /// be many.
    ///
    /// Tries them one by one: one that fails must not roll back the others.
    fn settle_late(&mut self) -> bool {
        let shared = self.state.shared.clone();
        let mut late = self.take_unsettled().into_iter();
        let all = late.by_ref().all(|work| {
            let (committed, postponed) = self.commit(vec![work]);
            for work in postponed {
                self.keep(work.finish(&shared, Err(closed())));
            }
            committed
        });
        // The one that failed comes last the next time: if it can never be stored, it must not keep the others out.
        let failed = self.take_unsettled();
        late.chain(failed).for_each(|work| self.keep(Some(work)));
        all
    }

    /// One transaction for all of them; an error if nothing of it was committed.
    ///
    /// The memory may be ahead of the file after an error: the caller must distrust it.
    fn transact(&mut self, group: &mut [Box<dyn Work>]) -> Result<(), Fault> {
        let (connection, files) = match &self.open {
            Some(open) => open,
            None => self.open.insert(self.state.shared.connect()?),
        };
        platform::forget_failed_call();
        files.check_index()?;
        if !self.renewed {
            files.check()?;
            self.renewed = self.state.shared.owners.renew_generation(connection)?;
        }
        connection.execute_batch("BEGIN IMMEDIATE")?;
        // What is written to a deleted file is lost.
        let written = files.check().and_then(|()| write(connection, &mut self.state, group));
        let committed = written.and_then(|()| Ok(connection.execute_batch("COMMIT")?));
        if committed.is_err() && !connection.is_autocommit() {
            // If this fails too, the transaction ends with the connection.
            let _ = connection.execute_batch("ROLLBACK");
            if !connection.is_autocommit() {
                self.open = None;
            }
        }
        committed
    }
}

/// Stops at the first error. Work before it has changed only what is rolled back, the memory, and its own result.
fn write(connection: &Connection, state: &mut WriterState, group: &mut [Box<dyn Work>]) -> Result<(), Fault> {
    state.sync(connection)?;
    state.release_orphans(connection)?;
    for work in group {
        work.write(connection, state)?;
    }
    Ok(())
}

impl Role for Writer {
    type Task = Box<dyn Work>;

    fn serve(&mut self, tasks: Vec<Self::Task>) -> Vec<Self::Task> {
        let (waiting, tasks): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|work| work.follows_unsettled());
        let needed = self.finish_idle(tasks);
        let shared = self.state.shared.clone();
        let mut postponed = busy::yielding(shared.lock_timeout, || {
            // First, because nothing is claimed while an answer waits to be stored. Also without new work, because other
            // processes wait for these answers.
            self.settle_late();
            if needed.is_empty() { needed } else { self.commit(needed).1 }
        });
        if !postponed.is_empty() || busy::is_fork_near() {
            // The fork may have ended the attempt to store them.
            postponed.extend(waiting);
            return postponed;
        }
        for work in waiting {
            self.keep(work.finish(&shared, Ok(())));
        }
        postponed
    }

    fn has_left_undone(&self) -> bool {
        !self.unsettled.is_empty()
    }

    fn close(&mut self) {
        self.open = None;
        // The next connection starts a new count of the file's versions. What others commit until then could get the number
        // that this connection has seen last.
        self.state.distrust_memory();
    }

    /// Only an opening that has claimed something has an owner and anything to store.
    fn leave(&mut self) {
        // Best effort: the next opening does what is not done here. If no answer waits to be stored, a fork ends the wait
        // for a lock.
        let shared = self.state.shared.clone();
        let has_unsettled = self.has_left_undone();
        let leave = || {
            if self.state.known_owner().is_some() && self.settle_late() {
                self.commit(vec![Box::new(Leave)]);
            }
        };
        if has_unsettled {
            busy::within(shared.lock_timeout, leave);
        } else {
            busy::yielding(shared.lock_timeout, leave);
        }
        if let Some(owner) = self.state.known_owner() {
            self.state.shared.owners.leave(owner);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

    use exactbuyer_core::error::Error;

    use super::super::super::file::{NameLock, Owners, connect, place, schema};
    use super::super::super::platform;
    use super::*;

    /// Work that always fails.
    struct Failing(SyncSender<Error>);

    impl Work for Failing {
        fn write(&mut self, _: &Connection, _: &mut WriterState) -> Result<(), Fault> {
            Err(Fault::Damaged("it always fails"))
        }

        fn finish(self: Box<Self>, _: &Shared, committed: Result<(), Error>) -> Option<Box<dyn Work>> {
            self.0.send(committed.unwrap_err()).unwrap();
            Some(self)
        }
    }

    fn failing() -> (Box<dyn Work>, Receiver<Error>) {
        let (reply, answer) = sync_channel(9);
        (Box::new(Failing(reply)), answer)
    }

    #[test]
    fn the_first_answer_that_cannot_be_stored_again_spares_the_others_the_wait() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-writer-{}", std::process::id()));
        let (path, _) = place::prepare(&folder.join("a.db")).unwrap();
        let opened = connect(&path).unwrap();
        let identity = schema::open(&opened, "loopback", 0).unwrap();
        let owners = Owners::open(&path, identity.name, &opened).unwrap().unwrap();
        let (file, name) = (platform::file_id(&path).unwrap(), NameLock::take(&path).unwrap());
        let files = OpenFiles::of(&path, file).unwrap();
        let timeout = std::time::Duration::from_secs(1);
        let shared = Arc::new(Shared::new((path, file, name), identity, owners, timeout));
        let mut writer = Writer::new(shared, (opened, files));
        let (works, answers): (Vec<_>, Vec<_>) = (0..3).map(|_| failing()).unzip();
        for work in works {
            writer.keep(Some(work));
        }
        assert!(!writer.settle_late());
        assert!(answers[0].try_recv().is_ok());
        assert!(answers[1..].iter().all(|answer| answer.try_recv().err() == Some(TryRecvError::Empty)));
        assert_eq!(writer.unsettled.len(), 3, "all of them are tried again");
        drop(writer);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
