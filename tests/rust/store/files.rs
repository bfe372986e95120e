//! Files of a store in use that are read, linked, mounted at another place or truncated.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::process::Command;

use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::message::Advice;
use exactbuyer_core::results::Status;
use exactbuyer_core::store::Claim;
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{Interrupt, RESERVED_ENDS, SIDE_FILES, SqliteStore, migrate, service_at};

use crate::fixture::*;
use crate::other::Other;

/// Reads all files, as a backup tool in this process would.
fn read_everything(folder: &Folder) {
    let files = fs::read_dir(folder.path()).unwrap().flatten();
    let read: Vec<Vec<u8>> = files.map(|file| fs::read(file.path()).unwrap()).collect();
    assert!(read.len() >= 4, "the store, its log, the log's index and the owners");
}

/// Checks that nothing was sent, and the reason.
fn refused(done: &Done, what: &str) {
    assert_eq!(done.statuses(), [Status::NotSent]);
    assert!(done.troubles[0].to_string().contains(what), "{:?}", done.troubles);
}

#[test]
fn reading_the_files_does_not_make_a_running_process_look_dead() {
    let folder = Folder::new();
    let store = folder.store();
    let (_, claim) = claim_freely(&store, &["ana"]);
    let Claim::Granted { .. } = claim else { panic!("{claim:?}") };
    read_everything(&folder);
    let mut other = Other::start(&folder, "doubts");
    other.says("0 in doubt");
    other.ends();
    assert_eq!(store.info().unwrap().under_way, 1);
}

#[test]
fn reading_the_files_keeps_others_from_taking_the_log_away() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    let ask = |names: &[&str]| run(&engine(settings(), &vendor, &store), rows(names), RunOptions::default());
    ask(&["ana"]);
    read_everything(&folder);
    // The last process to close a store deletes its log. The other process is not the last.
    let mut other = Other::start(&folder, "doubts");
    other.says("0 in doubt");
    other.ends();
    assert!(folder.file("a.db-wal").exists());
    assert_eq!(ask(&["ana", "bob"]).receipt.from_store, 1);
    drop(store);
    assert_eq!(once(&folder, settings(), &vendor, &["ana", "bob"]).receipt.from_store, 2);
}

#[test]
fn a_store_with_a_second_hard_link_is_not_opened() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana"]);
    fs::hard_link(folder.file("a.db"), folder.file("b.db")).unwrap();
    for name in ["a.db", "b.db"] {
        let error = SqliteStore::open(&folder.file(name), "loopback").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().contains("second name (a hard link)"), "{error}");
    }
    fs::remove_file(folder.file("b.db")).unwrap();
    assert_eq!(once(&folder, settings(), &vendor, &["ana"]).receipt.from_store, 1);
}

/// The only kind of bad place that can be made anywhere without being root.
#[test]
fn a_synchronised_folder_is_refused_for_a_new_store_and_an_existing_store_gives_a_warning() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana"]);
    let cloud = folder.path().join("Dropbox");
    let refused = |path: &std::path::Path| {
        let error = SqliteStore::open(path, "loopback").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        for words in ["synchronised (Dropbox)", "a path on a local disk", Advice::UseNoStore.as_str()] {
            assert!(error.to_string().contains(words), "{error}");
        }
    };
    // The name alone says nothing outside of a home.
    let marker = cloud.join(".dropbox.cache");
    fs::create_dir_all(&marker).unwrap();
    // Nothing is made there.
    refused(&cloud.join("people/a.db"));
    refused(&cloud.join("b.db"));
    fs::write(cloud.join("empty.db"), "").unwrap();
    refused(&cloud.join("empty.db"));
    fs::remove_file(cloud.join("empty.db")).unwrap();
    // Links do not hide the place, neither of the file nor of the folder.
    symlink(cloud.join("b.db"), folder.file("link.db")).unwrap();
    symlink(&cloud, folder.path().join("linked")).unwrap();
    refused(&folder.file("link.db"));
    refused(&folder.path().join("linked/b.db"));
    assert_eq!(fs::read_dir(&cloud).unwrap().count(), 1, "the marker");
    // What it has was paid for.
    fs::rename(folder.file("a.db"), cloud.join("a.db")).unwrap();
    let store = SqliteStore::open(&cloud.join("a.db"), &service_at(&cloud.join("a.db")).unwrap()).unwrap();
    assert!(store.warnings().iter().any(|warning| warning.contains("move it to a local disk")));
    assert_eq!(store.info().unwrap().hits, 1);
    drop(store);
    // Moved away, it is used as before.
    fs::rename(cloud.join("a.db"), folder.file("a.db")).unwrap();
    assert_eq!(once(&folder, settings(), &vendor, &["ana"]).receipt.from_store, 1);
}

