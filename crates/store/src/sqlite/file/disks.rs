//! Whether a store can be relied on at a place. The disk is tried (`trial`). Some disks pass the trial although their
//! locks do not reach other machines that have the same files, and some folders are copied elsewhere while they are
//! written. Those are known by their kind and their path. The decision itself is pure.
//!
//! 1. By its kind: network and FUSE disks are refused; they would pass a trial.
//! 2. By its path: in a synchronised folder, a new store is refused and an existing one gets a warning.
//! 3. By a trial: everything else.

use std::path::{Component, Path};
use std::sync::atomic::{AtomicU64, Ordering};

use exactbuyer_core::message;
use exactbuyer_core::message::Advice;

use super::super::platform::{self, DiskKind};
use super::disk_kinds::{APPLES, COMMON, FUSE, FUSE_PLACES, LOCAL_FUSE, MARKERS, NETWORK, SYNCHRONISED};
use super::fault::Fault;
use super::paths::folder_of;
use super::trial::{self, Trial};

/// What is known about a place.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    /// The folder, without links. It need not exist yet.
    folder: &'a Path,
    /// The kind of its file system, as the table of mounts names it: `ext4`, `fuse.sshfs`. `None` if the system does
    /// not say.
    kind: Option<&'a str>,
    /// The home folder of this user, without links.
    home: Option<&'a Path>,
    /// [`Trial::None`] if it was not tried.
    trial: Trial,
}

/// Why a store at a place cannot be relied on.
struct Untrusted {
    /// Where it lies, and what is wrong there.
    why: String,
    /// Whether a store that exists may still be used. If not, it is refused, too: its locks would not keep others from
    /// paying twice.
    only_new: bool,
}

/// Judges a place. `is_there` says whether a file or folder with this path exists.
///
/// Pure: everything that it needs of the machine is in its arguments. `None` means that the place can be relied on.
fn judge(place: Place<'_>, is_there: impl Fn(&Path) -> bool) -> Option<Untrusted> {
    let kind = place.kind.unwrap_or_default();
    let (why, only_new) = if let Some((_, _, name)) = NETWORK.iter().find(|(known, _, _)| *known == kind) {
        (format!("on a network disk ({name}), whose locks may not reach other machines"), false)
    } else if kind.starts_with("fuse") && !LOCAL_FUSE.contains(&kind) {
        let name = fuse_name(kind, place.folder);
        (format!("on a disk that a program serves ({name}), whose locks and memory may not be shared"), false)
    } else if let Some(name) = synchronised(place, is_there) {
        (format!("in a folder that is synchronised ({name}), which copies a store while it is written"), true)
    } else {
        let fault = match place.trial {
            Trial::None | Trial::Passed => return None,
            Trial::Locks => "does not keep locks apart",
            Trial::Memory => "does not share memory",
            Trial::Files => "cannot synchronise or rename files",
        };
        (format!("on a disk that {fault}"), false)
    };
    Some(Untrusted { why, only_new })
}

/// The name for the user: the known place, or else the program.
fn fuse_name(kind: &str, folder: &Path) -> String {
    let named = FUSE_PLACES.iter().find(|(place, _)| folder.starts_with(place));
    named.map_or_else(
        || kind.strip_prefix("fuse.").map_or_else(|| "FUSE".to_owned(), |name| format!("FUSE: {name}")),
        |(_, name)| (*name).to_owned(),
    )
}

