//! The place of a store: refuses names that would endanger a store, creates its folder and its file, and examines who
//! has access to them.
//!
//! Everything here happens before SQLite sees the file.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::super::platform::{self, FileStatus, Listed};
use super::disks;
use super::fault::Fault;
use super::paths::{SIDE_FILES, beside, folder_of, refuse_reserved};

/// The folder for stores for which no path is given.
const FOLDER: &str = ".exactbuyer";

/// Creates folder and file if they do not exist. SQLite would create the file with a mode that lets others read it, and
/// gives its side files the mode of the file. Existing files and folders keep their modes. Returns the path without
/// links, and warnings for the user.
///
/// The order: names and known bad places are refused before anything is created, the disk is tried once its folder
/// exists, and the file is created last. Folders that have got a new name are synced to the disk.
///
/// This process must not have the store open: see [`refuse_names`].
pub(crate) fn prepare(path: &Path) -> Result<(PathBuf, Vec<String>), Fault> {
    let path = &*refuse_names(path)?;
    let folder = folder_of(path);
    let failed = |what: &str, error: &io::Error| {
        Fault::system(format_args!("the store {} cannot be opened or made: {what}", path.display()), error)
    };
    disks::refuse_known(path)?;
    // The folders that will have a new entry.
    let mut changed: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.exists()).filter_map(Path::parent).collect();
    if !changed.is_empty() {
        platform::create_private_folder(folder).map_err(|error| failed("its folder", &error))?;
    }
    let disk = disks::refuse(path)?;
    let is_made_for_stores = folder.file_name().is_some_and(|name| name == FOLDER);
    if is_made_for_stores {
        // Like `.pytest_cache`: nobody commits a folder of people by accident.
        if let Ok(mut file) = platform::create_private(&folder.join(".gitignore")) {
            let text = b"# Made by exactbuyer: answers that were paid for, and personal data.\n*\n";
            io::Write::write_all(&mut file, text).map_err(|error| failed(".gitignore", &error))?;
        }
    }
    match platform::create_private(path) {
        Ok(_) => changed.push(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("the file", &error)),
    }
    changed.into_iter().for_each(sync_folder);
    let path = dunce::canonicalize(path).map_err(|error| failed("the path", &error))?;
    // A system may have several spellings of a file's name.
    refuse_reserved("store", &path)?;
    let folder = dunce::canonicalize(folder).map_err(|error| failed("the folder", &error))?;
    let file_access = platform::access_of_others(&path).map(|access| {
        format!("the store {} can be read by others ({}): {}", path.display(), access.what, access.advice)
    });
    // The access to any other folder is the user's decision.
    let folder_access = platform::access_of_others(&folder).filter(|_| is_made_for_stores).map(|access| {
        format!(
            "the store's folder {} is open to others ({}): {}",
            folder.display(),
            access.what,
            access.advice
        )
    });
    let anothers = [("store", &path), ("store's folder", &folder)].map(|(what, path)| anothers(what, path));
    let warnings = [disk, file_access, folder_access].into_iter().chain(anothers).flatten().collect();
    Ok((path, warnings))
}

/// Refuses a store whose name ends like that of a side file, and a store beside a database that has the name of its side
/// file: SQLite would take the database for its log, and delete it. Returns the path without links.
///
/// This process must not have the store open: where locks belong to the process, closing a side file would drop them.
///
/// # Errors
/// [`ErrorKind::Config`](exactbuyer_core::error::ErrorKind) for the name, and `Store` for the database.
pub(crate) fn refuse_names(path: &Path) -> Result<PathBuf, Fault> {
    let real = without_links(path)?;
    // A link can be taken for a side file, too.
    refuse_reserved("store", path).and_then(|()| refuse_reserved("store", &real))?;
    let beside = SIDE_FILES.map(|end| beside(&real, end));
    let Some(database) = beside.iter().find(|file| is_database(file)) else { return Ok(real) };
    Err(Fault::of(format!(
        "the file {} is a database, and has the name of a side file of the store {}, which would delete or overwrite it: \
         rename that file and its side files while nothing uses them, and run this again",
        database.display(),
        real.display()
    )))
}

