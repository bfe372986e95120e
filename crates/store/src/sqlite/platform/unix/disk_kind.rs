//! The kind of file system at a place, as the system names it.

use std::path::Path;

use super::super::DiskKind;

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

/// The kind of the file system at this folder, by the text of `/proc/self/mountinfo`
/// (<https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>). If several are mounted at one place, the last
/// one counts.
#[cfg(any(target_os = "linux", test))]
pub(crate) fn kind_in<'a>(mountinfo: &'a str, folder: &Path) -> Option<&'a str> {
    let mounted = mountinfo.lines().filter_map(|line| {
        let (place, rest) = line.split_once(" - ")?;
        let at = unescaped(place.split(' ').nth(4)?);
        folder.starts_with(&at).then_some((at.len(), rest.split(' ').next()?))
    });
    mounted.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// Blanks, tabs, line breaks and backslashes are written in octal there.
#[cfg(any(target_os = "linux", test))]
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
}
