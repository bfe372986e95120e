//! What the system's error numbers mean, and what the user can do about them.

use std::io;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_CANT_ACCESS_FILE, ERROR_COMMITMENT_LIMIT, ERROR_CRC, ERROR_DELETE_PENDING,
    ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED, ERROR_GEN_FAILURE, ERROR_HANDLE_DISK_FULL, ERROR_IO_DEVICE,
    ERROR_LOCK_VIOLATION, ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_READY,
    ERROR_OUTOFMEMORY, ERROR_SEM_TIMEOUT, ERROR_SHARING_VIOLATION, ERROR_TOO_MANY_OPEN_FILES,
    ERROR_WRITE_PROTECT,
};

/// What to look at if a file cannot be opened or written.
pub(crate) const CHECK_ACCESS: &str = "check who owns the file and its folder, and who may change them";

/// What to do about a failed system call, in a few words.
pub(crate) fn advice(error: &io::Error) -> String {
    let words = match number_of(error) {
        Some(ERROR_DISK_FULL | ERROR_HANDLE_DISK_FULL | ERROR_DISK_QUOTA_EXCEEDED) => {
            "the disk is full: make room, and run this again"
        }
        Some(ERROR_TOO_MANY_OPEN_FILES) => {
            "the system has too many files open: close some programs, and run this again"
        }
        Some(
            ERROR_NOT_ENOUGH_MEMORY | ERROR_OUTOFMEMORY | ERROR_COMMITMENT_LIMIT | ERROR_NO_SYSTEM_RESOURCES,
        ) => "there is not enough memory: close some programs, and run this again",
        Some(ERROR_CRC | ERROR_GEN_FAILURE | ERROR_IO_DEVICE | ERROR_NOT_READY | ERROR_SEM_TIMEOUT) => {
            "the disk failed to read or write: run this again, and check the disk if that does not help"
        }
        Some(ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION | ERROR_DELETE_PENDING) => {
            "another program has the file open and does not share it: let that finish, and run this again"
        }
        Some(ERROR_ACCESS_DENIED | ERROR_WRITE_PROTECT) => CHECK_ACCESS,
        Some(ERROR_CANT_ACCESS_FILE) => "it is a symbolic link: move it away while nobody uses the store",
        _ => return error.to_string(),
    };
    words.to_owned()
}

/// Whether the system has no more locks to give. On this system that is a lack of memory.
pub(crate) fn has_no_locks(_: &io::Error) -> bool {
    false
}

/// Whether a lock was refused because somebody else has it.
pub(super) fn is_locked_out(error: &io::Error) -> bool {
    number_of(error) == Some(ERROR_LOCK_VIOLATION)
}

/// Whether the same call may succeed a moment later, so that the error says nothing about the disk or the file.
pub(crate) fn may_pass(error: &io::Error) -> bool {
    number_of(error).is_some_and(is_passing)
}

/// The same for the system's number of the error.
pub(super) fn is_passing(error: u32) -> bool {
    const PASSING: [u32; 15] = [
        ERROR_DISK_FULL,
        ERROR_HANDLE_DISK_FULL,
        ERROR_DISK_QUOTA_EXCEEDED,
        ERROR_TOO_MANY_OPEN_FILES,
        ERROR_NOT_ENOUGH_MEMORY,
        ERROR_OUTOFMEMORY,
        ERROR_COMMITMENT_LIMIT,
        ERROR_NO_SYSTEM_RESOURCES,
        ERROR_CRC,
        ERROR_GEN_FAILURE,
        ERROR_IO_DEVICE,
        ERROR_NOT_READY,
        ERROR_SEM_TIMEOUT,
        ERROR_SHARING_VIOLATION,
        ERROR_DELETE_PENDING,
    ];
    PASSING.contains(&error)
}

fn number_of(error: &io::Error) -> Option<u32> {
    error.raw_os_error().map(i32::cast_unsigned)
}

/// Errors of a failed call, and words of the advice about each.
#[cfg(test)]
pub(crate) const ADVICE: [(i32, &str); 4] = [
    (ERROR_TOO_MANY_OPEN_FILES.cast_signed(), "too many files open"),
    (ERROR_NOT_ENOUGH_MEMORY.cast_signed(), "not enough memory"),
    (ERROR_DISK_FULL.cast_signed(), "the disk is full"),
    (ERROR_IO_DEVICE.cast_signed(), "the disk failed to read or write"),
];