#[test]
fn a_store_in_use_that_gets_a_second_hard_link_is_not_written_to() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    let ask = |name| run(&engine(settings(), &vendor, &store), rows(&[name]), RunOptions::default());
    ask("ana");
    fs::hard_link(folder.file("a.db"), folder.file("b.db")).unwrap();
    refused(&ask("bob"), "second name (a hard link)");
    fs::remove_file(folder.file("b.db")).unwrap();
    assert_eq!(ask("bob").statuses(), [Status::Found]);
    assert_eq!(vendor.asked().len(), 2);
}

/// As by a child that has not run its program yet, and has all files of a store that was closed and renamed meanwhile.
#[cfg(target_os = "linux")]
#[test]
fn a_lock_that_is_left_for_a_moment_under_another_name_does_not_keep_a_store_closed() {
    use nix::fcntl::{FcntlArg, fcntl};

    const NAMES: i64 = 1 << 40;
    let folder = Folder::new();
    drop(folder.store());
    let path = folder.file("a.db");
    let lock = |kind, from, length| nix::libc::flock {
        l_type: i16::try_from(kind).unwrap(),
        l_whence: 0,
        l_start: from,
        l_len: length,
        l_pid: 0,
    };
    let child = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    fcntl(&child, FcntlArg::F_OFD_SETLK(&lock(nix::libc::F_RDLCK, NAMES, 1))).unwrap();
    let opens = std::thread::spawn({
        let path = path.clone();
        move || SqliteStore::open(&path, "loopback")
    });
    // Until the other thread has its own lock: from then on it waits for this one.
    loop {
        let mut found = lock(nix::libc::F_WRLCK, NAMES + 1, 1 << 32);
        fcntl(&child, FcntlArg::F_OFD_GETLK(&mut found)).unwrap();
        if i32::from(found.l_type) != nix::libc::F_UNLCK || opens.is_finished() {
            break;
        }
        std::thread::yield_now();
    }
    drop(child);
    assert!(opens.join().unwrap().is_ok());
}

/// A store that is mounted as a single file has a log at each place, although it has only one link.
#[test]
fn a_store_mounted_at_a_second_place_is_not_opened_there_while_it_is_in_use() {
    let (folder, place) = (Folder::new(), Folder::new());
    fs::write(place.file("a.db"), b"").unwrap();
    let store = folder.store();
    let program = std::env::current_exe().unwrap();
    let (from, to) = (folder.file("a.db"), place.file("a.db"));
    let opened = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c"])
        .arg(
            "mount --bind \"$0\" \"$1\" || exit 99; exec \"$2\" --exact other::the_other_process --nocapture",
        )
        .args([&from, &to, &program])
        .env("EXACTBUYER_TEST_PART", "opens")
        .env("EXACTBUYER_TEST_PLACE", place.path())
        .output();
    // Where mounting is not allowed, nothing can be tested.
    let Ok(opened) = opened else { return };
    let said = String::from_utf8_lossy(&opened.stdout).into_owned();
    if opened.status.code() == Some(99) || !said.contains("running 1 test") {
        return;
    }
    assert!(said.contains("in use under another name"), "{said}");
    drop(store);
}