/// The name of the program that synchronises the folder, by the folder's name or by a marker file in it or above it.
fn synchronised(place: Place<'_>, is_there: impl Fn(&Path) -> bool) -> Option<&'static str> {
    let folder = place.folder;
    let parts: Vec<&str> = parts_of(folder).collect();
    let homes =
        place.home.and_then(|home| folder.strip_prefix(home).ok()).map(|rest| parts_of(rest).collect());
    let named = [homes, below_home(&parts).map(<[&str]>::to_vec)];
    if let Some(name) = named.iter().flatten().find_map(|rest: &Vec<&str>| named_in_home(rest)) {
        return Some(name);
    }
    // The place of Google Drive on older versions of macOS.
    if matches!(parts[..], ["Volumes", "GoogleDrive", ..]) {
        return Some("Google Drive");
    }
    let marked = |(marker, name): &(&str, &'static str)| {
        folder.ancestors().any(|folder| is_there(&folder.join(marker))).then_some(*name)
    };
    MARKERS.iter().find_map(marked)
}

fn parts_of(folder: &Path) -> impl Iterator<Item = &str> {
    folder
        .components()
        .filter_map(|part| if let Component::Normal(part) = part { part.to_str() } else { None })
}

/// The part of the path below a home folder: `/home/me`, `/Users/me`, or one folder deeper, as in `/var/home/me`.
fn below_home<'a>(parts: &'a [&'a str]) -> Option<&'a [&'a str]> {
    let (["home" | "Users", _, rest @ ..] | [_, "home" | "Users", _, rest @ ..]) = parts else { return None };
    Some(rest)
}

/// The program that synchronises this part of a home folder, by the folder's name. Outside of home folders, names say
/// little: `/srv/connectors/OneDrive` may be the source code of a program.
fn named_in_home(rest: &[&str]) -> Option<&'static str> {
    let name_of = |table: &[(&str, &'static str)], is: &dyn Fn(&str) -> bool| {
        table.iter().find(|(known, _)| is(known)).map(|(_, name)| *name)
    };
    match rest {
        ["Library", part, ..] => name_of(&APPLES, &|known| known == *part),
        [part, ..] => name_of(&SYNCHRONISED, &|known| {
            part.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        }),
        [] => None,
    }
}

/// `None` also for a number that is not in the list: such a disk is judged by its trial.
fn kind_at(folder: &Path) -> Option<String> {
    match platform::disk_kind(folder)? {
        DiskKind::Named(name) => Some(name),
        DiskKind::Numbered(FUSE) => Some("fuse".to_owned()),
        DiskKind::Numbered(number) => NETWORK
            .iter()
            .find(|(_, known, _)| *known == number && number != 0)
            .map(|(kind, _, _)| (*kind).to_owned()),
    }
}

/// Judges the place of a store. `try_it` tries the disk of a folder, or not, depending on the kind of file system.
fn untrusted(path: &Path, try_it: impl FnOnce(&str, &Path) -> Trial) -> Option<Untrusted> {
    let folder = std::path::absolute(folder_of(path)).ok()?;
    // If the folder does not exist yet, its disk is that of the nearest folder above.
    let (there, disk) =
        folder.ancestors().find_map(|there| Some((there, dunce::canonicalize(there).ok()?)))?;
    let folder = disk.join(folder.strip_prefix(there).unwrap_or(Path::new("")));
    let kind = kind_at(&disk);
    let home = std::env::home_dir().and_then(|home| dunce::canonicalize(home).ok());
    let place = Place { folder: &folder, kind: kind.as_deref(), home: home.as_deref(), trial: Trial::None };
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    // A disk that is refused by its kind need not be tried.
    judge(place, is_there).or_else(|| {
        let trial = try_it(kind.as_deref().unwrap_or_default(), &disk);
        judge(Place { trial, ..place }, is_there)
    })
}

/// Refuses a store at a place that is known to be unreliable by its kind or path.
pub(super) fn refuse_known(path: &Path) -> Result<(), Fault> {
    judged(path, untrusted(path, |_, _| Trial::None)).map(drop)
}

/// Refuses a store at a place that cannot be relied on. The folder must exist, and its disk is tried. Returns a warning
/// if the place is bad, but an existing store may still be used there.
pub(crate) fn refuse(path: &Path) -> Result<Option<String>, Fault> {
    judged(path, untrusted(path, |_, folder| tried_once(folder)))
}

fn judged(path: &Path, why: Option<Untrusted>) -> Result<Option<String>, Fault> {
    let Some(Untrusted { why, only_new }) = why else { return Ok(None) };
    let (path, file) = (path.display(), path.metadata());
    // An empty file is no store.
    if only_new && file.is_ok_and(|file| file.is_file() && file.len() > 0) {
        return Ok(Some(format!(
            "the store {path} lies {why}: move it to a local disk while nothing uses it, and use its new path"
        )));
    }
    Err(Fault::of(message!(
        "the store {} would lie {}: use a path on a local disk (move a store that is there already, \
         while nothing uses it), or {}; `exactbuyer store merge` brings the answers of several stores \
         together",
        &path,
        &why,
        Advice::UseNoStore
    )))
}

/// The numbers of disks that have passed, each plus one; 0 stands for none. This process does not try them again. There
/// is no lock, because a forked child might find it locked.
static PASSED: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

/// Only success is remembered: a disk that has failed may be repaired while the process runs.
fn tried_once(folder: &Path) -> Trial {
    let disk = platform::file_id(folder).ok().and_then(|(disk, _)| disk.checked_add(1));
    let is_known = |disk| PASSED.iter().any(|passed| passed.load(Ordering::Relaxed) == disk);
    if disk.is_some_and(is_known) {
        return Trial::Passed;
    }
    let trial = trial::run(folder);
    if let (Trial::Passed, Some(disk)) = (trial, disk) {
        let is_free = |passed: &AtomicU64| {
            passed.compare_exchange(0, disk, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        PASSED.iter().any(is_free);
    }
    trial
}

/// Why a store would be refused at this path, in a few words; `None` if it would be opened. Writes nothing to common
/// disks.
///
/// Nothing is created here but the file of a trial, which is deleted at once.
#[must_use]
pub fn distrust(path: &Path) -> Option<String> {
    let uncommon =
        |kind: &str, folder: &Path| if COMMON.contains(&kind) { Trial::None } else { tried_once(folder) };
    untrusted(path, uncommon).map(|untrusted| untrusted.why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::super::platform::kind_in;
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
30 22 0:40 / /mnt/own rw - fuseblk /dev/sdb1 rw
31 22 0:41 / /mnt/far rw,relatime shared:7 master:1 - fuse.sshfs me@far:/ rw,user_id=0
32 22 0:42 / /mnt/with\\040blank rw - nfs4 server:/x rw
33 22 0:43 / /content/drive rw - fuse drive rw
34 22 0:44 / /Workspace rw - fuse wsfs rw
35 22 0:45 / /Volumes/shared rw - fuse.dbfs x rw
36 22 0:46 / /data rw - ext4 /dev/vdb rw
37 22 0:47 / /data rw - virtiofs share rw
40 22 0:50 / /host rw - fakeowner grpcfuse rw
38 22 0:48 / /jfs rw - fuse.juicefs JuiceFS:x rw
39 22 0:49 / /var/lib/containers rw - fuse.fuse-overlayfs x rw
";

    fn judged(folder: &str, trial: Trial) -> Option<String> {
        let folder = Path::new(folder);
        let home = Some(Path::new("/root"));
        let place = Place { folder, kind: kind_in(MOUNTS, folder), home, trial };
        judge(place, |path| path == Path::new("/srv/shared/.stfolder")).map(|untrusted| untrusted.why)
    }

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let kind = |folder: &str| kind_in(MOUNTS, Path::new(folder));
        assert_eq!(kind("/home/me"), Some("ext4"));
        assert_eq!(kind("/mnt/far"), Some("fuse.sshfs"));
        assert_eq!(kind("/mnt/farther"), Some("ext4"));
        assert_eq!(kind("/mnt/with blank/x"), Some("nfs4"));
        assert_eq!(kind("/data/x"), Some("virtiofs"));
        assert_eq!(kind_in("", Path::new("/")), None);
        assert_eq!(kind_in("nonsense\n22 1 - \n- - -\n", Path::new("/")), None);
    }

    #[test]
    fn what_a_trial_cannot_show_is_known_by_its_kind() {
        for (folder, name) in [
            ("/mnt/far/people", "FUSE: sshfs"),
            ("/mnt/with blank", "NFS"),
            ("/content/drive/MyDrive/people", "Google Drive in Colab"),
            ("/Workspace/Users/me", "the workspace of Databricks"),
            ("/Volumes/shared/people", "a volume of Databricks"),
            ("/data/people", "virtiofs"),
            ("/jfs", "FUSE: juicefs"),
            ("/host/people", "a shared folder of Docker Desktop"),
        ] {
            let why = judged(folder, Trial::Passed).unwrap();
            assert!(why.contains(&format!("({name})")), "{folder}: {why}");
        }
        for kind in ["blobfuse2", "goofys", "s3fs", "gcsfuse", "rclone", "mount-s3", "davfs", "grpcfuse"] {
            let kind = format!("fuse.{kind}");
            let (folder, trial) = (Path::new("/x"), Trial::Passed);
            let place = Place { folder, kind: Some(&kind), home: None, trial };
            assert!(judge(place, |_| false).unwrap().why.contains("a program serves"), "{kind}");
        }
        for local in ["/home/me", "/mnt/own/people", "/var/lib/containers", "/mnt/farther"] {
            assert_eq!(judged(local, Trial::Passed), None, "{local}");
        }
    }

    #[test]
    fn every_other_disk_is_judged_by_its_trial() {
        let fault = |trial| judged("/home/me", trial);
        assert_eq!(fault(Trial::None), None);
        assert_eq!(fault(Trial::Passed), None);
        for (trial, words) in
            [(Trial::Locks, "locks apart"), (Trial::Memory, "share memory"), (Trial::Files, "rename files")]
        {
            let expected = fault(trial).unwrap();
            assert!(expected.contains(words));
            let unknown = Place { folder: Path::new("/x"), kind: Some("newfs"), home: None, trial };
            assert_eq!(judge(unknown, |_| false).unwrap().why, expected);
            let unnamed = Place { kind: None, ..unknown };
            assert_eq!(judge(unnamed, |_| false).unwrap().why, expected);
        }
    }

    #[test]
    fn synchronised_folders_are_known_by_name_and_marker() {
        for (folder, name) in [
            ("/home/me/Dropbox/people", "Dropbox"),
            ("/home/me/Dropbox (Acme)/people", "Dropbox"),
            ("/home/me/OneDrive", "OneDrive"),
            ("/home/me/OneDrive - Acme/people", "OneDrive"),
            ("/Users/me/Library/CloudStorage/OneDrive-Acme", "a cloud's folder"),
            ("/Users/me/Library/CloudStorage/Box-Box/people", "a cloud's folder"),
            ("/Users/me/Library/Mobile Documents/com~apple~CloudDocs/people", "iCloud Drive"),
            ("/Users/me/Google Drive/My Drive", "Google Drive"),
            ("/Users/me/Box/people", "Box"),
            ("/Users/me/Box Sync", "Box"),
            ("/home/me/Nextcloud/x", "Nextcloud"),
            ("/root/Dropbox", "Dropbox"),
            ("/var/home/me/OneDrive/people", "OneDrive"),
            ("/Volumes/GoogleDrive/My Drive", "Google Drive"),
            ("/srv/shared/people/deep", "Syncthing"),
        ] {
            let why = judged(folder, Trial::Passed);
            assert!(why.as_ref().is_some_and(|why| why.contains(&format!("({name})"))), "{folder}: {why:?}");
        }
        for local in [
            "/home/me/dropbox-client",
            "/home/me/src/Dropbox-sdk",
            "/srv/Box/people",
            "/srv/connectors/OneDrive",
            "/home/me/src/Dropbox/people",
            "/home/OneDrive/people",
            "/root/src/OneDrive",
            "/opt/Nextcloud",
            "/home/me/src/Library/CloudStorage",
            "/srv/Mobile Documents",
            "/srv/Library/people",
            "/srv/sharedness",
        ] {
            assert_eq!(judged(local, Trial::Passed), None, "{local}");
        }
    }

    #[test]
    fn this_disk_is_not_refused() {
        let path = std::env::temp_dir().join("no-such-folder").join("people.db");
        refuse_known(&path).unwrap();
        assert_eq!(distrust(&path), None);
    }
}
