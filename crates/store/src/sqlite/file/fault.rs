//! What can go wrong with a store, and the message for the user.
//!
//! A fault is kept as SQLite reports it until it leaves the store, because threads decide by it: whether the work was
//! postponed for a fork (`is_busy`), and whether answers are worth trying again (`may_pass`).

use std::path::Path;
use std::{fmt, fs, io};

use rusqlite::{ErrorCode, ffi};

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message::Message;

use super::super::platform;
use super::paths::beside;

/// A failure of a store.
///
/// Becomes an [`Error`] by [`into_error`](Self::into_error), which adds the store's path.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite's error. Its message depends on the last failed system call of this thread.
    Sqlite(rusqlite::Error),
    /// The file contains something that this package has not written; what it is. Repeating the work does not help.
    Damaged(&'static str),
    /// An error whose message is complete. It is passed on as it is.
    Complete(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Complete(error)
    }
}

impl Fault {
    /// An [`ErrorKind::Store`] with this message.
    pub(crate) fn of(message: impl Into<Message>) -> Self {
        Self::Complete(Error::new(ErrorKind::Store, message))
    }

    pub(crate) fn absent(path: &Path) -> Error {
        Error::new(ErrorKind::Store, format!("there is no store {}: check the path", path.display()))
    }

    /// Whether another program or thread has a lock that is needed.
    pub(crate) fn is_busy(&self) -> bool {
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
    ///
    /// If not, the answers that wait for this work do not keep others from being claimed.
    pub(crate) fn may_pass(&self) -> bool {
        let passes = match self {
            Self::Complete(_) => true,
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
        passes || platform::failed_call().is_some()
    }

    /// A failed system call, and what to do about it.
    pub(crate) fn system(what: impl fmt::Display, error: &io::Error) -> Self {
        Self::of(format!("{what}: {}", platform::advice(error)))
    }

    /// The user interrupted the call.
    pub(crate) fn interrupted() -> Self {
        Self::of("taken back before it was done: ask again, and it goes on from there")
    }

    /// SQLite could not open the file to read and write it.
    pub(super) fn unopened(path: &Path) -> Self {
        let advice = platform::failed_call().map_or_else(
            || format!("check the path, and {}", platform::CHECK_ACCESS),
            |error| platform::advice(&error),
        );
        Self::of(format!("the store {} cannot be opened: {advice}", path.display()))
    }

    /// The error for the user of this file. If the failure may pass, the message does not advise to use another file:
    /// the user would pay again for everything that the other file lacks.
    ///
    /// To be called on the thread on which the failure happened, before another call of SQLite: the system's error is
    /// noted for each thread.
    pub(crate) fn into_error(self, path: &Path) -> Error {
        let error = match self {
            Self::Complete(error) => return error,
            Self::Damaged(what) => return damaged(path, what),
            Self::Sqlite(error) => error,
        };
        let code = error.sqlite_error_code();
        let what = match (code, platform::failed_call()) {
            // For the log's index, SQLite reports the same if the system had no locks left.
            (Some(ErrorCode::DatabaseBusy), Some(error)) if platform::has_no_locks(&error) => {
                platform::advice(&error)
            }
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => {
                "another program keeps it locked: let that finish, and run this again".into()
            }
            (Some(ErrorCode::OperationInterrupted), _) => {
                return Self::interrupted().into_error(path);
            }
            (Some(ErrorCode::DiskFull), _) => "the disk is full: make room, and run this again".into(),
            (Some(ErrorCode::OutOfMemory), _) => NO_MEMORY.into(),
            // SQLite has one code for many reasons. The system's error is the right one.
            (_, Some(error)) => platform::advice(&error),
            (
                Some(
                    ErrorCode::ReadOnly
                    | ErrorCode::PermissionDenied
                    | ErrorCode::AuthorizationForStatementDenied,
                ),
                None,
            ) => format!("it cannot be written: {}", platform::CHECK_ACCESS),
            (Some(ErrorCode::CannotOpen), None) => return Self::unopened(path).into_error(path),
            (Some(ErrorCode::NotADatabase), None) => {
                "it is not a store of this package: use another path".into()
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

/// The content of the file is inconsistent. A database that was put beside the log of another one looks like that too.
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

/// SQLite's own message without the statement. It never contains values.
///
/// The last resort, for failures that no case above explains.
fn plain(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, message) => message.clone().unwrap_or_else(|| code.to_string()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_system_call_decides_the_message() {
        let message = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            Fault::from(error).into_error(Path::new("/nowhere/a.db")).to_string()
        };
        let codes = [
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_NOTADB,
            ffi::SQLITE_IOERR_READ,
        ];
        platform::forget_failed_call();
        assert!(message(ffi::SQLITE_CORRUPT).contains("damaged"));
        for (error, advice) in platform::ADVICE {
            platform::set_failed_call(error);
            for words in codes.map(message) {
                assert!(words.contains(advice) && words.contains("run this again"), "{words}");
                assert!(!words.contains("another path") && !words.contains("backup"), "{words}");
            }
        }
        platform::forget_failed_call();
        assert!(message(ffi::SQLITE_CORRUPT).contains("damaged"));
    }
}
