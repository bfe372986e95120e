//! The one thread that writes: what waits is committed together, so that many claims and answers
//! cost one wait for the disk; what fails takes nobody else's with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use crate::error::Error;

use super::super::file::busy;
use super::super::file::fault::Fault;
use super::super::file::open_files::Files;
use super::super::platform::unix::system_calls;
use super::super::process::opening::ended;
use super::shared::Shared;
use super::worker::Desk;
use super::writer_state::Ledger;

/// One thing to write. Done again if the transaction that it was part of failed, so it may change
/// nothing of its own but its answer.
pub(in super::super) trait Work: Send {
    /// Whether it is worth a transaction.
    fn is_needed(&self, connection: &Connection, ledger: &Ledger) -> bool {
        let _ = (connection, ledger);
        true
    }

    /// Within a transaction.
    fn work(&mut self, connection: &Connection, ledger: &mut Ledger) -> Result<(), Fault>;

    /// Committed, or not.
    fn done(self: Box<Self>, shared: &Shared, committed: Result<(), Error>);
}

/// The desk of the thread that writes.
#[derive(Debug)]
pub(in super::super) struct Writer {
    open: Option<(Connection, Files)>,
    ledger: Ledger,
}

impl Writer {
    pub(in super::super) fn new(shared: Arc<Shared>, open: (Connection, Files)) -> Self {
        let ledger = Ledger::new(shared);
        Self { open: Some(open), ledger }
    }

    /// Commits all of them together or, where one makes the transaction fail, each by itself.
    /// (Savepoints would copy every page that is touched.) Returns whether the last of them was
    /// committed, and the jobs that are to be repeated after a fork.
    fn commit(&mut self, mut group: Vec<Box<dyn Work>>) -> (bool, Vec<Box<dyn Work>>) {
        let shared = self.ledger.shared.clone();
        let (mut committed, mut put_off) = (false, Vec::new());
        match self.transact(&mut group) {
            Ok(()) => {
                for work in group {
                    work.done(&shared, Ok(()));
                }
                committed = true;
            }
            Err(fault) => {
                self.ledger.doubt_everything();
                if busy::has_yielded(&fault) {
                    put_off = group;
                } else if group.len() == 1 || fault.is_busy() {
                    // If another program keeps the lock, each of them would wait for it in vain.
                    let error = shared.told(fault);
                    for work in group {
                        work.done(&shared, Err(error.clone()));
                    }
                } else {
                    for work in group {
                        let (done, again) = self.commit(vec![work]);
                        committed = done;
                        put_off.extend(again);
                    }
                }
            }
        }
        if std::mem::take(&mut self.ledger.notify) {
            shared.changed.notify_waiters();
        }
        (committed, put_off)
    }

    /// What could not be stored when it came, now that something else could be; whether all of it was.
    /// The first that still cannot be puts an end to it: each may wait for other programs for as long
    /// as a commit does, and there may be many.
    fn settle_late(&mut self) -> bool {
        let shared = self.ledger.shared.clone();
        let mut late = shared.take_unsettled().into_iter();
        let all = late.by_ref().all(|work| {
            let (committed, put_off) = self.commit(vec![Box::new(work)]);
            for work in put_off {
                work.done(&shared, Err(ended()));
            }
            committed
        });
        // Behind the others the next time: one that can never be stored is not to keep them out for ever.
        let failed = shared.take_unsettled();
        late.chain(failed).for_each(|work| shared.keep_unsettled(work));
        all
    }

    /// One transaction for all of them; an error if nothing of it was committed.
    fn transact(&mut self, group: &mut [Box<dyn Work>]) -> Result<(), Fault> {
        let (connection, files) = match &self.open {
            Some(open) => open,
            None => self.open.insert(self.ledger.shared.connect()?),
        };
        system_calls::forget_failure();
        files.check_index()?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        // What goes into a file that was deleted is neither noted nor stored.
        let worked = files.check().and_then(|()| work(connection, &mut self.ledger, group));
        let committed = worked.and_then(|()| Ok(connection.execute_batch("COMMIT")?));
        if committed.is_err() && !connection.is_autocommit() {
            // Where this fails, too, the transaction ends with the connection.
            let _ = connection.execute_batch("ROLLBACK");
            if !connection.is_autocommit() {
                self.open = None;
            }
        }
        committed
    }
}

