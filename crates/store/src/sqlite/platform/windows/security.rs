//! Accounts and security descriptors: who owns a file, and who has access to it.
#![allow(unsafe_code)] // the standard library does not offer these calls

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1,
    SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetTokenInformation, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
    SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::access_list;
use super::calls::{done, wide};

/// Memory that the system has allocated with `LocalAlloc`.
struct Local(*mut c_void);

impl Local {
    /// The text at this address, which ends with a zero.
    fn text(&self) -> String {
        let start = self.0.cast::<u16>();
        // SAFETY: the system has written characters and a zero after them.
        let text = unsafe {
            let length = (0..).take_while(|at| *start.add(*at) != 0).count();
            std::slice::from_raw_parts(start, length)
        };
        String::from_utf16_lossy(text)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: it was allocated for us, and nothing refers to it any more.
        unsafe { LocalFree(self.0) };
    }
}

/// The security identifier of this process's user.
pub(super) fn user() -> io::Result<String> {
    static USER: OnceLock<String> = OnceLock::new();
    if let Some(user) = USER.get() {
        return Ok(user.clone());
    }
    // A `TOKEN_USER` and the longest identifier need 100 bytes. Numbers of eight bytes keep it aligned.
    let mut known = [0_u64; 32];
    // SAFETY: each call gets room for what it writes, and `known` is read as what the system has written to it.
    let text = unsafe {
        let mut token: HANDLE = ptr::null_mut();
        done(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token))?;
        let token = OwnedHandle::from_raw_handle(token);
        let (room, mut length) = (u32::try_from(size_of_val(&known)).unwrap_or(0), 0);
        let start = known.as_mut_ptr();
        done(GetTokenInformation(token.as_raw_handle(), TokenUser, start.cast(), room, &raw mut length))?;
        let mut text = ptr::null_mut();
        done(ConvertSidToStringSidW((*start.cast::<TOKEN_USER>()).User.Sid, &raw mut text))?;
        Local(text.cast()).text()
    };
    Ok(USER.get_or_init(|| text).clone())
}

/// The owner and the access list of a file or folder, as text.
pub(super) fn descriptor_of(path: &Path) -> io::Result<String> {
    let path = wide(path)?;
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    let nothing = ptr::null_mut();
    // SAFETY: the path ends with a zero. The system allocates the descriptor, and nothing else is asked for.
    let error = unsafe {
        GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            ASKED,
            nothing,
            nothing,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if error != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(error.cast_signed()));
    }
    text_of(&Local(descriptor))
}

/// The same descriptor in the system's own spelling, which has short names for known accounts.
pub(super) fn normalised(descriptor: &str) -> io::Result<String> {
    text_of(&parsed(descriptor)?)
}

const ASKED: u32 = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

fn text_of(descriptor: &Local) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: the system has made the descriptor, and allocates the text.
    unsafe {
        done(ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor.0,
            SDDL_REVISION_1,
            ASKED,
            &raw mut text,
            ptr::null_mut(),
        ))?;
    }
    Ok(Local(text.cast()).text())
}

fn parsed(descriptor: &str) -> io::Result<Local> {
    let text = wide(descriptor)?;
    let mut parsed: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the text ends with a zero, and the system allocates the descriptor.
    unsafe {
        done(ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text.as_ptr(),
            SDDL_REVISION_1,
            &raw mut parsed,
            ptr::null_mut(),
        ))?;
    }
    Ok(Local(parsed))
}

/// Calls `act` with the attributes of a new file that only its owner can read.
pub(super) fn with_private_attributes<T>(act: impl FnOnce(*const SECURITY_ATTRIBUTES) -> T) -> io::Result<T> {
    let descriptor = parsed(&access_list::private(&user()?))?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or(0),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    Ok(act(&raw const attributes))
}

/// Replaces the access list of a file.
#[cfg(test)]
pub(super) fn set_access(path: &Path, descriptor: &str) -> io::Result<()> {
    use windows_sys::Win32::Security::{PROTECTED_DACL_SECURITY_INFORMATION, SetFileSecurityW};
    let (path, parsed) = (wide(path)?, parsed(descriptor)?);
    let what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: the path ends with a zero, and the descriptor lives until the call returns.
    done(unsafe { SetFileSecurityW(path.as_ptr(), what, parsed.0) })
}
