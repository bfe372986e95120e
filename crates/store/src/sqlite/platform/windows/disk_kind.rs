//! The kind of file system at a place, as the system names it.

use std::path::Path;

use super::super::DiskKind;
use super::calls;

/// The kind of the file system at this folder, in small letters (`ntfs`, `exfat`), if the system says it. A disk of
/// another machine is `remote`, whatever its file system is.
pub(crate) fn disk_kind(folder: &Path) -> Option<DiskKind> {
    let root = calls::root_of(folder).ok()?;
    if calls::is_remote(&root) {
        return Some(DiskKind::Named("remote".to_owned()));
    }
    calls::file_system_of(&root).ok().map(|name| DiskKind::Named(name.to_ascii_lowercase()))
}
