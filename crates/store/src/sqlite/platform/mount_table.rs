//! The table of mounts of Linux. Pure.

use std::path::Path;

/// The kind of the file system at this folder, by the text of `/proc/self/mountinfo`
/// (<https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>). If several are mounted at one place, the last
/// one counts.
pub(crate) fn kind_in<'a>(mountinfo: &'a str, folder: &Path) -> Option<&'a str> {
    let mounted = mountinfo.lines().filter_map(|line| {
        let (place, rest) = line.split_once(" - ")?;
        let at = unescaped(place.split(' ').nth(4)?);
        folder.starts_with(&at).then_some((at.len(), rest.split(' ').next()?))
    });
    mounted.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// Blanks, tabs, line breaks and backslashes are written in octal there.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (there, here)| text.replace(there, here))
}