fn work(connection: &Connection, ledger: &mut Ledger, group: &mut [Box<dyn Work>]) -> Result<(), Fault> {
    ledger.sync(connection)?;
    ledger.release_orphans(connection)?;
    for work in group {
        work.work(connection, ledger)?;
    }
    Ok(())
}

impl Desk for Writer {
    type Job = Box<dyn Work>;

    fn serve(&mut self, jobs: Vec<Self::Job>) -> Vec<Self::Job> {
        let ledger = &self.ledger;
        let (needed, idle): (Vec<_>, Vec<_>) = match &self.open {
            Some((connection, _)) => jobs.into_iter().partition(|job| job.is_needed(connection, ledger)),
            None => (jobs, Vec::new()),
        };
        for job in idle {
            job.done(&ledger.shared, Ok(()));
        }
        busy::yielding(self.ledger.shared.lock_timeout, || {
            // Also where nobody has come: other processes wait for what could not be stored.
            let (committed, put_off) = if needed.is_empty() { (true, needed) } else { self.commit(needed) };
            if committed && put_off.is_empty() {
                self.settle_late();
            }
            put_off
        })
    }

    fn has_left_undone(&self) -> bool {
        self.ledger.shared.any_unsettled()
    }

    fn close(&mut self) {
        self.open = None;
        // The next connection counts the file's states anew: what others commit until it is opened
        // could bear the number that this one saw last.
        self.ledger.doubt_everything();
    }

    fn leave(&mut self) {
        // Best effort: what is left undone here, the next opening does. If nothing can be stored, nor can this, after
        // another wait. If no answer is at stake, a fork ends the wait.
        let shared = self.ledger.shared.clone();
        let leave = || {
            if self.ledger.known_owner().is_some() && self.settle_late() {
                self.commit(vec![Box::new(Leave)]);
            }
        };
        if shared.any_unsettled() {
            busy::within(shared.lock_timeout, leave);
        } else {
            busy::yielding(shared.lock_timeout, leave);
        }
        if let Some(owner) = self.ledger.known_owner() {
            self.ledger.shared.owners.leave(owner);
        }
    }
}

/// The last thing that an opening writes.
struct Leave;

impl Work for Leave {
    fn work(&mut self, connection: &Connection, ledger: &mut Ledger) -> Result<(), Fault> {
        ledger.known_owner().map_or(Ok(()), |owner| ledger.bury(connection, owner))
    }

    fn done(self: Box<Self>, _: &Shared, _: Result<(), Error>) {}
}

/// Reads what other processes have committed, for a run that waits for their answers.
pub(in super::super) struct Listen(pub(in super::super) Arc<AtomicBool>);

impl Work for Listen {
    fn is_needed(&self, connection: &Connection, ledger: &Ledger) -> bool {
        self.0.store(false, Ordering::Release);
        if !ledger.shared.owners.is_in_place() {
            // Nobody can be seen to die any more: who waits for others is told so when it looks.
            ledger.shared.changed.notify_waiters();
        }
        let owners = ledger.shared.intents().owners();
        let changed = ledger.is_behind(connection);
        changed || owners.into_iter().any(|owner| !ledger.shared.owners.is_alive(owner))
    }

    fn work(&mut self, connection: &Connection, ledger: &mut Ledger) -> Result<(), Fault> {
        Bury(None).work(connection, ledger)
    }

    fn done(self: Box<Self>, _: &Shared, _: Result<(), Error>) {
        self.0.store(false, Ordering::Release);
    }
}

/// Turns what dead owners have left unanswered into doubts.
pub(in super::super) struct Bury(pub(in super::super) Option<std::sync::mpsc::SyncSender<Result<(), Error>>>);

impl Work for Bury {
    fn is_needed(&self, connection: &Connection, ledger: &Ledger) -> bool {
        owners(connection)
            .is_ok_and(|owners| owners.iter().any(|owner| !ledger.shared.owners.is_alive(*owner)))
    }

    fn work(&mut self, connection: &Connection, ledger: &mut Ledger) -> Result<(), Fault> {
        for owner in owners(connection)? {
            if !ledger.shared.owners.is_alive(owner) {
                ledger.bury(connection, owner)?;
            }
        }
        Ok(())
    }

    fn done(self: Box<Self>, _: &Shared, committed: Result<(), Error>) {
        if let Some(reply) = self.0 {
            let _ = reply.send(committed);
        }
    }
}

