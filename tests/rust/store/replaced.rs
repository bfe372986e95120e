//! Files that somebody deletes or replaces while they are in use: nothing is paid for twice, and
//! whoever has them open is told before anything more is sent.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use exactbuyer_core::config::{Config, OnUnknown};
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::results::Status;
use exactbuyer_core::store::{Availability, Claim};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{Interrupt, SqliteStore, migrate};

use crate::fixture::*;
use crate::other::Other;

fn opening_fails(folder: &Folder) -> Error {
    let error = SqliteStore::open(&folder.file("a.db"), "loopback").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    error
}

fn ask(store: &SqliteStore, vendor: &Vendor, names: &[&str]) -> Done {
    run(&engine(settings(), vendor, store), rows(names), RunOptions::default())
}

/// That nothing was sent, and why.
fn was_told(done: &Done, what: &str) {
    assert!(done.statuses().iter().all(|status| *status == Status::NotSent), "{:?}", done.statuses());
    assert_eq!(done.troubles[0].kind(), ErrorKind::Store);
    assert!(done.troubles[0].to_string().contains(what), "{:?}", done.troubles);
}

#[test]
fn deleting_the_side_file_does_not_make_running_processes_look_dead() {
    let folder = Folder::new();
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    fs::remove_file(folder.file("a.db-owners")).unwrap();
    // Not even by opening it a second time: what the first attempt has made is not taken for the one.
    for _ in 0..2 {
        assert!(opening_fails(&folder).to_string().contains("a.db-owners was deleted or replaced"));
    }
    assert!(migrate(&folder.file("a.db"), &Interrupt::default()).unwrap().backup.is_none(), "nothing to do");
    other.kill();
    let store = folder.store();
    assert_eq!(store.unknown().unwrap().len(), 2, "now they are dead");
    let vendor = Vendor::honest();
    assert_eq!(ask(&store, &vendor, &["ana", "eve"]).statuses(), [Status::Unknown, Status::Found]);
}

#[test]
fn a_copy_of_the_side_file_is_not_taken_for_it() {
    let folder = Folder::new();
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    let (side, copy) = (folder.file("a.db-owners"), folder.file("copy"));
    fs::copy(&side, &copy).unwrap();
    fs::rename(&copy, &side).unwrap();
    opening_fails(&folder);
    // Emptied, it is the same file, and yet nobody can tell.
    fs::write(&side, b"").unwrap();
    opening_fails(&folder);
    drop(other);
    assert_eq!(folder.store().unknown().unwrap().len(), 2);
}

#[test]
fn a_process_whose_side_file_was_deleted_or_replaced_sends_nothing() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    ask(&store, &vendor, &["ana"]);
    fs::remove_file(folder.file("a.db-owners")).unwrap();
    was_told(&ask(&store, &vendor, &["bob"]), "a.db-owners was deleted or replaced");
    // What is answered already is served.
    assert_eq!(ask(&store, &vendor, &["ana"]).receipt.from_store, 1);
    fs::write(folder.file("a.db-owners"), b"something else").unwrap();
    was_told(&ask(&store, &vendor, &["bob"]), "a.db-owners was deleted or replaced");
    assert_eq!(vendor.asked(), [["ana@x.example"]]);
    drop(store);
    assert_eq!(ask(&folder.store(), &vendor, &["ana", "bob"]).receipt.from_store, 1);
}

#[test]
fn what_is_under_way_is_stored_though_nobody_finds_the_lock() {
    let folder = Folder::new();
    let side = folder.file("a.db-owners");
    let vendor = Vendor::new(move |_, values| {
        fs::remove_file(&side).unwrap();
        Ok(found(values))
    });
    let store = folder.store();
    let done = ask(&store, &vendor, &["ana"]);
    assert_eq!((done.statuses(), done.receipt.not_stored), (vec![Status::Found], 0));
    drop(store);
    assert_eq!(ask(&folder.store(), &vendor, &["ana"]).receipt.from_store, 1);
}

#[test]
fn who_holds_no_lock_yet_takes_the_side_file_that_is_there_now() {
    let folder = Folder::new();
    let store = folder.store();
    fs::remove_file(folder.file("a.db-owners")).unwrap();
    let (_, claim) = claim_freely(&store, &["ana"]);
    let Claim::Granted { availability, .. } = claim else { panic!("{claim:?}") };
    assert_eq!(availability, [Availability::Free]);
    // And others find it there.
    let mut other = Other::start(&folder, "doubts");
    other.says("0 in doubt");
    other.ends();
}

#[test]
fn who_waits_for_another_does_not_wait_for_ever_where_it_cannot_be_seen_to_die() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    let store = folder.store();
    let waiting = Background::start(&vendor, &store, &["ana", "eve"]);
    fs::remove_file(folder.file("a.db-owners")).unwrap();
    let done = waiting.end();
    assert_eq!(done.statuses(), [Status::NotSent, Status::Found]);
    assert_eq!(done.troubles[0].kind(), ErrorKind::Store);
    other.kill();
}

