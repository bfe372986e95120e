//! Whether a store can be relied on at a place. The disk is tried (`trial`). Some disks pass, although their
//! locks do not reach the other machines that have the same files, and some folders are copied elsewhere while
//! they are written: those are known by their kind and their path. The judgement is pure.

use std::fmt;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::platform::unix::locks;
use super::disk_kinds::{APPLES, COMMON, FUSE_PLACES, LOCAL_FUSE, MARKERS, NETWORK, SYNCHRONISED};
use super::fault::Fault;
use super::place::folder_of;
use super::trial::{self, Trial};

/// What is known of a place.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    /// The folder, without links.
    folder: &'a Path,
    /// The kind of its file system, as the table of mounts names it: `ext4`, `fuse.sshfs`.
    kind: Option<&'a str>,
    /// The home of this user, without links.
    home: Option<&'a Path>,
    trial: Trial,
}

/// Why a store there cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Untrusted {
    /// Other machines can have the same files, and locks may not reach them.
    Network(String),
    /// A program serves the files, from anywhere.
    Fuse(String),
    /// A program copies the files elsewhere, one by one.
    Synchronised(&'static str),
    /// The trial failed.
    Tried(&'static str),
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(name) => {
                write!(f, "on a network disk ({name}), whose locks may not reach other machines")
            }
            Self::Fuse(name) => {
                write!(
                    f,
                    "on a disk that a program serves ({name}), whose locks and memory may not be shared"
                )
            }
            Self::Synchronised(name) => {
                write!(
                    f,
                    "in a folder that is synchronised ({name}), which copies a store while it is written"
                )
            }
            Self::Tried(fault) => write!(f, "on a disk that {fault}"),
        }
    }
}

/// Judges a place. `is_there` says whether there is a file or folder of this path.
fn judge(place: Place<'_>, is_there: impl Fn(&Path) -> bool) -> Option<Untrusted> {
    let kind = place.kind.unwrap_or_default();
    if let Some((_, _, name)) = NETWORK.iter().find(|(known, _, _)| *known == kind) {
        return Some(Untrusted::Network((*name).to_owned()));
    }
    if kind.starts_with("fuse") && !LOCAL_FUSE.contains(&kind) {
        return Some(Untrusted::Fuse(fuse_name(kind, place.folder)));
    }
    if let Some(name) = synchronised(place, is_there) {
        return Some(Untrusted::Synchronised(name));
    }
    match place.trial {
        Trial::None | Trial::Passed => None,
        Trial::Locks => Some(Untrusted::Tried("does not keep locks apart")),
        Trial::Memory => Some(Untrusted::Tried("does not share memory")),
        Trial::Files => Some(Untrusted::Tried("cannot synchronise or rename files")),
    }
}

fn fuse_name(kind: &str, folder: &Path) -> String {
    let named = FUSE_PLACES.iter().find(|(place, _)| folder.starts_with(place));
    named.map_or_else(
        || kind.strip_prefix("fuse.").map_or_else(|| "FUSE".to_owned(), |name| format!("FUSE: {name}")),
        |(_, name)| (*name).to_owned(),
    )
}

fn synchronised(place: Place<'_>, is_there: impl Fn(&Path) -> bool) -> Option<&'static str> {
    let folder = place.folder;
    let parts: Vec<&str> = parts_of(folder).collect();
    let homes =
        place.home.and_then(|home| folder.strip_prefix(home).ok()).map(|rest| parts_of(rest).collect());
    let named = [homes, below_home(&parts).map(<[&str]>::to_vec)];
    if let Some(name) = named.iter().flatten().find_map(|rest: &Vec<&str>| named_in_home(rest)) {
        return Some(name);
    }
    // Where Google Drive shows its files on older versions of macOS.
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

/// What follows somebody's home in this path: `/home/me`, `/Users/me`, or one folder deeper, as in `/var/home/me`.
fn below_home<'a>(parts: &'a [&'a str]) -> Option<&'a [&'a str]> {
    let (["home" | "Users", _, rest @ ..] | [_, "home" | "Users", _, rest @ ..]) = parts else { return None };
    Some(rest)
}

/// Names say little elsewhere: `/srv/connectors/OneDrive` may be the source code of a program.
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

/// The kind of file system at this folder, by the text of `/proc/self/mountinfo`
/// (<https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>). Of several at one place, the last one
/// counts.
#[cfg(any(target_os = "linux", test))]
fn kind_of<'a>(folder: &Path, mountinfo: &'a str) -> Option<&'a str> {
    let mounted = mountinfo.lines().filter_map(|line| {
        let (place, rest) = line.split_once(" - ")?;
        let at = unescaped(place.split(' ').nth(4)?);
        folder.starts_with(&at).then_some((at.len(), rest.split(' ').next()?))
    });
    mounted.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// A blank, a tab, a line break and a backslash are written in octal there.
#[cfg(any(target_os = "linux", test))]
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
}

#[cfg(target_os = "linux")]
fn kind_at(folder: &Path) -> Option<String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok();
    if let Some(kind) = table.as_deref().and_then(|table| kind_of(folder, table)) {
        return Some(kind.to_owned());
    }
    let known = nix::sys::statfs::statfs(folder).ok()?;
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // its type differs by platform
    let magic = known.filesystem_type().0 as i64 & 0xffff_ffff;
    if magic == super::disk_kinds::FUSE {
        return Some("fuse".to_owned());
    }
    NETWORK
        .iter()
        .find(|(_, number, _)| *number == magic && magic != 0)
        .map(|(kind, _, _)| (*kind).to_owned())
}