/// All owners on file.
fn owners(connection: &Connection) -> Result<Vec<i64>, Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT owner FROM request WHERE settled_ms IS NULL UNION SELECT id FROM owner UNION SELECT owner FROM pace",
    )?;
    Ok(ask.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use tokio::sync::oneshot::{self, error::TryRecvError};

    use crate::identifier::{FieldType, Identifier};
    use crate::store::{Store as _, Terms};

    use super::super::super::SqliteStore;
    use super::super::super::answers::settle::SettleWork;
    use super::super::super::people::find::Target;
    use super::super::super::process::closing;
    use super::super::super::process::opening::{self, Opening};
    use super::super::shared::MOST_UNSETTLED_BYTES;
    use super::*;

    struct Place(std::path::PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let place = std::env::temp_dir().join(format!("exactbuyer-writer-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&place).unwrap();
            Self(place)
        }

        fn open(&self) -> Arc<Opening> {
            opening::open(&self.0.join("a.db"), "loopback", std::time::Duration::from_secs(1)).unwrap().0
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// An answer to a request that is not on file: it can never be stored.
    fn hopeless() -> (SettleWork, oneshot::Receiver<Result<u64, Error>>) {
        let (reply, answer) = oneshot::channel();
        let work = SettleWork {
            request: 7,
            lines: Vec::new(),
            blocks: Vec::new(),
            evidence: crate::store::Evidence::default(),
            unread: None,
            withheld: 0,
            is_hopeless: false,
            reply: Some(reply),
        };
        (work, answer)
    }

    #[test]
    fn of_what_could_not_be_stored_the_first_to_fail_again_spares_the_others_the_wait() {
        let place = Place::new("late");
        let opening = place.open();
        let mut writer = Writer::new(opening.shared.clone(), opening.shared.connect().unwrap());
        let (works, mut answers): (Vec<_>, Vec<_>) = (0..3).map(|_| hopeless()).unzip();
        for work in works {
            opening.shared.keep_unsettled(work);
        }
        assert!(!writer.settle_late());
        assert!(answers[0].try_recv().unwrap().is_err());
        assert!(answers[1..].iter_mut().all(|answer| answer.try_recv() == Err(TryRecvError::Empty)));
        assert_eq!(opening.shared.take_unsettled().len(), 3, "all of them are tried again");
        drop(writer);
        closing::close(opening);
    }

    #[test]
    fn what_was_never_stored_keeps_nothing_in_memory_once_the_store_is_closed() {
        let place = Place::new("closed");
        let opening = place.open();
        let shared = Arc::downgrade(&opening.shared);
        opening.shared.keep_unsettled(hopeless().0);
        closing::close(opening);
        assert!(shared.upgrade().is_none());
    }

    #[test]
    fn while_too_much_waits_to_be_stored_nothing_more_is_claimed() {
        let place = Place::new("full");
        let store = SqliteStore::open(&place.0.join("a.db"), "loopback").unwrap();
        let [ana, bob] = ["ana@x.example", "bob@x.example"]
            .map(|address| Identifier::from_canonical(FieldType::Email, address));
        store.purge(&Target::Identifier(bob.clone())).unwrap();
        let mut work = hopeless().0;
        work.unread = Some(vec![0; MOST_UNSETTLED_BYTES]);
        store.opening().unwrap().shared.keep_unsettled(work);
        let (run, required) = (store.begin(Terms::default()), [].into());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let claim = |lookups: &[Identifier]| runtime.block_on(store.claim(run, &required, lookups));
        let refused = claim(&[ana, bob.clone()]).unwrap_err();
        assert!(refused.message().contains("nothing more is sent"));
        // Nothing is left to send.
        assert!(claim(&[bob]).is_ok());
    }

    #[test]
    fn answers_that_can_never_be_stored_do_not_keep_others_from_being_claimed() {
        let place = Place::new("hopeless");
        let opening = place.open();
        let mut writer = Writer::new(opening.shared.clone(), opening.shared.connect().unwrap());
        let (mut work, mut answer) = hopeless();
        work.unread = Some(vec![0; MOST_UNSETTLED_BYTES]);
        writer.serve(vec![Box::new(work)]);
        assert!(answer.try_recv().unwrap().is_err(), "it is reported");
        assert!(opening.shared.any_unsettled());
        opening.shared.check_room().unwrap();
        drop(writer);
        closing::close(opening);
    }
}
