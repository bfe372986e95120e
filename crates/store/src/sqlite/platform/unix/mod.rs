//! Unix: Linux, macOS and their relatives.

mod descriptors;
mod disk_kind;
mod errors;
mod files;
mod locks;
mod shared_byte;
mod system_calls;

pub(crate) use descriptors::{Halt, Listed, close_all_inherited};
#[cfg(test)]
pub(crate) use disk_kind::kind_in;
pub(crate) use disk_kind::{DiskKind, disk_kind};
pub(crate) use errors::{advice, has_no_locks, is_absent, may_pass};
#[cfg(test)]
pub(crate) use files::set_others_may_read;
pub(crate) use files::{
    FileId, create_private, create_private_folder, file_id, has_second_name, id_of, is_anothers, is_private,
    lies_at, mode_for_others, open_private, read_at, rename_new, sync_data, write_at,
};
pub(crate) use locks::{is_locked, lock_byte, locks_last, share_byte, unlock_byte};
pub(crate) use shared_byte::SharedByte;
#[cfg(test)]
pub(crate) use system_calls::set_failed_call;
pub(crate) use system_calls::{failed_call, forget_failed_call, install_system_calls};
