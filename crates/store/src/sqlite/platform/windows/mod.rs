//! Windows. A process is never forked there, so nothing has to be closed before a fork.

mod access_list;
mod calls;
mod disk_kind;
mod errors;
mod files;
mod listed;
mod locks;
mod security;
mod system_calls;

pub(crate) use calls::{SharedByte, rename_new};
pub(crate) use disk_kind::disk_kind;
#[cfg(test)]
pub(crate) use errors::ADVICE;
pub(crate) use errors::{CHECK_ACCESS, advice, has_no_locks, may_pass};
#[cfg(test)]
pub(crate) use files::set_others_may_read;
pub(crate) use files::{
    access_of_others, create_private, create_private_folder, is_anothers, is_taken, open_private, read_at,
    status, status_of, sync_data, write_at,
};
pub(crate) use listed::{Halt, Listed, close_all_inherited};
pub(crate) use locks::{is_locked, is_used, lock_byte, locks_last, share_byte, unlock_byte};
#[cfg(test)]
pub(crate) use system_calls::set_failed_call;
pub(crate) use system_calls::{failed_call, forget_failed_call, install_system_calls};