/// Whether the file at this path begins as a SQLite database does. If it cannot be read, SQLite cannot use it either.
fn is_database(path: &Path) -> bool {
    // <https://www.sqlite.org/fileformat.html#magic_header_string>
    const BEGINS: &[u8; 16] = b"SQLite format 3\0";
    // To open a pipe would wait for its other end.
    if !platform::status(path).is_ok_and(|known| known.is_file) {
        return false;
    }
    let mut begins = [0; BEGINS.len()];
    let read =
        Listed::open(|| fs::File::open(path)).and_then(|file| platform::read_at(file.get()?, &mut begins, 0));
    read.is_ok() && begins == *BEGINS
}

/// The owner of a file can read and change it, whatever its mode is now.
fn anothers(what: &str, path: &Path) -> Option<String> {
    platform::is_anothers(path).then(|| {
        format!(
            "the {what} {} belongs to another user, who can read and change it: use one of your own",
            path.display()
        )
    })
}

/// Follows links from this path to the place where the store is or would be created. Its disk, its folder and its side
/// files are those of that place.
///
/// # Errors
/// If the links form a circle.
pub(crate) fn without_links(path: &Path) -> Result<PathBuf, Fault> {
    // As many as Linux follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(to) = fs::read_link(&path) else { return Ok(path) };
        path = folder_of(&path).join(to);
    }
    Err(Fault::of(format!("the store {} is a link to itself: use another path", path.display())))
}

/// The canonical path of the file that is or would be here; `None` if there is no such folder.
pub(crate) fn canonical(path: &Path) -> Option<PathBuf> {
    let path = without_links(path).ok()?;
    Some(dunce::canonicalize(folder_of(&path)).ok()?.join(path.file_name()?))
}

/// Writes the folder of a new file to the disk. Otherwise a power cut may remove the file's name, and with it
/// content that was synced. SQLite does this for the files that it creates itself.
pub(crate) fn sync_folder_of(path: &Path) {
    sync_folder(folder_of(path));
}

fn sync_folder(folder: &Path) {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Best effort, as in SQLite: some file systems cannot sync a folder.
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
}

/// Refuses a store that has a hard link. A hard link is a second name, and each name has its own log: a process that
/// uses one name does not see what others write under the other.
pub(super) fn refuse_second_name(path: &Path, known: &FileStatus) -> Result<(), Fault> {
    if known.has_second_name {
        return Err(Fault::of(format!(
            "the store {} has a second name (a hard link), which would have a log of its own, so nothing is sent: \
             delete the other name, and make copies with `exactbuyer store backup`",
            path.display()
        )));
    }
    Ok(())
}

/// The service whose answers a store has, by the host of its address. All addresses of this machine are one service,
/// whose people are invented.
///
/// ```
/// use exactbuyer_store::sqlite::service_of;
///
/// assert_eq!(service_of("API.exactbuyer.com"), "api.exactbuyer.com");
/// assert_eq!(service_of("127.0.0.1"), service_of("localhost"));
/// ```
#[must_use]
pub fn service_of(host: &str) -> String {
    // A dot at the end of a name changes nothing.
    let bare = host.trim_start_matches('[').trim_end_matches([']', '.']).to_ascii_lowercase();
    // Names below `localhost` are this machine's too (RFC 6761). The transport does not treat them as this machine: it
    // would have to ask a resolver, which may lead elsewhere, so it sends no key to them in clear text.
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
        for host in ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "::1", "LOCALHOST", "eb.localhost"] {
            assert_eq!(service_of(host), "loopback", "{host}");
        }
        for host in ["API.exactbuyer.com", "api.exactbuyer.com."] {
            assert_eq!(service_of(host), "api.exactbuyer.com");
        }
    }
}