#[test]
fn a_backup_of_a_store_in_use_is_a_store_by_itself() {
    let folder = Folder::new();
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    let (store, vendor) = (folder.store(), Vendor::honest());
    let ask = |store: &SqliteStore, name| {
        run(&engine(settings(), &vendor, store), rows(&[name]), RunOptions::default())
    };
    ask(&store, "eve");
    let backup = folder.file("backup.db");
    store.backup(&backup).unwrap();
    ask(&store, "zoe");
    assert_eq!(fs::metadata(&backup).unwrap().mode() & 0o777, 0o600);
    let copy = SqliteStore::open(&backup, "loopback").unwrap();
    assert_eq!(copy.info().unwrap().hits, 1);
    assert_eq!(copy.unknown().unwrap().len(), 2, "what was under way");
    assert_eq!(ask(&copy, "eve").receipt.from_store, 1);
    copy.close();
    assert_eq!(store.unknown().unwrap(), [], "the other process is alive");
    let names =
        fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("backup")).collect();
    names.sort_unstable();
    assert_eq!(names, ["backup.db", "backup.db-owners"]);
}

#[test]
fn a_backup_replaces_nothing_and_follows_no_link() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let store = folder.store();
    let refused = |to: &str| {
        let error = store.backup(&folder.file(to)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("is there already"), "{error}");
    };
    fs::write(folder.file("mine"), b"mine").unwrap();
    symlink(elsewhere.file("nothing"), folder.file("link")).unwrap();
    // SQLite would take an existing log beside the backup for its own.
    fs::write(folder.file("old.db-wal"), b"").unwrap();
    for name in ["mine", "link", "old.db", "a.db"] {
        refused(name);
    }
    assert_eq!(fs::read(folder.file("mine")).unwrap(), b"mine");
    assert!(!elsewhere.file("nothing").exists());
    let error = store.backup(&folder.file("no/such/folder.db")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
}

#[test]
fn a_backup_leaves_a_file_alone_that_is_called_unfinished() {
    let folder = Folder::new();
    let (store, mine) = (folder.store(), folder.file("b.db.unfinished"));
    fs::write(&mine, b"mine").unwrap();
    fs::set_permissions(&mine, PermissionsExt::from_mode(0o600)).unwrap();
    store.backup(&folder.file("b.db")).unwrap();
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    drop(SqliteStore::open(&folder.file("b.db"), "loopback").unwrap());
}

/// SQLite takes what lies at `a.db-wal` for the log of `a.db`, and deletes it.
#[test]
fn no_store_or_backup_gets_the_name_of_a_side_file() {
    let folder = Folder::new();
    let (store, path) = (folder.store(), folder.file("a.db"));
    let refused = |error: exactbuyer_core::error::Error| {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("choose another name"), "{error}");
    };
    symlink(folder.file("b.db-wal"), folder.file("link.db")).unwrap();
    symlink(&path, folder.file("link-shm")).unwrap();
    let names = RESERVED_ENDS.map(|end| format!("b.db{end}"));
    for name in names.iter().map(String::as_str).chain(["B.DB-WAL", "b.db-Journal"]) {
        refused(SqliteStore::open(&folder.file(name), "loopback").unwrap_err());
        refused(store.backup(&folder.file(name)).unwrap_err());
        assert!(!folder.file(name).exists(), "{name}");
    }
    store.close();
    for link in ["link.db", "link-shm"] {
        refused(SqliteStore::open(&folder.file(link), "loopback").unwrap_err());
    }
    // A store that an earlier version has created under such a name is not changed.
    fs::rename(&path, folder.file("b.db-wal")).unwrap();
    let before = fs::read(folder.file("b.db-wal")).unwrap();
    refused(service_at(&folder.file("b.db-wal")).unwrap_err());
    refused(migrate(&folder.file("b.db-wal"), &Interrupt::default()).unwrap_err());
    refused(folder.store().merge(&folder.file("b.db-wal")).unwrap_err());
    assert_eq!(fs::read(folder.file("b.db-wal")).unwrap(), before);
}