#[test]
fn nobody_resends_what_the_living_have_under_way_though_their_side_file_is_gone() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    fs::remove_file(folder.file("a.db-owners")).unwrap();
    let resend = Config { on_unknown: OnUnknown::Resend, ..settings() };
    let done = run(&engine(resend, &vendor, &store), rows(&["ana"]), RunOptions::default());
    was_told(&done, "was deleted or replaced");
    assert_eq!(vendor.asked().len(), 0);
    other.kill();
}

#[test]
fn a_process_whose_store_was_deleted_sends_nothing() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    ask(&store, &vendor, &["ana"]);
    fs::remove_file(folder.file("a.db")).unwrap();
    was_told(&ask(&store, &vendor, &["bob"]), "a.db or a side file of it");
    assert!(opening_fails(&folder).to_string().contains("deleted or replaced while it was open"));
    assert!(!folder.file("a.db").exists(), "nor is another made beside it");
    drop(store);
    fs::remove_file(folder.file("a.db-owners")).unwrap();
    assert_eq!(ask(&folder.store(), &vendor, &["ana"]).receipt.credits, 1, "a new one");
}

#[test]
fn a_process_whose_store_was_replaced_sends_nothing() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    ask(&folder.store(), &vendor, &["ana"]);
    fs::copy(folder.file("a.db"), folder.file("backup")).unwrap();
    let store = folder.store();
    ask(&store, &vendor, &["bob"]);
    fs::rename(folder.file("backup"), folder.file("a.db")).unwrap();
    was_told(&ask(&store, &vendor, &["eve"]), "a.db or a side file of it");
    opening_fails(&folder);
    assert_eq!(vendor.asked().len(), 2);
}

#[test]
fn a_new_store_is_not_made_while_others_have_the_deleted_one_in_use() {
    let folder = Folder::new();
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    fs::remove_file(folder.file("a.db")).unwrap();
    assert!(opening_fails(&folder).to_string().contains("deleted or replaced while it was open"));
    // Nor is a backup taken for it, beside the log that they still write.
    let backup = Folder::new();
    drop(backup.store());
    fs::copy(backup.file("a.db"), folder.file("backup")).unwrap();
    fs::rename(folder.file("backup"), folder.file("a.db")).unwrap();
    assert!(opening_fails(&folder).to_string().contains("deleted or replaced while it was open"));
    other.kill();
}

#[test]
fn a_backup_is_not_opened_with_the_log_of_a_store_whose_process_died() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["zoe"]);
    fs::copy(folder.file("a.db"), folder.file("backup")).unwrap();
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    other.kill();
    assert!(fs::metadata(folder.file("a.db-wal")).unwrap().len() > 0);
    fs::rename(folder.file("a.db"), folder.file("before")).unwrap();
    fs::rename(folder.file("backup"), folder.file("a.db")).unwrap();
    for _ in 0..2 {
        assert!(opening_fails(&folder).to_string().contains("was put beside the log of another"));
    }
    // What it advises helps, either way.
    for end in ["-wal", "-shm"] {
        fs::rename(folder.file(&format!("a.db{end}")), folder.file(&format!("before{end}"))).unwrap();
    }
    assert_eq!(once(&folder, settings(), &vendor, &["zoe"]).receipt.from_store, 1);
    fs::remove_file(folder.file("a.db-owners")).unwrap();
    for end in ["", "-wal", "-shm"] {
        fs::rename(folder.file(&format!("before{end}")), folder.file(&format!("a.db{end}"))).unwrap();
    }
    assert_eq!(folder.store().unknown().unwrap().len(), 2);
}

/// The file keeps its number (its inode) if the backup is copied over it, and may get the same one if it was deleted before.
#[test]
fn a_backup_is_not_opened_with_the_log_of_its_own_later_state() {
    for is_deleted_first in [false, true] {
        let (folder, vendor) = (Folder::new(), Vendor::honest());
        let (path, backup) = (folder.file("a.db"), folder.file("backup"));
        once(&folder, settings(), &vendor, &["zoe"]);
        fs::copy(&path, &backup).unwrap();
        once(&folder, settings(), &vendor, &["kim"]);
        let mut other = Other::start(&folder, "silent");
        other.says("asked");
        other.kill();
        if is_deleted_first {
            fs::remove_file(&path).unwrap();
        }
        fs::copy(&backup, &path).unwrap();
        for _ in 0..2 {
            assert!(opening_fails(&folder).to_string().contains("was put beside the log of another"));
        }
        for end in ["-wal", "-shm"] {
            fs::rename(folder.file(&format!("a.db{end}")), folder.file(&format!("before{end}"))).unwrap();
        }
        assert_eq!(once(&folder, settings(), &vendor, &["zoe"]).receipt.from_store, 1);
        // From now on, this is the store: its own log belongs to it.
        let mut other = Other::start(&folder, "silent");
        other.says("asked");
        other.kill();
        assert_eq!(folder.store().unknown().unwrap().len(), 2);
    }
}

