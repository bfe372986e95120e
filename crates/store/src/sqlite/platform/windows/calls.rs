//! System calls on files, locks, disks and memory, each behind a safe function.
#![allow(unsafe_code)] // the standard library does not offer these calls

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, Ordering};

use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CreateDirectoryW, CreateFileW, FILE_FLAG_OPEN_REPARSE_POINT, FILE_ID_INFO,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FileIdInfo, GetDriveTypeW,
    GetFileInformationByHandle, GetFileInformationByHandleEx, GetVolumeInformationW, GetVolumePathNameW,
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, MOVEFILE_WRITE_THROUGH, MoveFileExW,
    UnlockFileEx,
};
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile,
    PAGE_READWRITE, UnmapViewOfFile,
};
use windows_sys::Win32::System::WindowsProgramming::DRIVE_REMOTE;

use super::super::FileId;
use super::security::with_private_attributes;

/// Text as the system takes it: UTF-16 with a zero at its end.
pub(super) fn wide(text: impl AsRef<std::ffi::OsStr>) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = text.as_ref().encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name has a zero character"));
    }
    wide.push(0);
    Ok(wide)
}

/// The outcome of a call that returns zero if it failed.
pub(super) fn done(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

// ---- files ----

/// Opens a file to read and write; if it is created, for its owner alone. A symbolic link itself is opened, not the
/// file that it leads to. `create` is the system's number, such as `CREATE_NEW`.
pub(super) fn open(path: &Path, create: u32) -> io::Result<File> {
    let path = wide(path)?;
    with_private_attributes(|attributes| {
        // SAFETY: the path ends with a zero, the attributes live until the call returns, and the handle is nobody
        // else's.
        unsafe {
            let handle = CreateFileW(
                path.as_ptr(),
                GENERIC_READ | GENERIC_WRITE,
                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                attributes,
                create,
                FILE_FLAG_OPEN_REPARSE_POINT,
                ptr::null_mut(),
            );
            if handle == INVALID_HANDLE_VALUE {
                Err(io::Error::last_os_error())
            } else {
                Ok(File::from_raw_handle(handle))
            }
        }
    })?
}

/// Creates one folder for its owner alone.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    let path = wide(path)?;
    // SAFETY: the path ends with a zero, and the attributes live until the call returns.
    with_private_attributes(|attributes| done(unsafe { CreateDirectoryW(path.as_ptr(), attributes) }))?
}

/// Renames a file. Fails if the new name exists, even if it was created at this moment. Returns when the new name is on
/// the disk.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (wide(from)?, wide(to)?);
    // SAFETY: both paths end with a zero.
    done(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), MOVEFILE_WRITE_THROUGH) })
}

/// The identity of an open file or folder, and how many names it has.
pub(super) fn identity_of(file: &File) -> io::Result<(FileId, u32)> {
    let handle = file.as_raw_handle();
    let (mut known, mut id) = (BY_HANDLE_FILE_INFORMATION::default(), FILE_ID_INFO::default());
    // SAFETY: the handle is open, and both calls get the structure that they fill in.
    let has_long_id = unsafe {
        done(GetFileInformationByHandle(handle, &raw mut known))?;
        let room = u32::try_from(size_of::<FILE_ID_INFO>()).unwrap_or(0);
        GetFileInformationByHandleEx(handle, FileIdInfo, (&raw mut id).cast(), room) != 0
    };
    let short = u64::from(known.nFileIndexHigh) << 32 | u64::from(known.nFileIndexLow);
    let id = if has_long_id {
        // NTFS uses only the first half. ReFS has the folder in the second one.
        let long = u128::from_le_bytes(id.FileId.Identifier);
        let [low, high] = [long, long >> 64].map(|half| (half & u128::from(u64::MAX)) as u64);
        (id.VolumeSerialNumber, low ^ high.rotate_left(32))
    } else {
        // FAT has no others.
        (u64::from(known.dwVolumeSerialNumber), short)
    };
    Ok((id, known.nNumberOfLinks))
}

// ---- locks ----

/// Whether a lock excludes everybody or only those who exclude others.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lock {
    Exclusive,
    Shared,
}

/// Locks these bytes, or fails at once.
pub(super) fn lock(file: &File, kind: Lock, bytes: Range<u64>) -> io::Result<()> {
    let exclusive = if matches!(kind, Lock::Exclusive) { LOCKFILE_EXCLUSIVE_LOCK } else { 0 };
    let ([low, high], mut at) = place_of(&bytes);
    // SAFETY: the handle is open, and was not opened for overlapped calls: the call is complete when it returns.
    done(unsafe {
        let handle = file.as_raw_handle();
        LockFileEx(handle, exclusive | LOCKFILE_FAIL_IMMEDIATELY, 0, low, high, &raw mut at)
    })
}

