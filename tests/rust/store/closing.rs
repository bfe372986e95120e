//! When `close` returns, the files of a store are complete, and nothing in this process uses them.

use std::fs;

use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::SqliteStore;

use crate::fixture::*;

fn ask(store: &SqliteStore, vendor: &Vendor, name: &str) -> Done {
    run(&engine(settings(), vendor, store), rows(&[name]), RunOptions::default())
}

#[test]
fn a_copy_made_right_after_close_has_everything() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    for number in 0..30 {
        let store = folder.store();
        // The task of a run that is over also keeps its handle for a moment.
        let kept = store.clone();
        ask(&store, &vendor, &format!("p{number}"));
        let dropping = std::thread::spawn(move || drop(kept));
        store.close();
        assert!(!folder.file("a.db-wal").exists());
        let copy = Folder::new();
        fs::copy(folder.file("a.db"), copy.file("a.db")).unwrap();
        assert_eq!(copy.store().info().unwrap().hits, number + 1);
        dropping.join().unwrap();
    }
}

#[test]
fn a_store_is_closed_although_a_clone_is_kept() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    let kept = store.clone();
    ask(&store, &vendor, "ana");
    store.close();
    assert!(!folder.file("a.db-wal").exists());
    assert!(kept.info().unwrap_err().to_string().contains("has been closed"));
    // If its files are deleted and made again, it is another store.
    for file in fs::read_dir(folder.path()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let store = folder.store();
    assert_eq!(ask(&store, &vendor, "ana").receipt.credits, 1);
    drop(kept);
    assert_eq!(ask(&store, &vendor, "ana").receipt.from_store, 1);
}

#[test]
fn closing_a_store_for_one_user_leaves_it_open_for_another() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let (first, second) = (folder.store(), folder.store());
    let third = second.for_another_user();
    ask(&first, &vendor, "ana");
    first.close();
    second.close();
    assert_eq!(ask(&third, &vendor, "ana").receipt.from_store, 1);
    third.close();
    assert!(!folder.file("a.db-wal").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_store_has_no_file_open_although_a_clone_is_kept() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    let kept = store.clone();
    ask(&store, &vendor, "ana");
    assert_ne!(open_in(folder.path()), [""; 0]);
    store.close();
    // If locks belong to the process, closing a file later would drop those of whoever opens the store next.
    assert_eq!(open_in(folder.path()), [""; 0]);
    let store = folder.store();
    drop(kept);
    assert_eq!(ask(&store, &vendor, "ana").receipt.from_store, 1);
}

#[test]
fn whoever_opens_a_store_that_another_thread_is_closing_waits_for_it() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (folder, vendor) = (&folder, &vendor);
            scope.spawn(move || {
                for number in 0..25 {
                    let store = folder.store();
                    ask(&store, vendor, &format!("p{part}-{number}"));
                    if number % 2 == 0 { store.close() } else { drop(store) }
                }
            });
        }
    });
    let info = folder.store().info().unwrap();
    assert_eq!((info.hits, info.under_way, info.credits_in_doubt), (100, 0, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn while_a_store_waits_to_be_opened_others_are_opened_and_closed() {
    let (locked, other) = (Folder::new(), Folder::new());
    let kept = other.store();
    let holder = rusqlite::Connection::open(locked.file("a.db")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let path = locked.path().to_owned();
    let opening = std::thread::spawn(move || open_at(&path));
    // The file of `holder`, the lock on its name, and the connection that waits.
    while open_in(locked.path()).len() < 3 {
        std::thread::yield_now();
    }
    drop(kept);
    other.store().close();
    assert!(!opening.is_finished(), "it waits for the other program's lock");
    // A fork ends the wait, which begins again after it.
    exactbuyer_store::sqlite::before_fork(|| std::time::Duration::from_mins(1));
    exactbuyer_store::sqlite::after_fork();
    assert!(!opening.is_finished());
    let again = std::thread::spawn({
        let path = locked.path().to_owned();
        move || open_at(&path)
    });
    drop(holder);
    let (first, second) = (opening.join().unwrap(), again.join().unwrap());
    assert_eq!(first.name().unwrap(), second.name().unwrap());
}
