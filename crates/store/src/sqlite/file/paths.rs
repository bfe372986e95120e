//! The names of a store's files.

use std::path::{Path, PathBuf};

/// The end of the name of a backup that is not complete yet.
pub(crate) const UNFINISHED: &str = ".unfinished";

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
    beside(path, "-owners")
}

pub(super) fn folder_of(path: &Path) -> &Path {
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
