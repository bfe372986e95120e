//! Everything that differs between operating systems. No other file of the store asks for which system it is
//! compiled; a port to another system is a folder beside `unix/` with the same items.
//!
//! Owns the identity, the owner and the mode of a file, locks that belong to an open file, shared memory, the kind of
//! a disk as the system names it, SQLite's system calls, the open descriptors that a forked child must close, and the
//! meaning of the system's error numbers. Knows nothing of stores.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(super) use unix::{
    DiskKind, FileId, Halt, Listed, SharedByte, advice, close_all_inherited, create_private,
    create_private_folder, disk_kind, failed_call, file_id, forget_failed_call, has_no_locks,
    has_second_name, id_of, install_system_calls, is_absent, is_anothers, is_locked, is_private, lies_at,
    lock_byte, locks_last, may_pass, mode_for_others, open_private, read_at, rename_new, share_byte,
    sync_data, unlock_byte, write_at,
};
#[cfg(all(test, unix))]
pub(super) use unix::{kind_in, set_failed_call, set_others_may_read};
