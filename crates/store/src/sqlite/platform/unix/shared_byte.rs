//! The first byte of a file, mapped into memory.
#![allow(unsafe_code)] // mapping a file into memory has no safe interface

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, Ordering};

use nix::libc;

/// The first byte of a file, shared with everybody who maps the file.
pub(crate) struct SharedByte(NonNull<libc::c_void>);

impl SharedByte {
    /// Maps the file. It must not be empty, and nobody may shorten it while this value exists: the system would end
    /// the process when the byte is used.
    pub(crate) fn map(file: &File) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address that the system chooses; nothing else refers to it.
        let start = unsafe { libc::mmap(ptr::null_mut(), 1, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(start).map(Self).ok_or_else(|| io::Error::other("mapped at the address 0"))
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
        // SAFETY: it was mapped by `map` with this length, and nobody uses it any more.
        unsafe { libc::munmap(self.0.as_ptr(), 1) };
    }
}
