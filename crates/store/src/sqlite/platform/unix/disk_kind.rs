//! The kind of file system at a place, as the system names it.

use std::path::Path;

use super::super::DiskKind;
#[cfg(target_os = "linux")]
use super::super::mount_table::kind_in;

/// The kind of the file system at this folder, if the system says it.
#[cfg(target_os = "linux")]
pub(crate) fn disk_kind(folder: &Path) -> Option<DiskKind> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok();
    if let Some(kind) = table.as_deref().and_then(|table| kind_in(table, folder)) {
        return Some(DiskKind::Named(kind.to_owned()));
    }
    let known = nix::sys::statfs::statfs(folder).ok()?;
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // its type differs between platforms
    Some(DiskKind::Numbered(known.filesystem_type().0 as i64 & 0xffff_ffff))
}

/// The kind of the file system at this folder, if the system says it.
#[cfg(target_vendor = "apple")]
pub(crate) fn disk_kind(folder: &Path) -> Option<DiskKind> {
    let kind = nix::sys::statfs::statfs(folder).ok()?.filesystem_type_name().to_owned();
    // macFUSE and its predecessor.
    let is_fuse = kind.ends_with("fuse") || kind.ends_with("fusefs");
    Some(DiskKind::Named(if is_fuse { "fuse".to_owned() } else { kind }))
}

/// The kind of the file system at this folder, if the system says it.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub(crate) fn disk_kind(_: &Path) -> Option<DiskKind> {
    None
}
