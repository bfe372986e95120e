//! Where a store lies: the folder, its name and the modes.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::super::platform::unix::locks;
use super::disks;
use super::fault::Fault;

pub(in super::super) use super::super::platform::unix::locks::{FileId, file_id};

/// Only the owner may list the stores in the folder.
const FOLDER_MODE: u32 = 0o700;
/// The part of a mode that is about everybody else.
pub(in super::super) const OTHERS: u32 = 0o077;

/// The folder that stores are put into where no path is given.
const FOLDER: &str = ".exactbuyer";

/// Makes folder and file, if they are not there, before SQLite can make them with modes that let
/// others in; its side files take theirs from the file. What is there keeps its modes: the second
/// part is what to say of them.
pub(in super::super) fn prepare(path: &Path) -> Result<(PathBuf, Vec<String>), Fault> {
    let path = &*real(path)?;
    let folder = folder_of(path);
    let failed = |what: &str, error: &io::Error| {
        Fault::system(format_args!("the store {} cannot be opened or made: {what}", path.display()), error)
    };
    disks::refuse_known(path)?;
    // The folders that will have a new entry.
    let mut changed: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.exists()).filter_map(Path::parent).collect();
    if !changed.is_empty() {
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(folder)
            .map_err(|error| failed("its folder", &error))?;
    }
    let disk = disks::refuse(path)?;
    if folder.file_name().is_some_and(|name| name == FOLDER) {
        // As `.pytest_cache` has it: nobody commits a folder of people by accident.
        if let Ok(mut file) = locks::create_private(&folder.join(".gitignore")) {
            let text = b"# Made by exactbuyer: answers that were paid for, and personal data.\n*\n";
            io::Write::write_all(&mut file, text).map_err(|error| failed(".gitignore", &error))?;
        }
    }
    match locks::create_private(path) {
        Ok(_) => changed.push(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("the file", &error)),
    }
    changed.into_iter().for_each(sync_folder);
    let path = path.canonicalize().map_err(|error| failed("the path", &error))?;
    let folder = folder.canonicalize().map_err(|error| failed("the folder", &error))?;
    let anothers = [("store", &path), ("store's folder", &folder)].map(|(what, path)| anothers(what, path));
    let warnings = [disk, looser(&path), looser_folder(&folder)].into_iter().chain(anothers);
    let warnings = warnings.flatten().collect();
    Ok((path, warnings))
}

/// Where a store of this name lies, or would: a link says where that is, also before anything is
/// there. Its disk, its folder and its side files are those of the real place.
///
/// # Errors
/// Where links lead round in a circle.
pub(in super::super) fn real(path: &Path) -> Result<PathBuf, Fault> {
    // As many as Linux follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(to) = fs::read_link(&path) else { return Ok(path) };
        path = folder_of(&path).join(to);
    }
    Err(Fault::of(format!("the store {} is a link to itself: give store= another path", path.display())))
}

/// The one name of what lies here, or would; none, if there is no such folder.
pub(in super::super) fn canonical(path: &Path) -> Option<PathBuf> {
    let path = real(path).ok()?;
    Some(folder_of(&path).canonicalize().ok()?.join(path.file_name()?))
}

pub(in super::super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What is in a file that was synced is lost with the file's name, if the power goes before that is on
/// the disk; SQLite sees to the names of the files that it makes itself.
pub(in super::super) fn sync_folder_of(path: &Path) {
    sync_folder(folder_of(path));
}

fn sync_folder(folder: &Path) {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // As with SQLite, best effort: some file systems know no such sync.
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
}

fn looser(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.mode() & 0o777;
    (mode & OTHERS != 0)
        .then(|| format!("the store {} can be read by others (mode {mode:o}): chmod 600 it", path.display()))
}

/// Whose it is can read and change it, whatever its mode is by now.
fn anothers(what: &str, path: &Path) -> Option<String> {
    fs::metadata(path).is_ok_and(|known| locks::is_anothers(&known)).then(|| {
        format!(
            "the {what} {} belongs to another user, who can read and change it: use one of your own",
            path.display()
        )
    })
}

/// Of a folder made for stores; any other is the user's affair.
fn looser_folder(folder: &Path) -> Option<String> {
    let mode = fs::metadata(folder).ok()?.mode() & 0o777;
    (mode & OTHERS != 0 && folder.file_name().is_some_and(|name| name == FOLDER)).then(|| {
        format!("the store's folder {} is open to others (mode {mode:o}): chmod 700 it", folder.display())
    })
}

/// Refuses a store that has a hard link. That is a second name with a log of its own: a process that uses one
/// name does not see what others write under the other.
pub(in super::super) fn refuse_second_name(path: &Path, known: &fs::Metadata) -> Result<(), Fault> {
    if known.nlink() > 1 {
        return Err(Fault::of(format!(
            "the store {} has a second name (a hard link), which would have a log of its own, so nothing is sent: \
             delete the other name, and make copies with `exactbuyer store backup`",
            path.display()
        )));
    }
    Ok(())
}

/// The side file on which owners hold their locks.
pub(in super::super) fn owners(path: &Path) -> PathBuf {
    beside(path, "-owners")
}

/// The file beside a store whose name goes on with this.
pub(in super::super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Whose store answers of this host go into: all addresses of this machine are one service, whose
/// people are invented.
#[must_use]
pub fn service_of(host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let loopback = bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback { "loopback".to_owned() } else { bare }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_this_machine_are_one_service() {
        for host in ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "::1", "LOCALHOST"] {
            assert_eq!(service_of(host), "loopback", "{host}");
        }
        assert_eq!(service_of("API.exactbuyer.com"), "api.exactbuyer.com");
    }
}
