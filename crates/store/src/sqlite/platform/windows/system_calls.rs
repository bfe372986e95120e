//! The call by which SQLite opens files. SQLite makes its system calls through a table whose entries can be replaced
//! (<https://www.sqlite.org/c3ref/vfs.html>).
#![allow(unsafe_code)] // SQLite's interface is C

use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::ptr;
use std::sync::Once;

use rusqlite::ffi;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, GetLastError, HANDLE, INVALID_HANDLE_VALUE, SetLastError,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::CreateFileW;

use super::errors::is_passing;
use super::security::with_private_attributes;

/// Replaces the call by which SQLite opens files: the log and its index, which SQLite creates, are for their owner
/// alone, whatever their folder gives to others. If the system cannot say who the owner is, nothing is opened. To be
/// called before the first connection is opened.
pub(crate) fn install_system_calls() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let ours = sqlite_create_file as *const c_void;
        // SAFETY: SQLite's file system exists until the end of the process. SQLite calls the function of this name with
        // the arguments of the system call, and ours takes the same arguments.
        unsafe {
            ffi::sqlite3_initialize();
            let system = ffi::sqlite3_vfs_find(ptr::null());
            if let Some(set) = system.as_ref().and_then(|system| system.xSetSystemCall) {
                let name = c"CreateFileW".as_ptr();
                set(system, name, std::mem::transmute::<*const c_void, ffi::sqlite3_syscall_ptr>(ours));
            }
        }
    });
}

unsafe extern "system" fn sqlite_create_file(
    path: *const u16,
    access: u32,
    share: u32,
    attributes: *const SECURITY_ATTRIBUTES,
    create: u32,
    flags: u32,
    template: HANDLE,
) -> HANDLE {
    // SAFETY: as SQLite passed them; only the attributes are ours, if SQLite has none.
    let open = |attributes| unsafe { CreateFileW(path, access, share, attributes, create, flags, template) };
    let opened = if attributes.is_null() { with_private_attributes(open) } else { Ok(open(attributes)) };
    match opened {
        Ok(INVALID_HANDLE_VALUE) => {
            // SAFETY: it takes no arguments.
            let error = unsafe { GetLastError() };
            fail(error, is_passing(error))
        }
        Ok(handle) => handle,
        // That says nothing about the file.
        Err(error) => fail(error.raw_os_error().map_or(ERROR_ACCESS_DENIED, i32::cast_unsigned), true),
    }
}

/// What SQLite gets for a file that could not be opened.
fn fail(error: u32, says_nothing_of_the_file: bool) -> HANDLE {
    if says_nothing_of_the_file {
        FAILURE.set(error);
    }
    // SAFETY: it only sets a number of this thread.
    unsafe { SetLastError(error) };
    INVALID_HANDLE_VALUE
}

thread_local! {
    static FAILURE: Cell<u32> = const { Cell::new(0) };
}

pub(crate) fn forget_failed_call() {
    FAILURE.set(0);
}

/// The error of the last failed call of SQLite on this thread, if it says nothing about the file.
pub(crate) fn failed_call() -> Option<io::Error> {
    let failed = Some(FAILURE.get()).filter(|error| *error != 0);
    failed.map(|error| io::Error::from_raw_os_error(error.cast_signed()))
}

/// Makes this error the last failed call of this thread.
#[cfg(test)]
pub(crate) fn set_failed_call(error: i32) {
    FAILURE.set(error.cast_unsigned());
}