#[cfg(target_vendor = "apple")]
fn kind_at(folder: &Path) -> Option<String> {
    let kind = nix::sys::statfs::statfs(folder).ok()?.filesystem_type_name().to_owned();
    // macFUSE and its predecessor.
    Some(if kind.ends_with("fuse") || kind.ends_with("fusefs") { "fuse".to_owned() } else { kind })
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn kind_at(_: &Path) -> Option<String> {
    None
}

/// Judges the place of a store. `try_it` says of which kinds of file systems a trial is to be made in a folder.
fn untrusted(path: &Path, try_it: impl FnOnce(&str, &Path) -> Trial) -> Option<Untrusted> {
    let folder = std::path::absolute(folder_of(path)).ok()?;
    // Where the folder is still to be made, its disk is that of the nearest one above.
    let (there, disk) = folder.ancestors().find_map(|there| Some((there, there.canonicalize().ok()?)))?;
    let folder = disk.join(folder.strip_prefix(there).unwrap_or(Path::new("")));
    let kind = kind_at(&disk);
    let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
    let place = Place { folder: &folder, kind: kind.as_deref(), home: home.as_deref(), trial: Trial::None };
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    // What is known already need not be tried.
    judge(place, is_there).or_else(|| {
        let trial = try_it(kind.as_deref().unwrap_or_default(), &disk);
        judge(Place { trial, ..place }, is_there)
    })
}

/// Refuses a store at a place that cannot be relied on, as far as its kind and path show.
pub(in super::super) fn refuse_known(path: &Path) -> Result<(), Fault> {
    judged(path, untrusted(path, |_, _| Trial::None)).map(drop)
}

/// Refuses a store at a place that cannot be relied on. Its folder has to be there, and is tried. Returns a warning
/// where a store that is there already may be used all the same.
pub(in super::super) fn refuse(path: &Path) -> Result<Option<String>, Fault> {
    judged(path, untrusted(path, |_, folder| tried_once(folder)))
}

fn judged(path: &Path, why: Option<Untrusted>) -> Result<Option<String>, Fault> {
    let Some(why) = why else { return Ok(None) };
    let (path, file) = (path.display(), path.metadata());
    // An empty file is no store.
    if matches!(why, Untrusted::Synchronised(_)) && file.is_ok_and(|file| file.is_file() && file.len() > 0) {
        return Ok(Some(format!(
            "the store {path} lies {why}: move it to a local disk while nothing uses it, and give store= its new path"
        )));
    }
    Err(Fault::of(format!(
        "the store {path} would lie {why}: give store= a path on a local disk (move a store that is there already, \
         while nothing uses it), or store=None to keep nothing; `exactbuyer store merge` brings the answers of \
         several stores together"
    )))
}

/// Disks that have passed are not tried again by this process: the numbers of the first ones, each plus one, as 0
/// stands for none. Without a lock, which a forked child might find taken.
static PASSED: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

fn tried_once(folder: &Path) -> Trial {
    let disk = locks::file_id(folder).ok().and_then(|(disk, _)| disk.checked_add(1));
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

/// Why a store would not be opened at this path, in a few words; `None` if it would be. Common disks are not
/// written to.
#[must_use]
pub fn distrust(path: &Path) -> Option<String> {
    let uncommon =
        |kind: &str, folder: &Path| if COMMON.contains(&kind) { Trial::None } else { tried_once(folder) };
    untrusted(path, uncommon).map(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

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
        let place = Place { folder, kind: kind_of(folder, MOUNTS), home, trial };
        judge(place, |path| path == Path::new("/srv/shared/.stfolder")).map(|why| why.to_string())
    }

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let kind = |folder: &str| kind_of(Path::new(folder), MOUNTS);
        assert_eq!(kind("/home/me"), Some("ext4"));
        assert_eq!(kind("/mnt/far"), Some("fuse.sshfs"));
        assert_eq!(kind("/mnt/farther"), Some("ext4"));
        assert_eq!(kind("/mnt/with blank/x"), Some("nfs4"));
        assert_eq!(kind("/data/x"), Some("virtiofs"));
        assert_eq!(kind_of(Path::new("/"), ""), None);
        assert_eq!(kind_of(Path::new("/"), "nonsense\n22 1 - \n- - -\n"), None);
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
            assert!(matches!(judge(place, |_| false), Some(Untrusted::Fuse(_))), "{kind}");
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
            assert!(fault(trial).unwrap().contains(words));
            let unknown = Place { folder: Path::new("/x"), kind: Some("newfs"), home: None, trial };
            assert!(matches!(judge(unknown, |_| false), Some(Untrusted::Tried(_))));
            let unnamed = Place { kind: None, ..unknown };
            assert!(matches!(judge(unnamed, |_| false), Some(Untrusted::Tried(_))));
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