#[test]
fn a_database_with_the_name_of_a_side_file_is_neither_deleted_nor_overwritten() {
    let vendor = Vendor::honest();
    for end in SIDE_FILES {
        for is_new in [true, false] {
            let (folder, elsewhere) = (Folder::new(), Folder::new());
            once(&folder, settings(), &vendor, &["ana"]);
            let (path, named) = (folder.file("b.db"), folder.file(&format!("b.db{end}")));
            fs::rename(folder.file("a.db"), &named).unwrap();
            if !is_new {
                drop(folder.store());
                fs::rename(folder.file("a.db"), &path).unwrap();
            }
            let before = fs::read(&named).unwrap();
            let mut errors = vec![SqliteStore::open(&path, "loopback").unwrap_err()];
            if !is_new {
                errors.push(service_at(&path).unwrap_err());
                errors.push(migrate(&path, &Interrupt::default()).unwrap_err());
                errors.push(elsewhere.store().merge(&path).unwrap_err());
            }
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Store);
                let named = named.display().to_string();
                assert!(
                    error.to_string().contains(&named) && error.to_string().contains("rename"),
                    "{error}"
                );
            }
            assert_eq!(path.exists(), !is_new, "nothing was created");
            assert_eq!(fs::read(&named).unwrap(), before, "{end}");
            // It has everything under another name, and does not keep the other store from being used.
            fs::rename(&named, folder.file("a.db")).unwrap();
            let _ = fs::remove_file(folder.file("a.db-owners"));
            assert_eq!(once(&folder, settings(), &vendor, &["ana"]).receipt.from_store, 1);
            drop(SqliteStore::open(&path, "loopback").unwrap());
        }
    }
}

#[test]
fn a_link_in_the_place_of_the_side_file_is_not_followed() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let (side, target) = (folder.file("a.db-owners"), elsewhere.file("mine"));
    fs::write(&target, [b'x'; 100]).unwrap();
    for why in ["symbolic link", "hard link"] {
        if why == "hard link" { fs::hard_link(&target, &side) } else { symlink(&target, &side) }.unwrap();
        let error = SqliteStore::open(&folder.file("a.db"), "loopback").unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(fs::read(&target).unwrap(), [b'x'; 100]);
        fs::remove_file(&side).unwrap();
    }
    symlink(elsewhere.file("nothing"), &side).unwrap();
    SqliteStore::open(&folder.file("a.db"), "loopback").unwrap_err();
    assert!(!elsewhere.file("nothing").exists());
    fs::remove_file(&side).unwrap();
    drop(folder.store());
}

#[test]
fn a_store_of_another_user_is_warned_of() {
    let folder = Folder::new();
    drop(folder.store());
    assert_eq!(folder.store().warnings(), [] as [String; 0]);
    for (file, what) in [("a.db", "the store "), (".", "the store's folder ")] {
        // Only the system's own user may give files away.
        if chown(folder.file(file), Some(12_345), None).is_err() {
            return;
        }
        let store = folder.store();
        let told = store.warnings().iter().filter(|told| told.contains("belongs to another user"));
        assert!(told.clone().any(|told| told.starts_with(what)), "{:?}", store.warnings());
    }
}

#[test]
fn an_index_of_the_log_that_was_cut_is_not_touched() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    let ask = |name| run(&engine(settings(), &vendor, &store), rows(&[name]), RunOptions::default());
    ask("ana");
    let index = fs::OpenOptions::new().write(true).open(folder.file("a.db-shm")).unwrap();
    let length = index.metadata().unwrap().len();
    index.set_len(length / 2).unwrap();
    refused(&ask("bob"), "a.db-shm was cut");
    assert_eq!(vendor.asked().len(), 1);
    // Closing the store would access the index, too.
    std::mem::forget(store);
}
