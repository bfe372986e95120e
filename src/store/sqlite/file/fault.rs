//! What goes wrong with the file, and how it is told.

use std::path::Path;
use std::{fmt, fs, io};

use rusqlite::{ErrorCode, ffi};

use crate::error::{Error, ErrorKind};

use super::super::platform::unix::locks;
use super::super::platform::unix::system_calls;
use super::place::beside;

/// What went wrong, in SQLite's words or in ours.
#[derive(Debug)]
pub(in super::super) enum Fault {
    Sqlite(rusqlite::Error),
    Damaged(&'static str),
    Told(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl Fault {
    /// Of the store, in one line.
    pub(in super::super) fn of(message: impl Into<String>) -> Self {
        Self::Told(Error::new(ErrorKind::Store, message))
    }

    /// Whether another program or thread has a lock that this work needs.
    pub(in super::super) fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Sqlite(error)
                if matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                )
        )
    }

    /// Whether the same work may succeed later: once another program ends, or there is room on the disk.
    pub(in super::super) fn may_pass(&self) -> bool {
        let passes = match self {
            Self::Told(_) => true,
            Self::Damaged(_) => false,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::DiskFull
                        | ErrorCode::OutOfMemory
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::CannotOpen
                        | ErrorCode::ReadOnly
                        | ErrorCode::PermissionDenied
                        | ErrorCode::OperationInterrupted
                )
            ),
        };
        // SQLite reports a read that failed as damage.
        passes || system_calls::failure().is_some()
    }

    /// Something in the file is not as it was written.
    pub(in super::super) const fn damaged(what: &'static str) -> Self {
        Self::Damaged(what)
    }

    /// What the system refused, and what to do about it.
    pub(in super::super) fn system(what: impl fmt::Display, error: &io::Error) -> Self {
        Self::of(format!("{what}: {}", locks::advice(error)))
    }

    /// SQLite could not open the file to read and write it.
    pub(in super::super) fn unopened(path: &Path) -> Self {
        let advice = system_calls::failure().map_or_else(
            || "check the path, and the owner and mode of the file and its folder".to_owned(),
            |error| locks::advice(&error),
        );
        Self::of(format!("the store {} cannot be opened: {advice}", path.display()))
    }

    /// What the person reads who has this file. Nothing here advises to put another file in its place
    /// where the failure may pass: whatever that one lacks would be paid for again.
    pub(in super::super) fn told(self, path: &Path) -> Error {
        let error = match self {
            Self::Told(error) => return error,
            Self::Damaged(what) => return damaged(path, what),
            Self::Sqlite(error) => error,
        };
        let code = error.sqlite_error_code();
        let what = match (code, system_calls::failure()) {
            // Of the log's index, SQLite says the same where no lock could be had at all.
            (Some(ErrorCode::DatabaseBusy), Some(error)) if locks::has_no_locks(&error) => {
                locks::advice(&error)
            }
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => {
                "another program keeps it locked: let that finish, and run this again".into()
            }
            (Some(ErrorCode::OperationInterrupted), _) => {
                return super::super::process::interrupt::taken_back().told(path);
            }
            (Some(ErrorCode::DiskFull), _) => "the disk is full: make room, and run this again".into(),
            (Some(ErrorCode::OutOfMemory), _) => NO_MEMORY.into(),
            // SQLite has one code for many reasons; the system has told the right one.
            (_, Some(error)) => locks::advice(&error),
            (
                Some(
                    ErrorCode::ReadOnly
                    | ErrorCode::PermissionDenied
                    | ErrorCode::AuthorizationForStatementDenied,
                ),
                None,
            ) => "it cannot be written: check the owner and mode of the file and its folder".into(),
            (Some(ErrorCode::CannotOpen), None) => return Self::unopened(path).told(path),
            (Some(ErrorCode::NotADatabase), None) => {
                "it is not a store of this package: give store= another path".into()
            }
            (Some(ErrorCode::DatabaseCorrupt), None) => return damaged(path, "it is damaged"),
            (Some(ErrorCode::SystemIoFailure), None) => match error.sqlite_extended_error_code() {
                Some(ffi::SQLITE_IOERR_NOMEM | ffi::SQLITE_IOERR_SHMMAP) => NO_MEMORY.into(),
                _ => "the disk failed to read or write it: run this again, and check the disk if that does not help"
                    .into(),
            },
            _ => plain(&error),
        };
        Error::new(ErrorKind::Store, format!("the store {}: {what}", path.display()))
    }
}

const NO_MEMORY: &str = "there is not enough memory: close some programs, and run this again";

/// What is read does not fit together. A database that was put beside the log of another looks like that.
fn damaged(path: &Path, what: &str) -> Error {
    let log = beside(path, "-wal");
    let advice = if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        format!(
            "it does not fit the log beside it, or is damaged. If a backup was put here, move {} and the -shm file \
             away, keep them, and run this again; else restore a backup, and keep these files: what a backup lacks would \
             be paid for again",
            log.display()
        )
    } else {
        "keep the file, and restore a backup: what the backup lacks would be paid for again".to_owned()
    };
    Error::new(ErrorKind::Store, format!("the store {}: {what}: {advice}", path.display()))
}

/// SQLite's own words, without the statement: values never stand in those.
fn plain(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, message) => message.clone().unwrap_or_else(|| code.to_string()),
        other => other.to_string(),
    }
}
