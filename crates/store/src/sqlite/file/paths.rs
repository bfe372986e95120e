//! The names of a store's files, and the names that no store may have.

use std::path::{Path, PathBuf};

use exactbuyer_core::error::{Error, ErrorKind};

use super::fault::Fault;

/// The ends of the names of the files that SQLite puts beside a store.
pub(crate) const SQLITE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

const OWNERS: &str = "-owners";

/// The end of the name of a backup that is not complete yet.
pub(crate) const UNFINISHED: &str = ".unfinished";

/// The ends of the names of all files that lie beside a store while it is used.
pub const SIDE_FILES: [&str; 4] = {
    let [log, index, journal] = SQLITE_FILES;
    [log, index, journal, OWNERS]
};

/// The ends that the name of no store, backup or other output may have: a store with the rest of the name would take the
/// file for its own side file, and delete or overwrite it.
pub const RESERVED_ENDS: [&str; 5] = {
    let [log, index, journal, owners] = SIDE_FILES;
    [log, index, journal, owners, UNFINISHED]
};

/// The file beside a store whose name continues with `end`.
///
/// `people.db` and `-wal` give `people.db-wal`.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The side file on which owners hold their locks.
pub(crate) fn owners(path: &Path) -> PathBuf {
    beside(path, OWNERS)
}

/// Refuses a store or backup whose name ends like that of a side file. `what` says which of both it is.
///
/// # Errors
/// [`ErrorKind::Config`] if it does.
pub(crate) fn refuse_reserved(what: &str, path: &Path) -> Result<(), Fault> {
    let Some(end) = reserved_end(path) else { return Ok(()) };
    let message = format!(
        "the {what} {} has a name that ends in {end}, like a side file of another store, and could be deleted as one: \
         choose another name; if the file exists, rename it and its side files while nothing uses them",
        path.display()
    );
    Err(Error::new(ErrorKind::Config, message).into())
}

/// The reserved end of this name; `None` if it has none.
///
/// Some file systems do not tell letters apart by their case, or drop dots and blanks at the end of a name. That is not
/// looked up: a name that would be refused elsewhere is refused everywhere.
#[must_use]
pub fn reserved_end(path: &Path) -> Option<&'static str> {
    // Letters such as `ſ` have no lower case of their own, but their upper case is that of another one.
    let name = path.file_name()?.to_string_lossy().to_uppercase();
    let name = name.trim_end_matches(['.', ' ']);
    RESERVED_ENDS.into_iter().find(|end| name.ends_with(&end.to_uppercase()))
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Backups of the store at this path that lie beside it, and incomplete backups that a killed process has left there.
pub(crate) fn backups_of(path: &Path) -> Vec<String> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let begins = format!("{name}.backup-");
    let ends = [UNFINISHED.to_owned(), format!("{UNFINISHED}-journal")];
    let is_one = |name: &str| name.starts_with(&begins) || ends.iter().any(|end| name.ends_with(end));
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let backups = files.filter(|file| is_one(&file.file_name().to_string_lossy()));
    backups.map(|file| file.path().display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_ends_like_a_side_file_is_reserved_however_it_is_spelled() {
        for (name, end) in [
            ("people.db-wal", "-wal"),
            ("people-SHM", "-shm"),
            ("a-\u{17f}hm", "-shm"),
            ("people.db-Journal. .", "-journal"),
            ("./folder/people.db-owners", "-owners"),
            ("people.db.UnFinished", ".unfinished"),
            ("-wal", "-wal"),
        ] {
            assert_eq!(reserved_end(Path::new(name)), Some(end), "{name}");
        }
        for name in ["people.db", "wal", "people-wal.db", "shm.owners", "x-wal/people.db", "a.backup-1", ".."]
        {
            assert_eq!(reserved_end(Path::new(name)), None, "{name}");
        }
    }
}
