//! What the system's error numbers mean, and what the user can do about them.

use std::io;

use nix::libc;

/// What to look at if a file cannot be opened or written.
pub(crate) const CHECK_ACCESS: &str = "check the owner and mode of the file and its folder";

/// What to do about a failed system call, in a few words.
pub(crate) fn advice(error: &io::Error) -> String {
    let words = match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => "the disk is full: make room, and run this again",
        Some(libc::EMFILE) => {
            "this process has too many files open: close some, or raise its limit (ulimit -n), and run this again"
        }
        Some(libc::ENFILE) => "the system has too many files open: close some programs, and run this again",
        Some(libc::ENOMEM) => "there is not enough memory: close some programs, and run this again",
        Some(libc::ENOLCK) => "the system has no locks left: close some programs, and run this again",
        Some(libc::EIO | libc::ENXIO | libc::ETIMEDOUT | libc::ESTALE) => {
            "the disk failed to read or write: run this again, and check the disk if that does not help"
        }
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => CHECK_ACCESS,
        Some(libc::EISDIR) => "it is a folder: pass the path of a file in it, such as people.db",
        Some(libc::ELOOP) => "it is a symbolic link: move it away while nobody uses the store",
        _ => return error.to_string(),
    };
    words.to_owned()
}

/// Whether the system has no more locks to give.
pub(crate) fn has_no_locks(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOLCK)
}

/// Whether the same call may succeed a moment later, so that the error says nothing about the disk.
pub(crate) fn may_pass(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|error| error == libc::EINTR || is_passing(error))
}

/// Whether the error says nothing about the file, because the same call may succeed a moment later.
pub(super) fn is_passing(error: i32) -> bool {
    const PASSING: [i32; 10] = [
        libc::ENOSPC,
        libc::EDQUOT,
        libc::EFBIG,
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOMEM,
        libc::ENOLCK,
        libc::EIO,
        libc::ENXIO,
        libc::ETIMEDOUT,
    ];
    PASSING.contains(&error)
}

/// Errors of a failed call, and words of the advice about each.
#[cfg(test)]
pub(crate) const ADVICE: [(i32, &str); 6] = [
    (libc::EMFILE, "too many files open"),
    (libc::ENFILE, "too many files open"),
    (libc::ENOMEM, "not enough memory"),
    (libc::ENOSPC, "the disk is full"),
    (libc::EDQUOT, "the disk is full"),
    (libc::EIO, "the disk failed to read or write"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_may_pass_say_nothing_about_a_disk() {
        let passes = |error| may_pass(&io::Error::from_raw_os_error(error));
        for passing in [libc::ENOLCK, libc::EMFILE, libc::EIO, libc::EINTR, libc::ENOSPC, libc::ENOMEM] {
            assert!(passes(passing), "{passing}");
        }
        for lasting in [libc::EAGAIN, libc::EINVAL, libc::ENOSYS, libc::ENOTSUP, libc::ENODEV] {
            assert!(!passes(lasting), "{lasting}");
        }
    }
}