/// As if the whole folder had been restored, and the store had got another number.
#[test]
fn a_copy_of_the_same_state_is_opened_with_its_log() {
    let folder = Folder::new();
    once(&folder, settings(), &Vendor::honest(), &["zoe"]);
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    other.kill();
    fs::copy(folder.file("a.db"), folder.file("copy")).unwrap();
    fs::rename(folder.file("copy"), folder.file("a.db")).unwrap();
    assert_eq!(folder.store().unknown().unwrap().len(), 2);
}

#[test]
fn a_backup_differs_from_the_state_that_was_copied() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let (store, to) = (folder.store(), folder.file("backup"));
    ask(&store, &vendor, &["ana"]);
    store.backup(&to).unwrap();
    let generation = |path: &Path| fs::read(path).unwrap().get(60..64).unwrap().to_vec();
    assert_ne!(generation(&to), generation(&folder.file("a.db")));
    drop(store);
    // Another opening that writes gives the file another one; one that only reads does not.
    let before = generation(&folder.file("a.db"));
    assert_eq!(once(&folder, settings(), &vendor, &["ana"]).receipt.from_store, 1);
    assert_eq!(generation(&folder.file("a.db")), before);
    once(&folder, settings(), &vendor, &["eve"]);
    assert_ne!(generation(&folder.file("a.db")), before);
}

#[test]
fn a_store_that_others_read_gets_its_generation_later() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["zoe"]);
    let generation = || fs::read(folder.file("a.db")).unwrap().get(60..64).unwrap().to_vec();
    let before = generation();
    let store = folder.store();
    let reader = rusqlite::Connection::open(folder.file("a.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM meta").unwrap();
    ask(&store, &vendor, &["ana"]);
    assert_eq!(generation(), before, "it is only in the log");
    drop(reader);
    ask(&store, &vendor, &["bob"]);
    ask(&store, &vendor, &["eve"]);
    // What the log had is in the file now, and then the file got one of its own.
    store.backup(&folder.file("copy")).unwrap();
    drop(store);
    assert_ne!(generation(), before);
    assert_eq!(once(&folder, settings(), &vendor, &["ana", "bob", "eve"]).receipt.from_store, 3);
}

#[test]
fn an_answer_for_a_store_that_was_deleted_is_delivered_and_said_not_to_be_stored() {
    let folder = Folder::new();
    let (there, away) = (folder.file("a.db"), folder.file("moved"));
    let (from, to) = (there.clone(), away.clone());
    let vendor = Vendor::new(move |number, values| {
        if number == 1 {
            fs::rename(&from, &to).unwrap();
        }
        Ok(found(values))
    });
    let store = folder.store();
    let done = ask(&store, &vendor, &["ana"]);
    assert_eq!((done.statuses(), done.receipt.not_stored), (vec![Status::Found], 1));
    // Whoever puts it back loses nothing.
    fs::rename(&away, &there).unwrap();
    ask(&store, &vendor, &["eve"]);
    assert_eq!(ask(&store, &vendor, &["ana", "eve"]).receipt.from_store, 2);
}

#[test]
fn who_deletes_the_log_stops_everybody() {
    for end in ["-wal", "-shm"] {
        let (folder, vendor) = (Folder::new(), Vendor::honest());
        let store = folder.store();
        ask(&store, &vendor, &["ana"]);
        fs::remove_file(folder.file(&format!("a.db{end}"))).unwrap();
        was_told(&ask(&store, &vendor, &["bob"]), "a.db or a side file of it");
        assert_eq!(vendor.asked().len(), 1);
    }
}

#[test]
fn a_link_to_a_store_is_the_store() {
    let (here, there, vendor) = (Folder::new(), Folder::new(), Vendor::honest());
    // Before there is anything: it is made where the link leads.
    symlink(there.file("real.db"), here.file("a.db")).unwrap();
    let store = here.store();
    assert_eq!(store.path(), there.path().canonicalize().unwrap().join("real.db"));
    ask(&store, &vendor, &["ana"]);
    let names = |folder: &Folder| {
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(&here), ["a.db"]);
    assert_eq!(names(&there), ["real.db", "real.db-owners", "real.db-shm", "real.db-wal"]);
    let same = SqliteStore::open(&there.file("real.db"), "loopback").unwrap();
    assert_eq!(same.name().unwrap(), store.name().unwrap());
    drop((same, store));
    assert_eq!(ask(&here.store(), &vendor, &["ana"]).receipt.from_store, 1);
    fs::rename(here.file("a.db"), here.file("b.db")).unwrap();
    symlink(here.file("a.db"), here.file("a.db")).unwrap();
    assert!(opening_fails(&here).to_string().contains("link to itself"));
}