/// Releases a lock on exactly these bytes.
pub(super) fn unlock(file: &File, bytes: Range<u64>) -> io::Result<()> {
    let ([low, high], mut at) = place_of(&bytes);
    // SAFETY: as above.
    done(unsafe { UnlockFileEx(file.as_raw_handle(), 0, low, high, &raw mut at) })
}

/// The length in two halves, and the position.
fn place_of(bytes: &Range<u64>) -> ([u32; 2], OVERLAPPED) {
    let halves = |number: u64| [number & u64::from(u32::MAX), number >> 32].map(|half| half as u32);
    let [low, high] = halves(bytes.start);
    let mut at = OVERLAPPED::default();
    at.Anonymous.Anonymous.Offset = low;
    at.Anonymous.Anonymous.OffsetHigh = high;
    (halves(bytes.end - bytes.start), at)
}

// ---- disks ----

/// The path at which the disk of this folder begins: `C:\`.
pub(super) fn root_of(folder: &Path) -> io::Result<PathBuf> {
    let folder = wide(folder)?;
    // The root is not longer than the folder, but may get a backslash.
    let mut root = vec![0; folder.len() + 1];
    let room = u32::try_from(root.len()).unwrap_or(0);
    // SAFETY: the folder ends with a zero, and there is room for as much as we say.
    done(unsafe { GetVolumePathNameW(folder.as_ptr(), root.as_mut_ptr(), room) })?;
    Ok(PathBuf::from(std::ffi::OsString::from_wide(until_zero(&root))))
}

/// Whether the disk is another machine's.
pub(super) fn is_remote(root: &Path) -> bool {
    // SAFETY: the path ends with a zero.
    wide(root).is_ok_and(|root| unsafe { GetDriveTypeW(root.as_ptr()) } == DRIVE_REMOTE)
}

/// The name of the disk's file system: `NTFS`.
pub(super) fn file_system_of(root: &Path) -> io::Result<String> {
    let (root, mut name) = (wide(root)?, [0_u16; 64]);
    let room = u32::try_from(name.len()).unwrap_or(0);
    let [nothing, none] = [ptr::null_mut(), ptr::null_mut()];
    // SAFETY: the path ends with a zero, there is room for the name, and nothing else is asked for.
    done(unsafe {
        let start = name.as_mut_ptr();
        GetVolumeInformationW(root.as_ptr(), ptr::null_mut(), 0, nothing, none, nothing, start, room)
    })?;
    Ok(String::from_utf16_lossy(until_zero(&name)))
}

fn until_zero(text: &[u16]) -> &[u16] {
    text.split(|unit| *unit == 0).next().unwrap_or_default()
}

// ---- shared memory ----

/// The first byte of a file, shared with everybody who maps the file.
pub(crate) struct SharedByte(NonNull<c_void>);

impl SharedByte {
    /// Maps the file. It must not be empty. While it is mapped, nobody can shorten it.
    pub(crate) fn map(file: &File) -> io::Result<Self> {
        // SAFETY: the handle is open. The system chooses the address of the mapping, to which nothing else refers; the
        // mapping keeps what it needs when its handle is closed.
        let start = unsafe {
            let mapping =
                CreateFileMappingW(file.as_raw_handle(), ptr::null(), PAGE_READWRITE, 0, 0, ptr::null());
            if mapping.is_null() {
                return Err(io::Error::last_os_error());
            }
            let mapping = OwnedHandle::from_raw_handle(mapping);
            MapViewOfFile(mapping.as_raw_handle(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 1)
        };
        NonNull::new(start.Value).map(Self).ok_or_else(io::Error::last_os_error)
    }

    /// Others change it, so it is only used as an atomic byte.
    fn byte(&self) -> &AtomicU8 {
        // SAFETY: the mapping has at least one byte, and lives as long as `self`.
        unsafe { AtomicU8::from_ptr(self.0.as_ptr().cast()) }
    }

    pub(crate) fn get(&self) -> u8 {
        self.byte().load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, value: u8) {
        self.byte().store(value, Ordering::SeqCst);
    }
}

impl Drop for SharedByte {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `map`, and nobody uses it any more.
        unsafe { UnmapViewOfFile(MEMORY_MAPPED_VIEW_ADDRESS { Value: self.0.as_ptr() }) };
    }
}
