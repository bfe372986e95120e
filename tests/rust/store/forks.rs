//! Forks: the child has no part in the locks of its parent's stores, and the parent goes on.
#![allow(unsafe_code)] // there is no other way to fork

use std::path::Path;
use std::time::Duration;

use exactbuyer_core::results::Status;
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{SqliteStore, after_fork, before_fork};
use nix::libc;

use crate::copies::{Kind, claim};
use crate::fixture::*;
use crate::other::{Other, listen};

/// Forks, with the store's hooks around it, which wait for this long; what the child is to do.
fn fork(longest: Duration, child: impl FnOnce()) -> libc::pid_t {
    before_fork(|| longest);
    // SAFETY: the child does only what is passed here, and ends.
    let forked = unsafe { libc::fork() };
    after_fork();
    if forked == 0 {
        child();
        // SAFETY: it takes a number.
        unsafe { libc::_exit(0) };
    }
    forked
}

/// Says something without the lock of the standard output, which another thread may have had at the fork.
fn say(text: &str) {
    // SAFETY: the text lives for the length of the call.
    unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
}

/// What the other process does: it has a request under way, and forks without waiting for its threads. The child
/// says how many files of the store it has open, forks again, and lives until the test is over.
#[cfg(target_os = "linux")]
pub(crate) fn fork_in_use(folder: &Path, store: &SqliteStore, is_writing: bool) {
    assert!(claim(store, 0, 0, &[("ana".into(), Kind::Hit)]).is_some());
    let purging = is_writing.then(|| {
        let store = store.clone();
        // While the test reads, this waits with the write lock, for two seconds.
        std::thread::spawn(move || store.purge(&email("eve")))
    });
    if let Some(purging) = &purging {
        let connection = rusqlite::Connection::open(folder.join("a.db")).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        while connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() && !purging.is_finished() {
            std::thread::yield_now();
        }
    }
    fork(Duration::ZERO, || {
        let grandchild =
            fork(Duration::from_mins(1), || drop(SqliteStore::open(&folder.join("a.db"), "loopback")));
        let mut status = 0;
        // SAFETY: there is room for the status.
        let ended = unsafe { libc::waitpid(grandchild, &raw mut status, 0) };
        assert_eq!((ended, status), (grandchild, 0));
        say(&format!("left {}\n", open_in(folder).len()));
        let mut byte = 0_u8;
        // SAFETY: there is room for one byte.
        unsafe { libc::read(0, (&raw mut byte).cast(), 1) };
    });
    listen();
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_forked_during_work_does_not_keep_the_parents_locks() {
    for part in ["forks", "forks-while-it-writes"] {
        let folder = Folder::new();
        once(&folder, settings(), &Vendor::honest(), &["zoe"]);
        let reader = rusqlite::Connection::open(folder.file("a.db")).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM request").unwrap();
        let mut other = Other::start(&folder, part);
        let left = other.hears("left ");
        other.dies();
        assert_eq!(left, "left 0", "{part}");
        drop(reader);
        // The child lives: it waits for this test.
        let store = folder.store();
        assert_eq!((store.unknown().unwrap().len(), store.info().unwrap().under_way), (1, 0), "{part}");
        let done = run(&engine(settings(), &Vendor::honest(), &store), rows(&["bob"]), RunOptions::default());
        assert_eq!(done.statuses(), [Status::Found], "{part}");
    }
}

#[test]
fn a_store_that_is_being_closed_keeps_no_other_store_and_no_fork_waiting() {
    let (folder, another, vendor) = (Folder::new(), Folder::new(), Vendor::honest());
    let patient = Duration::from_hours(1);
    let store = SqliteStore::open_within(&folder.file("a.db"), "loopback", patient).unwrap();
    run(&engine(settings(), &vendor, &store), rows(&["ana"]), RunOptions::default());
    let hold = Hold::on(&folder.file("a.db"));
    std::thread::scope(|scope| {
        // Its last commit waits for the lock.
        let closing = scope.spawn(|| store.close());
        for _ in 0..20 {
            once(&another, settings(), &vendor, &["bob"]);
        }
        assert!(!closing.is_finished());
        // A fork ends the wait.
        while !closing.is_finished() {
            before_fork(|| Duration::from_mins(1));
            after_fork();
        }
    });
    drop(hold);
    // What was left undone is done when the store is opened again.
    let store = folder.store();
    assert_eq!((store.info().unwrap().hits, store.unknown().unwrap().len()), (1, 0));
}
